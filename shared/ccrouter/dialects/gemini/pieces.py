"""Cuts a body of the dialect into decoded pieces (gemini.md §4); what they say is not known here."""

from typing import Any

import msgspec

from ccrouter.errors import Consequence, StreamBroken, Trouble
from ccrouter.framing.sse import EventCutter, read_event

_FIELDS = (b":", b"data:", b"event:", b"id:", b"retry:")
CUT = Consequence(Trouble.FAULT, repeats=(0.0,))
"""An answer that broke off is asked for once more, if nothing of it has been sent."""


class Pieces:
    """Fresh for each response. An error may come as plain JSON, over several lines, without `data:` before it."""

    def __init__(self) -> None:
        self._cutter = EventCutter()
        self._stray = b""

    def feed(self, chunk: bytes) -> list[Any]:
        """The pieces that these bytes complete. Raises StreamBroken where one is not JSON."""
        found = []
        for raw in self._cutter.feed(chunk):
            found += self._read(raw)
        return found

    def rest(self) -> list[Any]:
        """What the end of the body completes; a last piece that is cut is none."""
        tail = self._cutter.tail()
        if not tail.strip():
            return []
        try:
            return self._read(tail)
        except StreamBroken:
            return []

    def _read(self, raw: bytes) -> list[Any]:
        _name, data = read_event(raw)
        if not data:
            return self._stray_lines(raw)
        if data.strip() == b"[DONE]":
            return []
        try:
            return [msgspec.json.decode(data)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise StreamBroken("A piece of the platform's answer is not JSON.", consequence=CUT) from None

    def _stray_lines(self, raw: bytes) -> list[Any]:
        lines = [line for line in raw.splitlines() if line and not line.startswith(_FIELDS)]
        if not lines:
            return []
        self._stray += b"\n".join(lines) + b"\n"
        try:
            document = msgspec.json.decode(self._stray)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        self._stray = b""
        return [document]
