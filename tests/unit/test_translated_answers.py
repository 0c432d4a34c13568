"""Answers of a platform that must be translated, through the gateway: failures, repeats, continuation, memory."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import (
    BREAK,
    FakeDirectory,
    FakeMemory,
    KeptReply,
    ListLog,
    Script,
    ScriptedUpstream,
    a_call,
    a_credential,
    a_key,
    outside,
)
from tests.grammar import events_of, violations

from ccrouter.gateway import Gateway, relay
from ccrouter.http import Headers
from ccrouter.metering.record import CallRecord

FIXTURES = Path(__file__).parent.parent / "fixtures" / "gemini"
SSE: Headers = (("content-type", "text/event-stream"),)
JSON: Headers = (("content-type", "application/json; charset=UTF-8"),)
MAPPING = {"default": [{"platform": "gemini", "model": "gemini-3.8-flash"}]}
CREDENTIAL = a_credential(platform="gemini", auth={"api_key": "AIza-test"}, base_url=None)


def request(**members: Any) -> bytes:
    """A client's request."""
    base = {"model": "claude-opus-5-5", "max_tokens": 2000, "stream": True}
    return json.dumps(base | {"messages": [{"role": "user", "content": "hi"}]} | members).encode()


def answer(name: str, headers: Headers = SSE) -> Script:
    """A fixture as the platform's answer."""
    return Script(200, headers, [(FIXTURES / name).read_bytes()])


def ask(body: bytes, *scripts: Script, memory: FakeMemory | None = None) -> tuple[KeptReply, CallRecord, list[Any]]:
    """What the client gets, the record, and the bodies that the platform was sent."""
    upstream, log, reply = ScriptedUpstream(*scripts), ListLog(), KeptReply()

    async def run() -> None:
        ports = outside(FakeDirectory([CREDENTIAL]), upstream, log)
        if memory is not None:
            ports = replace(ports, memory=memory)
        call, asked = a_call(body)
        await Gateway(ports).answer(call, asked, a_key(MAPPING), reply)

    asyncio.run(run())
    (record,) = log.records
    return reply, record, [json.loads(sent.body) for sent in upstream.requests]


def test_an_answer_that_fails_at_its_end_is_asked_for_once_more_and_is_no_empty_stream() -> None:
    """A failure that only the end of the body shows is still an HTTP error, after one repetition."""
    name = "10_malformed_function_call.sse"
    reply, record, sent = ask(request(), answer(name), answer(name))
    assert reply.status == 500
    assert json.loads(reply.body)["error"]["type"] == "api_error"
    assert 2 == len(sent) == len(record.attempts)
    assert record.status == "error"


def test_a_repetition_that_succeeds_is_the_answer() -> None:
    """The client sees nothing of the first try; the row does."""
    reply, record, _sent = ask(request(), answer("10_malformed_function_call.sse"), answer("01_text.sse"))
    assert violations(reply.body) == []
    assert [attempt.outcome for attempt in record.attempts] == ["refused", "ok"]


def test_an_error_inside_the_stream_ends_it_with_an_error_event() -> None:
    """What came before is kept, and nothing follows."""
    reply, record, _sent = ask(request(), answer("06_midstream_error.sse"))
    assert reply.status == 200
    assert violations(reply.body) == []
    assert events_of(reply.body)[-1]["error"]["type"] == "overloaded_error"
    assert record.status == "error"


def test_an_answer_in_two_responses_is_one_message_and_each_is_billed() -> None:
    """The second request repeats the first with the token; the row sums what both used."""
    reply, record, sent = ask(
        request(max_tokens=200_000), answer("13_continuation.hop1.sse"), answer("13_continuation.hop2.sse")
    )
    assert violations(reply.body) == []
    assert sent[1]["continuationToken"] == "Y29udGludWF0aW9uLXRva2VuLTE="
    assert record.usage is not None
    assert (record.usage.input_tokens, record.usage.output_tokens) == (30 + 65_566, 90_000)


