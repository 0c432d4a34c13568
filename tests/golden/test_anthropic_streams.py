"""Transcripts of Anthropic streams through the gateway: bytes out are bytes in, the record says what they say."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import (
    FakeDirectory,
    KeptReply,
    ListLog,
    Script,
    ScriptedUpstream,
    a_call,
    a_credential,
    a_key,
    outside,
)

from ccrouter.gateway import Gateway
from ccrouter.metering.record import CallRecord

FIXTURES = Path(__file__).parent.parent / "fixtures" / "anthropic-sse"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.sse"))
CUTS = ("whole", "1 byte", "7 bytes", "random 1", "random 2", "random 3")
BODY = b'{"model":"claude-opus-5-5","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}'


def cut(data: bytes, how: str) -> list[bytes]:
    """The data in chunks of the named kind."""
    if how == "whole":
        return [data]
    kind, _, argument = how.partition(" ")
    if kind != "random":
        return [data[start : start + int(kind)] for start in range(0, len(data), int(kind))]
    source = random.Random(argument)
    chunks = []
    while data:
        size = source.choice((1, 2, 3, 5, 17, 60, 300))
        chunks.append(data[:size])
        data = data[size:]
    return chunks


def relay(transcript: bytes, how: str) -> tuple[KeptReply, CallRecord, list[bytes]]:
    """Sends a transcript through the gateway; the third value is what had left when the record was not yet durable."""
    left: list[bytes] = []
    reply = KeptReply()
    log = ListLog(on_record=lambda _record: left.append(reply.body))

    async def run() -> None:
        upstream = ScriptedUpstream(Script(chunks=cut(transcript, how)))
        gateway = Gateway(outside(FakeDirectory([a_credential()]), upstream, log))
        call, ask = a_call(BODY)
        await gateway.answer(call, ask, a_key(), reply)
        assert upstream.responses[0].closed

    asyncio.run(run())
    (record,) = log.records
    return reply, record, left


def expected_of(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FIXTURES / f"{name}.expected.json").read_text())
    return document


def test_there_are_thirty_five_transcripts() -> None:
    """Nothing below passes because files are missing."""
    assert len(NAMES) == 35


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_reaches_the_client_byte_for_byte(name: str, how: str) -> None:
    """Whatever the chunk borders, the client receives the platform's bytes."""
    transcript = (FIXTURES / f"{name}.sse").read_bytes()
    reply, _record, _left = relay(transcript, how)
    assert transcript == reply.body
    assert (reply.status, reply.finished, reply.broken) == (200, True, False)


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_transcripts_record_says_what_the_stream_said(name: str, how: str) -> None:
    """Merged usage, stop reason and completeness are those of the transcript's expected result."""
    meter = expected_of(name)["meter"]
    _reply, record, _left = relay((FIXTURES / f"{name}.sse").read_bytes(), how)
    assert meter["usage_merged"] == (record.usage_raw or {})
    assert meter["stop_reason"] == record.stop_reason
    if meter["usage_merged"]:
        assert ("final" if meter["final"] else "partial") == record.usage_state
    assert ("ok" if meter["final"] else "error") == record.status
    assert record.http_status == 200


@pytest.mark.parametrize("name", [name for name in NAMES if "saw_message_stop" in expected_of(name)["meter"]])
def test_message_stop_waits_for_the_record(name: str) -> None:
    """A client that has seen the end of a message can rely on its row being there."""
    transcript = (FIXTURES / f"{name}.sse").read_bytes()
    for how in CUTS:
        reply, _record, left = relay(transcript, how)
        if expected_of(name)["meter"]["final"]:
            end = transcript.index(b"message_stop")
            assert len(left[0]) < len(transcript)
            assert left[0][end:].count(b"\n") == 0
        assert transcript == reply.body


def test_the_usage_of_iterations_is_their_sum() -> None:
    """With a compaction step the top level leaves tokens out; the record counts all of them."""
    expected = expected_of("beta_compaction")["meter"]["billable_from_iterations"]
    _reply, record, _left = relay((FIXTURES / "beta_compaction.sse").read_bytes(), "whole")
    assert record.usage is not None
    assert expected["input_tokens"] == record.usage.input_tokens
    assert expected["output_tokens"] == record.usage.output_tokens
