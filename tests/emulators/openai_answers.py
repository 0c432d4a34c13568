"""Answers of an address that speaks OpenAI's API, as documents and as streams."""

import itertools
import json
from typing import Any

Call = tuple[str, dict[str, Any]]
USAGE = {
    "prompt_tokens": 28,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens": 9,
    "total_tokens": 37,
}
RESPONSES_USAGE = {
    "input_tokens": 28,
    "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 37,
}
_NUMBERS = itertools.count(1)
"""Every answer has an id of its own: Claude Code takes what has one id for one message."""
TEXT = "Here is the answer: ☁️ 42."
THOUGHT = "Let me see, 6 times 7."


def _calls(scene: str, body: dict[str, Any], call: Call | None) -> list[Call]:
    """What a scenario calls."""
    if scene == "parallel_tools":
        return [("get_weather", {"city": "Lima"}), ("get_time", {"tz": "America/Lima"})]
    answered = any(
        item.get("role") == "tool" or item.get("type") == "function_call_output"
        for item in body.get("messages") or body.get("input") or ()
    )
    if scene != "tool_call" and (scene != "tool_loop" or answered or not body.get("tools")):
        return []
    if call is not None:
        return [call]
    tool = body["tools"][0]
    return [(tool.get("function", tool)["name"], {})]


def chat_whole(scene: str, body: dict[str, Any], call: Call | None) -> dict[str, Any]:
    """A chat completion."""
    calls, answer = _calls(scene, body, call), next(_NUMBERS)
    message: dict[str, Any] = {"role": "assistant", "content": None if calls else TEXT}
    reasons = body.get("thinking") == {"type": "enabled"}
    if scene == "thinking" or (reasons and scene in ("tool_loop", "tool_call")):
        message["reasoning_content"] = THOUGHT
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call_{answer}_{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for number, (name, arguments) in enumerate(calls)
        ]
    return {
        "id": f"chatcmpl-{answer}",
        "object": "chat.completion",
        "created": 1795400000,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": USAGE,
    }


def chat_stream(scene: str, body: dict[str, Any], call: Call | None) -> bytes:
    """The same as chunks."""
    whole = chat_whole(scene, body, call)
    message = whole["choices"][0]["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for name in ("reasoning_content", "content"):
        if text := message.get(name):
            half = len(text) // 2
            deltas += [{name: text[:half]}, {name: text[half:]}]
    for index, made in enumerate(message.get("tool_calls", ())):
        arguments = made["function"]["arguments"]
        deltas.append({"tool_calls": [{"index": index, **made, "function": {**made["function"], "arguments": ""}}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": part}}]}
            for part in (arguments[:3], arguments[3:])
        ]
    head = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{**whole["choices"][0], "message": None, "delta": {}}]})
    chunks.append({**head, "choices": [], "usage": whole["usage"]})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def responses_whole(scene: str, body: dict[str, Any], call: Call | None) -> dict[str, Any]:
    """A response."""
    output: list[dict[str, Any]] = []
    calls, answer = _calls(scene, body, call), next(_NUMBERS)
    if scene in ("thinking", "tool_loop", "tool_call"):
        shows = "summary" in body.get("reasoning", {})
        summary = [{"type": "summary_text", "text": THOUGHT}] if shows else []
        output.append({"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "gAAAA-emulated"})
    for number, (name, arguments) in enumerate(calls):
        output.append(
            {
                "id": f"fc_{number}",
                "type": "function_call",
                "call_id": f"call_{answer}_{number}",
                "name": name,
                "arguments": json.dumps(arguments),
                "status": "completed",
            }
        )
    if not calls:
        part = {"type": "output_text", "text": TEXT, "annotations": []}
        output.append({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]})
    return {
        "id": f"resp_{answer}",
        "object": "response",
        "created_at": 1795400000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": body["model"],
        "output": output,
        "usage": RESPONSES_USAGE,
    }


def responses_stream(scene: str, body: dict[str, Any], call: Call | None) -> bytes:
    """The same as events."""
    whole = responses_whole(scene, body, call)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": whole | {"status": "in_progress", "output": [], "usage": None}}
    ]
    for index, item in enumerate(whole["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        empty = item | {"content": []} if item["type"] == "message" else item | {"arguments": "", "summary": []}
        events.append({"type": "response.output_item.added", **at, "item": empty})
        for part, summary in enumerate(item.get("summary", ())):
            kind = "response.reasoning_summary_text.delta"
            events.append({"type": kind, **at, "summary_index": part, "delta": summary["text"]})
        if item["type"] == "message":
            events += [
                {"type": "response.output_text.delta", **at, "content_index": 0, "delta": piece}
                for piece in (TEXT[:9], TEXT[9:])
            ]
        elif item["type"] == "function_call":
            events += [
                {"type": "response.function_call_arguments.delta", **at, "delta": piece}
                for piece in (item["arguments"][:3], item["arguments"][3:])
            ]
        events.append({"type": "response.output_item.done", **at, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event | {"sequence_number": number}).encode())
        for number, event in enumerate(events)
    )
