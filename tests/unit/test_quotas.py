"""What is left of an account's plan, asked of the emulators: seldom, once for all, and never raised."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.emulators.antigravity import PROJECT, AntigravityEmulator
from tests.emulators.gemini import google_error
from tests.emulators.kiro import KiroEmulator
from tests.fakes import a_credential

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed
from ccrouter.platforms.code_assist_quota import read_quota
from ccrouter.platforms.kiro_management import read_usage
from ccrouter.platforms.quota import QuotaWindow
from ccrouter.tokens.calls import ServiceCalls
from ccrouter.tokens.quotas import Quotas
from ccrouter.tokens.standing import StandingAccess
from ccrouter.upstream import AiohttpUpstream

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
RESET = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def kiro() -> Iterator[KiroEmulator]:
    """Kiro's services."""
    with KiroEmulator() as emulator:
        yield emulator


@pytest.fixture
def google() -> Iterator[AntigravityEmulator]:
    """Google's."""
    with AntigravityEmulator() as emulator:
        yield emulator


class Hands:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def run(work: Callable[[Quotas, Hands], Awaitable[None]]) -> None:
    """Runs a test with what one process has."""

    async def inside() -> None:
        upstream, clock = AiohttpUpstream(LOOPBACK), Hands()
        quotas = Quotas(ServiceCalls(upstream, pauses_s=()), StandingAccess(), now=clock)
        try:
            await work(quotas, clock)
        finally:
            await quotas.close()
            await upstream.close()

    asyncio.run(inside())


def at_kiro(kiro: KiroEmulator, **fields: Any) -> Credential:
    """A credential of that emulator's."""
    return a_credential(platform="kiro", base_url=None, auth=dict(kiro.auth), options=kiro.options, **fields)


def at_google(google: AntigravityEmulator, **options: Any) -> Credential:
    """A credential that is signed in there."""
    auth = {"access_token": google.token(), "project": PROJECT, "tier": "Standard"}
    options = {"acknowledged": True, **options}
    return a_credential(platform="antigravity", base_url=google.url, auth=auth, options=options)


def test_a_kiro_account_tells_its_credits(kiro: KiroEmulator) -> None:
    """Plan, share, counts and the day on which it is filled again; asked once for all, and again after ten minutes."""
    kiro.used, kiro.next_reset = 250.5, RESET.timestamp()

    async def work(quotas: Quotas, clock: Hands) -> None:
        credential = at_kiro(kiro)
        first, second = await asyncio.gather(quotas.of(credential), quotas.of(credential))
        assert first is second
        assert first is not None
        assert (first.plan, first.error, first.read_at) == ("KIRO PRO", None, clock.now)
        assert first.windows == (
            QuotaWindow(name="Credit", left=0.7495, used=250.5, limit=1000.0, unit="INVOCATIONS", resets_at=RESET),
        )
        clock.now += timedelta(minutes=9)
        assert await quotas.of(credential) is first
        assert len(kiro.seen) == 1
        clock.now += timedelta(minutes=1)
        assert await quotas.of(credential) is not first
        # Another secret is another account.
        await quotas.of(replace(credential, version=b"2"))
        assert len(kiro.seen) == 3

    run(work)


def test_a_failure_is_shown_and_not_raised(kiro: KiroEmulator) -> None:
    """With the service's words, but no account's number."""
    kiro.usage_refusal = (403, "AccessDeniedException", "Account 123456789012 is not authorized.")

    async def work(quotas: Quotas, clock: Hands) -> None:
        found = await quotas.of(at_kiro(kiro))
        assert found is not None
        assert (found.windows, found.plan) == ((), None)
        assert found.error == (
            "Kiro does not say how much is used (status 403: Account ************ is not authorized.)."
        )

    run(work)
    gone = at_kiro(kiro)

    async def without_anybody(quotas: Quotas, clock: Hands) -> None:
        options = gone.options | {"management_url": "http://127.0.0.1:9"}
        found = await quotas.of(replace(gone, options=options))
        assert found is not None
        assert "could not be reached" in str(found.error)

    run(without_anybody)


