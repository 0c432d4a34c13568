"""The work beside the requests: sign-ins that are used are renewed before anybody has to wait for it."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.fakes import JSON, FakeLocks, Script, ScriptedUpstream, a_credential

from ccrouter.clock import rfc3339
from ccrouter.credentials.kinds import Credential
from ccrouter.ports import Stored
from ccrouter.tokens import desk as desk_module
from ccrouter.tokens.calls import ServiceCalls
from ccrouter.tokens.desk import SignInDesk
from ccrouter.tokens.stored import StoredTokens


class Store:
    """Keeps one credential (`ports.SecretStore`)."""

    def __init__(self, credential: Credential) -> None:
        self.credential = credential

    async def read(self, credential_id: str) -> Stored:
        return Stored(self.credential, str(self.credential.auth).encode())

    async def put(self, stored: Stored, auth: dict[str, Any]) -> Stored:
        self.credential = replace(self.credential, auth=auth)
        return await self.read(self.credential.id)

    async def block(self, stored: Stored, reason: str) -> bool:
        return True


def ends_in(minutes: float) -> Credential:
    """A Kiro sign-in whose token ends in so many minutes: good for a request now, two minutes before not any more."""
    auth = {
        "auth_method": "social",
        "refresh_token": "r" * 120,
        "access_token": "old",
        "expires_at": rfc3339(datetime.now(UTC) + timedelta(minutes=minutes)),
    }
    return a_credential(platform="kiro", base_url=None, auth=auth)


def a_desk(credential: Credential, *scripts: Script | Exception) -> tuple[SignInDesk, Store, ScriptedUpstream]:
    """A desk whose services answer like this; the account's facts are not there."""
    store, upstream = Store(credential), ScriptedUpstream(*scripts)
    return SignInDesk(upstream, store, FakeLocks(), ServiceCalls(upstream, pauses_s=())), store, upstream


FRESH = Script(headers=JSON, chunks=[b'{"accessToken":"new","expiresIn":3600}'])
NO_FACTS = Script(status=403, headers=JSON, chunks=[b"{}"])


async def until(store: Store, token: str) -> None:
    """Waits until a token is stored."""
    async with asyncio.timeout(5):
        while store.credential.auth["access_token"] != token:  # noqa: ASYNC110 - the desk is under test, not an event
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "_LOOKS_EVERY_S", 0.01)


def test_a_token_that_nears_its_end_is_renewed_before_a_request_needs_it() -> None:
    """Once; the next request finds the new one, and nobody is asked for what is not used."""
    credential = ends_in(2.5)

    async def run() -> None:
        desk, store, upstream = a_desk(credential, NO_FACTS, NO_FACTS, FRESH)
        assert (await desk.signed_in(credential)).auth["access_token"] == "old"
        await until(store, "new")
        assert (await desk.signed_in(credential)).auth["access_token"] == "new"
        await asyncio.sleep(0.05)
        await desk.close()
        refreshes = [request for request in upstream.requests if request.url.endswith("/refreshToken")]
        assert len(refreshes) == 1

    asyncio.run(run())


def test_what_fails_once_does_not_end_the_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is; the log says so, and the next look renews."""
    credential = ends_in(2.5)
    renew_ahead, failures = StoredTokens.renew_ahead, [RuntimeError("nobody foresaw this")]

    async def fails_first(tokens: StoredTokens) -> None:
        if failures:
            raise failures.pop()
        await renew_ahead(tokens)

    monkeypatch.setattr(StoredTokens, "renew_ahead", fails_first)

    async def run() -> None:
        desk, store, _ = a_desk(credential, NO_FACTS, NO_FACTS, FRESH)
        await desk.signed_in(credential)
        with caplog.at_level(logging.ERROR):
            await until(store, "new")
        await desk.close()

    asyncio.run(run())
    assert "could not be renewed ahead" in caplog.text


def test_a_desk_that_closes_leaves_no_work_behind() -> None:
    """No task looks on, and a renewal under way is finished: its rotation must not be lost."""
    credential = ends_in(-1)

    async def run() -> None:
        desk, store, upstream = a_desk(credential, FRESH)
        asking = asyncio.create_task(desk.signed_in(credential))
        while not upstream.requests:  # noqa: ASYNC110 - until it is on its way
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await desk.close()
        assert store.credential.auth["access_token"] == "new"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
