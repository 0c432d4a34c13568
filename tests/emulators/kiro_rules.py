"""What Kiro's service refuses in a request, written from kiro.md §5 a second time."""

import json
import re
import uuid
from typing import Any

MODELS = {"claude-opus-4.5", "claude-sonnet-4.5", "claude-haiku-4.5"}
_STATE = {
    "chatTriggerType",
    "conversationId",
    "currentMessage",
    "history",
    "agentContinuationId",
    "agentTaskType",
}
_USER = {"content", "modelId", "origin", "userInputMessageContext", "images", "documents"}
_ANSWER = {"content", "toolUses", "reasoningContent"}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORBIDDEN_IN_SCHEMA = {"additionalProperties", "$schema", "$id", "$comment", "$ref", "$defs", "definitions"}
_IMPROPER = "Improperly formed request."


def problems_of(body: dict[str, Any], fields: set[str] | None = None) -> list[str]:
    """What is wrong, a sentence each; a word in capitals at the beginning is the service's reason.

    `fields` are the further fields that the model knows (None: all).
    """
    found = [f"REQUEST_BODY_INVALID {name}" for name in body if name not in ("conversationState", "profileArn", _MORE)]
    if fields is not None and set(body.get(_MORE, {})) - fields:
        found.append("REQUEST_BODY_INVALID the model does not know these fields")
    state = body.get("conversationState")
    if not isinstance(state, dict):
        return [*found, "REQUEST_BODY_INVALID no conversationState"]
    found += [f"REQUEST_BODY_INVALID {name}" for name in state if name not in _STATE]
    if state.get("chatTriggerType") != "MANUAL":
        found.append("REQUEST_BODY_INVALID chatTriggerType")
    for name in ("conversationId", "agentContinuationId"):
        try:
            uuid.UUID(state.get(name, ""))
        except ValueError:
            found.append(f"INVALID_CONVERSATION_ID {name}")
    if "history" in state and not state["history"]:
        found.append("an empty history")
    if "\\u0000" in json.dumps(body) or "px1:" in json.dumps(body):
        found.append("a character or a carrier that does not belong here")
    return found + _turn_problems([*state.get("history", []), state.get("currentMessage")])


_MORE = "additionalModelRequestFields"


def _turn_problems(turns: list[Any]) -> list[str]:
    found: list[str] = []
    calls: list[str] = []
    used: set[str] = set()
    offered: set[str] = set()
    for index, turn in enumerate(turns):
        where = "currentMessage" if index == len(turns) - 1 else f"history {index}"
        (kind, message), *others = turn.items()
        if others or kind != ("userInputMessage" if index % 2 == 0 else "assistantResponseMessage"):
            return [*found, f"{where}: the roles do not alternate"]
        if kind == "assistantResponseMessage":
            found += _answer_problems(message, where)
            calls = [use["toolUseId"] for use in message.get("toolUses", ())]
            used |= {use["name"] for use in message.get("toolUses", ())}
            continue
        found += _user_problems(message, where)
        context = message.get("userInputMessageContext", {})
        results = [result["toolUseId"] for result in context.get("toolResults", ())]
        if sorted(calls) != sorted(results) or len(set(results)) != len(results):
            found.append(f"TOOL_USE_RESULT_MISMATCH {where}: {calls} and {results}")
        if "tools" in context and where != "currentMessage":
            found.append(f"{where}: tools in history")
        offered = {tool["toolSpecification"]["name"] for tool in context.get("tools", ())}
    if used - offered:
        found.append(f"TOOL_CONFIG_MISSING {sorted(used - offered)}")
    return found


