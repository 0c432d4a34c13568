"""What models cost behind the clouds' own doors: their makers' list prices times a factor of the place (pricing.md)."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ccrouter.dialects.anthropic.models import claude_model
from ccrouter.metering.prices import PriceRow

_REGIONAL = Decimal("1.10")
_GOVERNMENT = Decimal("1.20")
_FIRST_WITH_PREMIUM = (4, 5)
"""From this version on, computing in one region or geography costs more than `global`."""
_PREFIX = "claude-"
_OLD_GEMINI = ("gemini-1", "gemini-2")
"""Generations of Gemini that cost the same in every region of Vertex."""


def with_clouds(rows: Iterable[PriceRow]) -> tuple[PriceRow, ...]:
    """The rows, those of Bedrock and Vertex made anew from their makers' (pricing.md, checked 2026-11-23)."""
    own = [row for row in rows if not (row.platform == "vertex" or (row.platform == "bedrock" and _is_claude(row)))]
    claude = [row for row in own if row.platform == "anthropic" and _is_claude(row)]
    gemini = [row for row in own if row.platform == "gemini"]
    return (
        *own,
        *(_on_bedrock(row) for row in claude),
        *(_on_vertex(row) for row in claude),
        *(_gemini_on_vertex(row) for row in gemini),
    )


def _is_claude(row: PriceRow) -> bool:
    return row.model.startswith(_PREFIX)


def _on_bedrock(row: PriceRow) -> PriceRow:
    factors = {"us-gov": _GOVERNMENT} | _premium(row)
    return _derived(row, "bedrock", factors, web_search_usd=None)


def _on_vertex(row: PriceRow) -> PriceRow:
    return _derived(row, "vertex", _premium(row), web_search_usd=row.web_search_usd)


def _gemini_on_vertex(row: PriceRow) -> PriceRow:
    factors = {} if row.model.startswith(_OLD_GEMINI) else {"*": _REGIONAL}
    source = f"the Gemini API's price, times the factor of the place: {row.source}"
    return msgspec.structs.replace(row, platform="vertex", place_factors=factors, source=source)


def _premium(row: PriceRow) -> dict[str, Decimal]:
    return {"*": _REGIONAL} if claude_model(row.model).version >= _FIRST_WITH_PREMIUM else {}


def _derived(row: PriceRow, platform: str, factors: dict[str, Decimal], *, web_search_usd: Decimal | None) -> PriceRow:
    # Neither sells fast mode, and inference in the US is a place like others there.
    return msgspec.structs.replace(
        row,
        platform=platform,
        place_factors=factors,
        us_factor=None,
        fast_rates=None,
        web_search_usd=web_search_usd,
        source=f"Anthropic's price, times the factor of the place: {row.source}",
    )
