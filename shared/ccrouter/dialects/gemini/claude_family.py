"""What Claude wants differently behind Cloud Code Assist: thinking budgets and limits (antigravity.md §5, §5.2)."""

from collections.abc import Mapping
from typing import Any

from ccrouter.dialects.gemini.manner import CARRIER_CLAUDE
from ccrouter.dialects.gemini.models import THINKING
from ccrouter.dialects.gemini.signatures import recalled
from ccrouter.errors import InvalidRequest
from ccrouter.messages.carrier import unwrap

_LEAST_BUDGET = 1_024
_MOST_OUTPUT = 64_000
_BESIDE_THINKING = 8_192
"""Output tokens beside the thinking budget where the client left less."""
_BUDGET_OF_EFFORT = {"low": 4_096, "medium": 12_000, "high": 24_000, "xhigh": 32_000, "max": 32_000}
_WITHOUT_THINKING = frozenset({"claude-sonnet-4-5"})
"""Ids that do not think; their twins with `-thinking` do (antigravity.md §6, 2026-11-23)."""


def claude_thinking(
    document: Mapping[str, Any], model: str, effort: str | None, remembered: Mapping[str, bytes]
) -> dict[str, Any] | None:
    """`thinkingConfig`; None where the client asks for none, or where the history does not allow any."""
    given = document.get("thinking")
    thinking = given if isinstance(given, dict) else {}
    kind = thinking.get("type")
    if given is not None and kind not in (*THINKING, "disabled"):
        raise InvalidRequest("thinking.type: must be one of adaptive, between_tools, disabled, enabled")
    if kind not in THINKING or model in _WITHOUT_THINKING or _loop_without_thinking(document, remembered):
        return None
    budget = thinking.get("budget_tokens") if kind == "enabled" and effort is None else None
    if not isinstance(budget, int) or isinstance(budget, bool):
        output = document.get("output_config")
        asked = effort or (output.get("effort") if isinstance(output, dict) else None)
        budget = _BUDGET_OF_EFFORT.get(str(asked), _BUDGET_OF_EFFORT["high"])
    return {"includeThoughts": True, "thinkingBudget": max(_LEAST_BUDGET, budget)}


def claude_limits(wanted: int, thinking: dict[str, Any] | None) -> tuple[int, dict[str, Any] | None]:
    """`maxOutputTokens` and the thinking that fits below it: the first must be greater than the budget."""
    limit = min(wanted, _MOST_OUTPUT)
    if thinking is None:
        return limit, None
    budget = thinking["thinkingBudget"]
    if limit <= budget:
        limit = min(budget + _BESIDE_THINKING, _MOST_OUTPUT)
        budget = min(budget, limit - _LEAST_BUDGET) if limit <= budget else budget
    return limit, {**thinking, "thinkingBudget": budget}


def _loop_without_thinking(document: Mapping[str, Any], remembered: Mapping[str, bytes]) -> bool:
    """Whether the request goes on with a tool loop whose last model turn has no thinking that could be sent back.

    Then the platform would refuse thinking: "Expected `thinking` or `redacted_thinking`, but found …".
    """
    messages = document.get("messages")
    listed = [message for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []
    last_turn: list[Any] = []
    for message in reversed(listed):
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        if message.get("role") == "assistant":
            last_turn = blocks
            break
        if message.get("role") == "user" and not any(_is(block, "tool_result") for block in blocks):
            return False
    calls = [block for block in last_turn if _is(block, "tool_use")]
    if not calls:
        return False
    if any(_is(block, "thinking") and unwrap(block.get("signature"), CARRIER_CLAUDE) for block in last_turn):
        return False
    return recalled(remembered, str(calls[0].get("id")), "claude") is None


def _is(block: Any, kind: str) -> bool:
    return isinstance(block, dict) and block.get("type") == kind
