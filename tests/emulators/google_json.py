"""What Google's front end makes of a body before any model sees it: protobuf's JSON, unknown names refused.

The members are written from the documentation a second time, so that they do not repeat the router's mistakes.
"""

from typing import Any

ANY: dict[str, Any] = {"*": None}
"""A free object."""
TEXT: None = None

# fmt: off
_SCHEMA: dict[str, Any] = dict.fromkeys((
    "type", "format", "title", "description", "nullable", "enum", "minItems", "maxItems", "minProperties",
    "maxProperties", "minLength", "maxLength", "pattern", "example", "propertyOrdering", "required", "minimum",
    "maximum",
))
_GENERATION = (
    "maxOutputTokens", "temperature", "topP", "topK", "stopSequences", "candidateCount", "seed", "responseMimeType",
)
# fmt: on
_SCHEMA |= {"items": _SCHEMA, "properties": {"*": _SCHEMA}, "anyOf": _SCHEMA}
_BLOB = {"mimeType": TEXT, "data": TEXT}
_PART = {
    "text": TEXT,
    "thought": TEXT,
    "thoughtSignature": TEXT,
    "inlineData": _BLOB,
    "fileData": {"mimeType": TEXT, "fileUri": TEXT},
    "functionCall": {"id": TEXT, "name": TEXT, "args": ANY},
    "functionResponse": {"id": TEXT, "name": TEXT, "response": ANY, "parts": {"inlineData": _BLOB}},
}
_CONTENT = {"role": TEXT, "parts": _PART}
REQUEST: dict[str, Any] = {
    "contents": _CONTENT,
    "systemInstruction": _CONTENT,
    "tools": {
        "functionDeclarations": {"name": TEXT, "description": TEXT, "parameters": _SCHEMA, "parametersJsonSchema": ANY},
        "googleSearch": {"excludeDomains": TEXT},
    },
    "toolConfig": {"functionCallingConfig": {"mode": TEXT, "allowedFunctionNames": TEXT}},
    "generationConfig": {
        **dict.fromkeys(_GENERATION),
        "responseJsonSchema": ANY,
        "thinkingConfig": {"includeThoughts": TEXT, "thinkingBudget": TEXT, "thinkingLevel": TEXT},
    },
    "safetySettings": {"category": TEXT, "threshold": TEXT},
    "continuationToken": TEXT,
    "labels": ANY,
}
"""A generation on the Gemini API and on Vertex."""


def unknown_name(value: Any, message: dict[str, Any] | None, path: str = "") -> str | None:
    """The first name that a message does not have, in Google's words."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if (found := unknown_name(item, message, f"{path}[{index}]")) is not None:
                return found
        return None
    if not isinstance(value, dict):
        return None
    if message is None:
        return f"Proto field is not repeating, cannot start list at '{path}'."
    for name, below in value.items():
        if name not in message and "*" not in message:
            at = f" at '{path}'" if path else ""
            return f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'
        if message is not ANY:
            inner = message.get(name, message.get("*"))
            if (found := unknown_name(below, inner, f"{path}.{name}" if path else name)) is not None:
                return found
    return None
