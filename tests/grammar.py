"""Checks streams of Anthropic events against the order rules of anthropic-messages.md §6.3."""

import json
from typing import Any

from ccrouter.framing.sse import EventCutter, read_event

_DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
    "mcp_tool_use": {"input_json_delta"},
}
"""What may stand in a block; others come whole in their start."""
_TYPES = {
    *("ping", "error", "message_start", "message_delta", "message_stop"),
    *("content_block_start", "content_block_delta", "content_block_stop"),
}


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The data of all events. Raises AssertionError where one is not complete, or its name is not its type."""
    cutter = EventCutter()
    events = []
    for raw in cutter.feed(stream):
        name, data = read_event(raw)
        event = json.loads(data)
        assert name is not None, raw
        assert name.decode() == event["type"], raw
        events.append(event)
    assert cutter.tail() == b"", f"the stream ends inside an event: {cutter.tail()!r}"
    return events


def violations(stream: bytes, *, whole: bool = True, relayed: bool = False) -> list[str]:
    """What is wrong with a stream, a sentence each; `whole` False allows it to end anywhere between events.

    `relayed` admits what a platform may send by itself: events of other types, counts only where they change.

    An error event ends a stream at any place; then an open block stays open, and a call that was cut is not closed.
    """
    checker = _Checker(relayed=relayed)
    for event in events_of(stream):
        if relayed and event["type"] not in _TYPES:
            continue
        checker.take(event)
    if whole and not checker.ended:
        checker.found.append("the stream ends without message_stop or error")
    return checker.found


class _Checker:
    def __init__(self, *, relayed: bool) -> None:
        self._relayed = relayed
        self.found: list[str] = []
        self.ended = False
        self._started = False
        self._finished = False
        self._open: tuple[int, str] | None = None
        self._next = 0
        self._json = ""
        self._signed = False

    def take(self, event: dict[str, Any]) -> None:
        """Takes the next event."""
        kind = event["type"]
        if self.ended:
            self.found.append(f"{kind} after the end")
        if kind == "ping":
            return
        if kind == "error":
            self.ended = True
        elif kind == "message_start":
            self._start(event["message"])
        elif not self._started:
            self.found.append(f"{kind} before message_start")
        elif kind == "content_block_start":
            self._block_start(event)
        elif kind == "content_block_delta":
            self._block_delta(event)
        elif kind == "content_block_stop":
            self._block_stop(event)
        elif kind == "message_delta":
            self._message_delta(event)
        elif kind == "message_stop":
            self.ended = True
            if not self._finished:
                self.found.append("message_stop without message_delta")
        else:
            self.found.append(f"an event of unknown type {kind}")

    def _start(self, message: dict[str, Any]) -> None:
        if self._started:
            self.found.append("a second message_start")
        self._started = True
        if message["content"] != [] or message["stop_reason"] is not None:
            self.found.append("message_start is not empty")
        self._counts(message["usage"])

    def _block_start(self, event: dict[str, Any]) -> None:
        index, kind = event["index"], event["content_block"]["type"]
        if self._open is not None:
            self.found.append(f"block {index} starts inside block {self._open[0]}")
        if index != self._next:
            self.found.append(f"block {index} comes where {self._next} is expected")
        if self._finished:
            self.found.append(f"block {index} after message_delta")
        self._open, self._next, self._json, self._signed = (index, kind), index + 1, "", False

    def _block_delta(self, event: dict[str, Any]) -> None:
        index, delta = event["index"], event["delta"]
        if self._open is None or self._open[0] != index:
            self.found.append(f"a delta for block {index}, which is not open")
            return
        if delta["type"] not in _DELTAS.get(self._open[1], set()):
            self.found.append(f"{delta['type']} in a block of type {self._open[1]}")
        self._json += delta.get("partial_json", "")
        if delta["type"] == "signature_delta":
            if self._signed:
                self.found.append(f"block {index} is signed twice")
            self._signed = True
        elif self._signed:
            self.found.append(f"block {index} goes on after its signature")

    def _block_stop(self, event: dict[str, Any]) -> None:
        index = event["index"]
        if self._open is None or self._open[0] != index:
            self.found.append(f"block {index} stops, but is not open")
            return
        kind = self._open[1]
        if kind in ("tool_use", "server_tool_use") and self._json:
            try:
                if not isinstance(json.loads(self._json), dict):
                    self.found.append(f"the input of block {index} is no object")
            except ValueError:
                self.found.append(f"the input of block {index} is no JSON, but the block was closed")
        if kind == "thinking" and not self._signed:
            self.found.append(f"the thinking of block {index} closes without a signature")
        self._open = None

    def _message_delta(self, event: dict[str, Any]) -> None:
        if self._open is not None:
            self.found.append(f"message_delta inside block {self._open[0]}")
        if not event["delta"].get("stop_reason"):
            self.found.append("message_delta without a stop reason")
        self._finished = True
        if not self._relayed:
            self._counts(event["usage"])

    def _counts(self, usage: dict[str, Any]) -> None:
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            value = usage.get(name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                self.found.append(f"usage.{name} is {value!r}")
