"""What Claude costs behind the clouds' own doors: Anthropic's list price times a factor of the place (pricing.md)."""

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


def with_clouds(rows: Iterable[PriceRow]) -> tuple[PriceRow, ...]:
    """The rows, those of Claude on Bedrock and Vertex made anew from Anthropic's (pricing.md, checked 2026-11-23)."""
    own = [row for row in rows if not (row.platform in ("bedrock", "vertex") and row.model.startswith(_PREFIX))]
    claude = [row for row in own if row.platform == "anthropic" and row.model.startswith(_PREFIX)]
    return (*own, *(_on_bedrock(row) for row in claude), *(_on_vertex(row) for row in claude))


def _on_bedrock(row: PriceRow) -> PriceRow:
    factors = {"us-gov": _GOVERNMENT} | _premium(row)
    return _derived(row, "bedrock", factors, web_search_usd=None)


def _on_vertex(row: PriceRow) -> PriceRow:
    return _derived(row, "vertex", _premium(row), web_search_usd=row.web_search_usd)


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
