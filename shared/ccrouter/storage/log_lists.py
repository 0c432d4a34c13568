"""Lists of the request log: newest first in parts, and what came since."""

import base64
import binascii
import struct
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Engine, func, select, tuple_

from ccrouter.metering.record import CallRecord
from ccrouter.storage.log_filters import LogFilters, conditions, settle
from ccrouter.storage.log_order import newest
from ccrouter.storage.logs import RECORD, record_of
from ccrouter.storage.rows import Page, read_cursor, uuid_of, write_cursor
from ccrouter.storage.tables import request_log

_SEEN_AFTER = timedelta(seconds=10)
"""How long a row may take from the moment it is given to the moment others see it: as long as a statement has."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = struct.Struct(">q16s")


def find(engine: Engine, filters: LogFilters, *, cursor: str | None = None, limit: int = 50) -> Page[CallRecord]:
    """Records, newest first. Raises ValueError for a bad cursor."""
    before = None if cursor is None else read_cursor(cursor)
    with engine.connect() as connection:
        wanted = conditions(settle(connection, filters))
        found = newest(connection, request_log, RECORD, wanted, limit + 1, before=before)
    page = found[:limit]
    return Page([record_of(row) for row in page], write_cursor(page[-1].id) if len(found) > limit else None)


def nothing() -> Page[CallRecord]:
    """A list that no row is in."""
    return Page([])


class _Place(NamedTuple):
    stored_at: datetime
    id: UUID


def tail(engine: Engine, filters: LogFilters, since: str, limit: int = 50) -> Page[CallRecord]:
    """Records that were stored since, in that order, whenever their requests began.

    `since` is a record's id or the `next_cursor` of the part before, which is never None. What was stored in the last
    seconds comes again in the next part, because what was stored beside it may not have been visible yet.
    Raises ValueError for what is neither.
    """
    log = request_log.c
    with engine.connect() as connection:
        place = _read_place(since) or _place_of(connection, since)
        rows = connection.execute(
            select(*RECORD, log.stored_at)
            .where(*conditions(settle(connection, filters)), tuple_(log.stored_at, log.id) > tuple_(*place))
            .order_by(log.stored_at, log.id)
            .limit(limit)
        ).all()
        settled = _Place(connection.execute(select(func.now())).scalar_one() - _SEEN_AFTER, UUID(int=0))
    place = _Place(rows[-1].stored_at, rows[-1].id) if len(rows) == limit else max(place, settled)
    return Page([record_of(row) for row in rows], _write_place(place))


def _place_of(connection: Any, record_id: str) -> _Place:
    known = uuid_of(record_id)
    if known is None:
        raise ValueError("is neither the id of a log row nor the next_cursor of such a list")
    log = request_log.c
    stored_at = connection.execute(select(log.stored_at).where(log.id == known)).scalar_one_or_none()
    # A row that has gone, or was never there: whatever was stored since its time.
    return _Place(stored_at or _EPOCH + timedelta(milliseconds=known.int >> 80), known)


def _write_place(place: _Place) -> str:
    micros = (place.stored_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(_PLACE.pack(micros, place.id.bytes)).decode()


def _read_place(text: str) -> _Place | None:
    try:
        micros, record_id = _PLACE.unpack(base64.b64decode(text, altchars=b"-_", validate=True))
        return _Place(_EPOCH + timedelta(microseconds=micros), UUID(bytes=record_id))
    except (binascii.Error, struct.error, OverflowError, ValueError):
        return None
