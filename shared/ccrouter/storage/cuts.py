"""Hourly sums by fewer columns (`usage_cuts`): what statistics over long periods read, instead of many times as many.

Only hours that are over for long are cut; statistics take the others, and those whose sums have changed since, from
`usage_hours` itself, in one statement. A trigger marks the hour of every late change (`usage_stale`) in the transaction
that makes it, so that nobody ever sees a change without its mark. It marks all that is older than two hours; an hour is
cut when it has been over for three. No writer takes an hour to commit, so that none falls between the two.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text

from ccrouter.storage.rollups import LATENCY_BOUNDS_MS
from ccrouter.storage.tables import ROLLUP_KEY, usage_hours

CUTS: dict[str, tuple[str, ...]] = {
    "all": (),
    "model": ("platform", "model"),
    "key": ("key_id", "user_id"),
    "credential": ("credential_id",),
}
"""By which columns each cut keeps sums apart."""
_OVER_FOR = timedelta(hours=3)
_STEP = timedelta(days=1)
"""How many hours are cut in one transaction."""

_CUT_UNTIL = "(SELECT coalesce(max(hour) + interval '1 hour', '-infinity') FROM usage_cuts WHERE cut = 'all')"
_TAKE_MARKS = text(
    "DELETE FROM usage_stale WHERE hour IN ("  # noqa: S608 - a part of this module's own
    f"SELECT DISTINCT hour FROM usage_stale WHERE hour < {_CUT_UNTIL} ORDER BY hour LIMIT 24) RETURNING hour"
)
_STALE = "ARRAY(SELECT DISTINCT hour FROM usage_stale)"


def source(columns: Collection[str], used: Collection[str], where: str) -> str:
    """The sums that statistics read: these columns of the hours for which a condition over `used` columns holds."""
    needed = {name for name in used if name in ROLLUP_KEY and name != "hour"}
    cut = next((name for name, kept in CUTS.items() if needed <= set(kept)), None)
    listed = ", ".join(columns)
    if cut is None:
        return f"(SELECT {listed} FROM usage_hours WHERE {where}) AS sums"  # noqa: S608 - names of the tables' columns
    return (
        f"(SELECT {listed} FROM usage_cuts WHERE cut = '{cut}' AND {where} AND hour <> ALL ({_STALE}) "  # noqa: S608
        f"UNION ALL SELECT {listed} FROM usage_hours WHERE {where} AND hour >= {_CUT_UNTIL} "
        f"UNION ALL SELECT {listed} FROM usage_hours WHERE {where} AND hour < {_CUT_UNTIL} AND hour = ANY ({_STALE})"
        ") AS sums"
    )


def cut_hours(engine: Engine, now: datetime) -> int:
    """Cuts what has been over for long enough, and anew what has changed since; says how many hours were looked at."""
    until = (now - _OVER_FOR).replace(minute=0, second=0, microsecond=0)
    done = 0
    with engine.begin() as connection:
        begin = connection.execute(
            text(f"SELECT min(hour) FROM usage_hours WHERE hour >= {_CUT_UNTIL} AND hour < :until"),  # noqa: S608
            {"until": until},
        ).scalar_one()
    while begin is not None and begin < until:
        end = min(begin + _STEP, until)
        with engine.begin() as connection:
            _cut(connection, "hour >= :begin AND hour < :end", begin=begin, end=end)
        done += (end - begin) // timedelta(hours=1)
        begin = end
    while True:
        with engine.begin() as connection:
            # A change that is not there to be seen yet has a mark of its own, which is neither: it stays for later.
            hours = list(connection.execute(_TAKE_MARKS).scalars().unique())
            if not hours:
                return done
            connection.execute(text("DELETE FROM usage_cuts WHERE hour = ANY(:hours)"), {"hours": hours})
            _cut(connection, "hour = ANY(:hours)", hours=hours)
            done += len(hours)


def _cut(connection: Connection, where: str, **parameters: object) -> None:
    for statement in _STATEMENTS:
        connection.execute(text(f"{statement[0]} WHERE {where} {statement[1]}"), parameters)


_NAMES = [column.name for column in usage_hours.columns if column.name not in (*ROLLUP_KEY, "latency_buckets")]
_BUCKETS = ", ".join(f"sum(latency_buckets[{number}])::bigint" for number in range(1, len(LATENCY_BOUNDS_MS) + 2))
_STATEMENTS = [
    (
        (
            f"INSERT INTO usage_cuts (cut, {', '.join(['hour', *kept, *_NAMES])}, latency_buckets) "  # noqa: S608
            f"SELECT '{cut}', {', '.join(['hour', *kept, *(f'sum({name})' for name in _NAMES)])}, ARRAY[{_BUCKETS}] "
            "FROM usage_hours"
        ),
        f"GROUP BY {', '.join(['hour', *kept])} ORDER BY hour",
    )
    for cut, kept in CUTS.items()
]
