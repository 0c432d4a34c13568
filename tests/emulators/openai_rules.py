"""What servers of OpenAI's two APIs refuse in a request (openai-compatible.md §10), written a second time by the types.

The members come from the official SDK's types; what single vendors add or refuse stands in tables here.
"""

import re
from typing import Any, get_type_hints

from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from pydantic import TypeAdapter, ValidationError

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CHAT_MEMBERS = set(get_type_hints(completion_create_params.CompletionCreateParamsBase)) | {"stream"}
RESPONSES_MEMBERS = set(get_type_hints(response_create_params.ResponseCreateParamsBase)) | {"stream"}
EXTRA = {
    "deepseek": {"thinking"},
    "openrouter": {"reasoning", "top_k", "user", "transforms"},
    "vllm": {"chat_template_kwargs", "top_k", "continue_final_message", "add_generation_prompt"},
    "ollama": {"top_k"},
}
"""Members that a vendor knows beside OpenAI's."""
_NEEDS_RESPONSES = re.compile(r"gpt-(5\.[4-9]|[6-9])")
_REASONS = re.compile(r"gpt-[5-9]|o\d")
_chat: TypeAdapter[Any] = TypeAdapter(completion_create_params.CompletionCreateParams)
_responses: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParams)

Problem = tuple[str, str | None, str | None]
"""Message, param and code."""


def chat_problems(body: dict[str, Any], vendor: str) -> list[Problem]:
    """What is wrong with a body for `/chat/completions`, worst first."""
    own, model = vendor in ("openai", "azure"), body.get("model", "")
    found: list[Problem] = []
    if own and _REASONS.match(model):
        found += _reasoning_model_problems(body, model)
    found += [
        (f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        for name in body
        if name not in CHAT_MEMBERS | EXTRA.get(vendor, set())
    ]
    if own or vendor == "generic":
        found += _typed(_chat, body)
    found += _tool_problems(body, [tool.get("function", {}) for tool in body.get("tools") or ()])
    found += _order_problems(body.get("messages", []))
    for index, message in enumerate(body.get("messages", [])):
        if message["role"] == "developer" and not own:
            found.append((f"messages[{index}].role: unknown role developer", "messages", None))
    if vendor == "deepseek":
        found += _deepseek_problems(body)
    return found


def responses_problems(body: dict[str, Any]) -> list[Problem]:
    """What is wrong with a body for `/responses`."""
    found: list[Problem] = [
        (f"Unknown parameter: '{name}'.", name, "unknown_parameter") for name in body if name not in RESPONSES_MEMBERS
    ]
    found += _typed(_responses, body)
    tools = body.get("tools") or ()
    found += _tool_problems(body, list(tools))
    found += [("Missing strict: it would mean true.", "tools", None) for tool in tools if "strict" not in tool]
    if _REASONS.match(body["model"]):
        found += [
            (f"Unsupported parameter: '{name}' is not supported with this model.", name, "unsupported_parameter")
            for name in ("temperature", "top_p")
            if name in body and body.get("reasoning", {}).get("effort") != "none"
        ]
    if body.get("max_output_tokens", 16) < 16:
        found.append(("Invalid 'max_output_tokens': expected a value >= 16", "max_output_tokens", None))
    open_calls: list[str] = []
    items = body["input"]
    for index, item in enumerate(items):
        if item["type"] == "function_call":
            open_calls.append(item["call_id"])
        elif item["type"] == "function_call_output":
            if item["call_id"] not in open_calls:
                found.append((f"No tool call found for function call output {item['call_id']}.", "input", None))
            else:
                open_calls.remove(item["call_id"])
        elif item["type"] == "reasoning":
            following = items[index + 1] if index + 1 < len(items) else {}
            if following.get("type") not in ("function_call", "reasoning") and following.get("role") != "assistant":
                found.append((f"Item '{item['id']}' of type 'reasoning' lacks its following item.", "input", None))
    found += [(f"No tool output found for function call {call}.", "input", None) for call in open_calls]
    return found


def _reasoning_model_problems(body: dict[str, Any], model: str) -> list[Problem]:
    found: list[Problem] = []
    if body.get("tools") and _NEEDS_RESPONSES.match(model) and body.get("reasoning_effort") != "none":
        message = (
            f"Function tools with reasoning_effort are not supported for {model} in /v1/chat/completions. "
            "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
        )
        found.append((message, "reasoning_effort", None))
    if "max_tokens" in body:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        found.append((message, "max_tokens", "unsupported_parameter"))
    if body.get("reasoning_effort") != "none":
        found += [
            (f"Unsupported parameter: '{name}' is not supported with this model.", name, "unsupported_parameter")
            for name in ("temperature", "top_p", "stop")
            if name in body
        ]
    return found


def _typed(adapter: TypeAdapter[Any], body: dict[str, Any]) -> list[Problem]:
    try:
        adapter.validate_python(body)
    except ValidationError as error:
        return [(str(error)[:500], None, None)]
    return []


def _tool_problems(body: dict[str, Any], functions: list[dict[str, Any]]) -> list[Problem]:
    found: list[Problem] = []
    if body.get("tools") == []:
        found.append(("Invalid 'tools': empty array. Expected an array with minimum length 1.", "tools", None))
    if "tools" not in body and ("tool_choice" in body or "parallel_tool_calls" in body):
        found.append(("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice", None))
    for index, function in enumerate(functions):
        if not NAME.fullmatch(function.get("name", "")):
            found.append((f"Invalid 'tools[{index}].function.name'", f"tools[{index}].function.name", None))
        schema = function.get("parameters", {})
        if schema.get("type") != "object" or "properties" not in schema:
            message = f"Invalid schema for function '{function.get('name')}': schema must have type 'object'"
            found.append((message, f"tools[{index}].function.parameters", "invalid_function_parameters"))
        if {"anyOf", "oneOf", "allOf"} & set(schema):
            found.append(("schema must not have 'oneOf'/'anyOf'/'allOf' at the top level", f"tools[{index}]", None))
    return found


def _order_problems(messages: list[dict[str, Any]]) -> list[Problem]:
    found: list[Problem] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                found.append(("messages with role 'tool' must follow a message with 'tool_calls'", "messages", None))
            else:
                waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            found.append((f"tool_call_ids did not have response messages: {waiting}", "messages", None))
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    if waiting:
        found.append((f"tool_call_ids did not have response messages: {waiting}", "messages", None))
    return found


def _deepseek_problems(body: dict[str, Any]) -> list[Problem]:
    if body.get("thinking", {}).get("type") == "disabled":
        return []
    answers = [message for message in body["messages"] if message["role"] == "assistant"]
    if any("reasoning_content" not in message for message in answers):
        message = "The `reasoning_content` in the thinking mode must be passed back to the API."
        return [(message, None, "invalid_request_error")]
    return []
