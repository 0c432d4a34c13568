"""Streams of servers that only nearly speak Anthropic's API: their deviations are put right, all else keeps its bytes.

Strategy: most events are known by their name to need nothing and leave as they come. The others leave whole, since one
can be judged only when it is complete. What deviates and how is listed in anthropic-passthrough.md §3.
"""

from typing import Any

import msgspec

from ccrouter.dialects.anthropic.errors import foreign_message
from ccrouter.dialects.anthropic.stream import AnthropicStream, document_of, name_of, type_of
from ccrouter.errors import StreamBroken
from ccrouter.framing.sse import read_event

_PLAIN = frozenset({b"content_block_delta", b"content_block_stop", b"ping"})
_KNOWN = _PLAIN | {b"message_start", b"content_block_start", b"message_delta", b"message_stop", b"error"}
_LONGEST_FIRST_EVENT = 256 * 1024
_COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class MendedStream(AnthropicStream):
    """See `platforms.contract.AnswerStream`."""

    def __init__(self) -> None:
        super().__init__()
        self._started = False
        self._calls_tool = False
        self._passed = 0
        """How much of the unfinished event has left."""
        self._unended: bytes | None = None
        """A `message_delta` without a stop reason: whether it is the last, the next event tells."""

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that may leave; `message_stop` and what follows waits in `take_held`."""
        if self.ended:
            return self._leave(chunk)
        out: list[bytes] = []
        ended = False
        for raw in self._cutter.feed(chunk):
            if self._unended is None and not ended and (name := name_of(raw)) in _PLAIN:
                self._note(name)
                out.append(raw[self._passed :] if self._passed else raw)
                self._passed = 0
                continue
            for event in [raw] if ended else self._mended(raw):
                if not ended and self._read(event):
                    self._held = b""
                ended = self.ended
                out.append(self._leave(event))
        out.append(self._tail())
        return b"".join(out)

    def _note(self, name: bytes | None) -> None:
        """What a plain event says: the same as `_read` would."""
        if name != b"ping" and name is not None:
            self.first_event = self.first_event or name.decode()
            if name == b"content_block_delta":
                self.facts.content_began = True

    def _tail(self) -> bytes:
        """What may leave of the unfinished event."""
        if self.ended:
            # What follows the end is passed on as it comes.
            tail, self._passed = self._cutter.take()[self._passed :], 0
            return self._leave(tail)
        if self._unended is None and name_of(self._cutter.beginning) in _PLAIN:
            tail = self._cutter.tail(self._passed)
            self._passed += len(tail)
            return tail
        if self.first_event is None and self._cutter.waiting - self._passed > _LONGEST_FIRST_EVENT:
            self.failure = StreamBroken("The platform sent no event stream, although it said so.")
        return b""

    def close(self) -> bytes:
        """What had no end: the client judges it."""
        left = (self._unended or b"") + self._cutter.take()[self._passed :]
        self._unended, self._passed = None, 0
        return self._leave(left)

    @property
    def between_events(self) -> bool:
        """Whether a ping may be inserted here: nothing but whole events has left."""
        return self._held is None and self._passed == 0

    def _leave(self, data: bytes) -> bytes:
        """The bytes themselves, or nothing where they must wait for the record."""
        if self._held is None:
            return data
        self._held += data
        return b""

    def _mended(self, raw: bytes) -> list[bytes]:
        name = name_of(raw)
        if name is None:
            name, data = read_event(raw)
            if name is None:
                if not data:
                    return [raw]
                name = type_of(data)
                if name:
                    # SDKs skip events without a name.
                    raw = b"event: " + name + b"\n" + raw.lstrip(b"\r\n")
                elif b'"error"' in data:
                    name = b"error"
        if name == b"ping":
            return [raw]
        if name == b"message_delta":
            return self._delta(raw)
        if name == b"message_start":
            return self._start(raw)
        before = self._released(at_end=name == b"message_stop")
        if name == b"content_block_start":
            return [*before, *self._block_start(raw)]
        if name == b"error":
            return [*before, self._error(raw)]
        return [*before, raw]

    def _start(self, raw: bytes) -> list[bytes]:
        if self._started:
            self._read_start(document_of(raw))
            return []
        self._started = True
        return [raw]

    def _block_start(self, raw: bytes) -> list[bytes]:
        """A block's start without content: clients begin each block empty and would lose it."""
        event = document_of(raw)
        block = event.get("content_block")
        if not isinstance(block, dict):
            return [raw]
        kind = block.get("type")
        self._calls_tool = self._calls_tool or kind == "tool_use"
        if kind not in ("text", "thinking"):
            return [raw]
        said = block.get(kind)
        if (kind == "text" or "signature" in block) and not said and said is not None:
            return [raw]
        start = {**event, "content_block": {**block, kind: "", **({"signature": ""} if kind == "thinking" else {})}}
        events = [_sse("content_block_start", start)]
        index = event.get("index")
        if said:
            delta = {"type": f"{kind}_delta", kind: said}
            events.append(_sse("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}))
        if kind == "thinking" and block.get("signature"):
            delta = {"type": "signature_delta", "signature": block["signature"]}
            events.append(_sse("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}))
        return events

    def _delta(self, raw: bytes) -> list[bytes]:
        before = self._released(at_end=False)
        delta = document_of(raw).get("delta")
        if isinstance(delta, dict) and delta.get("stop_reason") is None and self.facts.stop_reason is None:
            self._unended = raw
            return before
        return [*before, raw]

    def _released(self, *, at_end: bool) -> list[bytes]:
        """The `message_delta` that waited; as the last one it says why the message ends."""
        raw, self._unended = self._unended, None
        if raw is None:
            return []
        if not at_end:
            return [raw]
        event = document_of(raw)
        event["delta"] = {**event["delta"], "stop_reason": "tool_use" if self._calls_tool else "end_turn"}
        return [_sse("message_delta", event)]

    def _error(self, raw: bytes) -> bytes:
        """An error in Anthropic's shape; those of other servers are put into it."""
        event = document_of(raw)
        error = event.get("error")
        if isinstance(error, dict) and isinstance(error.get("type"), str) and isinstance(error.get("message"), str):
            if event.get("type") == "error" and name_of(raw) == b"error":
                return raw
            kind, message = error["type"], error["message"]
        else:
            kind, message = "api_error", foreign_message(500, "application/json", read_event(raw)[1])
        return _sse("error", {"type": "error", "error": {"type": kind, "message": message}})

    def _read_start(self, document: dict[str, Any]) -> None:
        known = self._known_counts()
        super()._read_start(document)
        self._keep(known)

    def _read_delta(self, document: dict[str, Any]) -> None:
        known = self._known_counts()
        super()._read_delta(document)
        self._keep(known)

    def _known_counts(self) -> dict[str, Any]:
        return {name: self.facts.usage[name] for name in _COUNTS if self.facts.usage.get(name)}

    def _keep(self, known: dict[str, Any]) -> None:
        # Some servers know a count in one place only and say 0 in the other.
        self.facts.usage.update({name: count for name, count in known.items() if self.facts.usage.get(name) == 0})


class KnownEventsStream(MendedStream):
    """The same without events that Anthropic's API does not have: Google adds some (vertex-claude.md §4)."""

    def _mended(self, raw: bytes) -> list[bytes]:
        name = name_of(raw)
        return [] if name is not None and name not in _KNOWN else super()._mended(raw)


def _sse(name: str, event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(event))
