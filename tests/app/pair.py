"""Two platforms behind one key of a real router, and a clock that a test moves on."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.app.asking import STREAMED, ask, row_of
from tests.services import UPSTREAM_SECRET, RunningRouter
from tests.upstream import FakeUpstream, says

from ccrouter.clock import epoch_s
from ccrouter.ids import uuid7
from ccrouter.storage import credentials

FIRST, SECOND = ("first", "ok", 200), ("second", "ok", 200)


@dataclass
class Pair:
    """Two platforms behind one router, each with a credential; the router's clock can be moved on."""

    router: RunningRouter
    first: FakeUpstream
    second: FakeUpstream
    ids: tuple[str, str]
    model: str
    secret: str
    ahead_s: float = 0.0

    def ask(self, conversation: str = "c", *, body: Any = None, secret: str = "") -> httpx2.Response:
        """One request."""
        return ask(self.router, secret or self.secret, body or STREAMED, x_claude_code_session_id=conversation)

    def hops(self, answer: httpx2.Response) -> list[tuple[str, str, int | None]]:
        """The attempts of a request's row."""
        attempts = row_of(self.router, answer)["attempts"]
        return [(attempt["credential"]["name"], attempt["outcome"], attempt["status"]) for attempt in attempts]

    def change(self, credential_id: str, **fields: Any) -> None:
        """Changes a credential; the next request sees it."""
        services = self.router.services
        credentials.change(services.engine, services.vault, credential_id, fields)
        services.directory._routing = None

    def wait_for_block(self, credential_id: str) -> credentials.StoredCredential:
        """The credential as stored, once its block has arrived in the database."""
        give_up = time.monotonic() + 5
        while True:
            found = credentials.get(self.router.services.engine, credential_id)
            assert found is not None
            if found.blocked_at is not None or time.monotonic() > give_up:
                return found
            time.sleep(0.02)


@pytest.fixture
def second() -> Iterator[FakeUpstream]:
    """Another platform."""
    with FakeUpstream(UPSTREAM_SECRET) as platform:
        yield platform


@pytest.fixture
def pair(
    router: RunningRouter, upstream: FakeUpstream, second: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pair]:
    """A preferred credential and one that stands in for it, serving a model of their own."""
    model = f"m-{uuid7().hex}"
    services = router.services
    made = []
    for name, platform, priority in (("first", upstream, 2), ("second", second, 1)):
        fields = {"name": name, "base_url": platform.url, "models": [model], "priority": priority}
        auth = {"api_key": UPSTREAM_SECRET}
        made.append(credentials.create(services.engine, services.vault, "anthropic", auth, fields).id)
        platform.otherwise = says(f"from {name}")
    # That one serves every model; here only these two are there.
    credentials.change(services.engine, services.vault, router.credential_id, {"enabled": False})
    services.directory._routing = None
    secret = router.new_key({"opus": [{"platform": "anthropic", "model": model}]})
    found = Pair(router, upstream, second, (made[0], made[1]), model, secret)
    monkeypatch.setattr(services.states, "_clock", lambda: epoch_s() + found.ahead_s)
    yield found
    for credential_id in made:
        credentials.soft_delete(services.engine, credential_id)
    credentials.change(services.engine, services.vault, router.credential_id, {"enabled": True})
    services.directory._routing = None
