"""Transcripts of Anthropic streams through the gateway: bytes out are bytes in, the record says what they say."""

import asyncio

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
from tests.transcripts import EXPECTED, cut, transcript

from ccrouter.gateway import Gateway
from ccrouter.metering.record import CallRecord

CUTS = ("whole", "1 byte", "7 bytes", "random 1", "random 2", "random 3")
BODY = b'{"model":"claude-opus-5-5","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}'


def relay(sent: bytes, how: str) -> tuple[KeptReply, CallRecord, list[bytes]]:
    """Sends a transcript through the gateway; the third value is what had left when the record was not yet durable."""
    left: list[bytes] = []
    reply = KeptReply()
    log = ListLog(on_record=lambda _record: left.append(reply.body))

    async def run() -> None:
        upstream = ScriptedUpstream(Script(chunks=cut(sent, how)))
        gateway = Gateway(outside(FakeDirectory([a_credential()]), upstream, log))
        call, ask = a_call(BODY)
        await gateway.answer(call, ask, a_key(), reply)
        assert upstream.responses[0].closed

    asyncio.run(run())
    (record,) = log.records
    return reply, record, left


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_transcript_reaches_the_client_byte_for_byte(name: str, how: str) -> None:
    """Whatever the chunk borders, the client receives the platform's bytes."""
    sent = transcript(name)
    reply, _record, _left = relay(sent, how)
    assert sent == reply.body
    assert (reply.status, reply.finished, reply.broken) == (200, True, False)


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_transcripts_record_says_what_the_stream_said(name: str, how: str) -> None:
    """Merged usage, stop reason and completeness are those of the transcript's expected result."""
    meter = EXPECTED[name]["meter"]
    _reply, record, _left = relay(transcript(name), how)
    assert meter["usage_merged"] == (record.usage_raw or {})
    assert meter["stop_reason"] == record.stop_reason
    if meter["usage_merged"]:
        assert ("final" if meter["final"] else "partial") == record.usage_state
    assert ("ok" if meter["final"] else "error") == record.status
    assert record.http_status == 200


@pytest.mark.parametrize("name", [name for name in EXPECTED if "saw_message_stop" in EXPECTED[name]["meter"]])
def test_message_stop_waits_for_the_record(name: str) -> None:
    """A client that has seen the end of a message can rely on its row being there."""
    sent = transcript(name)
    for how in CUTS:
        reply, _record, left = relay(sent, how)
        if EXPECTED[name]["meter"]["final"]:
            end = sent.index(b"message_stop")
            assert len(left[0]) < len(sent)
            assert left[0][end:].count(b"\n") == 0
        assert sent == reply.body


def test_the_usage_of_iterations_is_their_sum() -> None:
    """With a compaction step the top level leaves tokens out; the record counts all of them."""
    expected = EXPECTED["beta_compaction"]["meter"]["billable_from_iterations"]
    _reply, record, _left = relay(transcript("beta_compaction"), "whole")
    assert record.usage is not None
    assert expected["input_tokens"] == record.usage.input_tokens
    assert expected["output_tokens"] == record.usage.output_tokens
