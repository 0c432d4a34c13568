"""What can be said of spending beyond the sums: what caches saved, and what the month will cost."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Engine

from ccrouter.metering.periods import month_of, whole_hours
from ccrouter.metering.prices import PriceTable
from ccrouter.storage import stats
from ccrouter.storage.stats import StatFilters, Sums

_LOOKED_BACK = timedelta(days=7)
"""Whole weeks: weekends cost less than other days."""
_MILLION = 1_000_000


class Forecast(msgspec.Struct, frozen=True):
    """A calendar month: what it cost until now and what it will cost if it goes on as in the last seven days."""

    begins: datetime
    ends: datetime
    spent: Decimal
    expected: Decimal


def cache_savings(models: Mapping[tuple[str | None, str | None], Sums], prices: PriceTable, at: datetime) -> Decimal:
    """How much more the tokens read from caches would have cost as input, in USD.

    Their price as input is the one paid in the same period for what was not cached, else that of the list.
    """
    saved = Decimal(0)
    for (platform, model), sums in models.items():
        read, fresh = sums["cache_read_tokens"], sums["input_tokens"]
        if not read or not sums["cost_cache_read"]:
            # Nothing was read, or nothing of it was priced.
            continue
        if fresh and sums["cost_input"]:
            saved += sums["cost_input"] / fresh * read - sums["cost_cache_read"]
        elif (row := prices.find(platform or "", model or "", at)) is not None:
            saved += row.rates.input * read / _MILLION - sums["cost_cache_read"]
    return saved


def forecast(engine: Engine, filters: StatFilters, now: datetime, zone: ZoneInfo) -> Forecast:
    """What the month that holds this moment will cost."""
    begins, ends = month_of(now, zone)
    since = now - _LOOKED_BACK
    month = whole_hours(begins, ends, zone)
    hours = stats.cost_by_hour(engine, whole_hours(min(begins, since), now, zone), filters)
    spent = sum((cost for hour, cost in hours.items() if hour >= month.since), Decimal(0))
    recent = {hour: cost for hour, cost in hours.items() if hour >= since}
    first = stats.first_hour(engine, filters)
    if not recent or first is None:
        return Forecast(begins, ends, spent, spent)
    # Of somebody who began three days ago, three days are looked at.
    looked_at = now - max(since, first)
    rate = sum(recent.values(), Decimal(0)) / Decimal(max(looked_at / timedelta(hours=1), 1.0))
    return Forecast(begins, ends, spent, spent + rate * Decimal((ends - now) / timedelta(hours=1)))
