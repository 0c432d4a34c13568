"""Sums and a histogram of the rows that filters leave: from the hourly sums where those suffice, else from rows.

Strategy: hourly sums (`rollups`) know keys, users, models, platforms and credentials, and are few. Filters that ask for
no more are answered from them, with the rows of the hour in which the period begins or ends where it is cut. Other
filters, and buckets shorter than an hour, are answered from the newest `MOST_ROWS` rows; the answer says when those
were not all. As in the hourly sums, token counts are left out unless they are asked for.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Interval, cast, func, literal, select, true

from ccrouter.messages.usage import Usage
from ccrouter.storage.log_filters import LogFilters, conditions, one_of, one_of_ids, settle
from ccrouter.storage.rollups import COUNTED_KINDS
from ccrouter.storage.tables import request_log, usage_hours

MOST_ROWS = 100_000
_MOST_BUCKETS = 72
_HOUR = timedelta(hours=1)
_WIDTHS = (
    *(timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), _HOUR),
    *(timedelta(hours=6), timedelta(days=1), timedelta(days=7), timedelta(days=28)),
)
_ORIGIN = datetime(2001, 1, 1, tzinfo=UTC)
"""A Monday: buckets of days begin at midnight, those of weeks on Mondays, all in UTC."""
_LATEST = datetime.max.replace(tzinfo=UTC)
_TOKENS = tuple(field.name for field in msgspec.structs.fields(Usage))
_STATUSES = {"ok": "ok", "errors": "error", "aborted": "aborted", "limited": "limited"}
_COUNTS = ("requests", *_STATUSES)
_SUMMED = (*_COUNTS, *_TOKENS, "cost", "unpriced")
_HOURLY = ("key_id", "user_id", "credential_id", "platform", "model")


class Sums(msgspec.Struct, kw_only=True):
    """What requests come to. `cost` is of those with a price; `unpriced` counts those that cost nobody knows what."""

    requests: int = 0
    ok: int = 0
    errors: int = 0
    aborted: int = 0
    limited: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0

    def add(self, row: Any) -> None:
        """Adds a row of sums."""
        for name in _SUMMED:
            value = getattr(row, name)
            setattr(self, name, getattr(self, name) + (Decimal(value) if name == "cost" else int(value)))


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of a period and of each of its buckets, oldest first. `complete` False: what began before `counted_from`
    was not counted."""

    since: datetime
    until: datetime
    width: timedelta
    complete: bool
    counted_from: datetime
    total: Sums
    buckets: list[tuple[datetime, Sums]]


def summarize(engine: Engine, filters: LogFilters, now: datetime) -> Summary:
    """Sums the rows that filters leave.

    A period without an end ends with this hour, one without a beginning begins with the log.
    """
    with engine.connect() as connection:
        filters = settle(connection, filters)
        # The hour that is not over yet is counted as far as it is.
        until = filters.until or _hour(now) + _HOUR
        since = min(filters.since or beginning(connection) or until, until)
        width = _width(until - since)
        complete, counted_from = True, since
        if width >= _HOUR and _is_hourly(filters):
            rows = list(_from_hours(connection, filters, since, until, width))
        else:
            bounded = msgspec.structs.replace(filters, since=since, until=until)
            rows = _from_rows(connection, bounded, width, MOST_ROWS)
            if sum(row.seen for row in rows) >= MOST_ROWS:
                complete, counted_from = False, min(row.first for row in rows)
    total, buckets = Sums(), {at: Sums() for at in _starts(since, until, width)}
    for row in rows:
        total.add(row)
        buckets.setdefault(row.bucket.astimezone(UTC), Sums()).add(row)
    return Summary(
        since=since,
        until=until,
        width=width,
        complete=complete,
        counted_from=counted_from,
        total=total,
        buckets=sorted(buckets.items(), key=lambda item: item[0]),
    )


def beginning(connection: Connection) -> datetime | None:
    """When the log begins: its first row, or its first sum where older rows are gone."""
    log, hours = request_log.c, usage_hours.c
    found = [
        connection.execute(select(log.at).order_by(log.id).limit(1)).scalar_one_or_none(),
        connection.execute(select(func.min(hours.hour))).scalar_one_or_none(),
    ]
    return min((moment.astimezone(UTC) for moment in found if moment is not None), default=None)


def sums_of_rows(rows: Any, counted: ColumnElement[bool] | None = None) -> list[ColumnElement[Any]]:
    """The columns of Sums over rows of the log; `counted` says which of them are requests, all where it is None."""
    count = func.count().filter(true() if counted is None else counted)
    return [
        count.label("requests"),
        *(count.filter(rows.status == status).label(name) for name, status in _STATUSES.items()),
        *(func.coalesce(func.sum(rows[name]), 0).label(name) for name in _TOKENS),
        func.coalesce(func.sum(rows.cost_total), 0).label("cost"),
        count.filter(rows.cost_state == "unpriced").label("unpriced"),
    ]


def _from_rows(connection: Connection, filters: LogFilters, width: timedelta, most: int) -> list[Any]:
    """Sums of the newest rows by bucket, with how many rows were seen and when the first of them began."""
    log = request_log.c
    if not filters.kind:
        filters = msgspec.structs.replace(filters, kind=COUNTED_KINDS)
    columns = [log[name] for name in ("id", "at", "status", "cost_total", "cost_state", *_TOKENS)]
    found = select(*columns).where(*conditions(filters)).order_by(log.id.desc()).limit(most).subquery()
    seen = (func.count().label("seen"), func.min(found.c.at).label("first"))
    sums = select(_bucket(found.c.at, width), *seen, *sums_of_rows(found.c)).group_by("bucket")
    return list(connection.execute(sums).all())


def _from_hours(
    connection: Connection, filters: LogFilters, since: datetime, until: datetime, width: timedelta
) -> Iterator[Any]:
    """Sums by bucket: of the whole hours of a period, and of the rows of those that it cuts."""
    first, last = _hour(since - timedelta(microseconds=1)) + _HOUR, _hour(until)
    if first > last:
        first = last = until
    for begin, end in ((since, first), (last, until)):
        if begin < end:
            cut = msgspec.structs.replace(filters, since=begin, until=end)
            yield from _from_rows(connection, cut, width, 10 * MOST_ROWS)
    hours = usage_hours.c
    wanted = [
        one_of_ids(hours[name], values) if name.endswith("_id") else one_of(hours[name], values)
        for name in _HOURLY
        if (values := getattr(filters, name))
    ]
    sums = [func.sum(hours[name]).label(name) for name in _SUMMED]
    yield from connection.execute(
        select(_bucket(hours.hour, width), *sums)
        .where(hours.hour >= first, hours.hour < last, *wanted)
        .group_by("bucket")
    ).all()


def _bucket(moment: ColumnElement[datetime], width: timedelta) -> ColumnElement[datetime]:
    return func.date_bin(cast(literal(width), Interval), moment, literal(_ORIGIN)).label("bucket")


def _starts(since: datetime, until: datetime, width: timedelta) -> Iterator[datetime]:
    at = _ORIGIN + (since - _ORIGIN) // width * width
    while at < until:
        yield at
        if at > _LATEST - width:
            return
        at += width


def _width(period: timedelta) -> timedelta:
    longest = _WIDTHS[-1]
    parts = math.ceil(period / longest / _MOST_BUCKETS)
    return next((width for width in _WIDTHS if period / width <= _MOST_BUCKETS), parts * longest)


def _is_hourly(filters: LogFilters) -> bool:
    bare = msgspec.structs.replace(filters, since=None, until=None, **dict.fromkeys(_HOURLY, ()))
    return bare == LogFilters()


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
