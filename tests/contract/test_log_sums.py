"""Sums and histograms of the log: the same whether they come from hourly sums or from rows."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.contract.log_rows import CREDENTIAL, KEY, NOON, USER, a_row, cost_of, some_rows

from ccrouter.ids import uuid7
from ccrouter.messages.usage import Usage
from ccrouter.storage import log_sums
from ccrouter.storage.log_filters import LogFilters
from ccrouter.storage.log_sums import Summary

HOUR = timedelta(hours=1)
NOW = NOON + timedelta(hours=5)
KNOWN: dict[str, Any] = {
    "key_id": KEY,
    "user_id": USER,
    "credential_id": CREDENTIAL,
    "platform": "anthropic",
    "model": "m",
}


def fill(engine: Engine) -> None:
    """Rows of many kinds over three days."""
    rows = []
    for number in range(60):
        priced = number % 4 != 0
        row: dict[str, Any] = {
            "at": NOON - timedelta(minutes=71 * number),
            "status": ("ok", "ok", "error", "aborted", "limited")[number % 5],
            "kind": ("messages", "messages", "test", "count_tokens")[number % 4],
            "cost": cost_of(f"0.{number:02}1") if priced else None,
            "cost_state": "priced" if priced else "unpriced",
            "usage": Usage(input_tokens=number, output_tokens=2),
        }
        rows.append(row | (KNOWN if number % 3 else {"model": "other"}))
    some_rows(engine, rows)


def summary_of(engine: Engine, **filters: Any) -> Summary:
    """What is summed."""
    return log_sums.summarize(engine, LogFilters(**filters), NOW)


@pytest.mark.parametrize(
    "period",
    [
        {},
        {"since": NOON - 60 * HOUR},
        {"since": NOON - 60 * HOUR + timedelta(minutes=17), "until": NOON - timedelta(minutes=25)},
        {"since": NOON - 26 * HOUR - timedelta(minutes=1), "until": NOON + 9 * HOUR},
        {"since": NOON - timedelta(minutes=40), "until": NOON - timedelta(minutes=10)},
        {"since": NOON, "until": NOON - HOUR},
    ],
    ids=str,
)
def test_hourly_sums_and_rows_say_the_same(engine: Engine, period: dict[str, datetime]) -> None:
    """In total and in each bucket, also where the period begins and ends within an hour. A filter that changes nothing,
    but that hourly sums do not know, makes the difference."""
    fill(engine)
    filters: dict[str, Any]
    for filters in ({}, {"key_id": (KEY,)}, {"model": ("m", "other"), "platform": ("anthropic",)}):
        from_hours = summary_of(engine, **period, **filters)
        assert from_hours == summary_of(engine, **period, **filters, min_duration_ms=0)
        assert from_hours.complete
        total = from_hours.total
        assert total.requests == sum(sums.requests for _, sums in from_hours.buckets)
        assert total.requests == total.ok + total.errors + total.aborted + total.limited


def test_sums_are_exact(engine: Engine) -> None:
    """Money, tokens, and what has no price; token counts only where they are asked for."""
    fill(engine)
    numbers = [number for number in range(60) if number % 4 != 3]
    total = summary_of(engine).total
    assert total.requests == len(numbers)
    assert total.input_tokens == sum(numbers)
    assert total.cost == sum((Decimal(f"0.{number:02}1") for number in numbers if number % 4), Decimal(0))
    assert total.unpriced == 15
    counts = summary_of(engine, kind=("count_tokens",)).total
    assert counts.requests == 15


@pytest.mark.parametrize(
    ("period", "width_s"),
    [(1, 60), (6, 300), (18, 900), (24, 3600), (72, 3600), (24 * 7, 6 * 3600), (24 * 30, 86400), (24 * 365, 7 * 86400)],
)
def test_buckets_fit_the_period(engine: Engine, period: int, width_s: int) -> None:
    """At most 72 and their beginnings; without gaps, in order, at full hours, days and weeks."""
    since = NOON - period * HOUR
    summary = summary_of(engine, since=since, until=NOON)
    starts = [at for at, _ in summary.buckets]
    assert summary.width == timedelta(seconds=width_s)
    assert len(starts) <= 73
    assert starts[0] <= since < starts[0] + summary.width
    assert starts[-1] < NOON <= starts[-1] + summary.width
    assert {later - earlier for earlier, later in pairwise(starts)} == {summary.width}
    if width_s == 7 * 86400:
        assert {at.weekday() for at in starts} == {0}


def test_a_period_of_millennia_has_few_buckets(engine: Engine) -> None:
    """Whatever is asked for, the answer stays small."""
    a_row(engine, NOON)
    first, last = datetime.fromisoformat("1970-01-01T00:00:00+00:00"), datetime.fromisoformat("9999-12-31T23:59:59Z")
    summary = summary_of(engine, since=first, until=last)
    assert len(summary.buckets) <= 73
    assert summary.total.requests == 1


def test_what_is_too_much_is_said_to_be(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest rows are summed, and the answer says from when on."""
    for number in range(5):
        a_row(engine, NOON - number * HOUR, session_id="s")
    monkeypatch.setattr(log_sums, "MOST_ROWS", 3)
    summary = summary_of(engine, session_id=("s",))
    assert (summary.complete, summary.counted_from, summary.total.requests) == (False, NOON - 2 * HOUR, 3)


def test_an_empty_log_has_empty_sums(engine: Engine) -> None:
    """And one bucket at most."""
    summary = summary_of(engine, user_id=(str(uuid7()),))
    assert (summary.total.requests, summary.total.cost, summary.complete) == (0, Decimal(0), True)
    assert len(summary.buckets) <= 1
