"""Anthropic's events inside AWS event stream frames: out come server-sent events with complete usage (bedrock.md §5).

Strategy: an event's JSON goes on as it came. `message_delta` is held until the next event, because the counts that
complete it may come only then; what the platform adds of its own is taken out.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from ccrouter.dialects.anthropic.stream import PING
from ccrouter.errors import AnsweredWithError, StreamBroken, UpstreamError
from ccrouter.framing.eventstream import Frame, FrameCutter
from ccrouter.http import HttpRequest
from ccrouter.messages.facts import StreamFacts
from ccrouter.messages.usage import merge_usage

OWN_PREFIX = "amazon-bedrock-"
"""Members with this beginning are the platform's, not Claude's."""
_METRICS = "amazon-bedrock-invocationMetrics"
_COMPLETED = {
    "input_tokens": "inputTokenCount",
    "cache_read_input_tokens": "cacheReadInputTokenCount",
    "cache_creation_input_tokens": "cacheWriteInputTokenCount",
}
"""Counts that `message_delta` is completed with, and their names in the platform's metrics."""
_REWRITTEN = frozenset({"message_start", "message_delta", "message_stop", "error"})


class _Chunk(msgspec.Struct):
    bytes: bytes


class _Event(msgspec.Struct):
    type: str


_chunks = msgspec.json.Decoder(_Chunk)
_events = msgspec.json.Decoder(_Event)


class FramedStream:
    """See `platforms.contract.AnswerStream`. `refuse` makes the error of a named exception and its message."""

    translated = True
    further: HttpRequest | None = None
    remembered: Mapping[str, bytes] = MappingProxyType({})
    between_events = True

    def __init__(self, refuse: Callable[[str, str], UpstreamError]) -> None:
        self.facts = StreamFacts()
        self.first_event: str | None = None
        self.failure: UpstreamError | None = None
        self._refuse = refuse
        self._cutter = FrameCutter()
        self._out: list[bytes] = []
        self._start_usage: dict[str, Any] = {}
        self._delta: dict[str, Any] | None = None
        self._held = b""

    @property
    def ended(self) -> bool:
        """Whether `message_stop` was seen."""
        return self.facts.stopped

    def feed(self, chunk: bytes) -> bytes:
        """The events that these bytes complete, without `message_stop`."""
        if self.failure is None:
            try:
                for frame in self._cutter.feed(chunk):
                    self._read(frame)
                if self._cutter.damage is not None and not self.ended:
                    raise StreamBroken(f"The platform's stream is damaged: {self._cutter.damage}.")
            except UpstreamError as failure:
                self.failure = failure
        out, self._out = b"".join(self._out), []
        return out

    def begin(self) -> bytes:
        """A ping: the message itself is the platform's to begin."""
        return PING

    def close(self) -> bytes:
        """Nothing is added; an answer without its end is broken."""
        if self.failure is None and not self.ended:
            self.failure = StreamBroken("upstream stream ended before message_stop")
        return b""

    def take_held(self) -> bytes:
        """`message_stop`."""
        held, self._held = self._held, b""
        return held

    def _read(self, frame: Frame) -> None:
        headers = frame.headers
        kind = headers.get(":message-type")
        if kind == "exception":
            raise self._refuse(headers.get(":exception-type", ""), _message_of(frame.payload))
        if kind == "error":
            raise self._refuse(headers.get(":error-code", ""), headers.get(":error-message", ""))
        if headers.get(":event-type") != "chunk" or self.ended:
            return
        try:
            event = _chunks.decode(frame.payload).bytes
            self._take(event, _events.decode(event).type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StreamBroken(f"The platform's stream holds an event that cannot be read: {error}") from None

    def _take(self, event: bytes, name: str) -> None:
        if name in _REWRITTEN or OWN_PREFIX.encode() in event or b"\n" in event or b"\r" in event:
            self._rewrite(msgspec.json.decode(event, type=dict[str, Any]), name)
            return
        if self._delta is not None:
            self._write_delta({}, {})
        if name in ("content_block_start", "content_block_delta"):
            self.facts.content_began = True
        self._write(name, event)

    def _rewrite(self, event: dict[str, Any], name: str) -> None:
        metrics = _object(event.get(_METRICS))
        for own in [member for member in event if member.startswith(OWN_PREFIX)]:
            del event[own]
        if self._delta is not None:
            self._write_delta(_object(event.pop("usage", None)) if name == "message_stop" else {}, metrics)
        if name == "error":
            error = _object(event.get("error"))
            raise AnsweredWithError(str(error.get("type", "api_error")), str(error.get("message", "")))
        if name == "message_delta":
            self._delta = event
            return
        if name == "message_start":
            message = _object(event.get("message"))
            self.facts.answered_as = str(message.get("model", ""))
            self._start_usage = _object(message.get("usage"))
            merge_usage(self.facts.usage, self._start_usage)
        elif name == "message_stop":
            event.pop("usage", None)
            self.facts.stopped = True
            self._held = _sse(name, msgspec.json.encode(event))
            return
        self._write(name, msgspec.json.encode(event))

    def _write_delta(self, at_stop: dict[str, Any], metrics: dict[str, Any]) -> None:
        """The held `message_delta`, each count from where it is most certain."""
        event, self._delta = self._delta or {}, None
        usage = {name: value for name, value in _object(event.get("usage")).items() if value is not None}
        for name, in_metrics in _COMPLETED.items():
            for value in (at_stop.get(name), usage.get(name), metrics.get(in_metrics), self._start_usage.get(name)):
                if value is not None:
                    usage[name] = value
                    break
        event["usage"] = usage
        merge_usage(self.facts.usage, usage)
        reason = _object(event.get("delta")).get("stop_reason")
        self.facts.stop_reason = reason if isinstance(reason, str) else self.facts.stop_reason
        self._write("message_delta", msgspec.json.encode(event))

    def _write(self, name: str, event: bytes) -> None:
        if self.first_event is None and name != "ping":
            self.first_event = name
        self._out.append(_sse(name, event))


def _sse(name: str, event: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), event)


def _message_of(payload: bytes) -> str:
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return payload.decode("utf-8", "replace")
    found = _object(document)
    return str(found.get("message") or found.get("Message") or found.get("originalMessage") or "")


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
