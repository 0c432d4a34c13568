"""What addresses that speak OpenAI's API cost: by vendor, by hour, or as the vendor itself says (pricing.md)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.fakes import a_call

from ccrouter.messages.usage import bills
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.meter import meter
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.rating import rate
from ccrouter.metering.record import CallRecord
from ccrouter.storage.pricesync import genai_table

NOON, NIGHT = datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2026, 11, 24, 2, tzinfo=UTC)
TABLES = {"built in": builtin_table(), "synced": genai_table()}
MILLION: dict[str, Any] = {"input_tokens": 100_000, "output_tokens": 100_000}
MODELS = (
    ("openai", "gpt-6-astra", "6"),
    ("openai", "gpt-6.1-sol", "1.2"),
    ("openai", "gpt-6.1-sol-2026-09-29", "1.2"),
    ("openai", "gpt-6.1-terra", "0.6"),
    ("openai", "gpt-5.6-luna", "0.14"),
    ("openai", "gpt-5", "1.125"),
    ("openai", "gpt-4.1", "1"),
    ("openai", "o3", "1"),
    ("deepseek", "deepseek-v4-pro", "0.264"),
    ("moonshot", "kimi-k3", "1.8"),
    ("zai", "GLM-5.3", "0.58"),
    ("xai", "grok-4.7", "0.8"),
    ("mistral", "mistral-medium-3-5", "0.9"),
    ("minimax", "MiniMax-M3.1-Flash", "0.075"),
)


def cost(table: PriceTable, vendor: str, model: str, at: datetime = NOON, **usage: Any) -> Decimal:
    """What a usage costs."""
    found = rate(bills(usage), vendor, model, at, table)
    assert found is not None, (vendor, model)
    return found.total


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize(("vendor", "model", "expected"), MODELS)
def test_models_have_the_price_of_their_vendor(table: PriceTable, vendor: str, model: str, expected: str) -> None:
    """By hand: a hundred thousand tokens in and out."""
    assert Decimal(expected) == cost(table, vendor, model, **MILLION)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_cost_counts_the_cache_the_band_the_tier_and_the_hour(table: PriceTable) -> None:
    """The numbers of the price pages; writes that live for twelve hours cost 2.5 times the input."""
    none: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0}
    written: dict[str, Any] = {
        "cache_creation_input_tokens": 200_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 100_000, "ephemeral_1h_input_tokens": 100_000},
    }
    assert cost(table, "openai", "gpt-6.1-sol", **none, cache_read_input_tokens=100_000) == Decimal("0.01")
    assert cost(table, "openai", "gpt-6.1-sol", **none, **written) == Decimal("0.75")
    assert cost(table, "openai", "gpt-6.1-sol", input_tokens=300_000, output_tokens=100_000) == Decimal("2.7")
    assert cost(table, "openai", "gpt-6.1-sol", **MILLION, speed="fast") == Decimal("2.4")
    assert cost(table, "deepseek", "deepseek-v4-pro", NIGHT, **MILLION) == Decimal("0.528")


def metered(model: str, usage: dict[str, Any], **more: Any) -> CallRecord:
    """The record of an answer with this usage."""
    call, ask = a_call(b'{"model":"claude-opus-5-5","messages":[]}')
    call.record.platform, call.record.model = "openai", model
    meter(call.record, usage, ask.request, builtin_table(), final=True, **more)
    return call.record


def test_a_vendors_own_bill_is_the_cost() -> None:
    """OpenRouter names it with the counts; it is kept beside them."""
    record = metered("x/y", dict(MILLION), vendor="openrouter", billed_usd=Decimal("0.00071"))
    assert record.cost is not None
    assert (record.cost_state, record.cost.total, record.cost.other) == (
        "priced",
        Decimal("0.00071"),
        record.cost.total,
    )
    assert record.usage_raw is not None
    assert (record.usage_raw["vendor"], record.usage_raw["billed_usd"]) == ("openrouter", "0.00071")


def test_a_deployments_name_does_not_hide_its_model() -> None:
    """Azure's answers name the model that was deployed."""
    record = metered("my-deployment", dict(MILLION), vendor="openai", answered_as="gpt-4.1-2025-04-14")
    assert record.cost is not None
    assert record.cost.total == Decimal(1)


def test_what_runs_at_home_has_no_list_price() -> None:
    """The same weights are sold elsewhere; here they are unpriced, not free."""
    record = metered("GLM-5.3", dict(MILLION), vendor="vllm", answered_as="GLM-5.3")
    assert (record.cost, record.cost_state) == (None, "unpriced")
