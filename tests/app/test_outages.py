"""The router while PostgreSQL or Redis is away: what still works, what is told, and that no row is lost or doubled."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest
from tests.app.asking import STREAMED, ask, assert_own_error
from tests.gate import SOCKETS_LEFT_OPEN, Gate
from tests.services import RunningRouter, running_router
from tests.upstream import FakeUpstream

from ccrouter import services
from ccrouter.embedded import EmbeddedServices
from ccrouter.storage import call_log, directory, engine, refusals

pytestmark = pytest.mark.filterwarnings(SOCKETS_LEFT_OPEN)


@dataclass
class Gated:
    """A router whose servers stand behind gates."""

    router: RunningRouter
    postgres: Gate
    redis: Gate

    def ready(self) -> httpx2.Response:
        """What the router says of itself now."""
        self.router.services._ready = None
        with self.router.client() as client:
            return client.get("/health/ready")


@pytest.fixture
def gated(embedded: EmbeddedServices, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gated]:
    """A router of its own, quick to give up and to try again."""
    monkeypatch.setattr(call_log, "_DATABASE_WITHIN_S", 0.5)
    monkeypatch.setattr(call_log, "_REPLAY_EVERY_S", 0.1)
    monkeypatch.setattr(services, "_READY_WITHIN_S", 0.3)
    monkeypatch.setattr(engine, "_CONNECT_TIMEOUT_S", 2)
    with (
        Gate(embedded.database_url) as postgres,
        Gate(embedded.redis_url) as redis,
        running_router(embedded, upstream, postgres=postgres.url, redis=redis.url) as router,
    ):
        yield Gated(router, postgres, redis)
        postgres.open()
        redis.open()


def sessions_of(router: RunningRouter, secret: str, expect: int) -> list[str]:
    """The sessions of a key's rows, oldest first."""
    return [row["session_id"] for row in reversed(router.rows(secret, expect=expect))]


@pytest.mark.parametrize("how", ["shut", "silence"])
def test_rows_of_an_outage_come_back_once(gated: Gated, how: str) -> None:
    """A key that is known goes on working; its rows wait in the outbox and are there afterwards, each one once."""
    router, secret = gated.router, gated.router.new_key()
    assert ask(router, secret, STREAMED, x_claude_code_session_id="before").status_code == 200
    getattr(gated.postgres, how)()
    for number in range(3):
        began = time.monotonic()
        assert ask(router, secret, STREAMED, x_claude_code_session_id=f"during-{number}").status_code == 200
        assert time.monotonic() - began < 3
    assert (gated.ready().status_code, gated.ready().json()["postgres"]) == (503, "away")
    if how == "silence":
        gated.postgres.shut()
    gated.postgres.open()
    expected = ["before", "during-0", "during-1", "during-2"]
    assert expected == sessions_of(router, secret, 4)
    assert ask(router, secret, STREAMED, x_claude_code_session_id="after").status_code == 200
    time.sleep(0.3)
    assert [*expected, "after"] == sessions_of(router, secret, 5)
    outbox = router.services.settings.data_dir / "outbox"
    assert [path.name for path in outbox.iterdir() if path.suffix == ".jsonl"] == []
    assert gated.ready().json()["status"] == "ok"


@pytest.mark.parametrize("how", ["shut", "silence"])
def test_a_key_that_nobody_knows_is_told_to_come_back(gated: Gated, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 and a wait, soon, not a 401 that would make a client give up; and a row when the database is back."""
    monkeypatch.setattr(directory, "DATABASE_WITHIN_S", 0.5)
    secret = gated.router.new_key()
    getattr(gated.postgres, how)()
    began = time.monotonic()
    answer = ask(gated.router, secret)
    assert time.monotonic() - began < 3
    assert "database" in assert_own_error(answer, 503, "api_error")
    assert answer.headers["retry-after"] == "5"
    assert "x-should-retry" not in answer.headers
    gated.postgres.shut()
    gated.postgres.open()
    rows = gated.router.rows(expect=1)
    assert [(row["http_status"], row["key"]) for row in rows] == [(503, None)]
    assert ask(gated.router, secret).status_code == 200


def test_callers_without_a_key_cannot_fill_the_outbox(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away nobody knows who is good: the cap of rows holds for all who are not known."""
    # The cap counts by the clock's minute, which must not end within the test.
    monkeypatch.setattr(refusals, "epoch_ms", lambda: 60_000)
    gated.postgres.shut()
    for _ in range(70):
        assert ask(gated.router, "sk-ccr-" + "x" * 43).status_code == 503
    outbox = gated.router.services.settings.data_dir / "outbox"
    lines = [line for path in outbox.glob("*.jsonl") for line in path.read_bytes().splitlines() if line]
    assert len(lines) == 60


@pytest.mark.parametrize("how", ["shut", "silence"])
def test_without_redis_everything_works(gated: Gated, how: str) -> None:
    """Keys are read from PostgreSQL; a slow Redis is waited for once; readiness says degraded and stays 200."""
    router = gated.router
    known, unknown = router.new_key(), router.new_key()
    assert ask(router, known).status_code == 200
    getattr(gated.redis, how)()
    began = time.monotonic()
    assert ask(router, unknown).status_code == 200
    assert ask(router, router.new_key()).status_code == 200
    assert ask(router, "sk-ccr-" + "y" * 43).status_code == 401
    assert time.monotonic() - began < 4
    document = gated.ready()
    assert (document.status_code, document.json()["status"], document.json()["redis"]) == (200, "degraded", "away")


def test_a_change_of_a_key_is_in_force_without_redis(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell the caches, yet after their time the key is dead; the admin API does not fail."""
    monkeypatch.setattr(directory, "FRESH_S", 0.3)
    router, secret = gated.router, gated.router.new_key()
    gated.redis.shut()
    assert ask(router, secret).status_code == 200
    with router.client(authorization=f"Bearer {router.token()}") as client:
        (key,) = client.get("/api/v1/api-keys").json()["items"]
        assert client.patch(f"/api/v1/api-keys/{key['id']}", json={"enabled": False}).status_code == 200
    time.sleep(0.4)
    assert ask(router, secret).status_code == 401


@pytest.mark.parametrize("how", ["shut", "silence"])
def test_the_admin_api_says_that_the_database_is_away(gated: Gated, how: str) -> None:
    """503 as a problem document, with a wait."""
    token = gated.router.token()
    getattr(gated.postgres, how)()
    with gated.router.client(authorization=f"Bearer {token}") as client:
        answer = client.get("/api/v1/api-keys")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "storage_away"
