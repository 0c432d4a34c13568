"""Captures in the database: one sealed row for a request, found by the request's id."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.postgresql import insert

from ccrouter.captures.legs import is_wanted
from ccrouter.clock import utc_now
from ccrouter.metering.record import CallRecord
from ccrouter.storage import site_settings
from ccrouter.storage.rows import first_id_at, uuid_of
from ccrouter.storage.site_settings import Retention
from ccrouter.storage.tables import captures

State = Literal["none", "pending", "stored", "dropped", "expired"]
"""What became of a request's capture; `none`: none was wanted."""

_ON_ITS_WAY = timedelta(minutes=2)
"""A capture is stored or dropped within this time (`capture_queue`)."""
_AT_ONCE = 500
"""How many rows one statement deletes: each is large, and nobody should wait for its end."""


def store(engine: Engine, capture_id: UUID, sealed: bytes) -> None:
    """Keeps a capture; one that is there already stays."""
    with engine.begin() as connection:
        connection.execute(
            insert(captures).values(id=capture_id, sealed=sealed).on_conflict_do_nothing(index_elements=["id"])
        )


def get(engine: Engine, record_id: str) -> bytes | None:
    """The sealed capture of the request with this id."""
    with engine.connect() as connection:
        return connection.execute(
            select(captures.c.sealed).where(captures.c.id == uuid_of(record_id))
        ).scalar_one_or_none()


def stored_of(engine: Engine, record_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of these requests that have a capture."""
    if not record_ids:
        return frozenset()
    with engine.connect() as connection:
        return frozenset(connection.execute(select(captures.c.id).where(captures.c.id.in_(record_ids))).scalars())


def delete_before(engine: Engine, moment: datetime) -> int:
    """Deletes captures of requests before a moment; returns how many there were."""
    deleted = 0
    while True:
        with engine.begin() as connection:
            # Ids carry the time they were made (`ccrouter.ids`).
            oldest = select(captures.c.id).where(captures.c.id < first_id_at(moment)).order_by(captures.c.id)
            count = connection.execute(delete(captures).where(captures.c.id.in_(oldest.limit(_AT_ONCE)))).rowcount
        deleted += count
        if count < _AT_ONCE:
            return deleted


def kept_days(engine: Engine) -> int:
    """For how many days captures are kept: `retention.capture_days` of the settings."""
    return site_settings.read_topic(engine, Retention).capture_days


def states_of(engine: Engine, rows: Collection[CallRecord]) -> dict[UUID, State]:
    """What became of the captures of these requests, by their ids."""
    wanted = [row for row in rows if row.capture is not None]
    stored = stored_of(engine, [row.id for row in wanted])
    states: dict[UUID, State] = {row.id: "stored" if row.id in stored else "none" for row in rows}
    missing = [row for row in wanted if row.id not in stored and is_wanted(row.capture, row.status)]
    if missing:
        now, kept = utc_now(), timedelta(days=kept_days(engine))
        for row in missing:
            ended = row.at + timedelta(milliseconds=row.duration_ms)
            is_new = row.status == "running" or now - ended < _ON_ITS_WAY
            states[row.id] = "pending" if is_new else "expired" if now - row.at >= kept else "dropped"
    return states
