"""The SSE framing: events are cut, never changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccrouter.framing.sse import EventCutter, read_event

LINE_ENDS = [b"\n", b"\r\n", b"\r"]


@pytest.mark.parametrize("end", LINE_ENDS)
def test_events_are_cut_at_blank_lines_of_any_kind(end: bytes) -> None:
    """LF, CRLF and CR are line ends alike."""
    first, second = b"event: a" + end + b"data: 1" + end + end, b"data: 2" + end + end
    cutter = EventCutter()
    assert [first, second] == cutter.feed(first + second)
    assert cutter.tail == b""


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
    assert stream == out + cutter.tail


@given(st.integers(1, 40))
def test_chunk_borders_change_nothing_about_lf_events(size: int) -> None:
    """The same events come out, whatever the chunk size."""
    stream = b"event: ping\ndata: {}\n\ndata: 2\n\n: note\n\n"
    cutter = EventCutter()
    events = [event for start in range(0, len(stream), size) for event in cutter.feed(stream[start : start + size])]
    assert EventCutter().feed(stream) == events


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
