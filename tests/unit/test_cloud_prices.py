"""What Claude costs on Bedrock and Vertex (pricing.md, "Claude on Amazon Bedrock and Google Vertex AI")."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ccrouter.messages.usage import bills
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.prices import PriceTable, bare_name
from ccrouter.metering.rating import rate
from ccrouter.routing.catalog import known_models
from ccrouter.storage.pricesync import genai_table

AT = datetime(2026, 11, 23, tzinfo=UTC)


def cost(platform: str, model: str, place: str | None, table: PriceTable) -> Decimal | None:
    """The price of a million tokens of input."""
    found = rate(bills({"input_tokens": 1_000_000, "inference_geo": place}), platform, model, AT, table)
    return None if found is None else found.total


@pytest.mark.parametrize("table", [builtin_table(), genai_table()], ids=["built-in", "synced"])
@pytest.mark.parametrize(
    ("platform", "model", "place", "expected"),
    [
        ("bedrock", "claude-opus-5-5", "global", "4"),
        ("bedrock", "us.anthropic.claude-opus-5-5", "us", "4.4"),
        ("bedrock", "anthropic.claude-opus-5-5", "us-east-1", "4.4"),
        ("bedrock", "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-gov", "3.6"),
        ("bedrock", "eu.anthropic.claude-opus-4-1-20250805-v1:0", "eu", "15"),
        ("bedrock", "us.anthropic.claude-opus-4-6-v1", "us", "5.5"),
        ("vertex", "claude-opus-5-5", "global", "4"),
        ("vertex", "claude-sonnet-4-5@20250929", "us-east5", "3.3"),
        ("vertex", "claude-haiku-4-5@default", "eu", "1.1"),
        ("anthropic", "claude-opus-5-5", "us", "4.4"),
        ("anthropic", "claude-opus-5-5", "eu", "4"),
        ("bedrock", "amazon.nova-pro-v1:0", "us", None),
    ],
)
def test_the_place_decides_the_price(
    table: PriceTable, platform: str, model: str, place: str, expected: str | None
) -> None:
    """List price globally, a tenth more elsewhere since 4.5, a fifth for the government; unknown is unpriced."""
    found = cost(platform, model, place, table)
    assert (None if expected is None else Decimal(expected)) == found


@pytest.mark.parametrize("platform", ["bedrock", "vertex"])
def test_every_model_of_the_table_is_priced(platform: str) -> None:
    """Whatever clients may ask for."""
    assert all(cost(platform, model.id, "us", builtin_table()) for model in known_models())


def test_the_factor_is_shown() -> None:
    """In the rates of the row."""
    found = rate(bills({"input_tokens": 1, "inference_geo": "eu"}), "vertex", "claude-opus-5-5", AT, builtin_table())
    assert found is not None
    assert found.rates["inference_geo"] == "eu × 1.10"


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("claude-opus-4-0", "claude-opus-4"),
        ("claude-sonnet-5-5[1m]", "claude-sonnet-5-5"),
    ],
)
def test_names_lose_what_does_not_change_the_price(name: str, bare: str) -> None:
    """Prefixes, dates, versions, windows."""
    assert bare == bare_name(name)
