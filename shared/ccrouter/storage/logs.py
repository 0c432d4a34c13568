"""The request log: many records in one statement, one by its id, and what they have cost."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Column, Engine, func, select
from sqlalchemy.dialects import postgresql

from ccrouter.messages.usage import Usage
from ccrouter.metering.record import Attempt, CallRecord, Cost, Timings
from ccrouter.storage.rollups import COUNTED_KINDS, NEEDED_COLUMNS, adding
from ccrouter.storage.rows import uuid_of
from ccrouter.storage.tables import request_log, usage_hours

_POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]
_USAGE = tuple(field.name for field in msgspec.structs.fields(Usage))
RECORD = [column for column in request_log.columns if column.name != "stored_at"]
"""What a record is made of: all columns but the moment it was stored, which the database sets."""
_COLUMNS = [column.name for column in RECORD]

_READ = {
    **{name: f"(r.usage->>'{name}')::bigint" for name in _USAGE},
    "cost_total": "(r.cost->>'total')::numeric",
}
_FIELDS = ", ".join(
    f'"{field.name}" ' + ("jsonb" if field.name == "usage" else str(request_log.c[field.name].type.compile(_POSTGRES)))
    for field in msgspec.structs.fields(CallRecord)
)
_STORE = (
    f"WITH stored AS (INSERT INTO request_log ({', '.join(_COLUMNS)}) "  # noqa: S608 - names of this module's own columns
    f"SELECT {', '.join(_READ.get(name, f'r.{name}') for name in _COLUMNS)} "
    f"FROM jsonb_to_recordset(E'RECORDS'::jsonb) AS r({_FIELDS}) ORDER BY r.id ON CONFLICT (id) DO NOTHING "
    f"RETURNING {', '.join(NEEDED_COLUMNS)}) {adding('stored')}"
).partition("RECORDS")
"""One statement, whatever the number of records.

A record that is there already stays as it is and is not summed again, so that a batch may be sent twice. The records
stand in it as one literal: for a parameter the driver would search all of the text, letter by letter, each time."""


def insert_many(engine: Engine, lines: Sequence[bytes]) -> None:
    """Stores records with their sums, each given as its JSON line (`metering.record.encode_record`); those already
    there stay.

    A record one of whose texts PostgreSQL cannot hold (U+0000) is stored without that character.
    """
    records = b"[" + b",".join(lines) + b"]"
    if b"\\u0000" in records:
        records = msgspec.json.encode(_without_nul(msgspec.json.decode(records)))
    before, _, after = _STORE
    literal = records.decode().replace("\\", "\\\\").replace("'", "''")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"{before}{literal}{after}")


def stored(engine: Engine, record_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these have a row."""
    with engine.connect() as connection:
        return set(connection.execute(select(request_log.c.id).where(request_log.c.id.in_(record_ids))).scalars())


def get(engine: Engine, record_id: str) -> CallRecord | None:
    """The record with this id."""
    with engine.connect() as connection:
        row = connection.execute(select(*RECORD).where(request_log.c.id == uuid_of(record_id))).one_or_none()
    return None if row is None else record_of(row)


def record_of(row: Any) -> CallRecord:
    """The record of a row that has the columns RECORD, and perhaps others."""
    values = {name: getattr(row, name) for name in _COLUMNS if name != "cost_total"}
    counts = {name: values.pop(name) for name in _USAGE}
    for name in ("key_id", "user_id", "credential_id"):
        values[name] = None if values[name] is None else str(values[name])
    return CallRecord(
        **{
            **values,
            "usage": None if counts["input_tokens"] is None else Usage(**counts),
            "cost": None if row.cost is None else msgspec.convert(row.cost, Cost),
            "timings": msgspec.convert(row.timings, Timings),
            "attempts": msgspec.convert(row.attempts, list[Attempt]),
        }
    )


def spent_by_keys(engine: Engine, key_ids: Sequence[str], since: datetime) -> dict[str, tuple[Decimal, int]]:
    """What each of these keys has cost since a full hour, in USD, and in how many requests."""
    return _spent_by(engine, usage_hours.c.key_id, key_ids, since)


def spent_by_users(engine: Engine, user_ids: Sequence[str], since: datetime) -> dict[str, tuple[Decimal, int]]:
    """The same for users."""
    return _spent_by(engine, usage_hours.c.user_id, user_ids, since)


def _spent_by(
    engine: Engine, column: Column[Any], ids: Sequence[str], since: datetime
) -> dict[str, tuple[Decimal, int]]:
    sums = usage_hours.c
    with engine.connect() as connection:
        rows = connection.execute(
            select(column, func.sum(sums.cost), func.sum(sums.requests))
            .where(column.in_([uuid_of(text) for text in ids]), sums.hour >= since)
            .group_by(column)
        ).all()
    return {str(found_id): (Decimal(cost), int(requests)) for found_id, cost, requests in rows}


def spent_by_windows(
    engine: Engine, begins: Sequence[datetime | None], *, key_id: str | None = None, user_id: str | None = None
) -> list[Decimal]:
    """The same as `spent_since` for several beginnings at once, in their order."""
    sums = usage_hours.c
    columns = [
        func.coalesce(func.sum(sums.cost), 0)
        if begin is None
        else func.coalesce(func.sum(sums.cost).filter(sums.hour >= begin), 0)
        for begin in begins
    ]
    column, whose = ("key_id", key_id) if key_id else ("user_id", user_id or "")
    with engine.connect() as connection:
        return [
            Decimal(total) for total in connection.execute(select(*columns).where(sums[column] == uuid_of(whose))).one()
        ]


def spent_since(
    engine: Engine,
    since: datetime | None,
    *,
    key_id: str | None = None,
    user_id: str | None = None,
    without: Sequence[str] = (),
) -> Decimal:
    """What a key or a user has cost since a full hour (None: ever, also by rows that are gone), in USD, exactly.

    Requests with the ids of `without` are left out, whether they are in the log already or not.
    """
    sums, log = usage_hours.c, request_log.c
    column, whose = ("key_id", key_id) if key_id else ("user_id", user_id or "")
    total = select(func.coalesce(func.sum(sums.cost), 0)).where(sums[column] == uuid_of(whose))
    left_out = select(func.coalesce(func.sum(log.cost_total), 0)).where(
        log.id.in_([uuid_of(item) for item in without]), log[column] == uuid_of(whose), log.kind.in_(COUNTED_KINDS)
    )
    if since is not None:
        total, left_out = total.where(sums.hour >= since), left_out.where(log.at >= since)
    # In one statement, so that both see the same rows.
    both = select(total.scalar_subquery() - left_out.scalar_subquery()) if without else total
    with engine.connect() as connection:
        return Decimal(connection.execute(both).scalar_one())


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return value
