"""Reasoning of earlier answers as it goes back, from carriers and from the memory (openai-compatible.md §5, §6)."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ccrouter.dialects.openai.pieces import Answer, Call, Thought
from ccrouter.dialects.openai.thinking import DETAILS, ITEM, TEXT, own_payload
from ccrouter.messages.carrier import is_carrier

Item = dict[str, Any]


def details_payload(details: list[Item]) -> str:
    """OpenRouter's details as a carrier holds them."""
    return base64.urlsafe_b64encode(msgspec.json.encode(details)).rstrip(b"=").decode()


def _details(payload: str) -> list[Item]:
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return []  # a client's own invention: like any foreign thinking
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def remembered_text(text: str) -> bytes:
    """Plain reasoning for the memory."""
    return msgspec.json.encode({TEXT: text})


def remembered_details(details: list[Item]) -> bytes:
    """Details for the memory."""
    return msgspec.json.encode({DETAILS: details})


def remembered_items(items: list[Item]) -> bytes:
    """Reasoning items for the memory."""
    return msgspec.json.encode({ITEM: items})


def _recalled(remembered: Mapping[str, bytes], call_id: str, tag: str) -> Any:
    state = remembered.get(call_id)
    if state is None:
        return None
    try:
        document = msgspec.json.decode(state)
    except msgspec.DecodeError:
        return None
    return document.get(tag) if isinstance(document, dict) else None


def text_of(answer: Answer, remembered: Mapping[str, bytes]) -> str | None:
    """The plain reasoning of an answer, None where it is not known."""
    texts = [
        thinking
        for part in answer.parts
        if isinstance(part, Thought)
        and own_payload(part.block, TEXT, DETAILS) is not None
        and isinstance(thinking := part.block.get("thinking"), str)
    ]
    if any(texts):
        return "".join(texts)
    for call in answer.calls:
        if isinstance(text := _recalled(remembered, call.id, TEXT), str):
            return text
    return None


def details_of(answer: Answer, remembered: Mapping[str, bytes]) -> list[Item]:
    """OpenRouter's details of an answer, as they were received."""
    found: list[Item] = []
    for part in answer.parts:
        if isinstance(part, Thought) and (own := own_payload(part.block, DETAILS)) is not None:
            found += _details(own[1])
    if found:
        return found
    for call in answer.calls:
        if isinstance(details := _recalled(remembered, call.id, DETAILS), list):
            return [item for item in details if isinstance(item, dict)]
    return []


def item_of(thought: Thought) -> Item | None:
    """A reasoning item of the Responses API from its carrier; None for foreign thinking."""
    own = own_payload(thought.block, ITEM)
    if own is None:
        return None
    item_id, _, encrypted = own[1].partition(":")
    if not item_id or not encrypted:
        return None
    text = thought.block.get("thinking")
    summary = [{"type": "summary_text", "text": text}] if isinstance(text, str) and text else []
    return {"type": "reasoning", "id": item_id, "summary": summary, "encrypted_content": encrypted}


def items_before(call: Call, remembered: Mapping[str, bytes]) -> list[Item]:
    """The reasoning items that came before a call and were not shown to the client."""
    items = _recalled(remembered, call.id, ITEM)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def calls_without_thinking(messages: Any) -> Iterator[str]:
    """Ids of the calls in answers that carry no reasoning of this dialect."""
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) and message.get("role") == "assistant" else None
        blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        if any(
            own_payload(block, TEXT, DETAILS, ITEM) is not None and is_carrier(block.get("signature"))
            for block in blocks
            if block.get("type") == "thinking"
        ):
            continue
        for block in blocks:
            if block.get("type") == "tool_use" and isinstance(call_id := block.get("id"), str):
                yield call_id
