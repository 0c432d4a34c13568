"""Hourly sums: exactly what the rows say, whoever writes them and however often."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, select, text

from ccrouter.ids import request_id_of, uuid7
from ccrouter.messages.usage import Usage
from ccrouter.metering.record import CallRecord, Cost, encode_record
from ccrouter.storage import logs
from ccrouter.storage.migrations.versions import r0005_hourly_sums
from ccrouter.storage.rollups import LATENCY_BOUNDS_MS
from ccrouter.storage.tables import usage_hours
from ccrouter.storage.totals import differences

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEYS = [str(uuid7()) for _ in range(3)]
USER = str(uuid7())


def a_line(at: datetime = NOON, **fields: Any) -> bytes:
    """A record as it is stored."""
    record_id = uuid7(at)
    values: dict[str, Any] = {"id": record_id, "at": at, "kind": "messages", "request_id": request_id_of(record_id)}
    return encode_record(CallRecord(**(values | fields)))


def a_cost(amount: str) -> Cost:
    """A cost of three parts."""
    third, zero = Decimal(amount) / 3, Decimal(0)
    return Cost(
        total=Decimal(amount), input=third, output=third, cache_read=zero, cache_write=third, other=zero,
        rates={}, currency="USD", price_version="v",
    )  # fmt: skip


def some_lines(number: int, at: datetime = NOON) -> list[bytes]:
    """Records of every sort."""
    chance = random.Random(number)
    return [
        a_line(
            at + timedelta(seconds=chance.randrange(3 * 3600)),
            kind=chance.choice(("messages", "messages", "test", "count_tokens")),
            status=chance.choice(("ok", "error", "aborted", "limited")),
            key_id=chance.choice([*KEYS, None]),
            user_id=chance.choice([USER, None]),
            platform=chance.choice(("anthropic", None)),
            model=chance.choice(("m", "n", None)),
            usage=chance.choice((None, Usage(input_tokens=number, cache_read_tokens=7, web_searches=1))),
            cost=chance.choice((None, a_cost("0.1234567890123"))),
            cost_state=chance.choice(("priced", "unpriced")),
            ttft_ms=chance.choice((None, 5)),
            duration_ms=chance.randrange(700_000),
        )
        for _ in range(number)
    ]


def sums(engine: Engine) -> list[Any]:
    """All sums there are."""
    with engine.connect() as connection:
        return list(connection.execute(select(usage_hours).order_by(usage_hours.c.hour)).all())


def assert_equal(engine: Engine) -> None:
    """The sums are those of the rows, and there are some."""
    assert sums(engine)
    assert differences(engine, NOON - timedelta(days=1), NOON + timedelta(days=2)) == []


def test_a_row_is_counted_in_its_hour(engine: Engine) -> None:
    """Each count, sum and bucket."""
    usage = Usage(
        input_tokens=1, output_tokens=2, cache_read_tokens=3, cache_write_5m_tokens=4, cache_write_1h_tokens=5,
        reasoning_tokens=6, web_searches=7,
    )  # fmt: skip
    fields: dict[str, Any] = {
        "key_id": KEYS[0], "user_id": USER, "platform": "anthropic", "model": "m", "credential_id": KEYS[1],
    }  # fmt: skip
    priced = a_line(
        NOON + timedelta(minutes=59), usage=usage, cost=a_cost("0.3"), ttft_ms=40, duration_ms=100, **fields
    )
    logs.insert_many(engine, [priced, a_line(status="error", cost_state="unpriced", duration_ms=99, **fields)])
    (row,) = sums(engine)
    assert (row.hour, str(row.key_id), str(row.user_id), str(row.credential_id)) == (NOON, KEYS[0], USER, KEYS[1])
    assert (row.requests, row.ok, row.errors, row.aborted, row.limited, row.unpriced) == (2, 1, 1, 0, 0, 1)
    assert usage == Usage(**{name: getattr(row, name) for name in Usage.__struct_fields__})
    assert (row.cost, row.cost_input, row.cost_cache_write, row.cost_other) == (
        Decimal("0.3"), Decimal("0.1"), Decimal("0.1"), 0,
    )  # fmt: skip
    assert (row.duration_ms_sum, row.ttft_ms_sum, row.ttft_count) == (199, 40, 1)
    assert row.latency_buckets == [1, 1, *[0] * (len(LATENCY_BOUNDS_MS) - 1)]
    assert_equal(engine)


def test_token_counts_are_not_summed(engine: Engine) -> None:
    """They cost nothing and would drown the others."""
    logs.insert_many(engine, [a_line(kind="count_tokens")])
    assert sums(engine) == []


def test_rows_without_a_key_share_a_sum(engine: Engine) -> None:
    """Nobody is equal to nobody."""
    logs.insert_many(engine, [a_line(status="error")])
    logs.insert_many(engine, [a_line(status="error")])
    assert [row.requests for row in sums(engine)] == [2]


@pytest.mark.parametrize("again", [1, 2])
def test_a_record_that_comes_twice_counts_once(engine: Engine, again: int) -> None:
    """In one batch, in a later one beside new ones, and by itself."""
    lines = some_lines(20)
    logs.insert_many(engine, lines + lines[:5])
    for _ in range(again):
        logs.insert_many(engine, [*lines[10:], *some_lines(3)])
        logs.insert_many(engine, lines[:1])
    assert_equal(engine)


def test_writers_at_once_neither_deadlock_nor_lose_a_count(engine: Engine) -> None:
    """They write the same hours and the same records, each in another order."""
    lines = some_lines(300)

    def write(number: int) -> None:
        mine: Sequence[bytes] = random.Random(number).sample(lines, len(lines))
        for start in range(0, len(mine), 50):
            logs.insert_many(engine, mine[start : start + 50])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert_equal(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM request_log")).scalar_one() == 300


def test_what_differs_is_named(engine: Engine) -> None:
    """By the rows and by the sums, in hours that are asked for only."""
    logs.insert_many(engine, [a_line(key_id=KEYS[0]), a_line(NOON + timedelta(hours=5))])
    with engine.begin() as connection:
        connection.execute(text("UPDATE usage_hours SET requests = requests + 1"))
    found = differences(engine, NOON, NOON + timedelta(hours=1))
    assert [(item["says"], item["requests"], str(item["key_id"])) for item in found] == [
        ("rows", 1, KEYS[0]),
        ("sums", 2, KEYS[0]),
    ]


def test_the_migration_sums_the_rows_that_are_there(engine: Engine) -> None:
    """A log that was kept before there were sums."""
    logs.insert_many(engine, some_lines(50))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE usage_hours"))
        with Operations.context(MigrationContext.configure(connection)):
            r0005_hourly_sums.upgrade()
    assert_equal(engine)
