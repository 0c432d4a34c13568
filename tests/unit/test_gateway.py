"""The story of a request over fakes: falling back, failing, pinging, leaving."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from tests.fakes import (
    BREAK,
    JSON,
    SILENCE,
    SSE,
    FakeDirectory,
    KeptReply,
    ListLog,
    NoLimits,
    Script,
    ScriptedUpstream,
    a_call,
    a_credential,
    a_key,
    outside,
)

from ccrouter.access.keys import ApiKey
from ccrouter.errors import StreamBroken, UpstreamForbidden, UpstreamTimeout, UpstreamUnreachable
from ccrouter.gateway import Gateway, patience, relay
from ccrouter.http import Headers, header
from ccrouter.metering.record import CallRecord
from ccrouter.ports import Lease

START = b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":9}}}\n\n'
TEXT = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"x"}}\n\n'
DELTA = (
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":3}}\n\n'
)
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
ERROR = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
WHOLE = START + TEXT + DELTA + STOP
BODY = b'{"model":"claude-opus-5-5","stream":true,"messages":[{"role":"user","content":"hi"}]}'
PLAIN = b'{"model":"claude-opus-5-5","messages":[{"role":"user","content":"hi"}]}'
TWO = [a_credential("first", priority=2), a_credential("second", priority=1)]


def ask(
    upstream: ScriptedUpstream, body: bytes = BODY, *, directory: FakeDirectory | None = None, **key: Any
) -> tuple[KeptReply, CallRecord]:
    """One request through the gateway; there is always exactly one record."""
    reply, log = KeptReply(), ListLog()
    call, asked = a_call(body)
    asyncio.run(
        Gateway(outside(directory or FakeDirectory(TWO), upstream, log)).answer(call, asked, a_key(**key), reply)
    )
    (record,) = log.records
    assert all(response.closed for response in upstream.responses)
    return reply, record


def refusal(status: int, kind: str, message: str = "no", headers: Headers = JSON) -> Script:
    """An error answer of Anthropic's shape."""
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"}).encode()
    return Script(status, headers, [body])


def outcomes(record: CallRecord) -> list[tuple[str | None, str, int | None]]:
    """What the row says of each attempt."""
    return [(attempt.credential_name, attempt.outcome, attempt.status) for attempt in record.attempts]


@pytest.mark.parametrize(
    ("failure", "outcome", "status"),
    [
        (UpstreamUnreachable("no route"), "unreachable", None),
        (UpstreamTimeout("slow"), "timeout", None),
        (refusal(401, "authentication_error"), "refused", 401),
        (refusal(403, "permission_error"), "refused", 403),
        (refusal(408, "timeout_error"), "refused", 408),
        (refusal(429, "rate_limit_error"), "refused", 429),
        (refusal(500, "api_error"), "refused", 500),
        (refusal(529, "overloaded_error"), "refused", 529),
        (Script(502, (("content-type", "text/html"),), [b"<html>"]), "refused", 502),
        (Script(302, (("location", "/x"),), [b""]), "refused", 302),
        (Script(chunks=[ERROR]), "error_in_answer", 200),
        (Script(chunks=[PING, ERROR]), "error_in_answer", 200),
        (Script(chunks=[]), "broken", 200),
        (Script(chunks=[PING]), "broken", 200),
        (Script(chunks=[BREAK]), "broken", 200),
        (Script(headers=(("content-type", "text/html"),), chunks=[b"<html>"]), "broken", 200),
        (Script(headers=JSON, chunks=[b"not json"]), "broken", 200),
    ],
)
def test_a_failed_attempt_moves_on_to_the_next_credential(failure: Any, outcome: str, status: int | None) -> None:
    """The client sees the second credential's answer only; the row shows both attempts."""
    reply, record = ask(ScriptedUpstream(failure, Script(chunks=[WHOLE])))
    assert reply.body == WHOLE
    assert [("first", outcome, status), ("second", "ok", 200)] == outcomes(record)
    assert (record.status, record.credential_name, record.http_status) == ("ok", "second", 200)


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_a_fault_of_the_request_itself_is_not_repeated(status: int) -> None:
    """Another credential would answer the same."""
    reply, record = ask(ScriptedUpstream(refusal(status, "invalid_request_error", "bad")))
    assert status == reply.status
    assert [("first", "refused", status)] == outcomes(record)
    assert (record.status, record.error_type, record.error_message) == ("error", "invalid_request_error", "bad")


