"""The audit log: who changed what, when, and what it was before. Nothing in it can be changed."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, insert, select

from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage.rows import Page, first_id_at, read_page, uuid_of
from ccrouter.storage.tables import audit
from ccrouter.storage.users import User

SECRETS = frozenset(
    {
        "auth", "auth_sealed", "password", "password_hash", "digest", "secret", "client_secret", "access_token",
        "refresh_token", "api_key", "auth_token", "key",
    }
)  # fmt: skip
"""Members whose values never come into an entry, at whatever depth; that they changed does."""
HIDDEN = "(hidden)"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `actor_id` None: not a person; `actor` then says what it was, such as `command line`."""

    id: str
    at: datetime
    actor_id: str | None
    actor: str
    action: str
    kind: str
    object_id: str | None
    failed: bool
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    client_ip: str | None


class AuditFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries a list holds; None asks nothing. `actor` is a user's id, or a name."""

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    action: str | None = None
    kind: str | None = None
    object_id: str | None = None
    failed: bool | None = None


def note(
    connection: Connection,
    *,
    actor: User | str,
    action: str,
    kind: str,
    object_id: str | None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    client_ip: str | None = None,
    failed: bool = False,
) -> None:
    """Writes an entry in the transaction of the change it tells of.

    `actor` is a user, or the name of what acted without one. `action` is written `key.change`: the kind, then what was
    done. Of `before` and `after` together only the members that differ are kept, and secrets never.
    """
    was, became = _json(before), _json(after)
    if was is not None and became is not None:
        same = {name for name in was.keys() & became.keys() if was[name] == became[name]}
        was = {name: value for name, value in was.items() if name not in same}
        became = {name: value for name, value in became.items() if name not in same}
    connection.execute(
        insert(audit).values(
            id=uuid7(),
            at=utc_now(),
            actor_id=uuid_of(actor.id) if isinstance(actor, User) else None,
            actor=actor.login if isinstance(actor, User) else actor,
            action=action,
            kind=kind,
            object_id=object_id,
            failed=failed,
            before=_without_secrets(was),
            after=_without_secrets(became),
            client_ip=client_ip,
        )
    )


def find(engine: Engine, filters: AuditFilters, *, cursor: str | None = None, limit: int = 50) -> Page[Entry]:
    """Entries, newest first. Raises ValueError for a bad cursor."""
    query = select(audit)
    if filters.since is not None:
        query = query.where(audit.c.id >= first_id_at(filters.since))
    if filters.until is not None:
        query = query.where(audit.c.id < first_id_at(filters.until))
    if filters.actor is not None:
        actor_id = uuid_of(filters.actor)
        query = query.where(audit.c.actor == filters.actor if actor_id is None else audit.c.actor_id == actor_id)
    for name in ("action", "kind", "object_id", "failed"):
        if (value := getattr(filters, name)) is not None:
            query = query.where(audit.c[name] == value)
    with engine.connect() as connection:
        return read_page(connection, query, audit.c.id, cursor, limit, _entry_of)


def _json(members: dict[str, Any] | None) -> dict[str, Any] | None:
    """The same members as JSON holds them: moments, ids and amounts as texts."""
    plain: dict[str, Any] | None = msgspec.to_builtins(members)
    return plain


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: HIDDEN if name in SECRETS and item is not None else _without_secrets(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value


def _entry_of(row: Any) -> Entry:
    values = row._asdict()
    return Entry(**{**values, "id": str(row.id), "actor_id": None if row.actor_id is None else str(row.actor_id)})
