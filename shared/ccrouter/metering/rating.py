"""What usage costs: counts times rates, exactly (anthropic-messages.md §7.3)."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from ccrouter.messages.usage import Bill
from ccrouter.metering.prices import PriceRow, PriceTable, Rates
from ccrouter.metering.record import Cost

_MILLION = Decimal(1_000_000)
_BATCH_FACTOR = Decimal("0.5")
_ONE = Decimal(1)
_EVERYWHERE = (None, "global", "not_available")
"""Places that cost nothing extra."""
_NOTHING = Decimal(0)


def rate(parts: Sequence[Bill], platform: str, model: str, at: datetime, table: PriceTable) -> Cost | None:
    """The cost of an answer in USD, not rounded; None where a part's model has no price: unpriced, which is not free.

    Each part is priced from the band of its own prompt. `rates` names what was applied, with a number before the
    names (`2.input`) from the second part on where it differs from the first.
    """
    sums = dict.fromkeys(("input", "output", "cache_read", "cache_write", "other"), _NOTHING)
    applied: dict[str, str] = {}
    first: dict[str, str] = {}
    for number, part in enumerate(parts, start=1):
        row = table.find(platform, part.model or model, at)
        if row is None or (part.speed == "fast" and row.fast_rates is None):
            return None
        rates, factor, said = _rates_for(row, part)
        usage = part.usage
        unit = factor / _MILLION
        sums["input"] += usage.input_tokens * rates.input * unit
        sums["output"] += usage.output_tokens * rates.output * unit
        sums["cache_read"] += usage.cache_read_tokens * _or_input(rates.cache_read, rates) * unit
        sums["cache_write"] += usage.cache_write_5m_tokens * _or_input(rates.cache_write_5m, rates) * unit
        sums["cache_write"] += usage.cache_write_1h_tokens * _or_input(rates.cache_write_1h, rates) * unit
        if usage.web_searches:
            if row.web_search_usd is None:
                return None
            sums["other"] += usage.web_searches * row.web_search_usd / 1000
            said["web_search"] = str(row.web_search_usd)
        if number == 1:
            applied, first = dict(said), said
        elif said != first:
            applied |= {f"{number}.{name}": value for name, value in said.items()}
    return Cost(total=sum(sums.values(), _NOTHING), **sums, rates=applied, currency="USD", price_version=table.version)


def prompt_cost(tokens: int, platform: str, model: str, at: datetime, table: PriceTable | None) -> Decimal:
    """What a prompt of so many tokens will cost at least about, in USD; 0 for a model without a price."""
    row = table.find(platform, model, at) if table is not None else None
    return _NOTHING if row is None else tokens * row.rates.input / _MILLION


def billed(amount: Decimal, by: str) -> Cost:
    """The cost that a vendor itself names with its answer."""
    zero = dict.fromkeys(("input", "output", "cache_read", "cache_write"), _NOTHING)
    return Cost(total=amount, **zero, other=amount, rates={"billed_by": by}, currency="USD", price_version="billed")


def _rates_for(row: PriceRow, part: Bill) -> tuple[Rates, Decimal, dict[str, str]]:
    rates, factor = row.rates, _ONE
    notes: dict[str, str] = {}
    over = row.long_over_tokens
    if over is not None and row.long_rates is not None and part.usage.prompt_tokens > over:
        rates = row.long_rates
        notes["band"] = f"over {over} tokens"
    if part.speed == "fast" and row.fast_rates is not None:
        rates = row.fast_rates
        notes["speed"] = "fast"
    if part.inference_geo == "us" and row.us_factor is not None:
        factor *= row.us_factor
        notes["inference_geo"] = f"us × {row.us_factor}"
    if row.place_factors and (place := part.inference_geo) not in _EVERYWHERE:
        place_factor = row.place_factors.get(place or "", row.place_factors.get("*", _ONE))
        if place_factor != _ONE:
            factor *= place_factor
            notes["inference_geo"] = f"{place} × {place_factor}"
    if part.service_tier == "batch":
        factor *= _BATCH_FACTOR
        notes["service_tier"] = f"batch × {_BATCH_FACTOR}"
    said = {name: str(value) for name in Rates.__struct_fields__ if (value := getattr(rates, name)) is not None}
    return rates, factor, said | notes


def _or_input(own: Decimal | None, rates: Rates) -> Decimal:
    return rates.input if own is None else own
