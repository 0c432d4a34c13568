"""From what an answer said about itself to the usage and cost of its record."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ccrouter.messages.request import MessagesRequest
from ccrouter.messages.usage import Bill, bills, total_usage
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.rating import billed, rate
from ccrouter.metering.record import CallRecord, Cost

FREE_PLATFORMS = frozenset({"sandbox"})
"""Platforms that cost nothing: their rows have no cost rather than a cost of zero."""


def meter(
    record: CallRecord,
    raw_usage: dict[str, Any],
    request: MessagesRequest,
    prices: PriceTable,
    *,
    final: bool,
    estimated: bool = False,
    place: str | None = None,
    answered_as: str | None = None,
    vendor: str | None = None,
    billed_usd: Decimal | None = None,
) -> None:
    """Fills a record's usage and cost from the merged usage object of an answer.

    `final` is False where the answer broke off: the counts are then a lower bound and are priced as such.
    `estimated`: the platform named no counts, so they are our own estimate. `place` is where the platform was asked
    to compute: kept as the usage's `inference_geo`, so that the cost can be computed again. `answered_as` names the
    model where the platform's address, or the name given to it there, hides it. `vendor` says whose prices hold where
    the platform leads to several; `billed_usd` is what it bills by its own account. What decides the cost is kept in
    the raw usage.
    """
    if not raw_usage:
        return
    if place is not None:
        raw_usage = {**raw_usage, "inference_geo": place}
    if vendor is not None:
        raw_usage = {**raw_usage, "vendor": vendor}
    if answered_as is not None and (vendor is not None or _hides_its_model(record.model or "")):
        raw_usage = {**raw_usage, "answered_as": answered_as}
    parts = bills(raw_usage, only_1h=request.asks_only_1h_cache)
    record.usage = total_usage(parts)
    record.usage_raw = raw_usage
    record.usage_state = "partial" if not final else "estimated" if estimated else "final"
    if record.platform in FREE_PLATFORMS or record.platform is None or record.model is None:
        return
    if billed_usd is not None:
        record.usage_raw = {**raw_usage, "billed_usd": str(billed_usd)}
        record.cost, record.cost_state = billed(billed_usd, vendor or record.platform), "priced"
        return
    record.cost = _rated(parts, record.platform, record.model, record.at, prices, vendor, answered_as)
    record.cost_state = "unpriced" if record.cost is None else "priced"


def rerated(record: CallRecord, prices: PriceTable) -> Cost | None:
    """What a stored record costs by other prices; None where nothing says so, or its vendor said what it bills.

    The row does not keep for how long the request asked to cache; its counts show it where the split is missing.
    """
    raw = record.usage_raw
    if record.usage is None or not raw or record.platform is None or record.model is None:
        return None
    if record.platform in FREE_PLATFORMS or "billed_usd" in raw:
        return None
    parts = bills(raw)
    if total_usage(parts) != record.usage and total_usage(longer := bills(raw, only_1h=True)) == record.usage:
        parts = longer
    return _rated(
        parts, record.platform, record.model, record.at, prices, _text(raw.get("vendor")), _text(raw.get("answered_as"))
    )


def _rated(
    parts: Sequence[Bill],
    platform: str,
    model: str,
    at: datetime,
    prices: PriceTable,
    vendor: str | None,
    answered_as: str | None,
) -> Cost | None:
    name = answered_as if answered_as is not None and _hides_its_model(model) else model
    seller = vendor or platform
    cost = rate(parts, seller, name, at, prices)
    if cost is None and vendor is not None and answered_as is not None:
        cost = rate(parts, seller, answered_as, at, prices)
    return cost


def _hides_its_model(model: str) -> bool:
    return model.startswith("arn:")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
