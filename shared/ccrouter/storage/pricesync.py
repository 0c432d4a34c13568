"""List prices of the installed package genai-prices, turned into our own dated rows. The proxy never loads this."""

import importlib.metadata
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine

from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.clouds import with_clouds
from ccrouter.metering.prices import PriceRow, PriceTable, Rates, bare_name
from ccrouter.storage import prices

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice

SOURCE = "genai-prices"
_PLATFORMS = {
    "anthropic": ("anthropic", "claude-"),
    "google": ("gemini", "gemini-"),
    "openai": ("openai", ""),
    "deepseek": ("deepseek", ""),
    "moonshotai": ("moonshot", ""),
    "zai": ("zai", ""),
    "minimax": ("minimax", ""),
    "x-ai": ("xai", ""),
    "mistral": ("mistral", ""),
    "groq": ("groq", ""),
    "together": ("together", ""),
    "fireworks": ("fireworks", ""),
}
"""For each provider of the package whose prices are list prices: our platform or vendor, and how its models' names
begin. OpenRouter is not here: it says itself what it bills."""
_FAST: tuple[dict[str, str], ...] = ({"speed": "fast"}, {"service_tier": "priority"})
_RETIRED_BANDS = frozenset({"claude-sonnet-4-5"})
"""Models whose long-context band the package still lists, though it ended with the 1M beta (§11.4)."""
_CLASSES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}


def sync_prices(place: Engine | Connection) -> tuple[str, bool]:
    """Puts the package's prices in force beside the own ones; returns the version in force, and whether it is new."""
    was = prices.current_version(place)
    version = prices.put_list(place, genai_table(), SOURCE).id
    return version, version != was


def installed_list() -> str:
    """The name of the list that `genai_table` makes, without loading the package."""
    return f"{SOURCE}-{importlib.metadata.version('genai-prices')}+{builtin_table().version}"


def genai_table() -> PriceTable:
    """The package's rows, with what only the built-in table knows: past prices, the US factor, missing models."""
    from genai_prices import data_snapshot

    builtin: dict[tuple[str, str], list[PriceRow]] = {}
    for row in builtin_table().rows:
        builtin.setdefault((row.platform, row.model), []).append(row)
    rows: dict[tuple[str, str], list[PriceRow]] = {}
    for provider in data_snapshot.get_snapshot().providers:
        platform, prefix = _PLATFORMS.get(provider.id, ("", ""))
        for model in provider.models if platform else ():
            # A date in the names of others may stand for a price of its own.
            name = bare_name(model.id) if prefix else model.id.lower()
            if not name.startswith(prefix) or not _has_rates(model):
                continue
            rows[platform, name] = _merged(_rows_of(platform, name, model), builtin.get((platform, name), []))
    all_rows = [row for _, found in sorted((builtin | rows).items()) for row in found]
    return PriceTable(version=installed_list(), rows=with_clouds(all_rows))


def _rows_of(platform: str, name: str, model: "ModelInfo") -> list[PriceRow]:
    """One row for every price the package dates, oldest first."""
    if not isinstance(model.prices, list):
        return [_row(platform, name, model, model.prices, None, None)]
    hourly = [(hours, price.prices) for price in model.prices if (hours := _hours(price)) is not None]
    daily = [(_start(price), price.prices) for price in model.prices if _hours(price) is None]
    dated = sorted(daily, key=lambda item: item[0] or _EPOCH)
    ends = [start for start, _ in dated[1:]] + [None]
    newest = dated[-1][0] if dated else None
    return [
        # Hours hold from the newest price on, as the package's own comments have it.
        msgspec.structs.replace(_row(platform, name, model, price, newest, None), hours_utc=hours)
        for hours, price in hourly
    ] + [_row(platform, name, model, price, start, end) for (start, price), end in zip(dated, ends, strict=True)]


def _has_rates(model: "ModelInfo") -> bool:
    """Whether a model is priced by its input and output; embeddings are not."""
    prices = [dated.prices for dated in model.prices] if isinstance(model.prices, list) else [model.prices]
    return all(price.input_mtok is not None and price.output_mtok is not None for price in prices)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _start(price: "ConditionalPrice") -> datetime | None:
    day = getattr(price.constraint, "start_date", None)
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _hours(price: "ConditionalPrice") -> tuple[int, int] | None:
    """The hours of a day that a price is for, None for all."""
    first, last = getattr(price.constraint, "start_time", None), getattr(price.constraint, "end_time", None)
    return None if first is None or last is None else (first.hour, last.hour)


def _row(
    platform: str, name: str, model: "ModelInfo", price: "ModelPrice", start: datetime | None, end: datetime | None
) -> PriceRow:
    base, over, long = _rates(price)
    if name in _RETIRED_BANDS:
        over, long = None, None
    fast = [
        variant.prices
        for variant in model.price_variants or []
        if variant.when in _FAST and variant.prices.input_mtok is not None and variant.prices.output_mtok is not None
    ]
    return PriceRow(
        platform=platform,
        model=name,
        rates=base,
        valid_from=start,
        valid_until=end,
        long_over_tokens=over,
        long_rates=long,
        fast_rates=_rates(fast[0])[0] if fast else None,
        web_search_usd=getattr(price, "web_searches_kcount", None),
        source=f"{SOURCE} {importlib.metadata.version('genai-prices')}, {model.id}",
    )


def _rates(price: "ModelPrice") -> tuple[Rates, int | None, Rates | None]:
    """Rates, and, where the package lists a band for long prompts, its border and rates."""
    base: dict[str, Decimal | None] = {}
    long: dict[str, Decimal | None] = {}
    over: int | None = None
    for ours, theirs in _CLASSES.items():
        value: Any = getattr(price, theirs, None)
        if tiers := getattr(value, "tiers", None):
            base[ours], long[ours], over = value.base, tiers[-1].price, tiers[-1].start
        else:
            base[ours] = long[ours] = value
    if over is None:
        return msgspec.convert(base, Rates), None, None
    return msgspec.convert(base, Rates), over, msgspec.convert(long, Rates)


def _merged(synced: list[PriceRow], own: list[PriceRow]) -> list[PriceRow]:
    """The package's rows after the past ones that only the built-in table has, with the factors it adds."""
    if not own:
        return synced
    us_factor, searches = own[-1].us_factor, own[-1].web_search_usd
    past = [row for row in own if row.valid_until is not None]
    if past and len(synced) == 1:
        synced = [msgspec.structs.replace(synced[0], valid_from=past[-1].valid_until)]
    else:
        past = []
    return past + [
        msgspec.structs.replace(
            row,
            us_factor=us_factor,
            rates=_with_long_writes(row.rates, own[-1].rates),
            long_rates=_with_long_writes(row.long_rates, own[-1].long_rates),
            fast_rates=_with_long_writes(row.fast_rates, own[-1].fast_rates) or own[-1].fast_rates,
            web_search_usd=searches if row.web_search_usd is None else row.web_search_usd,
        )
        for row in synced
    ]


_AnyRates = TypeVar("_AnyRates", Rates, Rates | None)


def _with_long_writes(synced: _AnyRates, own: Rates | None) -> _AnyRates:
    """The package does not know the price of OpenAI's cache writes that live for twelve hours."""
    if synced is None or own is None or synced.cache_write_1h is not None:
        return synced
    return msgspec.structs.replace(synced, cache_write_1h=own.cache_write_1h)
