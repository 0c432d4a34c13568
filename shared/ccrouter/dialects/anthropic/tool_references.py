"""Results of tool search in words, for platforms and servers that do not know it."""

from typing import Any

import msgspec

from ccrouter.dialects.anthropic.edit import edit_items, with_member


class _Holder(msgspec.Struct):
    type: Any = None
    tool_name: Any = None
    content: msgspec.Raw = msgspec.Raw(b"null")


def reference_in_words(tool_name: object) -> bytes:
    """A text block instead of a `tool_reference`."""
    return msgspec.json.encode({"type": "text", "text": f"Tool found: {tool_name}"})


def references_in_words(messages: bytes) -> bytes:
    """Messages whose tool results name found tools in words."""
    if b'"tool_reference"' not in messages or not messages.startswith(b"["):
        return messages
    return edit_items(messages, _edit)


def _edit(_index: int, raw: bytes) -> bytes:
    if b'"tool_reference"' not in raw or not raw.startswith(b"{"):
        return raw
    holder = msgspec.json.decode(raw, type=_Holder)
    if holder.type == "tool_reference":
        return reference_in_words(holder.tool_name)
    content = bytes(holder.content)
    return with_member(raw, "content", edit_items(content, _edit)) if content.startswith(b"[") else raw
