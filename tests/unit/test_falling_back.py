"""The story over a pool: what one request shows is used by the next."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.fakes import (
    JSON,
    FakeDirectory,
    FakePlaces,
    FakeStates,
    KeptReply,
    ListLog,
    Script,
    ScriptedUpstream,
    a_call,
    a_credential,
    a_key,
    outside,
)
from tests.unit.test_gateway import BODY, ERROR, START, TEXT, WHOLE, refusal

from ccrouter.errors import UpstreamUnreachable
from ccrouter.framing.eventstream import encode_frame
from ccrouter.gateway import Gateway
from ccrouter.metering.record import CallRecord
from ccrouter.platforms.contract import COUNT_TOKENS
from ccrouter.ports import Place

OK = Script(chunks=[WHOLE])
FIRST, SECOND = a_credential("first", priority=2), a_credential("second", priority=1)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()


class Router:
    """A gateway over fakes, asked again and again."""

    def __init__(self, *credentials: Any, mapping: dict[str, Any] | None = None) -> None:
        self.states = FakeStates(NOON)
        self.upstream = ScriptedUpstream()
        self.log = ListLog()
        self.mapping = mapping
        self.places = FakePlaces()
        ports = outside(FakeDirectory(credentials or (FIRST, SECOND)), self.upstream, self.log)
        self.gateway = Gateway(replace(ports, states=self.states, places=self.places))

    async def ask_now(
        self, *scripts: Any, body: bytes = BODY, talk: str = "c", operation: str = "messages"
    ) -> KeptReply:
        """One request, for which the platforms answer like this."""
        self.upstream.scripts += scripts
        reply = KeptReply()
        call, asked = a_call(body, operation=operation)
        call.conversation = talk
        await self.gateway.answer(call, replace(asked, key_id="k", conversation=talk), a_key(self.mapping), reply)
        return reply

    def ask(self, *scripts: Any, **more: Any) -> KeptReply:
        """The same, alone."""
        reply = asyncio.run(self.ask_now(*scripts, **more))
        self.pass_s(0.001)
        assert self.upstream.scripts == [], "the platforms were asked less often than expected"
        return reply

    def pass_s(self, seconds: float) -> None:
        """Lets time pass."""
        self.states.now += seconds

    @property
    def last(self) -> CallRecord:
        """The newest row."""
        return self.log.records[-1]

    @property
    def tried(self) -> list[str | None]:
        """Whom the last request was tried with."""
        return [attempt.credential_name for attempt in self.last.attempts]


def test_the_next_request_does_not_try_what_cools_down_until_it_is_over() -> None:
    """The row of the first shows the hop, the second goes straight on, and afterwards the preferred one is back."""
    router = Router()
    router.ask(refusal(429, "rate_limit_error", headers=(*JSON, ("retry-after", "30"))), OK)
    assert router.tried == ["first", "second"]
    router.pass_s(29)
    router.ask(OK)
    assert router.tried == ["second"]
    router.pass_s(2)
    router.ask(OK)
    assert router.tried == ["first"]
    assert not any(router.states.pool.conditions.values())


def test_a_single_credential_behaves_as_if_no_router_were_there() -> None:
    """It is asked although it cools, and its errors are relayed."""
    router = Router(FIRST)
    for _ in range(3):
        assert router.ask(refusal(429, "rate_limit_error", "slow down")).status == 429
    assert router.ask(OK).body == WHOLE
    assert not any(router.states.pool.conditions.values())


def test_of_many_after_a_cool_down_one_goes_first() -> None:
    """The others follow when it has gone well: a platform that is still down meets one request, not all."""
    router = Router()
    router.ask(refusal(529, "overloaded_error"), OK)
    router.pass_s(6)

    async def three_at_once() -> None:
        await asyncio.gather(*(router.ask_now(OK) for _ in range(3)))

    asyncio.run(three_at_once())
    assert sorted(str(record.credential_name) for record in router.log.records[1:]) == ["first", "second", "second"]
    router.ask(OK)
    assert router.tried == ["first"]


def test_a_trial_that_fails_cools_down_for_longer() -> None:
    """5 s, then 10."""
    router = Router()
    router.ask(refusal(529, "overloaded_error"), OK)
    router.pass_s(6)
    router.ask(refusal(529, "overloaded_error"), OK)
    router.pass_s(9)
    router.ask(OK)
    assert router.tried == ["second"]


def test_the_breaker_opens_only_on_failures_of_several_conversations() -> None:
    """A conversation that breaks a platform by itself benches nobody."""
    router = Router()
    for _ in range(5):
        router.ask(UpstreamUnreachable("no route"), OK, talk="bad")
    assert router.tried == ["first", "second"]
    router.ask(UpstreamUnreachable("no route"), OK, talk="other")
    router.ask(OK, talk="other")
    assert router.tried == ["second"]


def test_an_answer_that_breaks_after_its_beginning_counts_too() -> None:
    """Nothing else can be tried for this client, but the next ones are spared."""
    router = Router()
    for talk in "abc":
        router.ask(Script(chunks=[START, TEXT]), talk=talk)
    router.ask(OK)
    assert router.tried == ["second"]


def test_a_platform_that_says_in_mid_answer_that_it_is_overloaded_rests() -> None:
    """As if it had said so at the beginning."""
    router = Router()
    router.ask(Script(chunks=[START, TEXT, ERROR]))
    router.ask(OK)
    assert router.tried == ["second"]


def test_what_a_platform_says_in_mid_answer_counts_as_if_it_had_said_it_first() -> None:
    """A plan that is used up during an answer blocks the account like one that was used up before."""

    def frame(**headers: str) -> dict[str, str]:
        return {f":{name.replace('_', '-')}": value for name, value in headers.items()}

    begun = encode_frame(frame(message_type="event", event_type="assistantResponseEvent"), b'{"content":"Hel"}')
    spent = encode_frame(
        frame(message_type="exception", exception_type="ThrottlingException"),
        b'{"message":"used up","reason":"MONTHLY_REQUEST_COUNT"}',
    )
    kiro = a_credential("kiro", platform="kiro", auth={"auth_method": "api_key", "api_key": "ksk_1"})
    router = Router(kiro, mapping={"opus": [{"platform": "kiro", "model": "claude-opus-4-5"}]})
    headers = (("content-type", "application/vnd.amazon.eventstream"),)
    reply = router.ask(Script(headers=headers, chunks=[begun, spent]))
    assert b"billing_error" in reply.body
    assert router.ask().status == 429
    assert router.last.attempts == []


def test_kiro_is_asked_three_times_for_one_request_over_all_accounts() -> None:
    """However many there are, repeats included; a target of another platform comes next (kiro.md §13)."""
    accounts = [
        a_credential(name, platform="kiro", priority=-index, auth={"auth_method": "api_key", "api_key": "ksk_1"})
        for index, name in enumerate("abcde")
    ]
    throttled = Script(429, JSON, [b'{"message":"Too many requests"}'])
    chain = [{"platform": "kiro", "model": "claude-opus-4-5"}]
    router = Router(*accounts, mapping={"opus": chain})
    assert router.ask(*[throttled] * 3).status == 429
    assert router.tried == ["a", "b", "c"]
    router = Router(*accounts, mapping={"opus": [*chain, {"platform": "sandbox", "model": "sandbox"}]})
    assert router.ask(*[throttled] * 3).status == 200
    assert router.tried == ["a", "b", "c", None]
    router = Router(*accounts, mapping={"opus": chain})
    router.ask(Script(500, JSON, [b"{}"]), Script(500, JSON, [b"{}"]), throttled)
    assert router.tried == ["a", "a", "b"]


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_fault_of_the_request_cools_nothing(status: int) -> None:
    """However often."""
    router = Router()
    for talk in "abcd":
        router.ask(refusal(status, "invalid_request_error"), talk=talk)
    assert not any(router.states.pool.conditions.values())


def test_a_second_401_blocks_and_the_client_is_told_whom_to_ask() -> None:
    """The first is met with five seconds of rest; the platform is not asked any more after the second."""
    router = Router(FIRST)
    router.ask(refusal(401, "authentication_error"))
    router.pass_s(5)
    router.ask(refusal(401, "authentication_error"))
    reply = router.ask()
    assert reply.status == 503
    assert "administrator" in reply.body.decode()
    assert (router.last.attempts, router.last.status) == ([], "error")


def test_a_used_up_quota_blocks_until_it_is_filled_again() -> None:
    """Its own error the first time; then 429 with the time, and nobody is asked."""
    body = json.dumps(
        {"type": "error", "error": {"type": "rate_limit_error", "message": "cap", "details": {
            "error_code": "enforced_spend_limit_reached"}}}
    ).encode()  # fmt: skip
    router = Router(FIRST)
    headers = (*JSON, ("retry-after", "900"))
    assert router.ask(Script(429, headers, [body])).body == body
    reply = router.ask()
    assert (reply.status, dict(reply.headers)["x-should-retry"]) == (429, "false")
    assert "2026-11-24T12:15:00" in json.loads(reply.body)["error"]["message"]
    assert router.last.status == "error"
    router.pass_s(901)
    assert router.ask(OK).status == 200


def test_a_refusal_goes_to_the_next_target_only() -> None:
    """Never to another account of the platform, and the account is blocked."""
    both = {"opus": [{"platform": "anthropic", "model": "m"}, {"platform": "sandbox", "model": "sandbox"}]}
    router = Router(mapping=both)
    router.ask(refusal(403, "permission_error", "This organization has been disabled."))
    assert [(attempt.platform, attempt.credential_name) for attempt in router.last.attempts] == [
        ("anthropic", "first"), ("sandbox", None),
    ]  # fmt: skip
    router.ask(OK)
    assert router.tried == ["second"]


def test_no_more_requests_than_the_bound_are_under_way() -> None:
    """Others take over; where there is nobody, the client is told to come again at once."""

    async def two_at_once(router: Router, *scripts: Script) -> list[KeptReply]:
        return list(await asyncio.gather(router.ask_now(*scripts), router.ask_now()))

    narrow = replace(FIRST, max_concurrency=1)
    router = Router(narrow, SECOND)
    asyncio.run(two_at_once(router, OK, OK))
    assert sorted(str(record.credential_name) for record in router.log.records) == ["first", "second"]
    router = Router(narrow)
    replies = asyncio.run(two_at_once(router, OK))
    assert [reply.status for reply in replies] == [200, 529]
    assert dict(replies[1].headers)["retry-after"] == "2"
    router.ask(OK)
    assert router.last.status == "ok"


def test_places_that_other_processes_took_count_too() -> None:
    """Another credential answers; where there is none the client is told so, and no place is kept by a request."""
    narrow = replace(FIRST, max_concurrency=2)
    router = Router(narrow, SECOND)
    router.places.taken = [Place(FIRST.id, "theirs"), Place(FIRST.id, "another's")]
    router.ask(OK)
    assert router.tried == ["second"]
    del router.places.taken[0]
    router.ask(OK)
    assert router.tried == ["first"]
    router.ask(refusal(503, "api_error"), OK)
    assert router.tried == ["first", "second"]
    assert router.places.taken == [Place(FIRST.id, "another's")]
    router = Router(narrow)
    router.places.taken = [Place(FIRST.id, "theirs")] * 2
    reply = router.ask()
    assert (reply.status, dict(reply.headers)["retry-after"]) == (529, "2")
    assert (router.last.status, router.last.attempts) == ("error", [])


def test_where_the_others_are_full_the_last_failure_is_told() -> None:
    """It says more than that there was nobody else."""
    router = Router(FIRST, replace(SECOND, max_concurrency=1))
    router.places.taken = [Place(SECOND.id, "theirs")]
    reply = router.ask(refusal(429, "rate_limit_error", "slow down"))
    assert (reply.status, router.tried) == (429, ["first"])
    assert b"slow down" in reply.body


def test_limits_of_counting_tokens_are_its_own() -> None:
    """They say nothing about messages, and a count that goes well does not end a cool-down."""
    router = Router()
    count = b'{"model":"claude-opus-5-5","messages":[]}'
    counted = Script(headers=JSON, chunks=[b'{"input_tokens":3}'])
    router.ask(refusal(429, "rate_limit_error"), counted, body=count, operation=COUNT_TOKENS)
    assert not any(router.states.pool.conditions.values())
    router.ask(refusal(429, "rate_limit_error"), OK)
    router.pass_s(6)
    router.ask(counted, body=count, operation=COUNT_TOKENS)
    assert router.tried == ["first"]
    assert any(router.states.pool.conditions.values())


SIGNED = (
    b'{"model":"claude-opus-5-5","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"},'
    b'{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"foreign"},'
    b'{"type":"text","text":"y"}]},{"role":"user","content":"more"}]}'
)
WRONG = refusal(400, "invalid_request_error", "messages.1.content.0: Invalid `signature` in `thinking` block")


def test_a_request_is_noted_before_it_goes_to_its_first_target() -> None:
    """Once, with the target that is tried first; what is refused before reaches nobody and is not noted."""
    router = Router()
    noted_first: list[bool] = []
    send = router.upstream.send

    async def watched(request: Any) -> Any:
        noted_first.append(len(router.log.begun) == 1)
        return await send(request)

    router.upstream.send = watched  # type: ignore[method-assign]
    router.ask(UpstreamUnreachable("away"), OK)
    assert noted_first == [True, True]
    (noted,) = router.log.begun
    assert (noted.id, noted.credential_name, noted.platform) == (router.last.id, "first", "anthropic")
    assert noted.attempts == []
    refused = Router(mapping={"default": []})
    assert refused.ask().status == 404
    assert (len(refused.log.records), refused.log.begun) == (1, [])
