"""Token counts of both APIs as Anthropic counts them (openai-compatible.md §7)."""

from decimal import Decimal
from typing import Any

_HIGHEST = 10**12


def chat_usage(usage: dict[str, Any]) -> dict[str, Any]:
    """The counts of a Chat Completions answer.

    Some servers leave reasoning out of the completion: what is missing in the total is output then.
    """
    details = _object(usage, "prompt_tokens_details")
    prompt, completion, total = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    cached = next(
        (
            count
            for holder, name in (
                (details, "cached_tokens"),
                (usage, "prompt_cache_hit_tokens"),
                (usage, "cached_tokens"),
            )
            if (count := _count(holder, name)) is not None
        ),
        0,
    )
    output = completion or 0
    if prompt is not None and total is not None and prompt + output < total:
        output = total - prompt
    return _counts(
        prompt or 0,
        cached,
        _count(details, "cache_write_tokens") or 0,
        output,
        _count(_object(usage, "completion_tokens_details"), "reasoning_tokens") or 0,
    )


def responses_usage(usage: dict[str, Any]) -> dict[str, Any]:
    """The counts of a Responses answer; writes that live for 12 hours stand apart, for they cost more."""
    details = _object(usage, "input_tokens_details")
    written = _count(details, "cache_write_tokens") or 0
    counts = _counts(
        _count(usage, "input_tokens") or 0,
        _count(details, "cached_tokens") or 0,
        written,
        _count(usage, "output_tokens") or 0,
        _count(_object(usage, "output_tokens_details"), "reasoning_tokens") or 0,
    )
    long = _count(_object(details, "cache_write_tokens_details"), "ttl_12h_tokens") or 0
    if long:
        counts["cache_creation"] = {
            "ephemeral_5m_input_tokens": max(0, written - long),
            "ephemeral_1h_input_tokens": min(long, written),
        }
    return counts


def billed_usd(usage: dict[str, Any]) -> Decimal | None:
    """The price that OpenRouter names with its counts."""
    cost = usage.get("cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost < _HIGHEST:
        return None
    return Decimal(str(cost))


def _counts(prompt: int, cached: int, written: int, output: int, reasoning: int) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "input_tokens": max(0, prompt - cached - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": output,
    }
    if reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": reasoning}
    return counts


def _object(holder: dict[str, Any], name: str) -> dict[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _count(holder: dict[str, Any], name: str) -> int | None:
    value = holder.get(name)
    return value if type(value) is int and 0 <= value <= _HIGHEST else None
