"""API keys as stored: for the admin door to manage, and for the proxy to find by the hash of a secret."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Select, and_, any_, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONPATH

from ccrouter.access import keys as access
from ccrouter.access.limits import read_limits
from ccrouter.captures.legs import Mode
from ccrouter.ids import uuid7
from ccrouter.routing.mapping import read_mapping
from ccrouter.storage import tombstones
from ccrouter.storage.rows import Page, begun, read_page, uuid_of
from ccrouter.storage.tables import api_keys, users

CHANGEABLE = frozenset(
    {
        "name", "enabled", "expires_at", "tags", "mapping", "limits", "allowed_models", "allowed_clients",
        "allowed_ips", "capture", "note",
    }
)  # fmt: skip
"""The columns a caller may set."""

_NO_FORMER: dict[str, Any] = {"former_digest": None, "former_until": None}
_OF_PLATFORM = literal("$.**.platform ? (@ == $platform)").cast(JSONPATH)


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as stored, with its owner; the secret is not in it, only the part that is shown and the hash."""

    id: str
    name: str
    prefix: str
    digest: str
    owner_id: str
    owner_login: str
    owner_name: str | None
    enabled: bool
    expires_at: datetime | None
    tags: list[str]
    mapping: dict[str, Any]
    limits: dict[str, Any]
    allowed_models: list[str]
    allowed_clients: list[str]
    allowed_ips: list[str]
    capture: Mode
    note: str | None
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None
    deleted_at: datetime | None
    former_digest: str | None = None
    former_until: datetime | None = None

    @property
    def digests(self) -> list[str]:
        """The hashes of every secret that this key has, or had until a moment that may have come."""
        return [self.digest] if self.former_digest is None else [self.digest, self.former_digest]


class KeyFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Which keys a list holds; None asks nothing.

    `q` is part of a name, note, tag, prefix or owner; `owner` an id or login; `platform` one that the key's own mapping
    names.
    """

    owner_id: str | None = None
    deleted: bool = False
    q: str | None = None
    tag: str | None = None
    owner: str | None = None
    enabled: bool | None = None
    platform: str | None = None


_EVERY = KeyFilters()


def create(place: Engine | Connection, owner_id: str, secret: str, fields: dict[str, Any]) -> StoredKey:
    """Stores a key of this owner. `fields`: members of CHANGEABLE, `name` at least."""
    key_id = uuid7()
    with begun(place) as connection:
        connection.execute(
            insert(api_keys).values(
                id=key_id,
                owner_id=uuid_of(owner_id),
                prefix=secret[: access.SHOWN],
                digest=access.digest(secret),
                **_checked(fields),
            )
        )
        found = _one(connection, api_keys.c.id == key_id)
    assert found is not None  # noqa: S101 - inserted above, in the same transaction
    return found


def get(place: Engine | Connection, key_id: str) -> StoredKey | None:
    """The key with this id, deleted ones included."""
    with begun(place) as connection:
        return _one(connection, api_keys.c.id == uuid_of(key_id))


def hold(connection: Connection, key_id: str) -> StoredKey | None:
    """The key with this id, deleted ones included; nobody else changes it until the transaction ends."""
    connection.execute(select(api_keys.c.id).where(api_keys.c.id == uuid_of(key_id)).with_for_update())
    return _one(connection, api_keys.c.id == uuid_of(key_id))


def find(
    engine: Engine, filters: KeyFilters = _EVERY, *, cursor: str | None = None, limit: int = 50
) -> Page[StoredKey]:
    """Keys, newest first. Raises ValueError for a bad cursor."""
    with engine.connect() as connection:
        return read_page(connection, _filtered(_joined(), filters), api_keys.c.id, cursor, limit, _key_of)


def not_deleted(place: Engine | Connection) -> list[StoredKey]:
    """All keys that are not deleted, the first ones first."""
    with begun(place) as connection:
        rows = connection.execute(_joined().where(api_keys.c.deleted_at.is_(None)).order_by(api_keys.c.id))
        return [_key_of(row) for row in rows]


def change(
    place: Engine | Connection, key_id: str, fields: dict[str, Any], *, if_updated_at: datetime | None = None
) -> bool:
    """Sets members of CHANGEABLE; False where there is no such key, or it has changed since `if_updated_at`.

    To disable a key ends its former secret for good.
    """
    statement = update(api_keys).where(api_keys.c.id == uuid_of(key_id), api_keys.c.deleted_at.is_(None))
    if if_updated_at is not None:
        statement = statement.where(api_keys.c.updated_at == if_updated_at)
    ended = _NO_FORMER if fields.get("enabled") is False else {}
    with begun(place) as connection:
        return bool(
            connection.execute(
                statement.values(updated_at=func.clock_timestamp(), **_checked(fields), **ended)
            ).rowcount
        )


def replace_secret(
    place: Engine | Connection, key_id: str, secret: str, *, former_until: datetime | None = None
) -> bool:
    """Puts another secret in force; the former one ends now or then, an older one now. False where no such key is."""
    former = _NO_FORMER if former_until is None else {"former_digest": api_keys.c.digest, "former_until": former_until}
    with begun(place) as connection:
        return bool(
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == uuid_of(key_id), api_keys.c.deleted_at.is_(None))
                .values(
                    digest=access.digest(secret),
                    prefix=secret[: access.SHOWN],
                    updated_at=func.clock_timestamp(),
                    **former,
                )
            ).rowcount
        )


def soft_delete(place: Engine | Connection, key_id: str, *, if_updated_at: datetime | None = None) -> bool:
    """Takes a key out of use and out of the lists; False where there is no such key or it has changed."""
    return tombstones.soft_delete(place, tombstones.KEYS, key_id, if_updated_at=if_updated_at)


def find_by_digest(engine: Engine, digest: str) -> access.ApiKey | None:
    """The key of this secret's hash as the proxy needs it; a deleted key is unknown.

    By a former secret it expires when that one does.
    """
    with engine.connect() as connection:
        row = connection.execute(
            _joined()
            .add_columns(
                and_(users.c.status == "active", users.c.deleted_at.is_(None)).label("owner_active"),
                users.c.limits.label("owner_limits"),
            )
            .where(
                or_(
                    api_keys.c.digest == digest,
                    (api_keys.c.former_digest == digest) & (api_keys.c.former_until > func.clock_timestamp()),
                ),
                api_keys.c.deleted_at.is_(None),
            )
        ).one_or_none()
    if row is None:
        return None
    ends = [moment for moment in (row.expires_at, None if row.digest == digest else row.former_until) if moment]
    return access.ApiKey(
        id=str(row.id),
        name=row.name,
        owner_id=str(row.owner_id),
        owner_login=row.owner_login,
        owner_active=row.owner_active,
        enabled=row.enabled,
        expires_at=min(ends, default=None),
        mapping=read_mapping(row.mapping),
        allowed_models=tuple(row.allowed_models),
        allowed_clients=tuple(row.allowed_clients),
        allowed_ips=tuple(row.allowed_ips),
        limits=read_limits(row.limits),
        owner_limits=read_limits(row.owner_limits),
        capture=row.capture,
    )


def touch_last_used(engine: Engine, used: dict[str, datetime]) -> None:
    """Notes when keys (by id) were last used; an older time never replaces a newer one."""
    if not used:
        return
    with engine.begin() as connection:
        for key_id, at in sorted(used.items()):
            # Sorted, so that two processes lock the rows in the same order.
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == uuid_of(key_id))
                .values(last_used_at=func.greatest(func.coalesce(api_keys.c.last_used_at, at), at))
            )


def _filtered(query: Select[Any], filters: KeyFilters) -> Select[Any]:
    key = api_keys.c
    query = query.where(key.deleted_at.is_not(None) if filters.deleted else key.deleted_at.is_(None))
    if filters.owner_id is not None:
        query = query.where(key.owner_id == uuid_of(filters.owner_id))
    if filters.owner is not None:
        owner_id = uuid_of(filters.owner)
        query = query.where(users.c.login == filters.owner if owner_id is None else key.owner_id == owner_id)
    if filters.enabled is not None:
        query = query.where(key.enabled.is_(filters.enabled))
    if filters.tag is not None:
        query = query.where(literal(filters.tag) == any_(key.tags))
    if filters.platform is not None:
        wanted = func.jsonb_build_object("platform", filters.platform)
        query = query.where(func.jsonb_path_exists(key.mapping, _OF_PLATFORM, wanted))
    if filters.q is not None:
        texts = (key.name, key.note, key.prefix, users.c.login, users.c.name, func.array_to_string(key.tags, "\n"))
        query = query.where(or_(*(column.icontains(filters.q, autoescape=True) for column in texts)))
    return query


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    if unknown := set(fields) - CHANGEABLE:
        raise ValueError(f"a key has no changeable member {min(unknown)}")
    return fields


def _joined() -> Select[Any]:
    return select(api_keys, users.c.login.label("owner_login"), users.c.name.label("owner_name")).join(
        users, users.c.id == api_keys.c.owner_id
    )


def _one(connection: Connection, condition: Any) -> StoredKey | None:
    row = connection.execute(_joined().where(condition)).one_or_none()
    return None if row is None else _key_of(row)


def _key_of(row: Any) -> StoredKey:
    values = row._asdict()
    return StoredKey(**{**values, "id": str(row.id), "owner_id": str(row.owner_id)})
