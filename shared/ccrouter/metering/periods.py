"""Periods and their buckets, by the calendar of a time zone, where sums are kept by hours of UTC.

Days of a zone that do not begin on a full hour of UTC (half-hour zones) cannot be cut exactly from such sums: midnights
are then moved to the nearest full hour, the later one from the middle, and the period says that it is not `exact`. So
each hour belongs to one day, and periods that follow each other share none.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

Bucket = Literal["hour", "day", "month"]
MOST_BUCKETS = 1500
"""Two months of hours, four years of days."""

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Period(msgspec.Struct, frozen=True):
    """From `since` until before `until`, both full hours; not `exact` where they had to be moved there."""

    since: datetime
    until: datetime
    exact: bool = True


class PeriodError(ValueError):
    """A period cannot be cut as asked; `field` names the member at fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def read_zone(name: str) -> ZoneInfo:
    """The zone with this IANA name. Raises PeriodError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # OSError: some names are folders of names.
        raise PeriodError("tz", f"«{name}» is no time zone such as UTC or Europe/Berlin") from None


def whole_hours(since: datetime, until: datetime, zone: ZoneInfo) -> Period:
    """The hours that a period touches; of one that begins or ends with a day, those of its days.

    Raises PeriodError for one that is empty.
    """
    if since >= until:
        raise PeriodError("to", "must lie after from")
    first = _nearest(since) if _is_midnight(since.astimezone(zone)) else _floor(since)
    last = _nearest(until) if _is_midnight(until.astimezone(zone)) else _ceiling(until)
    return Period(first, max(last, first + _HOUR), exact=(first, last) == (since, until))


def cut(period: Period, bucket: Bucket, zone: ZoneInfo) -> tuple[list[datetime], bool]:
    """Where the buckets of a period begin, and whether those are the exact borders. Raises PeriodError for too many."""
    borders, exact = [period.since], True
    while True:
        following = _next_border(borders[-1], bucket, zone)
        rounded = _nearest(following)
        exact = exact and (rounded == following or following >= period.until)
        if rounded >= period.until:
            return borders, exact and period.exact
        if len(borders) == MOST_BUCKETS:
            raise PeriodError("bucket", f"makes more than {MOST_BUCKETS} parts of this period; choose a longer one")
        borders.append(rounded)


def suited_bucket(period: Period) -> Bucket:
    """How a period is cut where nobody says it."""
    length = period.until - period.since
    return "hour" if length <= 2 * _DAY else "day" if length <= 92 * _DAY else "month"


def before(since: datetime, until: datetime, zone: ZoneInfo) -> datetime:
    """When the period just before begins: as long in whole months or days where this one has such, else in hours."""
    first, last = since.astimezone(zone), until.astimezone(zone)
    if _is_midnight(first) and _is_midnight(last):
        if first.day == last.day == 1:
            return _month(first, (first.year - last.year) * 12 + first.month - last.month)
        return _midnight(first, -(last.date() - first.date()).days)
    return since - (until - since)


def month_of(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Where a moment's calendar month begins and ends."""
    local = moment.astimezone(zone)
    return _month(local, 0), _month(local, 1)


def _next_border(begin: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """The first border after a moment, which may be one that was moved a little before its own."""
    if bucket == "hour":
        return begin + _HOUR
    local = (begin + _HOUR / 2).astimezone(zone)
    return _midnight(local, 1) if bucket == "day" else _month(local, 1)


def _midnight(local: datetime, days: int) -> datetime:
    """The beginning of another day; where the clock skips midnight or strikes it twice, the day's first moment."""
    day = local.date() + timedelta(days=days)
    return datetime(day.year, day.month, day.day, tzinfo=local.tzinfo).astimezone(UTC)


def _month(local: datetime, months: int) -> datetime:
    number = local.year * 12 + local.month - 1 + months
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=local.tzinfo).astimezone(UTC)


def _is_midnight(local: datetime) -> bool:
    return _midnight(local, 0) == local.astimezone(UTC)


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _ceiling(moment: datetime) -> datetime:
    return _floor(moment + _HOUR - timedelta(microseconds=1))


def _nearest(moment: datetime) -> datetime:
    return _floor(moment + _HOUR / 2)
