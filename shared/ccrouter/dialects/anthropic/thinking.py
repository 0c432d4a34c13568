"""Thinking that does not belong where a conversation goes now: taken out of its messages, all else keeps its bytes."""

from collections.abc import Callable
from typing import Any

import msgspec

from ccrouter.dialects.anthropic.edit import edit_items, with_member
from ccrouter.messages.carrier import PREFIX, is_carrier

_MARK = PREFIX.encode()


class ThinkingBlock(msgspec.Struct):
    """What decides about a block."""

    type: Any = None
    signature: Any = None
    data: Any = None

    @property
    def is_thinking(self) -> bool:
        """Whether it is thinking of any kind."""
        return self.type in ("thinking", "redacted_thinking")

    @property
    def is_ours(self) -> bool:
        """Whether it carries what another platform wants back; Claude's own platforms get none of these."""
        return self.is_thinking and (is_carrier(self.signature) or is_carrier(self.data))


class _Message(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw(b"null")


class _Type(msgspec.Struct):
    type: Any = None


_blocks = msgspec.json.Decoder(ThinkingBlock)


def without_carriers(messages: bytes) -> bytes:
    """Messages without our carriers. Costs nothing where there are none."""
    return _without(messages, lambda block: block.is_ours) if _MARK in messages else messages


def without_thinking(messages: bytes) -> bytes:
    """Messages without any thinking."""
    return _without(messages, lambda block: block.is_thinking)


def misses_thinking(thinking: bytes | None, messages: bytes) -> bool:
    """Whether a model that thinks by budget would miss the thinking before the tool calls whose results come now.

    It refuses such a conversation; one that does not think takes it.
    """
    if thinking is None or not thinking.startswith(b"{") or not messages.startswith(b"["):
        return False
    if msgspec.json.decode(thinking, type=_Type).type != "enabled":
        return False
    *_, called, answered = ((), (), *msgspec.json.decode(messages, type=list[msgspec.Raw]))
    calls = _kinds(called, "assistant")
    return "tool_result" in _kinds(answered, "user") and "tool_use" in calls and "thinking" not in calls[0]


def _kinds(message: msgspec.Raw | tuple[()], role: str) -> list[str]:
    """The types of a message's blocks; none for one of another role."""
    found = msgspec.json.decode(message) if message else None
    content = found.get("content") if isinstance(found, dict) and found.get("role") == role else None
    blocks = content if isinstance(content, list) else ()
    return [str(block.get("type")) for block in blocks if isinstance(block, dict)]


def _without(messages: bytes, leaves_out: Callable[[ThinkingBlock], bool]) -> bytes:
    """Messages without these blocks, and without those that consisted of nothing else."""

    def edit_block(_index: int, block: bytes) -> bytes | None:
        return None if block.startswith(b"{") and leaves_out(_blocks.decode(block)) else block

    def edit_message(_index: int, message: bytes) -> bytes | None:
        if not message.startswith(b"{") or b"thinking" not in message:
            return message
        content = bytes(msgspec.json.decode(message, type=_Message).content)
        if not content.startswith(b"["):
            return message
        edited = edit_items(content, edit_block)
        if edited is content:
            return message
        return with_member(message, "content", edited) if edited.strip(b"[] \t\r\n") else None

    return edit_items(messages, edit_message) if messages.startswith(b"[") else messages
