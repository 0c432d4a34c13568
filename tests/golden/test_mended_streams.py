"""Servers that only nearly speak Anthropic's API: what deviates is put right, what does not keeps every byte."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.golden.matching import CUTS, cut
from tests.grammar import events_of, violations
from tests.transcripts import EXPECTED, transcript
from tests.upstream import message_events, text

from ccrouter.dialects.anthropic.mended import MendedStream
from ccrouter.dialects.anthropic.stream import PING, AnthropicStream

WHOLE = b"".join(message_events(text("Hello"), {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}))


def through(stream: AnthropicStream, chunks: list[bytes]) -> bytes:
    """All that leaves, as the relay reads it."""
    out = b"".join(stream.feed(chunk) for chunk in chunks)
    return out + stream.close() + stream.take_held()


def event(name: str, **members: Any) -> bytes:
    """One event."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **members})}\n\n".encode()


def without_names(data: bytes) -> bytes:
    """The stream of a server that leaves `event:` lines out."""
    return b"".join(line + b"\n" for line in data.split(b"\n")[:-1] if not line.startswith(b"event:"))


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_transcript_keeps_every_byte_and_says_the_same(name: str, how: str) -> None:
    """Anthropic's own streams through a compatible address."""
    data = transcript(name)
    plain, mended = AnthropicStream(), MendedStream()
    assert data == through(plain, [data]) == through(mended, cut(data, how))
    assert vars(plain.facts) == vars(mended.facts)
    assert plain.first_event == mended.first_event


def test_events_get_their_names() -> None:
    """SDKs skip events without one."""
    for size in (1, 7, 10_000):
        data = without_names(WHOLE)
        stream = MendedStream()
        out = through(stream, [data[at : at + size] for at in range(0, len(data), size)])
        assert out == WHOLE
        assert (stream.facts.stopped, stream.facts.stop_reason) == (True, "end_turn")


def test_a_message_begins_once() -> None:
    """A second start only adds to what is known."""
    start = event("message_start", message={"content": [], "stop_reason": None, "usage": {"input_tokens": 0}})
    first = message_events(text("x"))
    stream = MendedStream()
    assert b"".join(first) == through(stream, [first[0] + start + b"".join(first[1:])])
    assert stream.facts.usage["input_tokens"] == 12


@pytest.mark.parametrize(("kind", "delta"), [("text", "text_delta"), ("thinking", "thinking_delta")])
def test_a_block_begins_empty(kind: str, delta: str) -> None:
    """Clients would lose what its start carries."""
    data = event("content_block_start", index=0, content_block={"type": kind, kind: "Hel", "citations": None})
    start, said = events_of(through(MendedStream(), [data]))
    assert start["content_block"][kind] == ""
    assert "citations" in start["content_block"]
    assert said == {"type": "content_block_delta", "index": 0, "delta": {"type": delta, kind: "Hel"}}


def test_thinking_gets_the_field_that_clients_require() -> None:
    """A signature, if empty."""
    data = event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
    (start,) = events_of(through(MendedStream(), [data]))
    assert start["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}


@pytest.mark.parametrize(("block", "reason"), [("text", "end_turn"), ("tool_use", "tool_use")])
def test_the_last_delta_says_why_the_message_ends(block: str, reason: str) -> None:
    """By what the message holds; one that is followed by another stays as it is."""
    start = event("content_block_start", index=0, content_block={"type": block, "text": ""})
    nothing = event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 3})
    stream = MendedStream()
    kinds = [
        (found["type"], found.get("delta", {}).get("stop_reason"))
        for found in events_of(through(stream, [start + nothing + PING + nothing, event("message_stop")]))
    ]
    assert kinds[1:] == [("ping", None), ("message_delta", None), ("message_delta", reason), ("message_stop", None)]
    assert (stream.facts.stop_reason, stream.facts.usage["output_tokens"]) == (reason, 3)
    cut_short = MendedStream()
    assert start + nothing == through(cut_short, [start + nothing])


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b'data: {"error":{"message":"busy","type":"server_error","code":"x"}}\n\n', "server_error", "busy"),
        (b'event: error\ndata: {"error":{"message":"busy"}}\n\n', "api_error", "busy"),
        (b'event: error\ndata: {"detail":"busy"}\n\n', "api_error", "busy"),
        (
            b'data: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n',
            "overloaded_error",
            "busy",
        ),
    ],
)
def test_an_error_gets_anthropics_shape(data: bytes, kind: str, message: str) -> None:
    """Else clients take it for nothing."""
    stream = MendedStream()
    (error,) = events_of(through(stream, [data]))
    assert error == {"type": "error", "error": {"type": kind, "message": message}}
    assert (stream.first_event, stream.facts.error_type, stream.facts.error_message) == ("error", kind, message)


