"""Mends the JSON of tool calls in answers that came whole (openai-compatible.md §4, end)."""

import re
from typing import Any

import msgspec

_FENCE = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


def repaired(arguments: str) -> str | None:
    """The arguments as JSON of an object, code fences and trailing commas removed; None where that does not help."""
    if not arguments.strip():
        return "{}"
    for candidate in _candidates(arguments):
        try:
            value: Any = msgspec.json.decode(candidate)
        except (msgspec.DecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            return candidate
    return None


def _candidates(arguments: str) -> tuple[str, ...]:
    bare = match[1] if (match := _FENCE.match(arguments)) else arguments
    return arguments, bare, _TRAILING_COMMA.sub(lambda found: found[1] or "", bare)
