"""Rows of the request log for tests."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from ccrouter.ids import request_id_of, uuid7
from ccrouter.metering.record import CallRecord, Cost, encode_record
from ccrouter.storage import logs

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY, USER, CREDENTIAL = (f"01a20fa3-6f38-786d-a4d2-491bb8bb1a{number}" for number in (47, 48, 49))


def a_row(engine: Engine, at: datetime, **fields: Any) -> str:
    """A stored record; returns its id."""
    return some_rows(engine, [{"at": at, **fields}])[0]


def some_rows(engine: Engine, rows: list[dict[str, Any]]) -> list[str]:
    """Stored records; returns their ids."""
    records = []
    for row in rows:
        record_id = uuid7(row["at"])
        values: dict[str, Any] = {"id": record_id, "kind": "messages", "request_id": request_id_of(record_id)}
        records.append(CallRecord(**(values | row)))
    logs.insert_many(engine, [encode_record(record) for record in records])
    return [str(record.id) for record in records]


def cost_of(amount: str) -> Cost:
    """A cost of this amount."""
    zero = Decimal(0)
    return Cost(
        total=Decimal(amount), input=Decimal(amount), output=zero, cache_read=zero, cache_write=zero, other=zero,
        rates={}, currency="USD", price_version="v",
    )  # fmt: skip