def test_the_larger_count_holds() -> None:
    """Some servers know the prompt at the start, some at the end, and say 0 elsewhere."""
    for first, last in ((0, 40), (40, 0)):
        stream = MendedStream()
        start = event("message_start", message={"usage": {"input_tokens": first, "output_tokens": 0}})
        end = event(
            "message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": last, "output_tokens": 2}
        )
        through(stream, [start + end])
        assert stream.facts.usage == {"input_tokens": 40, "output_tokens": 2}


def test_what_follows_the_end_is_passed_on() -> None:
    """`[DONE]`, whole or not."""
    stream = MendedStream()
    assert stream.feed(WHOLE + b"data: [DO") + stream.take_held() == WHOLE + b"data: [DO"
    assert stream.feed(b"NE]\n\n") + stream.take_held() == b"NE]\n\n"


def test_bytes_that_are_no_events_are_no_stream() -> None:
    """They are not kept for ever."""
    stream = MendedStream()
    for _ in range(5):
        assert stream.feed(b"x" * 100_000) == b""
    assert stream.failure is not None


def test_a_delta_does_not_wait_for_its_end() -> None:
    """Its name says that it needs nothing; and no ping may come between its pieces."""
    stream = MendedStream()
    assert stream.feed(b"event: content_block_delta\nda") == b"event: content_block_delta\nda"
    assert not stream.between_events
    assert stream.feed(b"ta: {}\n\nevent: message_sta") == b"ta: {}\n\n"
    assert stream.between_events


PIECES = st.sampled_from(
    [
        event("message_start", message={"content": [], "stop_reason": None, "usage": {"input_tokens": 1}}),
        event("content_block_start", index=0, content_block={"type": "text", "text": "a"}),
        event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""}),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "b"}),
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": None}, usage={"input_tokens": 0}),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5}),
        event("message_stop"),
        PING,
        b": comment\n\n",
        b"data: [DONE]\n\n",
        b'data: {"error":{"message":"x"}}\n\n',
        b"event: odd\ndata: 1\n\n",
        b"data: not json\n\n",
        b"\n\n",
    ]
)


@settings(max_examples=500, deadline=None)
@given(pieces=st.lists(PIECES, max_size=12), names=st.booleans(), crlf=st.booleans(), seed=st.integers(0, 999))
def test_whatever_comes_chunk_borders_do_not_matter(pieces: list[bytes], names: bool, crlf: bool, seed: int) -> None:
    """Any order of events, also nonsense: the same bytes leave however they are cut, and nothing raises."""
    data = b"".join(pieces)
    if not names:
        data = without_names(data)
    if crlf:
        data = data.replace(b"\n", b"\r\n")
    source = random.Random(seed)
    chunks, rest = [], data
    while rest:
        size = source.choice((1, 2, 30, 200))
        chunks.append(rest[:size])
        rest = rest[size:]
    one, many = MendedStream(), MendedStream()
    whole = through(one, [data])
    assert whole.replace(b"\r\n", b"\n").split() == through(many, chunks).replace(b"\r\n", b"\n").split()
    assert vars(one.facts) == vars(many.facts)


BLOCKS = st.lists(
    st.tuples(st.sampled_from(["text", "thinking"]), st.text(max_size=5), st.lists(st.text(max_size=5), max_size=3)),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(blocks=BLOCKS, names=st.booleans(), twice=st.booleans(), reason=st.sampled_from([None, "end_turn"]))
def test_nearly_right_streams_become_right_ones(
    blocks: list[tuple[str, str, list[str]]], names: bool, twice: bool, reason: str | None
) -> None:
    """All deviations together; what was said is all there."""
    usage = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    start = event("message_start", message={"content": [], "stop_reason": None, "usage": usage})
    data = [start, start] if twice else [start]
    for index, (kind, first, more) in enumerate(blocks):
        data.append(event("content_block_start", index=index, content_block={"type": kind, kind: first}))
        data += [
            event("content_block_delta", index=index, delta={"type": f"{kind}_delta", kind: piece}) for piece in more
        ]
        data.append(event("content_block_stop", index=index))
    data.append(event("message_delta", delta={"stop_reason": reason}, usage=usage | {"output_tokens": 3}))
    data.append(event("message_stop"))
    stream = b"".join(data)
    out = through(MendedStream(), [stream if names else without_names(stream)])
    found = [found for found in violations(out) if not found.endswith("closes without a signature")]
    assert found == []
    said = "".join(
        made["delta"].get("text", "") + made["delta"].get("thinking", "")
        for made in events_of(out)
        if made["type"] == "content_block_delta"
    )
    assert said == "".join(first + "".join(more) for _, first, more in blocks)
