"""What an answer costs: dated price rows, looked up and multiplied; nothing about where rows come from."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """USD per million tokens; None where the class is not priced on its own (then the input rate holds)."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None


class PriceRow(msgspec.Struct, frozen=True, kw_only=True):
    """The price of one model on one platform in one span of time. See the price table's own documentation."""

    platform: str
    model: str
    rates: Rates
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    long_over_tokens: int | None = None
    long_rates: Rates | None = None
    fast_rates: Rates | None = None
    web_search_usd: Decimal | None = None
    source: str = ""
    extra: dict[str, Any] | None = None


class PriceTable(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of one price version."""

    version: str
    rows: tuple[PriceRow, ...] = ()
