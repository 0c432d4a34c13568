"""Reasoning state, in the client's history or else in the memory (gemini.md §6, antigravity.md §9)."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ccrouter.dialects.gemini.manner import Manner
from ccrouter.messages.carrier import unwrap


class Remembered(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a call. Claude wants its thinking back unchanged, Gemini only its signature."""

    family: str
    model: str
    signature: str
    thinking: str = ""


def remember(state: Remembered) -> bytes:
    """The state as it is kept."""
    return msgspec.json.encode(state)


def recalled(found: Mapping[str, bytes], tool_use_id: str, family: str) -> Remembered | None:
    """What is kept of a call, if it is of this family."""
    data = found.get(tool_use_id)
    if data is None:
        return None
    try:
        state = msgspec.json.decode(data, type=Remembered)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return state if state.family == family else None


def unsigned_calls(messages: Any, manner: Manner) -> Iterator[str]:
    """The first call of each model turn whose own carrier does not stand in the history."""
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list) or message.get("role") != "assistant":
            continue
        carried = False
        for block in content:
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "thinking":
                carried = bool(unwrap(block.get("signature"), manner.carrier))
            elif kind == "tool_use":
                if not carried and isinstance(tool_use_id := block.get("id"), str):
                    yield tool_use_id
                break
            elif kind == "text" and not manner.claude:
                # The signature belongs to the part right after its block.
                carried = carried and not block.get("text")
