"""The newest rows of the log that fulfil conditions, read month by month.

Strategy: PostgreSQL reads one month after the other, and stops when it has enough, only where no row can lie in
`request_log_default`; else it looks into every month at once, and where what is wanted is rare that is all of the log.
So the months that are there are one query, and what lies before and after them another, which is next to nothing. Which
months those are may be known from a while ago: what came since lies after them.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Select, or_, select, union_all

from ccrouter.clock import monotonic_s
from ccrouter.ids import first_id
from ccrouter.storage import partitions

_KNOWN_FOR_S = 60.0
_known: "WeakKeyDictionary[Engine, tuple[float, tuple[UUID, UUID] | None]]" = WeakKeyDictionary()


def newest(
    connection: Connection,
    log: FromClause,
    columns: Sequence[ColumnElement[Any]],
    wanted: Sequence[ColumnElement[bool]],
    limit: int,
) -> Select[Any]:
    """A query for so many rows, newest first; `log` is the table or an alias of it, and its id one of the columns."""
    query = select(*columns).where(*wanted).order_by(log.c.id.desc()).limit(limit)
    months = _months(connection)
    if months is None:
        return query
    first, last = months
    within = query.where(log.c.id >= first, log.c.id < last).subquery()
    beside = query.where(or_(log.c.id < first, log.c.id >= last)).subquery()
    both = union_all(select(within), select(beside)).subquery()
    return select(both).order_by(both.c.id.desc()).limit(limit)


def _months(connection: Connection) -> tuple[UUID, UUID] | None:
    """The ids between which every row has its month; None where there is no month."""
    engine = connection.engine
    asked_s, found = _known.get(engine, (0.0, None))
    if found is None or monotonic_s() - asked_s > _KNOWN_FOR_S:
        months = partitions.kept_by(connection)
        found = (first_id(months[0].begin), first_id(months[-1].end)) if months else None
        _known[engine] = (monotonic_s(), found)
    return found
