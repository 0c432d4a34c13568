"""AWS event stream frames, whole and cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccrouter.framing.eventstream import Frame, FrameCutter, encode_frame

HI = bytes.fromhex(
    "0000007c0000005c3bddcf780b3a6576656e742d74797065070016617373697374616e74526573706f6e73654576656e740d3a636f6e74656e74"
    "2d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22636f6e74656e74223a22"
    "4869227db02babdc"
)
"""kiro.md §7.5, verified there with botocore's parser."""
HEADERS = {
    ":event-type": "assistantResponseEvent",
    ":content-type": "application/json",
    ":message-type": "event",
}


def test_a_known_frame_is_read_and_written() -> None:
    """The example of the specification, both ways."""
    assert FrameCutter().feed(HI) == [Frame(HEADERS, b'{"content":"Hi"}')]
    assert encode_frame(HEADERS, b'{"content":"Hi"}') == HI


@given(st.lists(st.binary(max_size=60), max_size=5), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_chunk_borders_do_not_matter(payloads: list[bytes], sizes: list[int]) -> None:
    """The same frames come out however the bytes are cut."""
    data = b"".join(encode_frame({":event-type": "x"}, payload) for payload in payloads)
    cutter, got, at, turn = FrameCutter(), [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        got += cutter.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert [frame.payload for frame in got] == payloads
    assert cutter.tail == b""


@pytest.mark.parametrize("at", [0, 5, 9, 30, len(HI) - 20, len(HI) - 1])
def test_a_damaged_byte_ends_the_stream_after_the_frames_before_it(at: int) -> None:
    """Nothing behind the damage is trusted."""
    damaged = bytearray(HI)
    damaged[at] ^= 0x40
    cutter = FrameCutter()
    frames = cutter.feed(HI + bytes(damaged) + HI)
    assert len(frames) == 1
    assert cutter.damage is not None
    assert cutter.feed(HI) == []
