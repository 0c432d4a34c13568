"""Writes Anthropic's stream grammar: only legal sequences of events can come out (anthropic-messages.md §6.3).

Dialects tell the writer what the platform said; it opens, numbers and closes blocks. What it has written waits in
`take`, so that nothing is lost when a dialect raises in the middle of a chunk.
"""

import secrets
import string
from typing import Any

import msgspec

from ccrouter.messages.carrier import wrap
from ccrouter.messages.facts import StreamFacts

_encode = msgspec.json.encode
_ID_CHARACTERS = string.ascii_letters + string.digits

MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_TEXT_START = b'{"type":"text","text":""}'
_CITED_TEXT_START = b'{"type":"text","text":"","citations":[]}'
_THINKING_START = b'{"type":"thinking","thinking":"","signature":""}'


def new_tool_id() -> str:
    """A tool_use id for a platform that gives none."""
    return "toolu_" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(24))


def new_server_tool_id() -> str:
    """An id for a tool that the platform itself has run."""
    return "srv" + new_tool_id()


def message_id(upstream_id: object) -> str:
    """`msg_` and the platform's id for the answer, reduced to the characters clients accept; a random one without."""
    text = upstream_id if isinstance(upstream_id, str) else ""
    kept = "".join(
        character for character in text if character.isascii() and (character.isalnum() or character in "_-")
    )
    if kept.startswith("msg_"):
        return kept
    return f"msg_{kept or secrets.token_hex(12)}"


