"""The SSE framing: events are cut, never changed."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccrouter.errors import StreamBroken
from ccrouter.framing import sse
from ccrouter.framing.sse import EventCutter, read_event

LINE_ENDS = [b"\n", b"\r\n", b"\r"]


@pytest.mark.parametrize("end", LINE_ENDS)
def test_events_are_cut_at_blank_lines_of_any_kind(end: bytes) -> None:
    """LF, CRLF and CR are line ends alike."""
    first, second = b"event: a" + end + b"data: 1" + end + end, b"data: 2" + end + end
    cutter = EventCutter()
    assert [first, second] == cutter.feed(first + second)
    assert cutter.tail() == b""


@given(st.lists(st.sampled_from([b"event: x", b"data: {}", b": note", b""]), max_size=12), st.data())
def test_no_byte_is_lost_at_any_chunk_border(lines: list[bytes], data: st.DataObject) -> None:
    """Events and tail, joined, are what was fed."""
    stream = b"".join(line + data.draw(st.sampled_from(LINE_ENDS)) for line in lines)
    cutter = EventCutter()
    out = b""
    rest = stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        out += b"".join(cutter.feed(rest[:size]))
        rest = rest[size:]
    assert stream == out + cutter.tail()


@pytest.mark.parametrize("end", LINE_ENDS)
def test_a_long_event_is_cut_as_a_short_one(end: bytes) -> None:
    """Wherever the border of a chunk lies, also within its blank line."""
    event, next_one = b"data: " + b"x" * 40_000 + end + end, b"data: 2" + end + end
    for border in range(len(event) - 4, len(event) + 3):
        cutter, stream = EventCutter(), event + next_one
        cutter.feed(stream[:20_000])
        made = cutter.feed(stream[20_000:border]) + cutter.feed(stream[border:])
        # Where a CRLF is cut in half, its second half begins what follows.
        assert b"".join(made) == stream
        assert len(made) == 2


@given(st.integers(1, 40))
def test_chunk_borders_change_nothing_about_lf_events(size: int) -> None:
    """The same events come out, whatever the chunk size."""
    stream = b"event: ping\ndata: {}\n\ndata: 2\n\n: note\n\n"
    cutter = EventCutter()
    events = [event for start in range(0, len(stream), size) for event in cutter.feed(stream[start : start + size])]
    assert EventCutter().feed(stream) == events


@pytest.mark.parametrize("end", LINE_ENDS)
def test_an_event_without_end_ends_in_an_error(monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    """However it comes; a long one with an end is an event."""
    monkeypatch.setattr(sse, "LARGEST_EVENT", 10_000)
    monkeypatch.setattr(sse, "_LONG", 1_000)
    cutter = EventCutter()

    def feed(event: bytes) -> list[bytes]:
        return [made for start in range(0, len(event), 100) for made in cutter.feed(event[start : start + 100])]

    event = b"data: " + b"x" * 9_000 + end + end
    assert feed(event) == [event]
    with pytest.raises(StreamBroken, match="more than 10000 bytes"):
        feed((b"data: " + b"x" * 90 + end) * 200)


def test_a_long_event_in_many_chunks_is_looked_at_once() -> None:
    """Copying what came before with each chunk took ten seconds for this one, and stopped all other requests."""
    cutter, event = EventCutter(), b"data: " + b"x" * 8_000_000 + b"\n\n"
    began_s = time.process_time()
    made = [each for start in range(0, len(event), 1000) for each in cutter.feed(event[start : start + 1000])]
    assert made == [event]
    assert time.process_time() - began_s < 1.0


def test_a_ping_may_only_go_between_events() -> None:
    """Within an event, or within its blank line, nothing may be inserted."""
    cutter = EventCutter()
    seen = [cutter.between_events]
    for piece in (b"event: ping\n", b"data: {}\n\n"):
        cutter.feed(piece)
        seen.append(cutter.between_events)
    assert seen == [True, False, True]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"event: ping\ndata: {}\n\n", (b"ping", b"{}")),
        (b"data: a\ndata:b\n\n", (None, b"a\nb")),
        (b": comment\n\n", (None, b"")),
        (b"event:x\r\ndata: 1\r\n\r\n", (b"x", b"1")),
    ],
)
def test_an_event_is_read_as_the_standard_says(raw: bytes, expected: tuple[bytes | None, bytes]) -> None:
    """Name, data lines, one optional space, comments."""
    assert expected == read_event(raw)