def test_an_antigravity_account_tells_what_is_left_of_each_model(google: AntigravityEmulator) -> None:
    """From the buckets, and from the list of models what has none; it names its project."""

    async def work(quotas: Quotas, clock: Hands) -> None:
        credential = at_google(google)
        found = await quotas.of(credential)
        assert found is not None
        assert (found.plan, found.error) == ("Standard", None)
        assert {window.name: window.left for window in found.windows} == {
            "gemini-3-flash": 0.5,
            "claude-sonnet-4-5-thinking": 0.0,
        }
        assert [seen.json for seen in google.seen] == [{"project": PROJECT}] * 2
        clock.now += timedelta(minutes=4)
        assert await quotas.of(credential) is found
        clock.now += timedelta(minutes=1)
        google.refusals = [google_error(500, "INTERNAL", "no")] * 2
        failed = await quotas.of(credential)
        assert failed is not None
        assert "status 500 and 500" in str(failed.error)

    run(work)


def test_nothing_leaves_for_what_is_switched_off_or_tells_nothing(google: AntigravityEmulator) -> None:
    """Antigravity before its acknowledgement; Anthropic always."""

    async def work(quotas: Quotas, clock: Hands) -> None:
        held = await quotas.of(at_google(google, acknowledged=False))
        assert held is not None
        assert "acknowledged" in str(held.error)
        assert await quotas.of(a_credential()) is None
        assert google.seen == []

    run(work)


def test_a_plan_is_used_up_when_nothing_is_left_that_could_be_used() -> None:
    """Not where a trial goes on or more is paid for; and nobody knows where nothing is told."""

    def usage(trial: float, overage: str) -> bytes:
        return b"""{"usageBreakdownList":[{"resourceType":"CREDIT","currentUsage":50,"usageLimit":50,
            "freeTrialInfo":{"freeTrialStatus":"ACTIVE","freeTrialExpiry":1796083200,"currentUsage":%d,"usageLimit":10}
            }],"overageConfiguration":{"overageStatus":"%s"}}""" % (trial, overage.encode())

    assert read_usage(200, usage(10, "DISABLED")).is_used_up
    assert not read_usage(200, usage(9, "DISABLED")).is_used_up
    assert not read_usage(200, usage(10, "ENABLED")).is_used_up
    assert not read_usage(200, b'{"daysUntilReset":3}').is_used_up
    trial = read_usage(200, usage(9, "DISABLED")).windows[1]
    assert (trial.name, trial.resets_at) == ("CREDIT, free trial", datetime(2026, 12, 1, tzinfo=UTC))
    listed = read_usage(200, b'{"limits":[{"type":"CHAT","currentUsage":3,"totalUsageLimit":4}],"nextDateReset":1e99}')
    assert [(window.name, window.left) for window in listed.windows] == [("CHAT", 0.25)]
    assert listed.renewed_at is None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"buckets":7,"models":7}', b'{"buckets":[1,{"modelId":2}],"models":{"m":1,"n":{"quotaInfo":2}}}'],
)
def test_answers_that_say_nothing_have_no_windows(body: bytes) -> None:
    """And two failures are one reason."""
    assert read_quota((200, body), (200, body)) == ()
    with pytest.raises(SignInFailed):
        read_quota((500, body), (403, body))


def test_a_share_that_is_not_told_is_nothing_where_the_reset_is() -> None:
    """Zeros are left out on the wire; a bucket of each kind of token is a window of its own."""
    buckets = b"""{"buckets":[{"modelId":"a","tokenType":"REQUESTS","resetTime":"2026-12-01T00:00:00Z"},
        {"modelId":"a","tokenType":"TOKENS","remainingFraction":1.5},{"modelId":"b","resetTime":"soon"}]}"""
    found = read_quota((200, buckets), (500, b""))
    assert [(window.name, window.unit, window.left, window.resets_at) for window in found] == [
        ("a", "REQUESTS", 0.0, RESET), ("a", "TOKENS", 1.0, None), ("b", None, None, None),
    ]  # fmt: skip
