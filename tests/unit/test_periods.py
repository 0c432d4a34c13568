"""Periods by the calendar of a zone: summer time, half hours, midnights that are skipped or come twice."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccrouter.metering.periods import (
    MOST_BUCKETS,
    Bucket,
    Period,
    PeriodError,
    before,
    cut,
    month_of,
    read_zone,
    suited_bucket,
    whole_hours,
)

UTC_ZONE = ZoneInfo("UTC")


def local(zone: str, *parts: int) -> datetime:
    """A moment on a zone's clocks, in UTC."""
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)  # type: ignore[arg-type, misc]


def days(zone: str, first: tuple[int, ...], last: tuple[int, ...]) -> tuple[list[float], bool]:
    """How many hours each day of a period has."""
    period = whole_hours(local(zone, *first), local(zone, *last), ZoneInfo(zone))
    borders, exact = cut(period, "day", ZoneInfo(zone))
    ends = [*borders[1:], period.until]
    return [(end - begin).total_seconds() / 3600 for begin, end in zip(borders, ends, strict=True)], exact


@pytest.mark.parametrize(
    ("zone", "first", "last", "hours", "exact"),
    [
        ("UTC", (2026, 3, 28), (2026, 3, 31), [24, 24, 24], True),
        ("Europe/Berlin", (2026, 3, 28), (2026, 3, 31), [24, 23, 24], True),
        ("Europe/Berlin", (2026, 10, 24), (2026, 10, 27), [24, 25, 24], True),
        # Midnight is skipped on the first day of summer, and comes twice on its last.
        ("Africa/Cairo", (2026, 4, 23), (2026, 4, 26), [24, 23, 24], True),
        ("America/Havana", (2026, 10, 31), (2026, 11, 3), [24, 25, 24], True),
        # India's midnight is half past six in the evening of UTC, Nepal's a quarter past.
        ("Asia/Kolkata", (2026, 3, 28), (2026, 3, 31), [24, 24, 24], False),
        ("Asia/Kathmandu", (2026, 3, 28), (2026, 3, 31), [24, 24, 24], False),
        # Summer time of half an hour.
        ("Australia/Lord_Howe", (2026, 4, 4), (2026, 4, 7), [24, 25, 24], False),
    ],
)
def test_days_are_those_of_the_zone(
    zone: str, first: tuple[int, ...], last: tuple[int, ...], hours: list[float], exact: bool
) -> None:
    """Each hour of UTC belongs to one of them; where that is not exact, it is said."""
    assert days(zone, first, last) == (hours, exact)


def test_months_are_those_of_the_zone() -> None:
    """The first and the last are as much of their month as was asked for."""
    zone = ZoneInfo("America/New_York")
    period = whole_hours(local("America/New_York", 2026, 1, 15), local("America/New_York", 2026, 4, 2, 5), zone)
    borders, exact = cut(period, "month", zone)
    assert exact
    assert borders == [
        period.since, *(local("America/New_York", 2026, month, 1) for month in (2, 3, 4)),
    ]  # fmt: skip
    assert month_of(borders[1], zone) == (borders[1], borders[2])
    assert month_of(datetime(2026, 1, 1, 2, tzinfo=UTC), zone)[0] == local("America/New_York", 2025, 12, 1)


def test_a_period_is_widened_to_full_hours() -> None:
    """And says so."""
    begin = datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert whole_hours(begin + timedelta(minutes=5), begin + timedelta(minutes=6), UTC_ZONE) == Period(
        begin, begin + timedelta(hours=1), exact=False
    )
    assert whole_hours(begin, begin + timedelta(hours=1), UTC_ZONE).exact


@pytest.mark.parametrize(
    ("zone", "first", "last", "expected"),
    [
        ("Europe/Berlin", (2026, 3, 1), (2026, 4, 1), (2026, 2, 1)),
        ("Europe/Berlin", (2026, 3, 23), (2026, 3, 30), (2026, 3, 16)),
        ("UTC", (2026, 3, 1, 6), (2026, 3, 2, 6), (2026, 2, 28, 6)),
        ("Asia/Kolkata", (2026, 3, 1), (2026, 4, 1), (2026, 2, 1)),
    ],
)
def test_the_period_before_is_as_long_by_the_calendar(
    zone: str, first: tuple[int, ...], last: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    """The month before a month, seven days before a week with a change of the clocks, else as many hours."""
    begin, name = local(zone, *first), ZoneInfo(zone)
    found = before(begin, local(zone, *last), name)
    assert found == local(zone, *expected)
    assert whole_hours(found, begin, name).until == whole_hours(begin, local(zone, *last), name).since


@given(
    st.sampled_from(
        ["UTC", "Asia/Kolkata", "Europe/London", "Australia/Lord_Howe", "America/Caracas", "Asia/Kathmandu"]
    ),
    st.sampled_from(["hour", "day", "month"]),
    st.integers(0, 365 * 24 * 60),
    st.integers(1, 40 * 24 * 60),
)
def test_buckets_are_in_order_and_fill_the_period(zone: str, bucket: Bucket, begin: int, minutes: int) -> None:
    """On full hours, none empty."""
    since = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=begin)
    period = whole_hours(since, since + timedelta(minutes=minutes), ZoneInfo(zone))
    borders, _ = cut(period, bucket, ZoneInfo(zone))
    assert borders[0] == period.since
    assert all(first < second for first, second in zip(borders, [*borders[1:], period.until], strict=True))
    assert all((border.minute, border.second) == (0, 0) for border in borders)


def test_what_cannot_be_is_named() -> None:
    """The member at fault, for the API to tell."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(PeriodError) as empty:
        whole_hours(begin, begin, UTC_ZONE)
    with pytest.raises(PeriodError) as fine:
        cut(Period(begin, begin + timedelta(hours=MOST_BUCKETS + 1)), "hour", ZoneInfo("UTC"))
    assert (empty.value.field, fine.value.field) == ("to", "bucket")
    for name in ("Nowhere/City", "Europe", "../etc/passwd", "", "/"):
        with pytest.raises(PeriodError) as zone:
            read_zone(name)
        assert zone.value.field == "tz"
    assert [suited_bucket(Period(begin, begin + timedelta(days=n))) for n in (2, 3, 93)] == ["hour", "day", "month"]
