"""What the emulators of Claude's clouds share: how strictly a body is judged, and the events of scripted answers.

The lists are written from the platforms' documentation a second time, so that they do not repeat the router's mistakes.
"""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

SCENARIOS = ("text", "parallel_tools", "thinking", "midstream_error", "slow", "tool_loop", "tool_call")

TOP = {
    "anthropic_version",
    "anthropic_beta",
    "max_tokens",
    "messages",
    "system",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "output_config",
    "context_management",
    "safeguards",
}
_NUMBERS = itertools.count(1)
"""Every message has an id of its own: Claude Code takes what has one id for one message."""
_OTHERS_REASONING = re.compile(r'"(?:signature|data)": "px1:')
"""Reasoning state of other models; in a text the same letters are only letters."""
THINKING = {"type": "thinking", "thinking": "Let me see, 6 times 7.", "signature": "EpACCkYICBgCKkAbbbb=="}
TOOL = {"name", "description", "input_schema", "cache_control", "type"}


def version_of(model: str) -> tuple[str, int, int]:
    """Line and version of a model's id."""
    match = re.search(r"claude-(opus|sonnet|haiku|fable|mythos)-(\d)(?:-(\d)(?!\d))?", model)
    assert match, model
    return match[1], int(match[2]), int(match[3] or 0)


def problems_of(
    body: dict[str, Any], model: str, *, top: set[str], betas: set[str], known_betas: set[str], server_tools: str = "$^"
) -> list[str]:
    """What a cloud's door would refuse in a body, as messages."""
    line, major, minor = version_of(model)
    found = [f"{name}: Extra inputs are not permitted" for name in body if name not in top]
    found += [f"invalid beta flag {beta}" for beta in sorted(betas - known_betas)]
    found += [f"{name}: Field required" for name in ("max_tokens", "messages", "anthropic_version") if name not in body]
    if "context_management" in body and not betas & {"context-management-2025-06-27", "compact-2026-01-12"}:
        found.append("context_management: Extra inputs are not permitted")
    config = body.get("output_config", {})
    found += [
        f"output_config.{name}: Extra inputs are not permitted" for name in config if name not in ("effort", "format")
    ]
    if "effort" in config and (major, minor) < (4, 6) and (line, major, minor) != ("opus", 4, 5):
        found.append("output_config.effort: Extra inputs are not permitted")
    for index, tool in enumerate(body.get("tools") or ()):
        found += _tool_problems(f"tools.{index}", tool, (line, major, minor), betas, server_tools)
    system = body.get("system")
    if isinstance(system, list):
        found += _block_problems("system", system, (major, minor))
    found += _message_problems(body.get("messages", []), (line, major, minor), betas)
    if _OTHERS_REASONING.search(json.dumps(body)):
        found.append("Invalid `signature` in `thinking` block")
    return found


def _tool_problems(
    path: str, tool: dict[str, Any], model: tuple[str, int, int], betas: set[str], server_tools: str
) -> list[str]:
    kind = tool.get("type") or "custom"
    if kind != "custom":
        runs = re.match(r"bash_|text_editor_|computer_|memory_|browser_toolset_", kind) or re.match(server_tools, kind)
        return [] if runs else [f"{path}: Input tag '{kind}' found using 'type' does not match"]
    allowed = set(TOOL)
    if "tool-search-tool-2025-10-19" in betas:
        allowed.add("defer_loading")
    if "tool-examples-2025-10-29" in betas:
        allowed.add("input_examples")
    if "fine-grained-tool-streaming-2025-05-14" in betas:
        allowed.add("eager_input_streaming")
    if model[1:] >= (4, 5):
        allowed.add("strict")
    found = [f"{path}.custom.{name}: Extra inputs are not permitted" for name in tool if name not in allowed]
    if tool.get("input_schema", {}).get("type") != "object":
        found.append(f"{path}.custom.input_schema.type: Field required")
    return found + _cache_problems(path, tool, model[1:])