def _user_problems(message: dict[str, Any], where: str) -> list[str]:
    found = [f"REQUEST_BODY_INVALID {where}: {name}" for name in message if name not in _USER]
    if not message.get("content", "").strip():
        found.append(f"{where}: empty content")
    if message.get("modelId") not in MODELS:
        found.append(f"INVALID_MODEL_ID {message.get('modelId')}")
    if "origin" not in message:
        found.append(f"{where}: no origin")
    images = message.get("images", ())
    if len(images) > 10:
        found.append("IMAGE_COUNT_EXCEEDED")
    found += [
        "IMAGE_FORMAT_UNSUPPORTED"
        for image in images
        if image["format"] not in ("png", "jpeg", "gif", "webp") or set(image["source"]) != {"bytes"}
    ]
    context = message.get("userInputMessageContext", {})
    if "userInputMessageContext" in message and not context:
        found.append(f"{where}: empty context")
    for result in context.get("toolResults", ()):
        texts = [part.get("text", "") for part in result["content"]]
        if result["status"] not in ("success", "error") or not texts or not all(text.strip() for text in texts):
            found.append(f"{where}: a result without content or status")
        if not _ID.fullmatch(result["toolUseId"]):
            found.append(f"{where}: a bad id")
    return found + _tool_problems(context.get("tools", []))


def _tool_problems(tools: list[Any]) -> list[str]:
    found = []
    names = [tool["toolSpecification"]["name"] for tool in tools]
    if len(set(names)) != len(names):
        found.append("TOOL_DUPLICATE")
    for tool in tools:
        specification = tool["toolSpecification"]
        if not _ID.fullmatch(specification["name"]):
            found.append(f"a bad tool name: {specification['name']}")
        if not 0 < len(specification["description"]) <= 9_216:
            found.append(f"a bad description of {specification['name']}")
        schema = specification["inputSchema"]["json"]
        if schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
            found.append(f"TOOL_SCHEMA_INVALID {specification['name']} is no object")
        found += _schema_problems(schema, specification["name"])
    return found


def _schema_problems(schema: Any, where: str) -> list[str]:
    if not isinstance(schema, dict):
        return []
    found = [f"TOOL_SCHEMA_INVALID {where}: {name}" for name in sorted(_FORBIDDEN_IN_SCHEMA & set(schema))]
    found += [f"TOOL_SCHEMA_INVALID {where}: {name} is null" for name, value in schema.items() if value is None]
    if "required" in schema and (not isinstance(schema["required"], list) or not schema["required"]):
        found.append(f"TOOL_SCHEMA_INVALID {where}: required")
    for name in ("properties", "patternProperties"):
        if isinstance(below := schema.get(name), dict):
            for key, value in below.items():
                found += _schema_problems(value, f"{where}.{key}")
    for name in ("items", "not"):
        found += _schema_problems(schema.get(name), f"{where}.{name}")
    for name in ("prefixItems", "anyOf", "oneOf", "allOf"):
        for value in schema.get(name) or ():
            found += _schema_problems(value, f"{where}.{name}")
    return found


def _answer_problems(message: dict[str, Any], where: str) -> list[str]:
    found = [f"REQUEST_BODY_INVALID {where}: {name}" for name in message if name not in _ANSWER]
    has_more = message.get("toolUses") or message.get("reasoningContent")
    if not (message.get("content", "").strip() or (has_more and message.get("content") == " ")):
        found.append(f"{where}: empty content")
    ids = [use["toolUseId"] for use in message.get("toolUses", ())]
    if len(set(ids)) != len(ids):
        found.append(f"{where}: an id twice")
    for use in message.get("toolUses", ()):
        if set(use) != {"toolUseId", "name", "input"} or not isinstance(use["input"], dict):
            found.append(f"{where}: Invalid tool use format.")
        if not _ID.fullmatch(use["toolUseId"]) or not _ID.fullmatch(use["name"]):
            found.append(f"{where}: a bad id or name of a call")
    reasoning = message.get("reasoningContent")
    if reasoning is not None:
        text = reasoning.get("reasoningText")
        whole = (
            isinstance(text, dict) and text.get("text") and text.get("signature") and set(text) == {"text", "signature"}
        )
        if not (set(reasoning) == {"reasoningText"} and whole) and not (
            set(reasoning) == {"redactedContent"} and reasoning["redactedContent"]
        ):
            found.append(f"{where}: reasoningContent has a wrong form")
    return found


def reason_of(problem: str) -> tuple[str, str | None]:
    """Message and reason that the service answers with."""
    match = re.match(r"[A-Z]{3,}(?:_[A-Z]+)+", problem)
    return (f"The request is invalid: {problem}", match[0]) if match else (_IMPROPER, None)
