"""The newest rows of the log that fulfil conditions, read from the newest month down.

Strategy: most pages are filled by the newest month, and what is rare is found in each month by an index. PostgreSQL
itself would look into all months before it sorts what it found. So months are asked in groups, each twice as large as
the one before, up to eight: one query for what is common, seven for what is rare in three years. The first group has no
end and the last no beginning, so that it does not matter when the list of months is a while old. While rows lie beside
the months (`partitions`), all is one query.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, select, text

from ccrouter.clock import monotonic_s
from ccrouter.ids import first_id
from ccrouter.storage import partitions

_KNOWN_FOR_S = 60.0
_MOST_MONTHS = 8
_known: "WeakKeyDictionary[Engine, tuple[float, list[UUID]]]" = WeakKeyDictionary()
_SETTLE = text(
    "SELECT set_config('max_parallel_workers_per_gather', '0', true), EXISTS (SELECT FROM request_log_default)"
)
"""A page is read in less time than parallel workers take to start."""


def newest(
    connection: Connection,
    log: FromClause,
    columns: Sequence[ColumnElement[Any]],
    wanted: Sequence[ColumnElement[bool]],
    limit: int,
    *,
    before: UUID | None = None,
) -> list[Any]:
    """So many rows, newest first, of those before an id; `log` is the table or an alias of it."""
    # Of all, also where few are missing: for a handful PostgreSQL would rather read on than ask an index.
    query = select(*columns).where(*wanted).order_by(log.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(log.c.id < before)
    found: list[Any] = []
    for first, end in _groups(connection, before):
        group = query
        if first is not None:
            group = group.where(log.c.id >= first)
        if end is not None:
            group = group.where(log.c.id < end)
        found += connection.execute(group).all()
        if len(found) >= limit:
            break
    return found[:limit]


def _groups(connection: Connection, before: UUID | None) -> Iterator[tuple[UUID | None, UUID | None]]:
    """Ids between which to look, newest first: from the one on, to before the other; None: no bound."""
    _, beside = connection.execute(_SETTLE).one()
    begins = [] if beside else [begin for begin in _begins(connection) if before is None or begin < before]
    end: UUID | None = None
    count = 1
    while len(begins) > count:
        yield begins[-count], end
        end = begins[-count]
        del begins[-count:]
        count = min(count * 2, _MOST_MONTHS)
    yield None, end


def _begins(connection: Connection) -> list[UUID]:
    """The first ids of the months that are there and have begun, or nearly so, oldest first."""
    asked_s, begins = _known.get(connection.engine, (0.0, []))
    if not begins or monotonic_s() - asked_s > _KNOWN_FOR_S:
        begins = [first_id(month.begin) for month in partitions.kept_by(connection)]
        _known[connection.engine] = (monotonic_s(), begins)
    return begins