def _message_problems(messages: list[Any], model: tuple[str, int, int], betas: set[str]) -> list[str]:
    found: list[str] = []
    line = model[0]
    hears = (line == "opus" and model[1:] >= (4, 8)) or (line in ("fable", "mythos") and model[1] >= 5)
    turns: list[tuple[str, list[Any]]] = []
    for index, message in enumerate(messages):
        path, role, content = f"messages.{index}", message["role"], message["content"]
        if role not in ("user", "assistant") and not (role == "system" and hears):
            found.append(f"{path}.role: Input should be 'user' or 'assistant'")
        extra = set(message) - {"role", "content"}
        if extra - {"output_config"} or (
            extra and not betas & {"mid-conversation-output-config-2026-07-01", "per-turn-control-2026-07-01"}
        ):
            found.append(f"{path}.{min(extra)}: Extra inputs are not permitted")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        # A system message may carry nothing but its turn's effort, as Claude Code sends it.
        if not blocks and not (role == "system" and extra):
            found.append(f"{path}: all messages must have non-empty content")
        found += _block_problems(f"{path}.content", blocks, model[1:])
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, list(blocks)))
    turns = [turn for turn in turns if turn[0] != "system"]
    for turn, following in zip(turns, [*turns, ("user", [])][1:], strict=True):
        calls = [block["id"] for block in turn[1] if block["type"] == "tool_use"]
        results = [block.get("tool_use_id") for block in following[1][: len(calls)] if block["type"] == "tool_result"]
        if calls and set(calls) != set(results):
            found.append("`tool_use` ids were found without `tool_result` blocks immediately after")
    return found


def _block_problems(path: str, blocks: list[Any], version: tuple[int, int]) -> list[str]:
    found = []
    for index, block in enumerate(blocks):
        where = f"{path}.{index}"
        if block["type"] == "text" and not block["text"]:
            found.append(f"{where}: text content blocks must be non-empty")
        if block["type"] == "thinking" and not block.get("signature"):
            found.append(f"{where}: Invalid `signature` in `thinking` block")
        if isinstance(block.get("source"), dict) and block["source"]["type"] in ("url", "file"):
            found.append(f"{where}.source: Input tag '{block['source']['type']}' does not match")
        if block["type"] == "tool_result" and isinstance(block.get("content"), list):
            found += _block_problems(f"{where}.content", block["content"], version)
        found += _cache_problems(where, block, version)
    return found


def _cache_problems(path: str, item: dict[str, Any], version: tuple[int, int]) -> list[str]:
    allowed = {"type", "ttl"} if version >= (4, 5) else {"type"}
    return [
        f"{path}.cache_control.{name}: Extra inputs are not permitted"
        for name in item.get("cache_control") or {}
        if name not in allowed
    ]


def message(blocks: list[dict[str, Any]], stop_reason: str, *, prefix: str) -> dict[str, Any]:
    """A whole message; `prefix` is the platform's mark in ids."""
    return {
        "id": f"msg_{prefix}_{next(_NUMBERS)}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 20,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 8,
            "output_tokens": 9,
        },
    }


def events_of(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of a message, as Claude streams it."""
    start = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(whole["content"]):
        if block["type"] == "text":
            opening: dict[str, Any] = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in _halves(block["text"])]
        elif block["type"] == "thinking":
            opening = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _halves(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        else:
            opening = block | {"input": {}}
            pieces = ("", *_halves(json.dumps(block["input"])))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        yield {"type": "content_block_start", "index": index, "content_block": opening}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": whole["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def answer(
    scenario: str, body: dict[str, Any], *, prefix: str, call: tuple[str, dict[str, Any]] | None
) -> dict[str, Any]:
    """The whole message of a scenario; `call` is what `tool_loop` calls until a result is there."""
    text = {"type": "text", "text": "Here is the answer: ☁️ 42."}
    if scenario == "thinking":
        return message([THINKING, text], "end_turn", prefix=prefix)
    if scenario == "parallel_tools":
        names = [tool["name"] for tool in body.get("tools") or ()] or ["first", "second"]
        calls = [
            {"type": "tool_use", "id": f"toolu_{prefix}_{index}", "name": name, "input": {"n": index}}
            for index, name in enumerate((names * 2)[:2])
        ]
        return message([text, *calls], "tool_use", prefix=prefix)
    if scenario == "tool_call" or (scenario == "tool_loop" and not _has_result(body)):
        offered = [tool["name"] for tool in body.get("tools") or ()]
        name, arguments = call or (offered[0], {})
        assert name in offered, f"{name} was not offered: {offered}"
        thinks = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
        used = {"type": "tool_use", "id": f"toolu_{prefix}_{len(body['messages'])}", "name": name, "input": arguments}
        return message([*([THINKING] if thinks else []), used], "tool_use", prefix=prefix)
    return message([text], "end_turn", prefix=prefix)


def _has_result(body: dict[str, Any]) -> bool:
    content = body["messages"][-1]["content"]
    return isinstance(content, list) and any(block["type"] == "tool_result" for block in content)
