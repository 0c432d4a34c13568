"""Cuts an answer's bytes into the JSON documents of its events."""

from typing import Any

import msgspec

from ccrouter.errors import StreamBroken
from ccrouter.framing.sse import EventCutter, read_event

DONE = b"[DONE]"


class Documents:
    """Feed it bytes, get documents. After `[DONE]`, `done` is set and nothing more comes."""

    def __init__(self) -> None:
        self.done = False
        self._cutter = EventCutter()

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """The documents that these bytes complete. Raises StreamBroken for what is none."""
        return self._read(self._cutter.feed(chunk))

    def close(self) -> list[dict[str, Any]]:
        """The last document where no blank line followed it. Raises StreamBroken where it was cut."""
        return self._read([self._cutter.take()])

    def _read(self, events: list[bytes]) -> list[dict[str, Any]]:
        found = []
        for raw in events:
            data = read_event(raw)[1].strip()
            if not data or self.done:
                continue
            if data == DONE:
                self.done = True
                continue
            try:
                document = msgspec.json.decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                raise StreamBroken("The platform sent an event that is not JSON.") from None
            if not isinstance(document, dict):
                raise StreamBroken("The platform sent an event that is not an object.")
            found.append(document)
        return found