def test_the_last_error_goes_through_byte_for_byte() -> None:
    """Status, body and the headers that steer clients are the platform's own; what discloses the account is not."""
    body = b'{ "type":"error", "error":{"type":"rate_limit_error","message":"slow down"},"request_id":"req_up" }'
    headers = (
        ("content-type", "application/json"), ("retry-after", "86400"), ("x-should-retry", "false"),
        ("request-id", "req_up"), ("anthropic-organization-id", "org"), ("set-cookie", "a=b"), ("server", "x"),
        ("anthropic-ratelimit-requests-limit", "50"),
    )  # fmt: skip
    reply, record = ask(ScriptedUpstream(refusal(529, "overloaded_error"), Script(429, headers, [body])))
    assert (429, body) == (reply.status, reply.body)
    sent = dict(reply.headers)
    assert (sent["retry-after"], sent["x-should-retry"], sent["request-id"]) == ("86400", "false", "req_up")
    assert record.request_id == sent["x-proxy-request-id"]
    assert not {"anthropic-organization-id", "set-cookie", "server", "anthropic-ratelimit-requests-limit"} & set(sent)
    assert record.upstream_request_id == "req_up"


def test_limits_of_the_account_are_shown_where_the_credential_says_so() -> None:
    """An operator switch, because the account may be shared."""
    directory = FakeDirectory([a_credential(options={"forward_rate_limits": True})])
    headers = (*SSE, ("anthropic-ratelimit-requests-limit", "50"))
    reply, _record = ask(ScriptedUpstream(Script(headers=headers, chunks=[WHOLE])), directory=directory)
    assert header(reply.headers, "anthropic-ratelimit-requests-limit") == "50"


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_credential_at_fault_is_never_the_clients_fault(status: int) -> None:
    """The client's own key is fine, so it gets a 503 that names the platform and is not repeated."""
    script = refusal(status, "authentication_error", "invalid x-api-key upstream-secret")
    reply, record = ask(ScriptedUpstream(script, script))
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["type"]) == (503, "api_error")
    assert "anthropic" in error["message"]
    assert "administrator" in error["message"]
    assert "upstream-secret" not in error["message"]
    assert header(reply.headers, "x-should-retry") == "false"
    assert (503, [status, status]) == (record.http_status, [attempt.status for attempt in record.attempts])


@pytest.mark.parametrize(
    ("failure", "status", "kind"),
    [
        (UpstreamUnreachable("no route"), 502, "api_error"),
        (UpstreamTimeout("slow"), 504, "timeout_error"),
        (UpstreamForbidden("private"), 503, "api_error"),
        (Script(chunks=[b"garbage without an end"]), 502, "api_error"),
        (Script(chunks=[b"x" * 300_000]), 502, "api_error"),
        (Script(chunks=[BREAK]), 502, "api_error"),
        (Script(headers=(("content-type", "text/html"),), chunks=[b"<html>"]), 502, "api_error"),
        (Script(502, (("content-type", "text/html"),), [b"<html><h1>Bad</h1>"]), 502, "api_error"),
        (Script(500, JSON, [b'{"detail":"wrapped"}']), 500, "api_error"),
    ],
)
def test_a_failure_without_an_answer_gets_one_of_ours(failure: Any, status: int, kind: str) -> None:
    """Anthropic's shape, our request id, no markup."""
    reply, record = ask(ScriptedUpstream(failure), directory=FakeDirectory([a_credential()]))
    document = json.loads(reply.body)
    assert (status, "error", kind) == (reply.status, document["type"], document["error"]["type"])
    assert record.request_id == document["request_id"]
    assert "<" not in document["error"]["message"]
    assert (status, kind, "error") == (record.http_status, record.error_type, record.status)


@pytest.mark.parametrize(("wait", "expected"), [("12", ("12", None)), ("61", (None, "false")), (None, (None, None))])
def test_a_foreign_error_never_tells_clients_to_wait_for_minutes(
    wait: str | None, expected: tuple[str | None, str | None]
) -> None:
    """SDKs would sleep that long (anthropic-messages.md §14)."""
    headers: Headers = (("content-type", "text/plain"), *((("retry-after", wait),) if wait else ()))
    reply, _record = ask(ScriptedUpstream(Script(429, headers, [b"later"])), directory=FakeDirectory([a_credential()]))
    assert json.loads(reply.body)["error"]["message"] == ("later (Try again in 2 min.)" if wait == "61" else "later")
    assert expected == (header(reply.headers, "retry-after"), header(reply.headers, "x-should-retry"))


def test_an_empty_stream_goes_through_when_nothing_else_can_be_tried() -> None:
    """Clients know what to do with it (empty200 of the captured behaviour)."""
    reply, record = ask(ScriptedUpstream(Script(chunks=[])), directory=FakeDirectory([a_credential()]))
    assert (reply.status, reply.body, reply.finished) == (200, b"", True)
    assert (record.status, record.attempts[0].outcome) == ("error", "broken")


