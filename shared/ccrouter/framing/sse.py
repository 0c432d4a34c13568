"""Server-sent events: cuts bytes into raw events and reads an event's name and data; knows no protocol above.

Strategy: chunks end anywhere, so what follows the last blank line is kept as the tail of an unfinished event.
Raw bytes are never changed: the events and the tail, joined, are what was fed.
"""

import re

from ccrouter.errors import StreamBroken

# A blank line is two line ends in a row. The groups are atomic: without that, one CRLF would count as CR and LF.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LINE_ENDS = b"\r\n"


LARGEST_EVENT = 24 * 1024 * 1024
"""As large as a frame of the other framing may be: an image or a document fits, a line without end does not."""
_LONG = 16 * 1024
_BEGINNING = 128
"""Enough of an event to know its name by."""


class EventCutter:
    """Feed it chunks, get complete events: each with the blank line that ends it."""

    def __init__(self) -> None:
        self._tail: bytes | bytearray = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk completes; an empty list means that more bytes are needed.

        Raises StreamBroken for an event over LARGEST_EVENT.
        """
        tail = self._tail
        # A long event comes in many chunks: with each of them it would be copied and searched again, were it not only
        # looked at as a whole when a blank line ends here. Of that at most three bytes can have come before.
        if len(tail) >= _LONG and not _has_blank_line(tail[-3:] + chunk):
            if len(tail) + len(chunk) > LARGEST_EVENT:
                raise StreamBroken(f"The platform sent an event of more than {LARGEST_EVENT} bytes.")
            if isinstance(tail, bytes):
                tail = self._tail = bytearray(tail)
            tail += chunk
            return []
        # The border itself may lie within a line end: then the tail decides which kind of stream this is.
        data = bytes(tail) + chunk if tail else chunk
        if b"\r" not in data:
            parts = data.split(b"\n\n")
            self._tail = parts.pop()
            return [part + b"\n\n" for part in parts]
        events = []
        start = 0
        for match in _BLANK_LINE.finditer(data):
            events.append(data[start : match.end()])
            start = match.end()
        self._tail = data[start:]
        return events

    @property
    def waiting(self) -> int:
        """How many bytes there are of the event that is not complete yet."""
        return len(self._tail)

    @property
    def beginning(self) -> bytes:
        """How that event begins."""
        return bytes(self._tail[:_BEGINNING])

    def tail(self, start: int = 0) -> bytes:
        """The bytes of that event, from one of them on."""
        return bytes(self._tail[start:])

    def take(self) -> bytes:
        """The same, which are then forgotten."""
        tail, self._tail = bytes(self._tail), b""
        return tail

    @property
    def between_events(self) -> bool:
        """Whether something may be inserted here without breaking an event (a CRLF cut in half is no event)."""
        return not self._tail.strip(_LINE_ENDS)


def _has_blank_line(data: bytes | bytearray) -> bool:
    return b"\n\n" in data or (b"\r" in data and _BLANK_LINE.search(data) is not None)


def read_event(raw: bytes) -> tuple[bytes | None, bytes]:
    """An event's name (None without an `event:` line) and its data (the `data:` lines, joined by line feeds)."""
    name: bytes | None = None
    data = []
    for line in _LINE_END.split(raw):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return name, b"\n".join(data)
