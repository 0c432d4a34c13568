"""Holds the hourly sums to the rows they were made from, and makes them anew where they differ.

Only where rows are kept: the sums of months that were dropped are all there is of them.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Engine, func, select, text

from ccrouter.ids import first_id
from ccrouter.storage.partitions import Month
from ccrouter.storage.rollups import MEASURES, NEEDED_COLUMNS, summed
from ccrouter.storage.tables import ROLLUP_KEY, usage_hours

_DAY = timedelta(days=1)
_MADE_WITHIN = timedelta(hours=1)
"""An id and the moment of its row are made together; so far apart they are not even where a clock was set meanwhile."""
_COLUMNS = ", ".join((*ROLLUP_KEY, *MEASURES))
_ROWS = (
    f"(SELECT {', '.join(NEEDED_COLUMNS)} FROM request_log "  # noqa: S608 - names of the tables' own columns
    "WHERE id >= :first AND id < :last AND at >= :since AND at < :until)"
)
_FROM_ROWS = summed(_ROWS)
_STORED = f"SELECT {_COLUMNS} FROM usage_hours WHERE hour >= :since AND hour < :until"  # noqa: S608
_DIFFERENCES = text(
    f"WITH made AS MATERIALIZED ({_FROM_ROWS}), stored AS MATERIALIZED ({_STORED}) "  # noqa: S608
    f"SELECT 'rows' AS says, d.* FROM (SELECT {_COLUMNS} FROM made EXCEPT TABLE stored) AS d UNION ALL "
    f"SELECT 'sums' AS says, d.* FROM (TABLE stored EXCEPT SELECT {_COLUMNS} FROM made) AS d "
    f"ORDER BY {', '.join(ROLLUP_KEY)}, says"
)
_ANYTHING = text(
    "SELECT EXISTS (SELECT FROM request_log WHERE id >= :first AND id < :last AND at >= :since AND at < :until) "
    "OR EXISTS (SELECT FROM usage_hours WHERE hour >= :since AND hour < :until)"
)
_CLEAR = text(
    "WITH gone AS (DELETE FROM usage_hours WHERE hour >= :since AND hour < :until RETURNING hour) "
    "INSERT INTO usage_stale SELECT DISTINCT hour FROM gone"
)
"""What was made from these sums (`storage/cuts.py`) is made anew too, also where no sum follows."""
_REMAKE = text(f"INSERT INTO usage_hours ({_COLUMNS}) {_FROM_ROWS}")


class Total(msgspec.Struct, frozen=True):
    """What the sums of a month say altogether."""

    requests: int
    cost: Decimal


def differences(engine: Engine, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Where rows and sums of these hours disagree: what each of them `says`, `rows` or `sums`; empty where they agree.

    Both are read in one statement, so that requests which end meanwhile make no difference.
    """
    with engine.connect() as connection:
        found = connection.execute(_DIFFERENCES, _period(since, until)).mappings().all()
    return [dict(row) for row in found]


def days_of(engine: Engine, month: Month) -> list[tuple[datetime, datetime]]:
    """The days of a month that have rows or sums: as much as is looked at, or made anew, at once."""
    days = [(month.begin + _DAY * number, month.begin + _DAY * (number + 1)) for number in range(31)]
    with engine.connect() as connection:
        return [
            (begin, end)
            for begin, end in days
            if begin < month.end and connection.execute(_ANYTHING, _period(begin, end)).scalar_one()
        ]


def make_anew(engine: Engine, since: datetime, until: datetime) -> None:
    """Replaces the sums of these hours by what the rows say. Requests that end meanwhile wait, and are added then."""
    period = _period(since, until)
    with engine.begin() as connection:
        # Whoever stores rows has both tables from its first moment on: nobody is between rows and sums now.
        connection.execute(text("LOCK TABLE usage_hours IN SHARE ROW EXCLUSIVE MODE"))
        connection.execute(_CLEAR, period)
        connection.execute(_REMAKE, period)


def total(engine: Engine, month: Month) -> Total:
    """The month in two numbers."""
    sums = usage_hours.c
    with engine.connect() as connection:
        row = connection.execute(
            select(func.coalesce(func.sum(sums.requests), 0), func.coalesce(func.sum(sums.cost), 0)).where(
                sums.hour >= month.begin, sums.hour < month.end
            )
        ).one()
    return Total(int(row[0]), Decimal(row[1]))


def _period(since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "since": since,
        "until": until,
        "first": first_id(since - _MADE_WITHIN),
        "last": first_id(until + _MADE_WITHIN),
    }
