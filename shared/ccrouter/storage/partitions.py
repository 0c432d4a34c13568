"""The request log in months: a part of the table for each, made ahead of its time and dropped whole.

Strategy: a row belongs to the month that its id carries. A row whose month is not there goes to `request_log_default`
and is moved when its month is made. Making and dropping need the default part, or the whole table, to themselves for a
moment; so they never wait long for it, since whoever writes or reads would wait behind them, and are tried again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, text

from ccrouter.ids import first_id

_DEFAULT = "request_log_default"
_LOCK = 0x63637270
_LOCK_WITHIN = "1s"
"""Below the time that the end of an answer waits for the database (`call_log`)."""
_LONGEST = timedelta(days=62)
"""How far ahead of now a stray row may lie for its month to be made; beyond it some clock is wrong."""


class Month(msgspec.Struct, frozen=True, order=True):
    """A month's part of the log: from `begin` to before `end`."""

    begin: datetime
    end: datetime

    @property
    def table(self) -> str:
        """The name of the part."""
        return f"request_log_{self.begin:%Y_%m}"


def month_of(moment: datetime) -> Month:
    """The month that holds a moment, in UTC."""
    begin = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Month(begin, (begin + timedelta(days=32)).replace(day=1))


def months_from(moment: datetime, count: int) -> list[Month]:
    """So many months, the first being that of the moment."""
    months = [month_of(moment)]
    while len(months) < count:
        months.append(month_of(months[-1].end))
    return months


def kept(engine: Engine) -> list[Month]:
    """The months that are there, oldest first."""
    with engine.connect() as connection:
        return kept_by(connection)


def make(engine: Engine, months: Sequence[Month]) -> list[Month]:
    """Makes those that are missing, with the rows that already came for them; returns what was made."""
    made = []
    for month in months:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if month in kept_by(connection):
                continue
            _make(connection, month)
            made.append(month)
    return made


def strays(engine: Engine, now: datetime) -> list[Month]:
    """The months of rows that came before their month was made."""
    found: set[Month] = set()
    after: UUID | None = first_id(datetime(2000, 1, 1, tzinfo=UTC))
    with engine.connect() as connection:
        while after is not None:
            after = connection.execute(
                text(f"SELECT id FROM {_DEFAULT} WHERE id >= :after AND id < :last ORDER BY id LIMIT 1"),  # noqa: S608
                {"after": after, "last": first_id(now + _LONGEST)},
            ).scalar_one_or_none()
            if after is not None:
                month = month_of(datetime.fromtimestamp((after.int >> 80) / 1000, UTC))
                found.add(month)
                after = first_id(month.end)
    return sorted(found)


def drop_before(engine: Engine, moment: datetime) -> list[Month]:
    """Drops the months that lie wholly before a moment, and returns them. Their sums stay."""
    dropped = []
    for month in kept(engine):
        if month.end <= moment:
            with engine.begin() as connection:
                _take_no_longer(connection)
                connection.execute(text(f"DROP TABLE IF EXISTS {month.table}"))
                dropped.append(month)
    with engine.begin() as connection:
        last = first_id(month_of(moment).begin)
        connection.execute(text(f"DELETE FROM {_DEFAULT} WHERE id < :last"), {"last": last})  # noqa: S608
    return dropped


def kept_by(connection: Connection) -> list[Month]:
    """The same on a connection that is there already."""
    names = connection.execute(
        text(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = 'request_log'::regclass AND relname ~ '^request_log_[0-9]{4}_[0-9]{2}$'"
        )
    ).scalars()
    return sorted(month_of(datetime(int(name[-7:-3]), int(name[-2:]), 1, tzinfo=UTC)) for name in names)


def _make(connection: Connection, month: Month) -> None:
    bounds: dict[str, Any] = {"first": first_id(month.begin), "last": first_id(month.end)}
    _take_no_longer(connection)
    # Nobody may add a row to the default part between the moving and the end.
    connection.execute(text(f"LOCK TABLE {_DEFAULT} IN ACCESS EXCLUSIVE MODE"))
    connection.execute(text(f"CREATE TABLE {month.table} (LIKE {_DEFAULT} INCLUDING DEFAULTS INCLUDING GENERATED)"))
    connection.execute(
        text(
            f"WITH moved AS (DELETE FROM {_DEFAULT} WHERE id >= :first AND id < :last RETURNING *) "  # noqa: S608
            f"INSERT INTO {month.table} SELECT * FROM moved"
        ),
        bounds,
    )
    connection.execute(
        text(
            f"ALTER TABLE request_log ATTACH PARTITION {month.table} "
            f"FOR VALUES FROM ('{bounds['first']}') TO ('{bounds['last']}')"
        )
    )


def _take_no_longer(connection: Connection) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_WITHIN}'"))
