"""A streamed Anthropic answer on its way through: which bytes may leave, what they say, what they cost.

Strategy: bytes leave as they came, per chunk; a copy is cut into events, and only `message_start`, `message_delta` and
`error` are parsed. `message_stop` is held back, from its first byte in the chunk that shows it, until the record of the
request is durable. Nothing here raises because of what the platform sends: the relay must not depend on the reading.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from ccrouter.errors import UpstreamError
from ccrouter.framing.sse import EventCutter, read_event
from ccrouter.http import HttpRequest
from ccrouter.messages.facts import StreamFacts
from ccrouter.messages.usage import merge_usage

# What an unfinished event must look like to be message_stop already; with `event:` the name must be complete.
_STOP_BEGUN = re.compile(rb"\s*(?:event: ?message_stop[\r\n]|data: ?\{\s*\"type\"\s*:\s*\"message_stop\")")
_SILENT = (b"ping", b"")
_NAME = re.compile(rb"event: ?([a-z_]+)[\r\n]")


PING = b'event: ping\ndata: {"type": "ping"}\n\n'


class AnthropicStream:
    """See `platforms.contract.AnswerStream`. Feed it chunks; it answers with the bytes that may leave now."""

    translated = False
    failure: UpstreamError | None = None
    further: HttpRequest | None = None
    remembered: Mapping[str, bytes] = MappingProxyType({})

    def __init__(self) -> None:
        self.facts = StreamFacts()
        self.first_event: str | None = None
        """The name of the first event that decides anything: pings and comments do not."""
        self._cutter = EventCutter()
        self._held: bytes | None = None

    def feed(self, chunk: bytes) -> bytes:
        """What may leave now: the chunk, or less when `message_stop` has begun; the rest waits in `take_held`."""
        before = self._cutter.waiting
        events = self._cutter.feed(chunk)
        stop_at: int | None = None
        position = -before
        for raw in events:
            if self._read(raw) and stop_at is None:
                stop_at = max(position, 0)
            position += len(raw)
        if self._held is not None:
            self._held += chunk
            return b""
        if stop_at is None and _STOP_BEGUN.match(self._cutter.beginning):
            stop_at = max(position, 0)
        if stop_at is None:
            return chunk
        self._held = chunk[stop_at:]
        return chunk[:stop_at]

    def begin(self) -> bytes:
        """A ping: whatever comes, it may stand before it."""
        return PING if self.between_events else b""

    def close(self) -> bytes:
        """Nothing is added to what came; whether it was whole, the facts say."""
        return b""

    @property
    def ended(self) -> bool:
        """Whether `message_stop` was seen, or an error: it ends a stream, whether the platform closes it or not."""
        return self.facts.stopped or self.facts.error_type is not None

    def take_held(self) -> bytes:
        """The bytes that were held back, `message_stop` and what followed it."""
        held, self._held = self._held or b"", b""
        return held

    @property
    def between_events(self) -> bool:
        """Whether a ping may be inserted here."""
        return self._held is None and self._cutter.between_events

    def _read(self, raw: bytes) -> bool:
        """Takes an event's facts; tells whether it is `message_stop`."""
        name = name_of(raw)
        if name is None:
            event_name, data = read_event(raw)
            # Compatible servers leave the `event:` line out; then the data names its type.
            name = event_name if event_name is not None else type_of(data)
        if name in _SILENT:
            return False
        if self.first_event is None:
            self.first_event = name.decode("latin-1")
        if name in (b"content_block_delta", b"content_block_start"):
            self.facts.content_began = True
        elif name == b"message_start":
            self._read_start(document_of(raw))
        elif name == b"message_delta":
            self._read_delta(document_of(raw))
        elif name == b"error":
            self._read_error(document_of(raw))
        elif name == b"message_stop":
            self.facts.stopped = True
            return True
        return False

    def _read_start(self, document: dict[str, Any]) -> None:
        message = document.get("message")
        if isinstance(message, dict):
            merge_usage(self.facts.usage, message.get("usage"))

    def _read_delta(self, document: dict[str, Any]) -> None:
        merge_usage(self.facts.usage, document.get("usage"))
        delta = document.get("delta")
        if isinstance(delta, dict) and isinstance(reason := delta.get("stop_reason"), str):
            self.facts.stop_reason = reason

    def _read_error(self, document: dict[str, Any]) -> None:
        error = document.get("error")
        kind, message = (error.get("type"), error.get("message")) if isinstance(error, dict) else (None, None)
        self.facts.error_type = kind if isinstance(kind, str) else "api_error"
        self.facts.error_message = message if isinstance(message, str) else "The platform reported an error."


def name_of(raw: bytes) -> bytes | None:
    """The name of an event that begins with it, as all well-formed ones do; None for every other."""
    match = _NAME.match(raw)
    return None if match is None else match[1]


def document_of(raw: bytes) -> dict[str, Any]:
    """An event's data; empty where it is no JSON object."""
    try:
        document = msgspec.json.decode(read_event(raw)[1])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # The client gets these bytes and judges them; for the record they say nothing.
        return {}
    return document if isinstance(document, dict) else {}


class _Typed(msgspec.Struct):
    type: str = ""


def type_of(data: bytes) -> bytes:
    """The type that an event's data names, empty where it names none."""
    if not data.startswith(b"{"):
        return b""
    try:
        return msgspec.json.decode(data, type=_Typed).type.encode()
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        return b""
