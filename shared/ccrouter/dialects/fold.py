"""Folds a stream of Anthropic events into the message that a request without streaming gets."""

from typing import Any

import msgspec

from ccrouter.framing.sse import EventCutter, read_event


def fold(stream: bytes) -> dict[str, Any]:
    """The message of a whole stream. A tool call whose JSON is not an object is left out: it was cut.

    Raises ValueError where the bytes are no such stream.
    """
    message: dict[str, Any] | None = None
    blocks: list[dict[str, Any]] = []
    fragments: dict[int, list[str]] = {}
    for raw in EventCutter().feed(stream):
        event = msgspec.json.decode(read_event(raw)[1])
        kind = event["type"]
        if kind == "message_start":
            message = event["message"]
        elif kind == "content_block_start":
            blocks.append(event["content_block"])
        elif kind == "content_block_delta":
            _add(blocks[event["index"]], event["delta"], fragments.setdefault(event["index"], []))
        elif kind == "message_delta" and message is not None:
            message |= event["delta"]
            message["usage"] = message["usage"] | event["usage"]
    if message is None:
        raise ValueError("the stream has no message_start")
    message["content"] = [
        block for index, block in enumerate(blocks) if _completed(block, "".join(fragments.get(index, ())))
    ]
    return message


def _add(block: dict[str, Any], delta: dict[str, Any], fragments: list[str]) -> None:
    kind = delta["type"]
    if kind == "text_delta":
        block["text"] += delta["text"]
    elif kind == "thinking_delta":
        block["thinking"] += delta["thinking"]
    elif kind == "signature_delta":
        block["signature"] = delta["signature"]
    elif kind == "citations_delta":
        block["citations"].append(delta["citation"])
    elif kind == "input_json_delta":
        fragments.append(delta["partial_json"])


def _completed(block: dict[str, Any], arguments: str) -> bool:
    """Puts a tool call's input in place; whether the block is whole."""
    if block["type"] not in ("tool_use", "server_tool_use"):
        return True
    try:
        value = msgspec.json.decode(arguments) if arguments else {}
    except msgspec.DecodeError:
        return False
    block["input"] = value
    return isinstance(value, dict)
