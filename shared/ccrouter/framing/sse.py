"""Server-sent events: cuts bytes into raw events and reads an event's name and data; knows no protocol above.

Strategy: chunks end anywhere, so what follows the last blank line is kept as the tail of an unfinished event.
Raw bytes are never changed: the events and the tail, joined, are what was fed.
"""

import re

# A blank line is two line ends in a row. The groups are atomic: without that, one CRLF would count as CR and LF.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LINE_ENDS = b"\r\n"


class EventCutter:
    """Feed it chunks, get complete events: each with the blank line that ends it."""

    def __init__(self) -> None:
        self.tail = b""
        """The bytes of the event that is not complete yet."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk completes; an empty list means that more bytes are needed."""
        # The border itself may lie within a line end: then the tail decides which kind of stream this is.
        data = self.tail + chunk if self.tail else chunk
        if b"\r" not in data:
            parts = data.split(b"\n\n")
            self.tail = parts.pop()
            return [part + b"\n\n" for part in parts]
        events = []
        start = 0
        for match in _BLANK_LINE.finditer(data):
            events.append(data[start : match.end()])
            start = match.end()
        self.tail = data[start:]
        return events

    @property
    def between_events(self) -> bool:
        """Whether something may be inserted here without breaking an event (a CRLF cut in half is no event)."""
        return not self.tail.strip(_LINE_ENDS)


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