def test_a_second_response_that_breaks_off_is_closed_too() -> None:
    """Its refusal cannot be read to its end."""
    upstream = ScriptedUpstream(answer("13_continuation.hop1.sse"), Script(500, JSON, [BREAK]))
    call, asked = a_call(request(max_tokens=200_000))
    ports = outside(FakeDirectory([CREDENTIAL]), upstream, ListLog())
    asyncio.run(Gateway(ports).answer(call, asked, a_key(MAPPING), KeptReply()))
    assert [response.closed for response in upstream.responses] == [True, True]


def test_an_answer_without_an_end_is_not_gathered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message in one piece has a bound, translated or not."""
    monkeypatch.setattr(relay, "JSON_LIMIT", 100)
    reply, record, _sent = ask(request(stream=False), *[answer("01_text.sse")] * 3)
    assert reply.status == 502
    assert record.error_message is not None
    assert "longer than 100 bytes" in record.error_message


def test_a_refusal_over_signatures_is_mended_with_the_stand_in() -> None:
    """One try without the signatures, on the same credential."""
    history = [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "", "signature": "px1:gemini:b2xk"},
                {"type": "tool_use", "id": "t1", "name": "ls", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a"}]},
    ]
    refusal = {"error": {"code": 400, "message": "Corrupted thought signature.", "status": "INVALID_ARGUMENT"}}
    reply, _record, sent = ask(
        request(messages=history), Script(400, JSON, [json.dumps(refusal).encode()]), answer("01_text.sse")
    )
    assert reply.status == 200
    signatures = [body["contents"][1]["parts"][0]["thoughtSignature"] for body in sent]
    assert signatures == ["b2xk", "skip_thought_signature_validator"]


def test_an_unknown_field_in_a_tool_is_mended_with_the_older_form() -> None:
    """`parameters` in place of `parametersJsonSchema`."""
    tools = [{"name": "ls", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}]
    refusal = {"error": {"code": 400, "message": 'Unknown name "parametersJsonSchema"', "status": "INVALID_ARGUMENT"}}
    _reply, _record, sent = ask(
        request(tools=tools), Script(400, JSON, [json.dumps(refusal).encode()]), answer("01_text.sse")
    )
    declared = [body["tools"][0]["functionDeclarations"][0] for body in sent]
    assert ["parametersJsonSchema" in declared[0], "parameters" in declared[1]] == [True, True]


def test_a_signature_survives_a_client_that_strips_thinking() -> None:
    """It is remembered with the call, and stands on the call when the history comes back without it."""
    memory = FakeMemory()
    tools = [{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
    ask(request(tools=tools), answer("14_tool_no_thinking_requested.sse"), memory=memory)
    history = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "fc-9z", "name": "get_weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "fc-9z", "content": "18C"}]},
    ]
    _reply, _record, (sent,) = ask(request(tools=tools, messages=history), answer("01_text.sse"), memory=memory)
    assert sent["contents"][1]["parts"][0]["thoughtSignature"].startswith("Zml4dHVyZS1zaWduYXR1cmUtQi")


def test_max_tokens_of_zero_asks_nobody() -> None:
    """It only warms a cache, and there is none to warm."""
    reply, record, sent = ask(request(max_tokens=0))
    assert [] == sent == violations(reply.body)
    assert record.status == "ok"


def test_a_count_that_fails_is_estimated() -> None:
    """Clients always get a number."""
    upstream, log, reply = (
        ScriptedUpstream(Script(500, JSON, [b"{}"])),
        ListLog(),
        KeptReply(),
    )

    async def run() -> None:
        call, asked = a_call(request(), operation="count_tokens")
        await Gateway(outside(FakeDirectory([CREDENTIAL]), upstream, log)).answer(call, asked, a_key(MAPPING), reply)

    asyncio.run(run())
    assert json.loads(reply.body)["input_tokens"] > 0
