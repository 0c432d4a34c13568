"""Which rows of the request log are meant: each filter as a condition that an index answers."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Text,
    bindparam,
    cast,
    exists,
    false,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from ccrouter.ids import first_id
from ccrouter.storage.rows import uuid_of
from ccrouter.storage.tables import api_keys, log_words, request_log

_ID_COLUMNS = ("key_id", "user_id", "credential_id")
_NO_WORD = re.compile(r"[^0-9A-Za-z\u0080-\U0010ffff]+")
_IDEOGRAPH = re.compile(r"([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])")
"""Both as the database's `log_words` has them."""
_OWN_ID = re.compile(r"(?:req_)?([0-9a-f]{8,32})")
_SHORTEST_BEGINNING = 3
"""Shorter words of a search are whole ones: what begins with one letter is half of the log."""


class LogFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows a list holds. `since` and `until` bound the time, the former included; of several values any may be.

    None and () ask nothing. `q` finds rows by their words (`tables.log_words`) and by the beginning of their id: each
    word of it must be one of the row's, the last one may also begin one. (Were all of them beginnings, every row with a
    common word would be gathered before the rare one is looked for.)
    """

    since: datetime | None = None
    until: datetime | None = None
    key_id: tuple[str, ...] = ()
    user_id: tuple[str, ...] = ()
    credential_id: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    session_id: tuple[str, ...] = ()
    stream: bool | None = None
    retried: bool | None = None
    min_cost: Decimal | None = None
    min_duration_ms: int | None = None
    q: str | None = None
    ids: tuple[str, ...] = ()
    """Beginnings of the row's own id, in hexadecimal digits; `settle` finds them in `q`."""


def settle(connection: Connection, filters: LogFilters) -> LogFilters:
    """The filters as PostgreSQL can tell how much they leave.

    What begins a row's id means that row: asked as "this id, or this word", either seems to be a large part of the log.
    Of keys those of others than the users asked for are left out: all their rows would be looked at for nothing.
    """
    if filters.user_id and filters.key_id:
        filters = msgspec.structs.replace(filters, key_id=_own_keys(connection, filters) or ("",))
    words, ids = [], list(filters.ids)
    for word in (filters.q or "").split():
        own = _OWN_ID.fullmatch(word.lower().replace("-", ""))
        if own is not None and connection.execute(select(exists().where(_begins_with(request_log.c, own[1])))).scalar():
            ids.append(own[1])
        else:
            words.append(word)
    if len(ids) == len(filters.ids):
        return filters
    return msgspec.structs.replace(filters, q=" ".join(words) or None, ids=tuple(ids))


def conditions(filters: LogFilters, log: FromClause = request_log) -> list[ColumnElement[bool]]:
    """What rows must fulfil; `log` is the table or an alias of it."""
    return list(_conditions(filters, log.c, log))


def one_of(column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """That a column has one of these values; nothing has one of none."""
    if len(values) == 1:
        only: ColumnElement[bool] = column == values[0]
        return only
    return column.in_(values) if values else false()


def one_of_ids(column: ColumnElement[Any], ids: Sequence[str]) -> ColumnElement[bool]:
    """The same for ids as text; what is none is nobody's."""
    # Compared with None it would find the rows that have no such id.
    return one_of(column, [known for value in ids if (known := uuid_of(value)) is not None])


def has_words(q: str) -> bool:
    """Whether a search holds a letter or a digit: without one it would find everything."""
    return bool(_NO_WORD.sub("", q))


def _conditions(filters: LogFilters, log: Any, table: FromClause) -> Iterator[ColumnElement[bool]]:
    if filters.since is not None:
        yield log.id >= first_id(filters.since)
    if filters.until is not None:
        yield log.id < first_id(filters.until)
    for name in _ID_COLUMNS:
        if values := getattr(filters, name):
            yield one_of_ids(log[name], values)
    for name in ("platform", "model", "status", "kind", "session_id"):
        if values := getattr(filters, name):
            yield one_of(log[name], values)
    if filters.stream is not None:
        yield log.stream if filters.stream else ~log.stream
    if filters.retried is not None:
        attempts = func.jsonb_array_length(log.attempts)
        yield attempts > literal_column("1") if filters.retried else attempts <= literal_column("1")
    if filters.min_cost is not None:
        yield log.cost_total >= filters.min_cost
    if filters.min_duration_ms is not None:
        yield log.duration_ms >= filters.min_duration_ms
    if filters.q is not None:
        yield _search(filters.q, table)
    for digits in filters.ids:
        yield _begins_with(log, digits)


def _search(q: str, table: FromClause) -> ColumnElement[bool]:
    words = [word for word in q.split() if has_words(word)]
    queries = [_query(word, begun=word is words[-1]) for word in words]
    return _holds(log_words(table), " & ".join(queries)) if queries else false()


def _own_keys(connection: Connection, filters: LogFilters) -> tuple[str, ...]:
    """The keys that are not known to be somebody else's than these users'."""
    keys = select(api_keys.c.id).where(
        one_of_ids(api_keys.c.id, filters.key_id), ~one_of_ids(api_keys.c.owner_id, filters.user_id)
    )
    others = {str(key_id) for key_id in connection.execute(keys).scalars()}
    return tuple(key_id for key_id in filters.key_id if str(uuid_of(key_id)) not in others)


def _begins_with(log: Any, digits: str) -> ColumnElement[bool]:
    first, last = (UUID(digits.ljust(32, fill)) for fill in "0f")
    between: ColumnElement[bool] = log.id.between(first, last)
    return between


def _query(word: str, *, begun: bool) -> str:
    """A word of a search as PostgreSQL's tsquery; `begun`: it may be the beginning of one.

    `claude-opus` are two words; ids are kept without their hyphens, so that a part of one is a word, too.
    """
    apart, joined = _needed(word, begun), _needed(word.replace("-", ""), begun)
    return f"({apart})" if apart == joined else f"(({apart}) | ({joined}))"


def _needed(text: str, begun: bool) -> str:
    parts = [part for part in _NO_WORD.split(_IDEOGRAPH.sub(r" \1 ", text)) if part]
    quoted = [f"'{part}'" for part in parts]
    if begun and len(parts[-1]) >= _SHORTEST_BEGINNING:
        quoted[-1] += ":*"
    return " & ".join(quoted)


def _holds(words: ColumnElement[Any], query: str) -> ColumnElement[bool]:
    # The database makes small letters, since it did so with the words; which ones it knows depends on its locale.
    lowered = func.lower(bindparam(None, query, type_=Text, unique=True))
    return words.bool_op("@@")(cast(lowered, TSQUERY))
