"""Token usage of one answer: how Anthropic's counters are merged and which of them are billed."""

from collections.abc import Sequence
from typing import Any

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts by price class; `reasoning_tokens` are part of `output_tokens`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt, cached or not: what decides the price band of a request."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an answer that is billed by itself: its own model (None: the request's), speed and place."""

    usage: Usage
    model: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    service_tier: str | None = None


_HIGHEST = 10**12
"""A count beyond this is nonsense; it would not fit the log's columns either."""


def merge_usage(into: dict[str, Any], update: object) -> None:
    """Merges one more usage object of a stream (anthropic-messages.md §7.2): what it gives replaces what was there.

    Counts are cumulative, so nothing is added up; null and what is no object change nothing.
    """
    if isinstance(update, dict):
        into.update((name, value) for name, value in update.items() if value is not None)


def bills(raw: dict[str, Any], *, only_1h: bool = False) -> list[Bill]:
    """What a merged usage object bills (§7.3): one part per iteration where it lists them, else itself.

    The top-level counts leave some iterations out, so they are not billed beside them; web searches are counted at
    the top alone. `only_1h`: the request asked only for one-hour caching, which decides where the split is missing.
    Counts that are no counts are taken as absent: an upstream's nonsense must not cost the record.
    """
    searches = _count(_object(raw.get("server_tool_use")).get("web_search_requests")) or 0
    iterations = raw.get("iterations")
    listed = [item for item in iterations if isinstance(item, dict)] if isinstance(iterations, list) else []
    parts = [_bill(item, raw, only_1h=only_1h) for item in listed] or [_bill(raw, raw, only_1h=only_1h)]
    if searches:
        first = parts[0]
        parts[0] = msgspec.structs.replace(first, usage=msgspec.structs.replace(first.usage, web_searches=searches))
    return parts


def total_usage(parts: Sequence[Bill]) -> Usage:
    """The counts of all parts together: what the log's row shows."""
    return Usage(**{name: sum(getattr(part.usage, name) for part in parts) for name in Usage.__struct_fields__})


def _bill(item: dict[str, Any], raw: dict[str, Any], *, only_1h: bool) -> Bill:
    write_5m, write_1h = _cache_writes(item, only_1h=only_1h)
    thinking = _count(_object(item.get("output_tokens_details")).get("thinking_tokens"))
    return Bill(
        usage=Usage(
            input_tokens=_count(item.get("input_tokens")) or 0,
            output_tokens=_count(item.get("output_tokens")) or 0,
            cache_read_tokens=_count(item.get("cache_read_input_tokens")) or 0,
            cache_write_5m_tokens=write_5m,
            cache_write_1h_tokens=write_1h,
            reasoning_tokens=thinking or 0,
        ),
        model=_text(item.get("model")) if item is not raw else None,
        speed=_text(item.get("speed", raw.get("speed"))),
        inference_geo=_text(item.get("inference_geo", raw.get("inference_geo"))),
        service_tier=_text(item.get("service_tier", raw.get("service_tier"))),
    )


def _cache_writes(item: dict[str, Any], *, only_1h: bool) -> tuple[int, int]:
    """Tokens written for five minutes and for an hour."""
    total = _count(item.get("cache_creation_input_tokens"))
    split = _object(item.get("cache_creation"))
    short, long = _count(split.get("ephemeral_5m_input_tokens")), _count(split.get("ephemeral_1h_input_tokens"))
    if short is None and long is None:
        return (0, total or 0) if only_1h else (total or 0, 0)
    short, long = short or 0, long or 0
    if total is None:
        return short, long
    # The split comes at a stream's start, the total may still change: the difference counts as five minutes.
    long = min(long, total)
    return total - long, long


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _HIGHEST else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
