"""Antigravity's accounts: tokens of a program, the project day by day, and setting an account up."""

import asyncio
import ipaddress
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.emulators.antigravity import PROJECT, AntigravityEmulator
from tests.emulators.gemini import google_error
from tests.fakes import a_credential

from ccrouter.credentials.kinds import AuthError, Credential, check_auth
from ccrouter.errors import SignInFailed
from ccrouter.tokens import code_assist, token_command
from ccrouter.tokens.calls import ServiceCalls
from ccrouter.tokens.code_assist import CodeAssistSignIn
from ccrouter.tokens.token_command import TokenCommand
from ccrouter.upstream import AiohttpUpstream

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_assist, "_SET_UP_EVERY_S", 0.01)


@pytest.fixture
def google() -> Iterator[AntigravityEmulator]:
    """Cloud Code Assist; whatever reaches it must be flawless."""
    with AntigravityEmulator() as emulator:
        yield emulator
        assert emulator.violations == []


class Hands:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def run(work: Callable[[ServiceCalls, Hands], Awaitable[None]]) -> None:
    """Runs a test with calls of its own loop, and a clock."""

    async def inside() -> None:
        upstream = AiohttpUpstream(LOOPBACK)
        try:
            await work(ServiceCalls(upstream, pauses_s=()), Hands())
        finally:
            await upstream.close()

    asyncio.run(inside())


def an_account(google: AntigravityEmulator, auth: dict[str, Any] | None = None, **options: Any) -> Credential:
    """A credential at the emulator."""
    options = {"acknowledged": True, **options}
    return a_credential(platform="antigravity", base_url=google.url, auth=auth or {}, options=options)


class Program:
    """A program that prints a token and counts how often it was run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.says({})

    @property
    def command(self) -> str:
        """How it is run."""
        return f"{sys.executable} -c \"exec(open('{self._folder}/program.py').read())\""

    def says(self, document: Any, *, more: str = "") -> None:
        """What it prints from now on, and what else it does."""
        printed = document if isinstance(document, str) else json.dumps(document)
        (self._folder / "program.py").write_text(
            f"open('{self._folder}/runs', 'a').write('x')\nprint({printed!r})\n{more}"
        )

    @property
    def runs(self) -> int:
        """How often it was run."""
        path = self._folder / "runs"
        return len(path.read_text()) if path.exists() else 0


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The operator's."""
    return Program(tmp_path)


def test_a_programs_token_is_used_until_it_nears_its_end(google: AntigravityEmulator, program: Program) -> None:
    """Run once for all who ask; the project is found with it; a token that was refused is got anew."""
    program.says({"access_token": google.token(), "expires_in": 3600})

    async def work(calls: ServiceCalls, clock: Hands) -> None:
        tokens, credential = TokenCommand(program.command, calls, now=clock), an_account(google)
        many = await asyncio.gather(*(tokens.signed_in(credential) for _ in range(5)))
        assert {signed.auth["access_token"] for signed in many} == {"ya29.emulated-1"}
        assert {signed.auth["project"] for signed in many} == {PROJECT}
        assert (program.runs, len(google.seen)) == (1, 1)
        clock.now += timedelta(seconds=3299)
        await tokens.signed_in(credential)
        assert program.runs == 1
        program.says({"access_token": google.token(), "expires_in": 3600})
        clock.now += timedelta(seconds=2)
        assert (await tokens.signed_in(credential)).auth["access_token"] == "ya29.emulated-2"
        program.says({"access_token": google.token()})
        renewed = await tokens.renew(many[0], "token")
        assert (renewed.auth["access_token"], program.runs) == ("ya29.emulated-2", 2)
        assert (await tokens.renew(renewed, "token")).auth["access_token"] == "ya29.emulated-3"

    run(work)


def test_nothing_is_run_before_the_acknowledgement(google: AntigravityEmulator, program: Program) -> None:
    """The platform itself refuses then."""

    async def work(calls: ServiceCalls, clock: Hands) -> None:
        held = an_account(google, acknowledged=False)
        assert await TokenCommand(program.command, calls, now=clock).signed_in(held) == held

    run(work)
    assert (program.runs, google.seen) == (0, [])


