"""Deletion in three steps, the same for every kind of object: out of use, restored or purged, remembered as purged.

What is deleted keeps its row for 30 days, so that it can come back. What is purged leaves a tombstone, which knows no
more than that there was such an object, whose it was and when it went.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update

from ccrouter.clock import utc_now
from ccrouter.storage import audit
from ccrouter.storage.rows import begun, uuid_of
from ccrouter.storage.tables import api_keys, credentials, tombstones, users

KEPT = timedelta(days=30)
"""`product.md` §7: how long what was deleted can be restored."""
BY_ITSELF = "retention"
"""Who purges after that time, in the audit log."""


@dataclass(frozen=True)
class Deletable:
    """A kind of object that is deleted this way: its table has `id`, `updated_at` and `deleted_at`.

    `owner` names the column that says whose it is, `called` the one people know it by. `before_purge` takes along what
    cannot stay without it.
    """

    kind: str
    table: Table
    owner: str | None = None
    called: str = "name"
    before_purge: Callable[[Connection, UUID], None] | None = None


KEYS = Deletable("key", api_keys, "owner_id")
CREDENTIALS = Deletable("credential", credentials)


def _purge_keys(connection: Connection, owner_id: UUID) -> None:
    mine = api_keys.c.owner_id == owner_id
    # A key that was in use until its owner went, went with the owner.
    connection.execute(update(api_keys).where(mine, api_keys.c.deleted_at.is_(None)).values(deleted_at=utc_now()))
    for key_id in connection.execute(select(api_keys.c.id).where(mine)).scalars().all():
        _purge(connection, KEYS, key_id)


USERS = Deletable("user", users, called="login", before_purge=_purge_keys)
DELETABLES = (KEYS, CREDENTIALS, USERS)
"""What is purged by itself after `KEPT`."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where an object is on its way out: in use with neither moment, deleted, or purged."""

    owner_id: str | None
    name: str | None = None
    deleted_at: datetime | None = None
    purged_at: datetime | None = None


def standing_of(connection: Connection, what: Deletable, object_id: str) -> Standing | None:
    """How an object stands, None where there never was one; its row is held until the transaction ends."""
    wanted = uuid_of(object_id)
    if wanted is None:
        return None
    row = connection.execute(select(what.table).where(what.table.c.id == wanted).with_for_update()).one_or_none()
    if row is not None:
        return Standing(owner_id=_owner_of(what, row), name=getattr(row, what.called), deleted_at=row.deleted_at)
    gone = connection.execute(
        select(tombstones).where(tombstones.c.kind == what.kind, tombstones.c.id == wanted)
    ).one_or_none()
    if gone is None:
        return None
    return Standing(
        owner_id=None if gone.owner_id is None else str(gone.owner_id),
        deleted_at=gone.deleted_at,
        purged_at=gone.purged_at,
    )


def soft_delete(
    place: Engine | Connection, what: Deletable, object_id: str, *, if_updated_at: datetime | None = None
) -> bool:
    """Takes an object out of use and out of the lists; False where there is none or it has changed."""
    table = what.table
    statement = update(table).where(table.c.id == uuid_of(object_id), table.c.deleted_at.is_(None))
    if if_updated_at is not None:
        statement = statement.where(table.c.updated_at == if_updated_at)
    return _changed(place, statement.values(deleted_at=utc_now(), updated_at=func.clock_timestamp()))


def restore(place: Engine | Connection, what: Deletable, object_id: str) -> bool:
    """Brings a deleted object back as it was; False where none is deleted."""
    table = what.table
    statement = update(table).where(table.c.id == uuid_of(object_id), table.c.deleted_at.is_not(None))
    return _changed(place, statement.values(deleted_at=None, updated_at=func.clock_timestamp()))


def purge(place: Engine | Connection, what: Deletable, object_id: str) -> bool:
    """Ends a deleted object for good and leaves its tombstone; False where none is deleted."""
    wanted = uuid_of(object_id)
    with begun(place) as connection:
        return wanted is not None and _purge(connection, what, wanted)


def purge_expired(engine: Engine, now: datetime) -> int:
    """Purges all that was deleted more than `KEPT` ago, each with its audit entry; says how many."""
    purged = 0
    for what in DELETABLES:
        table = what.table
        with engine.connect() as connection:
            found = connection.execute(
                select(table.c.id, table.c[what.called]).where(table.c.deleted_at < now - KEPT)
            ).all()
        for object_id, name in found:
            # Each by itself: who is restored meanwhile, or cannot go, does not keep the others.
            with engine.begin() as connection:
                if _purge(connection, what, object_id, deleted_before=now - KEPT):
                    purged += 1
                    audit.note(
                        connection,
                        actor=BY_ITSELF,
                        action=f"{what.kind}.purge",
                        kind=what.kind,
                        object_id=str(object_id),
                        before={"name": name},
                    )
    return purged


def _purge(connection: Connection, what: Deletable, object_id: UUID, deleted_before: datetime | None = None) -> bool:
    table = what.table
    condition = table.c.deleted_at.is_not(None) if deleted_before is None else table.c.deleted_at < deleted_before
    row = connection.execute(
        select(table).where(table.c.id == object_id, condition).with_for_update()
    ).one_or_none()  # fmt: skip
    if row is None:
        return False
    if what.before_purge is not None:
        what.before_purge(connection, object_id)
    connection.execute(delete(table).where(table.c.id == object_id))
    connection.execute(
        insert(tombstones).values(
            kind=what.kind,
            id=object_id,
            owner_id=None if what.owner is None else getattr(row, what.owner),
            deleted_at=row.deleted_at,
            purged_at=utc_now(),
        )
    )
    return True


def _changed(place: Engine | Connection, statement: Any) -> bool:
    with begun(place) as connection:
        return bool(connection.execute(statement).rowcount)


def _owner_of(what: Deletable, row: Any) -> str | None:
    owner = None if what.owner is None else getattr(row, what.owner)
    return None if owner is None else str(owner)