def test_an_error_as_first_event_goes_through_when_nothing_else_can_be_tried() -> None:
    """A single credential behaves as if no router were there."""
    reply, record = ask(ScriptedUpstream(Script(chunks=[ERROR])), directory=FakeDirectory([a_credential()]))
    assert (reply.status, reply.body) == (200, ERROR)
    assert (record.status, record.error_type, record.error_message) == ("error", "overloaded_error", "Overloaded")
    assert record.attempts[0].outcome == "error_in_answer"


def test_after_the_first_event_a_break_breaks_the_clients_connection_too() -> None:
    """Nothing is repeated, nothing is made up; what was counted until then is in the row."""
    reply, record = ask(ScriptedUpstream(Script(chunks=[START + TEXT, BREAK])))
    assert (reply.body, reply.broken) == (START + TEXT, True)
    assert (record.status, record.usage_state, record.usage and record.usage.input_tokens) == ("error", "partial", 9)
    assert outcomes(record) == [("first", "broken", 200)]


def test_silence_is_filled_with_pings_but_only_between_events() -> None:
    """Clients give up after 300 s without a byte; an event must not be torn by a ping."""
    chunks = [START, SILENCE, TEXT[:40], SILENCE, TEXT[40:], DELTA + STOP]
    reply, _record = ask(ScriptedUpstream(Script(chunks=chunks)))
    assert [START, PING, TEXT[:40], TEXT[40:], DELTA, STOP] == [piece for piece in reply.pieces if piece]


def test_a_platform_that_stays_silent_after_its_status_is_bridged_by_a_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer begins at the latest 20 s after the platform's 200; later failures cannot be repeated."""
    monkeypatch.setattr(relay, "BEGIN_WITHIN_S", 0.0)
    reply, record = ask(ScriptedUpstream(Script(chunks=[WHOLE])))
    assert reply.body == PING + WHOLE
    assert record.status == "ok"


def test_a_platform_that_never_speaks_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our pings keep the client waiting, so the router must end it."""
    monkeypatch.setattr(patience, "SILENCE_LIMIT_S", -1.0)
    reply, record = ask(ScriptedUpstream(Script(chunks=[START, SILENCE])))
    assert reply.broken
    assert (record.status, record.error_type) == ("error", "timeout_error")


def test_what_follows_message_stop_still_arrives() -> None:
    """Compatible servers add `[DONE]`; every byte is theirs."""
    trail = b"data: [DONE]\n\n"
    reply, record = ask(ScriptedUpstream(Script(chunks=[START + TEXT + DELTA + STOP, trail, BREAK])))
    assert WHOLE + trail == reply.body
    assert (record.status, record.usage_state) == ("ok", "final")


def test_what_follows_message_stop_without_an_end_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that goes on sending pings is left after a moment."""
    monkeypatch.setattr(relay, "_TRAIL_S", 0.001)
    reply, record = ask(ScriptedUpstream(Script(chunks=[WHOLE, *[PING] * 5_000])))
    assert reply.finished
    assert len(reply.pieces) < 5_000
    assert record.status == "ok"


def test_a_place_is_given_back_although_the_task_ends_while_the_record_is_written() -> None:
    """Nothing else would end its lease as long as the process runs."""

    class Counted(NoLimits):
        settled: list[Lease] = []  # noqa: RUF012 - of this test alone

        async def admit(self, request_id: UUID, key: ApiKey, tokens: int, cost: Decimal) -> Lease | None:
            return Lease("lease")

        async def settle(self, lease: Lease, tokens: int, cost: Decimal) -> None:
            self.settled.append(lease)

    async def run() -> None:
        def end(_record: CallRecord) -> None:
            task.cancel()

        log = ListLog(end)
        ports = replace(outside(FakeDirectory(TWO), ScriptedUpstream(Script(chunks=[WHOLE])), log), limits=Counted())
        call, asked = a_call(BODY)
        task = asyncio.create_task(Gateway(ports).answer(call, asked, a_key(), KeptReply()))
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert [lease.id for lease in Counted.settled] == ["lease"]


def test_a_plain_answer_goes_through_byte_for_byte() -> None:
    """White space and field order are the platform's; the length is known."""
    body = b'{ "id":"m","type":"message" ,"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}'
    reply, record = ask(ScriptedUpstream(Script(headers=JSON, chunks=[body[:7], body[7:]])), PLAIN)
    assert (body, str(len(body))) == (reply.body, header(reply.headers, "content-length"))
    assert record.usage is not None
    assert (
        record.usage.input_tokens, record.usage.output_tokens, record.usage_state, record.stop_reason,
    ) == (5, 2, "final", "end_turn")  # fmt: skip


