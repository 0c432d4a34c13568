"""A stream on its way through: any bytes, cut anywhere, leave as they came; `message_stop` is held back."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccrouter.dialects.anthropic.stream import AnthropicStream

FIXTURES = Path(__file__).parent.parent / "fixtures" / "anthropic-sse"
TRANSCRIPTS = [path.read_bytes() for path in sorted(FIXTURES.glob("*.sse"))]
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def cut(data: bytes, borders: list[int]) -> list[bytes]:
    """The data, cut at these borders."""
    marks = sorted({0, len(data), *(border % (len(data) + 1) for border in borders)})
    return [data[start:end] for start, end in itertools.pairwise(marks)]


def pass_through(chunks: list[bytes]) -> tuple[bytes, bytes, AnthropicStream]:
    """What left at once, what was held back, and what was read."""
    stream = AnthropicStream()
    left = b"".join(stream.feed(chunk) for chunk in chunks)
    left += stream.close()
    return left, stream.take_held(), stream


borders = st.lists(st.integers(0, 10**6), max_size=12)


@given(st.sampled_from(TRANSCRIPTS), borders)
def test_facts_and_bytes_do_not_depend_on_chunk_borders(transcript: bytes, where: list[int]) -> None:
    """Every transcript, cut anywhere: the same bytes, the same counts."""
    left, held, stream = pass_through(cut(transcript, where))
    whole_left, whole_held, whole = pass_through([transcript])
    assert transcript == left + held == whole_left + whole_held
    for name in ("usage", "stop_reason", "stopped", "error_type", "error_message", "content_began"):
        assert getattr(whole.facts, name) == getattr(stream.facts, name)
    assert whole.first_event == stream.first_event


@given(st.sampled_from([text for text in TRANSCRIPTS if b"message_stop" in text]), borders)
def test_the_end_of_a_message_never_leaves_by_itself(transcript: bytes, where: list[int]) -> None:
    """As long as the row is not durable, no client can know that the message is complete."""
    left, _held, _stream = pass_through(cut(transcript, where))
    assert STOP.rstrip(b"\n") not in left.replace(b"\r\n", b"\n")


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"\n\n", b"event: ", b"data: {", STOP, b"\r"]), max_size=12))
def test_any_bytes_pass_unharmed(chunks: list[bytes]) -> None:
    """Nothing is raised, whatever a platform sends, and nothing is lost."""
    left, held, _stream = pass_through(chunks)
    assert b"".join(chunks) == left + held


@given(st.sampled_from(TRANSCRIPTS), st.integers(0, 10**6))
def test_a_ping_only_ever_stands_between_events(transcript: bytes, where: int) -> None:
    """Where the stream says so, the bytes so far end with a blank line, or are none."""
    stream = AnthropicStream()
    cut_at = where % (len(transcript) + 1)
    left = stream.feed(transcript[:cut_at])
    if stream.between_events:
        # A carriage return alone ends a line too: the line feed behind it is then an empty line, which says nothing.
        assert left.replace(b"\r\n", b"\n").replace(b"\r", b"\n").endswith(b"\n\n") or left.strip() == b""


@pytest.mark.parametrize(
    ("chunks", "left"),
    [
        ([b"data: 1\n\n", STOP], b"data: 1\n\n"),
        ([b"data: 1\n\n" + STOP[:20], STOP[20:]], b"data: 1\n\n"),
        ([b'data: {"type":"message_stop"}\n\n'], b""),
        ([b'data:{ "type" : "message_stop" }\n\n'], b""),
        ([b"event:message_stop\r\n", b"data: {}\r\n\r\n"], b""),
        ([b": note\nevent: message_stop\ndata: {}\n\n"], b""),
        ([b"data: x\nevent: message_stop\n\n"], b""),
        ([b"event: message_stopped\n\n"], b"event: message_stopped\n\n"),
        ([b'event: x\ndata: {"type":"message_stop"}\n\n'], b'event: x\ndata: {"type":"message_stop"}\n\n'),
        ([b'data: {"text":"event: message_stop"}\n\n'], b'data: {"text":"event: message_stop"}\n\n'),
    ],
)
def test_what_is_held_back_is_the_event_and_nothing_like_it(chunks: list[bytes], left: bytes) -> None:
    """By its name, or by its data's type where it has no name."""
    found, held, _stream = pass_through(chunks)
    assert left == found
    assert b"".join(chunks) == found + held
