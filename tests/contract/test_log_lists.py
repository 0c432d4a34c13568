"""The list of requests: filters, parts, and sums."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from ccrouter.ids import request_id_of, uuid7
from ccrouter.metering.record import CallRecord, Cost, encode_record
from ccrouter.storage import logs
from ccrouter.storage.logs import LogFilters

NO_ID = "this is no id"
UNKNOWN_ID = "01a20fa1-1e64-758e-be7d-0f5c33ab1360"


def a_row(engine: Engine, at: datetime, **fields: Any) -> str:
    """A stored record; returns its id."""
    record_id = uuid7(at)
    values: dict[str, Any] = {"id": record_id, "at": at, "kind": "messages", "request_id": request_id_of(record_id)}
    logs.insert_many(engine, [encode_record(CallRecord(**(values | fields)))])
    return str(record_id)


def cost_of(amount: str) -> Cost:
    """A cost of this amount."""
    zero = Decimal(0)
    return Cost(
        total=Decimal(amount), input=Decimal(amount), output=zero, cache_read=zero, cache_write=zero, other=zero,
        rates={}, currency="USD", price_version="v",
    )  # fmt: skip


NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY, USER, CREDENTIAL = (f"01a20fa3-6f38-786d-a4d2-491bb8bb1a{number}" for number in (47, 48, 49))


@pytest.mark.parametrize(
    "filters",
    [
        {"key_id": KEY},
        {"user_id": USER},
        {"credential_id": CREDENTIAL},
        {"platform": "anthropic"},
        {"model": "m"},
        {"status": "error"},
        {"kind": "test"},
        {"session_id": "s"},
        {"stream": True},
        {"min_cost": Decimal("0.5")},
        {"min_duration_ms": 1000},
        {"since": NOON, "until": NOON + timedelta(milliseconds=1)},
        {"key_id": KEY, "status": "error", "stream": True},
    ],
    ids=lambda filters: "+".join(filters),
)
def test_each_filter_finds_its_rows_and_no_others(engine: Engine, filters: dict[str, Any]) -> None:
    """Alone and together."""
    a_row(engine, NOON - timedelta(milliseconds=1))
    a_row(engine, NOON + timedelta(milliseconds=1), cost=cost_of("0.49"), duration_ms=999, key_id=str(uuid7()))
    wanted = a_row(
        engine, NOON, key_id=KEY, user_id=USER, credential_id=CREDENTIAL, platform="anthropic", model="m",
        status="error", kind="test", session_id="s", stream=True, cost=cost_of("0.5"), duration_ms=1000,
    )  # fmt: skip
    page = logs.find(engine, LogFilters(**filters))
    assert [str(row.id) for row in page.items] == [wanted]


@pytest.mark.parametrize("name", ["key_id", "user_id", "credential_id"])
def test_a_filter_for_what_is_no_id_finds_nothing(engine: Engine, name: str) -> None:
    """Not the rows that have none."""
    a_row(engine, NOON)
    filters: dict[str, Any] = {name: NO_ID}
    assert logs.find(engine, LogFilters(**filters)).items == []


def test_rows_are_read_in_parts_while_others_come(engine: Engine) -> None:
    """No row twice, none left out."""
    ids = [a_row(engine, NOON + timedelta(seconds=number)) for number in range(5)]
    first = logs.find(engine, LogFilters(), limit=2)
    a_row(engine, NOON + timedelta(hours=1))
    second = logs.find(engine, LogFilters(), cursor=first.next_cursor, limit=3)
    assert [str(row.id) for row in (*first.items, *second.items)] == list(reversed(ids))
    assert second.next_cursor is None


def test_what_keys_have_spent_is_summed_exactly(engine: Engine) -> None:
    """From a moment on, per key; a key without rows is not in the sum."""
    other = str(uuid7())
    for at, key, amount in (
        (NOON, KEY, "0.1"),
        (NOON, KEY, "0.2"),
        (NOON, other, "5"),
        (NOON - timedelta(1), KEY, "9"),
    ):
        a_row(engine, at, key_id=key, cost=cost_of(amount))
    a_row(engine, NOON, key_id=KEY)
    assert logs.spent_by_keys(engine, [KEY, other, str(uuid7())], NOON) == {
        KEY: (Decimal("0.3"), 3), other: (Decimal(5), 1),
    }  # fmt: skip


def test_a_row_that_is_not_there(engine: Engine) -> None:
    """By no id."""
    assert logs.get(engine, NO_ID) is None
    assert logs.get(engine, UNKNOWN_ID) is None