def test_a_client_that_leaves_cancels_the_platform_and_is_recorded() -> None:
    """What came until then is counted; the platform's connection is closed."""

    class Endless(ScriptedUpstream):
        async def send(self, request: Any) -> Any:
            response = await super().send(request)
            play = response.read

            async def read(timeout_s: float) -> bytes | None:
                chunk = await play(timeout_s)
                if chunk == b"":
                    await asyncio.Event().wait()
                return chunk

            response.read = read  # type: ignore[method-assign]
            return response

    class Watched(KeptReply):
        async def send(self, data: bytes) -> None:
            await super().send(data)
            if self.body == START + TEXT:
                seen.set()

    seen = asyncio.Event()

    async def run() -> tuple[KeptReply, CallRecord, ScriptedUpstream]:
        upstream, reply, log = Endless(Script(chunks=[START, TEXT])), Watched(), ListLog()
        call, asked = a_call(BODY)
        task = asyncio.create_task(
            Gateway(outside(FakeDirectory(TWO), upstream, log)).answer(call, asked, a_key(), reply)
        )
        await seen.wait()
        reply.gone = True
        task.cancel()
        await task
        return reply, log.records[0], upstream

    _reply, record, upstream = asyncio.run(run())
    assert upstream.responses[0].closed
    assert (
        record.status, record.http_status, record.usage_state, record.attempts[0].outcome,
    ) == ("aborted", 200, "partial", "aborted")  # fmt: skip


def test_a_server_that_stops_at_once_tells_those_who_still_wait() -> None:
    """Before the answer has begun the client gets a 503 that its SDK repeats, not a broken connection."""

    class Silent(ScriptedUpstream):
        async def send(self, request: Any) -> Any:
            asked.set()
            await asyncio.Event().wait()

    asked = asyncio.Event()

    async def run() -> tuple[KeptReply, list[CallRecord]]:
        reply, log = KeptReply(), ListLog()
        call, ask_ = a_call(BODY)
        gateway = Gateway(outside(FakeDirectory(TWO), Silent(), log))
        task = asyncio.create_task(gateway.answer(call, ask_, a_key(), reply))
        await asked.wait()
        task.cancel()
        await task
        return reply, log.records

    reply, records = asyncio.run(run())
    assert (reply.status, reply.finished, header(reply.headers, "retry-after")) == (503, True, "1")
    assert b"This router is stopping" in reply.body
    assert [(r.status, r.http_status, r.attempts[-1].outcome) for r in records] == [("error", 503, "aborted")]


def test_a_fault_of_the_router_is_answered_and_recorded(caplog: pytest.LogCaptureFixture) -> None:
    """An unforeseen exception becomes a 500 in Anthropic's shape, with its trace in the log."""
    reply, record = ask(ScriptedUpstream(RuntimeError("boom")))
    assert (reply.status, record.status) == (500, "error")
    assert "boom" not in reply.body.decode()
    assert "boom" in caplog.text


def test_without_the_database_the_client_is_told_to_try_again() -> None:
    """A router that cannot know where to go says so; it does not hang."""
    directory = FakeDirectory(TWO)
    directory.away = True
    reply, record = ask(ScriptedUpstream(), directory=directory)
    assert (reply.status, header(reply.headers, "retry-after")) == (503, "5")
    assert record.http_status == 503


def test_the_sandbox_answers_without_a_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream like any other, labelled, without cost."""
    monkeypatch.setattr("ccrouter.platforms.sandbox._PACE_S", 0)
    mapping = {"opus": [{"platform": "sandbox", "model": "sandbox"}]}
    reply, record = ask(ScriptedUpstream(), directory=FakeDirectory(), mapping=mapping)
    assert b"This " in reply.body
    assert reply.body.endswith(STOP)
    assert (record.status, record.platform, record.cost_state, record.usage_state) == ("ok", "sandbox", "none", "final")


def test_a_model_the_key_may_not_use_is_refused() -> None:
    """403, and nothing reaches a platform."""
    upstream = ScriptedUpstream()
    reply, record = ask(upstream, allowed_models=("claude-haiku-*",))
    assert (reply.status, upstream.requests, record.error_type) == (403, [], "permission_error")


def test_a_stream_that_ends_early_ends_early_for_the_client_too() -> None:
    """No message_stop is made up."""
    reply, record = ask(ScriptedUpstream(Script(chunks=[START + TEXT])))
    assert (reply.body, reply.finished, reply.broken) == (START + TEXT, True, False)
    assert (record.status, record.usage_state) == ("error", "partial")


def test_a_break_before_the_end_of_a_plain_answer_is_ours_to_tell() -> None:
    """Half a JSON body is never passed on."""
    reply, _record = ask(
        ScriptedUpstream(Script(headers=JSON, chunks=[b'{"id":', StreamBroken("x")])),
        PLAIN,
        directory=FakeDirectory([a_credential()]),
    )
    assert (reply.status, json.loads(reply.body)["error"]["type"]) == (502, "api_error")
