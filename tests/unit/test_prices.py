"""List prices: every row, every factor, every date, to the last digit (anthropic-messages.md §11.4)."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccrouter.messages.usage import Bill, Usage
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.prices import PriceRow, PriceTable, Rates, bare_name
from ccrouter.metering.rating import rate
from ccrouter.metering.record import Cost

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TABLE = builtin_table()

# anthropic-messages.md §11.4, USD per million: input, output, cache read, 5 min write, 1 h write.
LIST_PRICES = """
claude-fable-5-2   8    40  0.20 10    16
claude-mythos-5-2  8    40  0.20 10    16
claude-fable-5-1   10   50  0.25 12.50 20
claude-mythos-5-1  10   50  0.25 12.50 20
claude-fable-5     10   50  1    12.50 20
claude-mythos-5    10   50  1    12.50 20
claude-opus-5-5    4    20  0.20 5     8
claude-opus-5      5    25  0.50 6.25  10
claude-opus-4-8    5    25  0.50 6.25  10
claude-opus-4-7    5    25  0.50 6.25  10
claude-opus-4-6    5    25  0.50 6.25  10
claude-opus-4-5    5    25  0.50 6.25  10
claude-opus-4-1    15   75  1.50 18.75 30
claude-opus-4      15   75  1.50 18.75 30
claude-sonnet-5-5  2    10  0.10 2.50  4
claude-sonnet-5    2    10  0.20 2.50  4
claude-sonnet-4-6  3    15  0.30 3.75  6
claude-sonnet-4-5  3    15  0.30 3.75  6
claude-sonnet-4    3    15  0.30 3.75  6
claude-haiku-5-5   0.10 0.50 0.01 0.125 0.20
claude-haiku-4-5   1    5   0.10 1.25  2
claude-3-5-haiku   0.80 4   0.08 1     1.60
"""
PRICES = {name: [Decimal(text) for text in numbers] for name, *numbers in map(str.split, LIST_PRICES.split("\n")[1:-1])}
FROM_4_6 = {name for name in PRICES if re.fullmatch("claude-[a-z]+-(5|5-[0-9]|4-[678])", name)}


def priced(
    model: str, *, at: datetime = NOW, table: PriceTable = TABLE, bill: Any = None, **counts: int
) -> Cost | None:
    """The cost of one part."""
    return rate([Bill(usage=Usage(**counts), **(bill or {}))], "anthropic", model, at, table)


def total(model: str, *, at: datetime = NOW, bill: Any = None, **counts: Any) -> Decimal:
    """Its sum; it must be priced."""
    cost = priced(model, at=at, bill=bill, **counts)
    assert cost is not None
    assert cost.total == cost.input + cost.output + cost.cache_read + cost.cache_write + cost.other
    return cost.total


THOUSAND_OF_EACH: dict[str, Any] = {
    "input_tokens": 1000, "output_tokens": 1000, "cache_read_tokens": 1000, "cache_write_5m_tokens": 1000,
    "cache_write_1h_tokens": 1000,
}  # fmt: skip


def test_no_model_of_the_table_is_left_out() -> None:
    """Nothing below passes because rows are missing."""
    assert len(PRICES) == 22
    assert set(PRICES) == {row.model for row in TABLE.rows if row.platform == "anthropic"}


@pytest.mark.parametrize("model", PRICES)
def test_a_thousand_tokens_of_each_kind_cost_the_list_price(model: str) -> None:
    """Exactly, kind by kind."""
    per_input, per_output, per_read, per_5m, per_1h = (price / 1000 for price in PRICES[model])
    cost = priced(model, **THOUSAND_OF_EACH)
    assert cost is not None
    assert (cost.input, cost.output, cost.cache_read, cost.cache_write, cost.other) == (
        per_input, per_output, per_read, per_5m + per_1h, Decimal(0),
    )  # fmt: skip
    assert cost.total == sum(PRICES[model]) / 1000
    assert (cost.currency, cost.price_version) == ("USD", TABLE.version)
    assert Decimal(cost.rates["cache_read"]) == PRICES[model][2]


@pytest.mark.parametrize("model", PRICES)
def test_reasoning_is_part_of_the_output(model: str) -> None:
    """It costs nothing beside it."""
    assert total(model, output_tokens=1000, reasoning_tokens=900) == PRICES[model][1] / 1000


@pytest.mark.parametrize("model", PRICES)
def test_modifiers_multiply(model: str) -> None:
    """US residency 1.1 times from 4.6 on, batches half; both together; searches are not touched."""
    plain, us = total(model, **THOUSAND_OF_EACH), Decimal("1.1") if model in FROM_4_6 else Decimal(1)
    half = Decimal("0.5")
    assert total(model, bill={"inference_geo": "us"}, **THOUSAND_OF_EACH) == plain * us
    assert total(model, bill={"service_tier": "batch"}, **THOUSAND_OF_EACH) == plain * half
    both = {"inference_geo": "us", "service_tier": "batch"}
    assert total(model, bill=both, **THOUSAND_OF_EACH) == plain * us * half
    assert total(model, bill=both, **THOUSAND_OF_EACH, web_searches=3) == plain * us * half + Decimal("0.03")
    unremarkable = {"inference_geo": "global", "service_tier": "priority", "speed": "standard"}
    assert total(model, bill=unremarkable, **THOUSAND_OF_EACH) == plain


@pytest.mark.parametrize(
    ("model", "fast"),
    [
        ("claude-opus-5-5", ["8", "40", "0.40", "10", "16"]),
        ("claude-opus-5", ["10", "50", "1.00", "12.50", "20"]),
        ("claude-opus-4-8", ["10", "50", "1.00", "12.50", "20"]),
    ],
)
def test_fast_mode_has_its_own_row(model: str, fast: list[str]) -> None:
    """The cache multipliers on top; the record says what was applied."""
    cost = priced(model, bill={"speed": "fast"}, **THOUSAND_OF_EACH)
    assert cost is not None
    assert cost.total == sum(map(Decimal, fast)) / 1000
    assert cost.rates["speed"] == "fast"


def test_fast_mode_without_a_known_price_is_unpriced() -> None:
    """The standard price would be wrong, and nobody would see it."""
    assert priced("claude-haiku-4-5", bill={"speed": "fast"}, input_tokens=1) is None


@pytest.mark.parametrize(
    ("counts", "is_long"),
    [
        ({"input_tokens": 100_000}, False),
        ({"input_tokens": 100_001}, True),
        ({"cache_read_tokens": 100_000}, False),
        ({"cache_read_tokens": 100_001}, True),
        ({"input_tokens": 1, "cache_read_tokens": 60_000, "cache_write_5m_tokens": 30_000,
          "cache_write_1h_tokens": 9_999}, False),
        ({"input_tokens": 2, "cache_read_tokens": 60_000, "cache_write_5m_tokens": 30_000,
          "cache_write_1h_tokens": 9_999}, True),
        ({"input_tokens": 1, "output_tokens": 200_000}, False),
    ],
)  # fmt: skip
def test_the_band_is_decided_by_the_whole_prompt(counts: dict[str, Any], is_long: bool) -> None:
    """Cached or not; output does not count, but is priced from the band as well."""
    low = dict(zip(THOUSAND_OF_EACH, PRICES["claude-haiku-5-5"], strict=True))
    high = dict(zip(THOUSAND_OF_EACH, map(Decimal, ("0.50", "2.50", "0.05", "0.625", "1.00")), strict=True))
    rates, counts = high if is_long else low, {"output_tokens": 500} | counts
    cost = priced("claude-haiku-5-5", **counts)
    assert cost is not None
    assert cost.total == sum(count * rates[name] for name, count in counts.items()) / 1_000_000
    assert ("band" in cost.rates) == is_long


def test_a_price_holds_from_its_date() -> None:
    """Sonnet 5.5's cache reads cost more until 2026-10-07, Sonnet 4.5's long prompts until its 1M beta ended."""
    change = datetime(2026, 10, 7, tzinfo=UTC)
    just_before = change - timedelta(microseconds=1)
    assert total("claude-sonnet-5-5", at=just_before, cache_read_tokens=1000) == Decimal("0.0002")
    assert total("claude-sonnet-5-5", at=change, cache_read_tokens=1000) == Decimal("0.0001")
    long_ago = datetime(2026, 4, 30, 23, 59, tzinfo=UTC)
    assert total("claude-sonnet-4-5", at=long_ago, input_tokens=200_001) == 200_001 * Decimal(6) / 1_000_000
    assert total("claude-sonnet-4-5", at=long_ago, input_tokens=200_000) == 200_000 * Decimal(3) / 1_000_000
    assert total("claude-sonnet-4-5", input_tokens=900_000) == 900_000 * Decimal(3) / 1_000_000


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-opus-4-0", "claude-opus-4"),
        ("claude-opus-4-1-20250805", "claude-opus-4-1"),
        ("claude-3-5-haiku-20241022", "claude-3-5-haiku"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
        ("claude-opus-5-5[1m]", "claude-opus-5-5"),
        ("Claude-Opus-5-5", "claude-opus-5-5"),
        ("claude-opus-5-5", "claude-opus-5-5"),
    ],
)
def test_dated_and_undated_names_share_a_price(name: str, bare: str) -> None:
    """And so do other spellings of one model."""
    assert bare == bare_name(name)
    assert total(name, input_tokens=1000) == PRICES[bare][0] / 1000


@pytest.mark.parametrize("model", ["gpt-6-sol", "claude-opus-9", "claude", "", "claude-opus-5-5-turbo"])
def test_an_unknown_model_is_unpriced(model: str) -> None:
    """Never zero."""
    assert priced(model, input_tokens=1000) is None


def test_a_search_without_a_price_is_unpriced() -> None:
    """A part of the cost that nobody knows."""
    row = PriceRow(platform="anthropic", model="m", rates=Rates(input=Decimal(1), output=Decimal(1)))
    table = PriceTable(version="v", rows=(row,))
    assert priced("m", table=table, input_tokens=1, web_searches=1) is None
    assert priced("m", table=table, input_tokens=1) is not None


def test_a_class_without_a_price_of_its_own_costs_as_input() -> None:
    """Compatible platforms name no cache prices."""
    row = PriceRow(platform="anthropic", model="m", rates=Rates(input=Decimal(2), output=Decimal(9)))
    cost = priced("m", table=PriceTable(version="v", rows=(row,)), **THOUSAND_OF_EACH)
    assert cost is not None
    assert (cost.cache_read, cost.cache_write) == (Decimal("0.002"), Decimal("0.004"))


@given(
    st.sampled_from(sorted(PRICES)),
    st.tuples(*[st.integers(0, 10**7)] * 5),
    st.sampled_from([{}, {"inference_geo": "us"}, {"service_tier": "batch"}]),
)
def test_costs_are_exact_at_any_size(model: str, counts: tuple[int, ...], bill: dict[str, str]) -> None:
    """No rounding: the parts add up, and each can be divided back."""
    named: dict[str, Any] = dict(zip(THOUSAND_OF_EACH, counts, strict=True))
    cost = priced(model, bill=bill, **named)
    assert cost is not None
    assert cost.total == cost.input + cost.output + cost.cache_read + cost.cache_write
    factor = Decimal("1.1") if bill.get("inference_geo") and model in FROM_4_6 else Decimal(1)
    factor *= Decimal("0.5") if bill.get("service_tier") else Decimal(1)
    assert cost.output == counts[1] * Decimal(cost.rates["output"]) * factor / 1_000_000
