"""`ccrouter check-totals`: what differs is named and made right; what is equal is said to be."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from ccrouter.cli import cli
from ccrouter.ids import request_id_of, uuid7
from ccrouter.metering.record import CallRecord, Cost, encode_record
from ccrouter.storage import logs, partitions
from ccrouter.storage.partitions import month_of
from ccrouter.storage.totals import differences, make_anew

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = str(uuid7())

Check = Callable[..., Result]


@pytest.fixture
def check(database_url: str) -> Check:
    """The command on the test's database."""

    def run(*arguments: str) -> Result:
        return CliRunner(env={"DATABASE_URL": database_url}).invoke(cli, ["check-totals", *arguments])

    return run


def a_line(at: datetime = NOON, **fields: Any) -> bytes:
    """A record that cost a quarter."""
    record_id, zero = uuid7(at), Decimal(0)
    cost = Cost(
        total=Decimal("0.25"), input=Decimal("0.25"), output=zero, cache_read=zero, cache_write=zero, other=zero,
        rates={}, currency="USD", price_version="v",
    )  # fmt: skip
    values: dict[str, Any] = {
        "id": record_id, "at": at, "kind": "messages", "request_id": request_id_of(record_id), "key_id": KEY,
        "model": "m", "cost": cost, "cost_state": "priced",
    }  # fmt: skip
    return encode_record(CallRecord(**(values | fields)))


def change(engine: Engine, statement: str) -> None:
    """Does by hand what nobody should."""
    with engine.begin() as connection:
        connection.execute(text(statement))


def test_equal_sums_are_said_to_be(engine: Engine, check: Check) -> None:
    """With what the month holds; exit code 0."""
    logs.insert_many(engine, [a_line(), a_line(NOON + timedelta(hours=2), model="n")])
    found = check()
    assert found.exit_code == 0, found.output
    assert "2026-11: 2 requests, 0.5 USD: rows and sums are equal" in found.output


def test_what_differs_is_named_and_repaired(engine: Engine, check: Check) -> None:
    """The hour, the key, the model, and what each side says; exit code 1 until it is repaired."""
    tampered = {
        "UPDATE usage_hours SET requests = 5, ok = 5": "requests: rows 1, sums 5; ok: rows 1, sums 5",
        "DELETE FROM usage_hours": "requests: rows 1, sums 0; ok: rows 1, sums 0",
        "DELETE FROM request_log": "cost: rows 0, sums 0.2500000000",
        "UPDATE request_log SET cost_total = 0.2500000001": "cost: rows 0.2500000001, sums 0.2500000000",
        "UPDATE usage_hours SET latency_buckets[1] = 7": "latencies are counted otherwise",
    }
    whose = {statement: str(uuid7()) for statement in tampered}
    logs.insert_many(engine, [a_line(), *(a_line(key_id=key) for key in whose.values())])
    for statement, key in whose.items():
        change(engine, f"{statement} WHERE key_id = '{key}'")
    found = check()
    assert found.exit_code == 1
    for statement, said in tampered.items():
        (line,) = [line for line in found.output.splitlines() if whose[statement] in line]
        assert line.startswith(f"2026-11-23T12:00:00.000Z key {whose[statement]}, model m: ")
        assert said in line
    assert "5 sums differ" in found.output
    repaired = check("--month", "2026-11", "--repair")
    assert (repaired.exit_code, "5 sums differ, repaired" in repaired.output) == (0, True), repaired.output
    assert check().exit_code == 0


def test_what_was_made_of_a_sum_that_goes_is_made_anew(engine: Engine, check: Check) -> None:
    """Its hour is marked, although no other sum comes in its place."""
    logs.insert_many(engine, [a_line()])
    change(engine, "DELETE FROM request_log")
    change(engine, "DELETE FROM usage_stale")
    assert check("--repair").exit_code == 0
    with engine.connect() as connection:
        assert set(connection.execute(text("SELECT hour FROM usage_stale")).scalars()) == {NOON}


def test_a_month_whose_rows_were_dropped_is_not_looked_at(engine: Engine, check: Check) -> None:
    """Its sums are all there is of it, and stay."""
    old = NOON - timedelta(days=100)
    partitions.make(engine, [month_of(old)])
    logs.insert_many(engine, [a_line(old), a_line()])
    partitions.drop_before(engine, NOON)
    found = check("--repair")
    assert found.exit_code == 0, found.output
    assert f"{old:%Y-%m}" not in found.output
    assert logs.spent_since(engine, None, key_id=KEY) == Decimal("0.5")
    asked = check("--month", f"{old:%Y-%m}")
    assert (asked.exit_code, "there are no rows" in asked.output) == (2, True)
    assert "is no month" in check("--month", "November").output


def test_sums_are_made_anew_while_requests_end(engine: Engine) -> None:
    """None is left out or counted twice."""
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            logs.insert_many(engine, [a_line() for _ in range(5)])

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for _ in range(10):
        make_anew(engine, NOON, NOON + timedelta(hours=1))
        assert differences(engine, NOON, NOON + timedelta(hours=1)) == []
    stop.set()
    for writer in writers:
        writer.join()
    assert differences(engine, NOON, NOON + timedelta(hours=1)) == []
