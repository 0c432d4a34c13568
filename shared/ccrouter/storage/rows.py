"""What the repositories share: ids and cursors as text, and how a page is read."""

import base64
import binascii
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import Column, Connection, Engine, Select

from ccrouter.ids import uuid7

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list, newest first. `next_cursor` None: this was the last part."""

    items: list[T]
    next_cursor: str | None = None


def uuid_of(text: str) -> uuid.UUID | None:
    """The id in a text, None where it is none: an id nobody has given out is simply not found."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def first_id_at(moment: datetime) -> uuid.UUID:
    """The smallest id of a millisecond: ids carry the time they were made (`ccrouter.ids`)."""
    return uuid.UUID(int=uuid7(moment).int >> 80 << 80)


@contextmanager
def begun(place: Engine | Connection) -> Iterator[Connection]:
    """A transaction: one of its own on an engine, the caller's where a connection is given.

    So several changes, and the audit entry that tells of them, are made together or not at all.
    """
    if isinstance(place, Connection):
        yield place
    else:
        with place.begin() as connection:
            yield connection


def write_cursor(last_id: uuid.UUID) -> str:
    """An opaque place in a list: after this id."""
    return base64.urlsafe_b64encode(last_id.bytes).decode().rstrip("=")


def read_cursor(cursor: str) -> uuid.UUID:
    """The id in a cursor; raises ValueError for what never was one."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return uuid.UUID(bytes=raw)
    except (binascii.Error, ValueError):
        raise ValueError("this cursor was not given out by this list") from None


def read_page(
    connection: Connection,
    query: Select[Any],
    id_column: Column[Any],
    cursor: str | None,
    limit: int,
    make: Callable[[Any], T],
) -> Page[T]:
    """Reads the part of a list that follows a cursor, newest first. Raises ValueError for a bad cursor."""
    if cursor is not None:
        query = query.where(id_column < read_cursor(cursor))
    found: Sequence[Any] = connection.execute(query.order_by(id_column.desc()).limit(limit + 1)).all()
    more = len(found) > limit
    found = found[:limit]
    return Page([make(row) for row in found], write_cursor(found[-1].id) if more else None)
