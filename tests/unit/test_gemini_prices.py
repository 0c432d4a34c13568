"""Gemini's prices: in force by date, with searches, and on Vertex by place (pricing.md)."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ccrouter.messages.usage import bills
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.rating import rate
from ccrouter.storage.pricesync import genai_table

NOW, LATER = datetime(2026, 11, 24, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC)
TABLES = {"built in": builtin_table(), "synced": genai_table()}
MODELS = (
    "gemini-4-argon",
    "gemini-3.8-flash",
    "gemini-3.7-flash",
    "gemini-3.6-flash",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.1-pro-preview",
    "gemini-3.1-flash-lite",
    "gemini-3-pro-preview",
    "gemini-3-flash-preview",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_model_of_the_table_has_a_price_now_and_later(table: PriceTable) -> None:
    """On both platforms, and one row at a time."""
    for model in MODELS:
        for platform in ("gemini", "vertex"):
            for at in (NOW, LATER):
                found = [row for row in table.rows if (row.platform, row.model) == (platform, model) and row.holds(at)]
                assert len(found) == 1, (platform, model, at)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_cost_counts_thoughts_cache_searches_and_the_long_band(table: PriceTable) -> None:
    """By hand: the numbers of the price page."""

    def cost(platform: str, model: str, at: datetime, **usage: object) -> Decimal:
        found = rate(bills(dict(usage)), platform, model, at, table)
        assert found is not None
        return found.total

    million = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}
    assert cost("gemini", "gemini-3.8-flash", NOW, **million) == Decimal("4.50")
    assert cost("gemini", "gemini-3.8-flash", LATER, **million) == Decimal("9.00")
    assert cost("gemini", "gemini-2.5-pro", NOW, **million) == Decimal("17.5")
    read = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 100_000}
    assert cost("gemini", "gemini-2.5-pro", NOW, **read) == Decimal("0.0125")
    searched = {"input_tokens": 0, "output_tokens": 0, "server_tool_use": {"web_search_requests": 2}}
    assert cost("gemini", "gemini-3.8-flash", NOW, **searched) == Decimal("0.028")
    assert cost("gemini", "gemini-2.5-flash", NOW, **searched) == Decimal("0.070")


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_region_of_vertex_costs_a_tenth_more_for_current_models(table: PriceTable) -> None:
    """`global` does not, nor do older generations."""
    usage = {"input_tokens": 1_000_000, "output_tokens": 0}
    for model, place, expected in (
        ("gemini-3.8-flash", "global", "0.75"),
        ("gemini-3.8-flash", "us", "0.825"),
        ("gemini-2.5-flash", "us-east5", "0.3"),
    ):
        found = rate(bills(usage | {"inference_geo": place}), "vertex", model, NOW, table)
        assert found is not None
        assert found.total == Decimal(expected)
