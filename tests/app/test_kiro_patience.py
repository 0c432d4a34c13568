"""How long Kiro is waited for, and what is made of throttles that do not end, through the real router."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.app.asking import ask, assert_own_error, row_of
from tests.emulators.kiro import KiroEmulator
from tests.grammar import events_of, violations
from tests.services import RunningRouter

from ccrouter.clock import utc_now
from ccrouter.gateway import relay
from ccrouter.ids import uuid7
from ccrouter.platforms import kiro as kiro_platform

WANTED: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.fixture(scope="session")
def _kiro() -> Iterator[KiroEmulator]:
    with KiroEmulator() as emulator:
        yield emulator


@pytest.fixture
def kiro(_kiro: KiroEmulator) -> Iterator[KiroEmulator]:
    """The emulator; whatever reaches it must be flawless."""
    _kiro.reset()
    yield _kiro
    assert _kiro.violations == []


@pytest.fixture
def account(router: RunningRouter, kiro: KiroEmulator) -> str:
    """The id of a credential at the emulator."""
    name = f"kiro-{uuid7().hex}"
    return router.new_credential("kiro", dict(kiro.auth), name=name, options=kiro.options)


@pytest.fixture
def secret(router: RunningRouter, kiro: KiroEmulator, account: str) -> str:
    """A key that leads to it alone."""
    return router.new_key({"default": [{"platform": "kiro", "model": kiro.model, "credential_id": account}]})


@pytest.mark.parametrize("scene", ["silent", "slow"])
@pytest.mark.parametrize("streams", [True, False])
def test_an_answer_that_does_not_come_or_does_not_end_is_given_up(
    router: RunningRouter, kiro: KiroEmulator, secret: str, monkeypatch: pytest.MonkeyPatch, scene: str, streams: bool
) -> None:
    """The first event has 90 s, all of it 15 minutes; the client is told, and Kiro sees that nobody waits."""
    monkeypatch.setattr(relay, "BEGIN_WITHIN_S", 0.1)
    monkeypatch.setattr(kiro_platform, "_FIRST_WITHIN_S" if scene == "silent" else "_WHOLE_WITHIN_S", 0.5)
    kiro.script(scene)
    answer = ask(router, secret, WANTED | {"stream": streams})
    if streams:
        assert answer.status_code == 200
        assert violations(answer.content) == []
        told = events_of(answer.content)[-1]["error"]
        assert told["type"] == "timeout_error"
        assert ("silent" if scene == "silent" else "too long") in told["message"]
    else:
        assert_own_error(answer, 504, "timeout_error")
    assert kiro.generated[-1].client_left.wait(5)
    row = row_of(router, answer)
    assert (row["status"], row["attempts"][-1]["outcome"]) == ("error", "timeout")


@pytest.mark.parametrize("used", [1000.0, 10.0])
def test_throttles_that_last_ten_minutes_are_looked_into(
    router: RunningRouter, kiro: KiroEmulator, account: str, secret: str, monkeypatch: pytest.MonkeyPatch, used: float
) -> None:
    """Kiro says the same of a used-up plan: its usage is asked for before more is tried, once in ten minutes."""
    ahead = timedelta()
    monkeypatch.setattr(kiro_platform, "utc_now", lambda: utc_now() + ahead)
    kiro.used = used

    def asked() -> tuple[list[int | None], int]:
        kiro.script("error_429_throttle")
        before = [seen.path for seen in kiro.seen].count("/getUsageLimits")
        attempts = row_of(router, ask(router, secret, WANTED))["attempts"]
        usages = [seen.path for seen in kiro.seen].count("/getUsageLimits")
        return [attempt["status"] for attempt in attempts], usages - before

    ask(router, secret, WANTED)
    kiro.seen.clear()
    assert asked() == ([429], 0)
    ahead = timedelta(minutes=9)
    assert asked() == ([429], 0)
    ahead = timedelta(minutes=11)
    if used < 1000.0:
        assert asked() == ([429], 1)
        assert asked() == ([429], 0)
        return
    # The second is the router's own: nothing is sent any more.
    assert asked() == ([429, None], 1)
    assert len(kiro.generated) == 3
    blocked = ask(router, secret, WANTED)
    assert "filled again at" in assert_own_error(blocked, 429, "rate_limit_error")
    assert len(kiro.generated) == 3


def test_an_answer_ends_what_is_known_of_throttles(
    router: RunningRouter, kiro: KiroEmulator, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes later it is a new one."""
    ahead = timedelta()
    monkeypatch.setattr(kiro_platform, "utc_now", lambda: utc_now() + ahead)
    kiro.script("error_429_throttle", "text", "error_429_throttle")
    statuses = []
    for minutes in (0, 6, 12):
        ahead = timedelta(minutes=minutes)
        statuses.append(ask(router, secret, WANTED).status_code)
    assert statuses == [429, 200, 429]
    # The first request's own question, in the background, is the only one.
    assert [seen.path for seen in kiro.seen].count("/getUsageLimits") <= 1


def test_the_administrator_sees_what_is_left_of_the_plan(
    router: RunningRouter, kiro: KiroEmulator, account: str
) -> None:
    """With the credential's health; a failure stands there, too."""
    kiro.used = 750.0
    with router.client(authorization=f"Bearer {router.token()}") as api:
        quota = api.get(f"/api/v1/credentials/{account}/health").json()["quota"]
        assert (quota["plan"], quota["error"]) == ("KIRO PRO", None)
        (window,) = quota["windows"]
        assert (window["name"], window["left"], window["used"], window["limit"]) == ("Credit", 0.25, 750.0, 1000.0)
        assert window["resets_at"] is not None
        other = router.new_credential("kiro", dict(kiro.auth), name="other", options=kiro.options)
        kiro.usage_refusal = (500, "InternalServerException", "no")
        assert "status 500" in api.get(f"/api/v1/credentials/{other}/health").json()["quota"]["error"]
        assert api.get(f"/api/v1/credentials/{router.credential_id}/health").json()["quota"] is None