class MessageWriter:
    """One message. `model` and `input_tokens` (an estimate) serve for a start that the platform says nothing about.

    `tag` is the dialect's own: a thinking block that closes without a signature gets the bare carrier of that tag,
    since clients require the field. `facts` are kept up to date.
    """

    def __init__(self, *, model: str, input_tokens: int, tag: str) -> None:
        self.facts = StreamFacts()
        self.started = False
        self.finished = False
        self.index = -1
        """Number of the newest block."""
        self.open: str | None = None
        """Kind of the open block: text, thinking or tool_use."""
        self.blocks: list[str] = []
        """Kinds of all blocks so far."""
        self.written: list[str] = []
        """All text, thinking and tool JSON written, for an estimate of the output."""
        self._model = model
        self._input_tokens = input_tokens
        self._tag = tag
        self._signature: str | None = None
        self._out: list[bytes] = []

    def take(self) -> bytes:
        """The bytes written since the last call; whole events only, without `message_stop`."""
        out, self._out = b"".join(self._out), []
        return out

    def start(self, *, id: str | None = None, model: str | None = None, usage: dict[str, Any] | None = None) -> None:  # noqa: A002 - the field's name
        """`message_start`; a second call does nothing. `usage` adds to an estimate of the input and zeros."""
        if self.started:
            return
        self.started = True
        counts = {
            "input_tokens": self._input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
            **(usage or {}),
        }
        self.facts.usage = dict(counts)
        message: dict[str, Any] = {
            "id": id or message_id(None),
            "type": "message",
            "role": "assistant",
            "model": model or self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": counts,
        }
        self._event(b"message_start", b'"message":' + _encode(message))

    def text(self, text: str) -> None:
        """A piece of text; opens a text block unless one is open."""
        if not text:
            return
        self._ensure("text", _TEXT_START)
        self.written.append(text)
        self._delta(b'{"type":"text_delta","text":' + _encode(text) + b"}")

    def thinking(self, text: str) -> None:
        """A piece of thinking; opens a thinking block unless one is open. An empty one only opens the block."""
        self._ensure("thinking", _THINKING_START)
        if text:
            self.written.append(text)
            self._delta(b'{"type":"thinking_delta","thinking":' + _encode(text) + b"}")

    def sign(self, tag: str, payload: str) -> None:
        """Sets the carrier that the open thinking block will close with; the last one set counts."""
        if self.open == "thinking":
            self._signature = wrap(tag, payload)

    @property
    def signed(self) -> bool:
        """Whether the open thinking block has its carrier already."""
        return self.open == "thinking" and self._signature is not None

    def redacted_thinking(self, data: str) -> None:
        """A whole block of redacted thinking; `data` is a carrier."""
        self.close_block()
        self._open("redacted_thinking", b'{"type":"redacted_thinking","data":' + _encode(data) + b"}")
        self.close_block()

    def open_tool(self, id: str, name: str) -> None:  # noqa: A002 - the field's name
        """Opens a tool call."""
        self.close_block()
        self.written.append(name)
        start = {"type": "tool_use", "id": id, "name": name, "input": {}}
        self._open("tool_use", _encode(start))

    def tool_json(self, fragment: str) -> None:
        """A piece of the open tool call's JSON. An empty one writes nothing."""
        if self.open != "tool_use":
            raise RuntimeError("a fragment of tool input without an open tool call")
        if fragment:
            self.written.append(fragment)
            self._delta(b'{"type":"input_json_delta","partial_json":' + _encode(fragment) + b"}")

    def tool_use(self, id: str, name: str, arguments: str) -> None:  # noqa: A002 - the field's name
        """A whole tool call; `arguments` is its JSON."""
        self.open_tool(id, name)
        self.tool_json(arguments)
        self.close_block()

    def cited_text(self, text: str, citations: list[dict[str, Any]]) -> None:
        """A whole block of text with the sources that support it."""
        self.close_block()
        self._open("text", _CITED_TEXT_START)
        self.text(text)
        for citation in citations:
            self._delta(b'{"type":"citations_delta","citation":' + _encode(citation) + b"}")
        self.close_block()

    def server_tool(self, name: str, arguments: str, result_type: str, content: list[dict[str, Any]]) -> None:
        """A tool that the platform has run by itself: the call with its JSON, and the block with its result."""
        tool_use_id = new_server_tool_id()
        self.close_block()
        self.written.append(name)
        start = {"type": "server_tool_use", "id": tool_use_id, "name": name, "input": {}}
        self._open("server_tool_use", _encode(start))
        self._delta(b'{"type":"input_json_delta","partial_json":' + _encode(arguments) + b"}")
        self.close_block()
        self._open(result_type, _encode({"type": result_type, "tool_use_id": tool_use_id, "content": content}))
        self.close_block()

    def close_block(self) -> None:
        """Closes the open block, if there is one."""
        if self.open is None:
            return
        if self.open == "thinking":
            signature = self._signature if self._signature is not None else wrap(self._tag, "")
            self._delta(b'{"type":"signature_delta","signature":' + _encode(signature) + b"}")
            self._signature = None
        self.open = None
        self._event(b"content_block_stop", b'"index":%d' % self.index)

    def finish(
        self,
        stop_reason: str,
        usage: dict[str, Any],
        *,
        stop_sequence: str | None = None,
        stop_details: dict[str, Any] | None = None,
        estimated: bool = False,
    ) -> None:
        """Closes the open block and writes `message_delta`; `message_stop` is left to whoever makes the record durable.

        `usage` is the whole answer's; members it lacks keep their value of the start. `estimated`: it is our estimate.
        """
        self.start()
        self.close_block()
        delta: dict[str, Any] = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
        if stop_details is not None:
            delta["stop_details"] = stop_details
        counts = {**self.facts.usage, **usage}
        self.facts.usage, self.facts.usage_estimated, self.facts.stop_reason = counts, estimated, stop_reason
        self._event(b"message_delta", b'"delta":' + _encode(delta) + b',"usage":' + _encode(counts))
        self.finished = True

    def _ensure(self, kind: str, start: bytes) -> None:
        if self.open != kind:
            self.close_block()
            self._open(kind, start)

    def _open(self, kind: str, start: bytes) -> None:
        self.start()
        if self.finished:
            raise RuntimeError("a block after message_delta")
        self.index += 1
        self.open = kind
        self.blocks.append(kind)
        self.facts.content_began = True
        self._event(b"content_block_start", b'"index":%d,"content_block":%b' % (self.index, start))

    def _delta(self, delta: bytes) -> None:
        self._event(b"content_block_delta", b'"index":%d,"delta":%b' % (self.index, delta))

    def _event(self, kind: bytes, members: bytes) -> None:
        self._out.append(b'event: %b\ndata: {"type":"%b",%b}\n\n' % (kind, kind, members))