@pytest.mark.parametrize(
    ("printed", "more", "told"),
    [
        ({"token": "x"}, "", "printed no access_token"),
        ("no JSON", "", "printed no access_token"),
        ({}, "import sys; print('not signed in', file=sys.stderr); sys.exit(3)", "ended with 3: not signed in"),
        ({}, "import time; time.sleep(60)", "did not end within"),
    ],
)
def test_a_program_that_gives_no_token_says_why(
    google: AntigravityEmulator, program: Program, monkeypatch: pytest.MonkeyPatch, printed: Any, more: str, told: str
) -> None:
    """It is not run again for a few seconds; the credential stays in use."""
    program.says(printed, more=more)
    monkeypatch.setattr(token_command, "_WITHIN_S", 1.0 if "sleep" in more else 20.0)

    async def work(calls: ServiceCalls, clock: Hands) -> None:
        tokens = TokenCommand(program.command, calls, now=clock)
        for _ in range(2):
            with pytest.raises(SignInFailed, match=told) as caught:
                await tokens.signed_in(an_account(google))
            assert not caught.value.needs_login
        assert program.runs == 1
        program.says({"access_token": google.token(), "expires_in": 60})
        clock.now += timedelta(seconds=6)
        monkeypatch.setattr(token_command, "_WITHIN_S", 20.0)
        # It ends soon, but is all that there is.
        assert (await tokens.signed_in(an_account(google))).auth["access_token"] == "ya29.emulated-1"
        await tokens.signed_in(an_account(google))
        assert program.runs == 2

    run(work)


@pytest.mark.parametrize(("command", "told"), [(None, "is not set"), ("/no/such/program x", "cannot be run")])
def test_without_a_program_there_is_no_token(google: AntigravityEmulator, command: str | None, told: str) -> None:
    """The reason says what to set."""

    async def work(calls: ServiceCalls, clock: Hands) -> None:
        with pytest.raises(SignInFailed, match=told):
            await TokenCommand(command, calls, now=clock).signed_in(an_account(google))

    run(work)


def test_a_credential_has_a_whole_sign_in_or_none() -> None:
    """`{}` leads to the program."""
    assert check_auth("antigravity", {}) == {}
    with pytest.raises(AuthError, match="belong together"):
        check_auth("antigravity", {"client_id": "x"})


def test_the_project_is_asked_for_day_by_day(google: AntigravityEmulator) -> None:
    """A new one is taken; where the service says nothing the old one stays, and it is asked again in an hour."""

    async def work(calls: ServiceCalls, clock: Hands) -> None:
        signing_in = CodeAssistSignIn(calls, now=clock)
        credential = an_account(google, {"refresh_token": "r", "access_token": google.token()})
        assert not signing_in.suffices(credential)
        known = replace(credential, auth=await signing_in.completed(credential, anew=False))
        assert (known.auth["project"], known.auth["tier"]) == (PROJECT, "Standard")
        clock.now += timedelta(hours=23)
        assert signing_in.is_complete(known)
        clock.now += timedelta(hours=1)
        assert not signing_in.is_complete(known)
        assert signing_in.suffices(known)
        google.project = "another-project"
        moved = replace(known, auth=await signing_in.completed(known, anew=False))
        assert moved.auth["project"] == "another-project"
        assert signing_in.is_complete(moved)
        clock.now += timedelta(hours=24)
        google.refusals = [google_error(500, "INTERNAL", "no")]
        kept = replace(moved, auth=await signing_in.completed(moved, anew=False))
        assert kept.auth["project"] == "another-project"
        assert signing_in.is_complete(kept)
        clock.now += timedelta(hours=1)
        assert not signing_in.is_complete(kept)
        google.is_set_up = False
        with pytest.raises(SignInFailed, match="not set up"):
            await signing_in.completed(credential, anew=False)
        # What the operator has set is not asked for.
        assert signing_in.is_complete(an_account(google, {"refresh_token": "r"}, project="mine"))

    run(work)


def test_an_account_is_set_up_when_somebody_asks_for_it(google: AntigravityEmulator) -> None:
    """With the tier that is offered, and no project for the free one; asked for until it is done."""
    google.is_set_up = False

    async def work(calls: ServiceCalls, clock: Hands) -> None:
        signing_in = CodeAssistSignIn(calls, now=clock)
        credential = an_account(google, {"access_token": google.token()}, project="not-for-free")
        auth = await signing_in.set_up(credential)
        assert (auth["project"], auth["tier"]) == ("not-for-free", "Standard")
        paths = [seen.path.rpartition("/")[2] for seen in google.seen]
        assert paths == [
            "v1internal:loadCodeAssist", "v1internal:onboardUser", "set-up-1", "set-up-1", "v1internal:loadCodeAssist",
        ]  # fmt: skip
        # Once more changes nothing.
        await signing_in.set_up(credential)
        assert [seen.path for seen in google.seen].count("/v1internal:onboardUser") == 1

    run(work)


def test_an_account_that_cannot_be_set_up_says_why(google: AntigravityEmulator) -> None:
    """In the service's words; nothing is changed."""
    google.is_set_up, google.hindrance = False, "Verify your age first."

    async def work(calls: ServiceCalls, clock: Hands) -> None:
        signing_in = CodeAssistSignIn(calls, now=clock)
        credential = an_account(google, {"access_token": google.token()})
        with pytest.raises(SignInFailed, match="Verify your age first"):
            await signing_in.set_up(credential)
        assert [seen.path for seen in google.seen] == ["/v1internal:loadCodeAssist"]
        google.hindrance, google.looks = "", -1_000
        with pytest.raises(SignInFailed, match="in time"):
            await signing_in.set_up(credential)

    run(work)
