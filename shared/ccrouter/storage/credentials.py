"""Credentials as stored: sealed secrets, and the opened ones that routing uses."""

import logging
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, update

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import AuthError, Block, Credential, check_auth
from ccrouter.credentials.vault import Vault, VaultError
from ccrouter.ids import uuid7
from ccrouter.storage import tombstones
from ccrouter.storage.rows import Page, begun, read_page, uuid_of
from ccrouter.storage.tables import credentials

_log = logging.getLogger(__name__)

CHANGEABLE = frozenset({"name", "enabled", "base_url", "options", "priority", "weight", "max_concurrency", "models"})
"""The columns a caller may set; the secret is given apart, as `auth`."""

FROM_ENVIRONMENT = "environment"
"""Origin of the credential that follows CLAUDE_API_KEY."""


class StoredCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as stored, without its secret. `origin`: api or environment.

    A block with `blocked_until` ends by itself; one without holds until it is lifted.
    """

    id: str
    platform: str
    name: str
    enabled: bool
    base_url: str | None
    options: dict[str, Any]
    priority: int
    weight: int
    max_concurrency: int | None
    models: list[str] | None
    origin: str
    blocked_reason: str | None
    blocked_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    blocked_until: datetime | None

    def is_blocked(self, now: datetime) -> bool:
        """Whether a block holds."""
        return self.blocked_at is not None and (self.blocked_until is None or now < self.blocked_until)


_UNBLOCKED = {"blocked_reason": None, "blocked_at": None, "blocked_until": None}


def create(
    place: Engine | Connection,
    vault: Vault,
    platform: str,
    auth: dict[str, Any],
    fields: dict[str, Any],
    *,
    origin: str = "api",
) -> StoredCredential:
    """Stores a credential; its `auth` object is sealed. `fields`: members of CHANGEABLE, `name` at least."""
    credential_id = uuid7()
    with begun(place) as connection:
        row = connection.execute(
            insert(credentials)
            .values(
                id=credential_id,
                platform=platform,
                auth_sealed=_seal(vault, str(credential_id), auth),
                origin=origin,
                **_checked(fields),
            )
            .returning(credentials)
        ).one()
    return _credential_of(row)


def get(place: Engine | Connection, credential_id: str) -> StoredCredential | None:
    """The credential with this id, deleted ones included."""
    with begun(place) as connection:
        row = connection.execute(select(credentials).where(credentials.c.id == uuid_of(credential_id))).one_or_none()
    return None if row is None else _credential_of(row)


def find(
    engine: Engine, *, cursor: str | None = None, limit: int = 50, platform: str | None = None, deleted: bool = False
) -> Page[StoredCredential]:
    """Credentials, newest first, without their secrets. Raises ValueError for a bad cursor."""
    query = select(credentials).where(
        credentials.c.deleted_at.is_not(None) if deleted else credentials.c.deleted_at.is_(None)
    )
    if platform is not None:
        query = query.where(credentials.c.platform == platform)
    with engine.connect() as connection:
        return read_page(connection, query, credentials.c.id, cursor, limit, _credential_of)


def not_deleted(place: Engine | Connection) -> list[StoredCredential]:
    """All credentials that are not deleted, in use or not."""
    with begun(place) as connection:
        rows = connection.execute(select(credentials).where(credentials.c.deleted_at.is_(None))).all()
    return [_credential_of(row) for row in rows]


def change(
    place: Engine | Connection,
    vault: Vault,
    credential_id: str,
    fields: dict[str, Any],
    *,
    auth: dict[str, Any] | None = None,
    lifts_block: bool = False,
    if_updated_at: datetime | None = None,
) -> bool:
    """Sets members of CHANGEABLE and, where given, another secret, which lifts a block as `lifts_block` does.

    False where there is no such credential, or it has changed since `if_updated_at`.
    """
    values = dict(_checked(fields))
    if auth is not None:
        values["auth_sealed"] = _seal(vault, credential_id, auth)
    if auth is not None or lifts_block:
        values |= _UNBLOCKED
    return _update(place, credential_id, values, if_updated_at)


def soft_delete(place: Engine | Connection, credential_id: str, *, if_updated_at: datetime | None = None) -> bool:
    """Takes a credential out of use; False where there is no such credential or it has changed."""
    return tombstones.soft_delete(place, tombstones.CREDENTIALS, credential_id, if_updated_at=if_updated_at)


def block(
    engine: Engine,
    credential_id: str,
    reason: str,
    *,
    until: datetime | None = None,
    version: bytes = b"",
) -> bool:
    """Takes a credential out of use until then, or until somebody gives it another secret or lifts the block.

    False where its secret is not the one of this `Credential.version` any more: what was refused is gone.
    """
    values = {"blocked_reason": reason, "blocked_at": utc_now(), "blocked_until": until}
    return _update(engine, credential_id, values, None, credentials.c.auth_sealed == version if version else None)


def unblock(place: Engine | Connection, credential_id: str) -> bool:
    """Lifts a block; False where there is no such credential."""
    return _update(place, credential_id, dict(_UNBLOCKED), None)


def open_sealed(engine: Engine, vault: Vault, credential_id: str) -> tuple[Credential, bytes] | None:
    """The same as `open_one`, with the sealed secret: it tells whether somebody has changed it since."""
    with engine.connect() as connection:
        row = connection.execute(
            select(credentials).where(credentials.c.id == uuid_of(credential_id), credentials.c.deleted_at.is_(None))
        ).one_or_none()
    return None if row is None else (_opened(vault, row), bytes(row.auth_sealed))


def replace_auth(engine: Engine, vault: Vault, credential_id: str, sealed: bytes, auth: dict[str, Any]) -> bytes | None:
    """Keeps another secret where the sealed one is still there, and answers with its sealed form; None elsewhere.

    What a sign-in renews by itself is no change that an administrator made: neither `updated_at` nor a block moves.
    """
    new = _seal(vault, credential_id, auth)
    return new if _update_sealed(engine, credential_id, sealed, {"auth_sealed": new}) else None


def block_sealed(engine: Engine, credential_id: str, sealed: bytes, reason: str) -> bool:
    """Blocks where the sealed secret is still there: not one that somebody has replaced meanwhile."""
    values = {**_UNBLOCKED, "blocked_reason": reason, "blocked_at": utc_now(), "updated_at": func.clock_timestamp()}
    return _update_sealed(engine, credential_id, sealed, values)


def open_one(place: Engine | Connection, vault: Vault, credential_id: str) -> Credential | None:
    """The credential with its secret, as an attempt needs it, in use or not. Raises VaultError."""
    with begun(place) as connection:
        row = connection.execute(
            select(credentials).where(credentials.c.id == uuid_of(credential_id), credentials.c.deleted_at.is_(None))
        ).one_or_none()
    return None if row is None else _opened(vault, row)


def lacks_secret(place: Engine | Connection, vault: Vault, credential: StoredCredential) -> bool:
    """Whether a credential came without a secret, as an import makes them, and its platform cannot do without one."""
    opened = open_one(place, vault, credential.id)
    if opened is None or opened.auth:
        return False
    try:
        check_auth(credential.platform, {})
    except AuthError:
        return True
    return False


def in_use(engine: Engine, vault: Vault) -> list[Credential]:
    """All enabled credentials with their secrets, highest priority first; those that are blocked say so.

    One whose secret cannot be opened is left out and named in the log: the others must not suffer for it.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            select(credentials)
            .where(credentials.c.enabled, credentials.c.deleted_at.is_(None))
            .order_by(credentials.c.priority.desc(), credentials.c.id)
        ).all()
    opened = []
    for row in rows:
        try:
            opened.append(_opened(vault, row))
        except VaultError as error:
            _log.error("the credential «%s» is left out: %s", row.name, error)
    return opened


def follow_environment(engine: Engine, vault: Vault, api_key: str | None, base_url: str | None) -> str | None:
    """Keeps the credential of `CLAUDE_API_KEY` and `CLAUDE_BASE_URL` in step with them; None removes it.

    Returns its id where it has another secret or address than before: then nothing of how it fared holds any more.
    Processes that start at once do this one after the other.
    """
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(0x63637265)))
        row = connection.execute(
            select(credentials).where(credentials.c.origin == FROM_ENVIRONMENT, credentials.c.deleted_at.is_(None))
        ).first()
        if api_key is None:
            if row is not None:
                connection.execute(update(credentials).where(credentials.c.id == row.id).values(deleted_at=utc_now()))
            return None
        auth = {"api_key": api_key}
        if row is None:
            credential_id = uuid7()
            connection.execute(
                insert(credentials).values(
                    id=credential_id,
                    platform="anthropic",
                    name="CLAUDE_API_KEY",
                    base_url=base_url,
                    auth_sealed=_seal(vault, str(credential_id), auth),
                    origin=FROM_ENVIRONMENT,
                )
            )
        elif _opened(vault, row).auth != auth or row.base_url != base_url:
            connection.execute(
                update(credentials)
                .where(credentials.c.id == row.id)
                .values(
                    auth_sealed=_seal(vault, str(row.id), auth),
                    base_url=base_url,
                    updated_at=func.clock_timestamp(),
                    **_UNBLOCKED,
                )
            )
            return str(row.id)
    return None


def _update(
    place: Engine | Connection,
    credential_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
    only_if: ColumnElement[bool] | None = None,
) -> bool:
    statement = update(credentials).where(
        credentials.c.id == uuid_of(credential_id), credentials.c.deleted_at.is_(None)
    )
    if only_if is not None:
        statement = statement.where(only_if)
    if if_updated_at is not None:
        statement = statement.where(credentials.c.updated_at == if_updated_at)
    with begun(place) as connection:
        return bool(connection.execute(statement.values(updated_at=func.clock_timestamp(), **values)).rowcount)


def _update_sealed(engine: Engine, credential_id: str, sealed: bytes, values: dict[str, Any]) -> bool:
    statement = update(credentials).where(
        credentials.c.id == uuid_of(credential_id),
        credentials.c.deleted_at.is_(None),
        credentials.c.auth_sealed == sealed,
    )
    with engine.begin() as connection:
        return bool(connection.execute(statement.values(**values)).rowcount)


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    if unknown := set(fields) - CHANGEABLE:
        raise ValueError(f"a credential has no changeable member {min(unknown)}")
    return fields


def _context(credential_id: str) -> str:
    return f"credential:{credential_id}"


def _seal(vault: Vault, credential_id: str, auth: dict[str, Any]) -> bytes:
    return vault.seal(msgspec.json.encode(auth), _context(credential_id))


def _opened(vault: Vault, row: Any) -> Credential:
    return Credential(
        id=str(row.id),
        platform=row.platform,
        name=row.name,
        base_url=row.base_url,
        auth=msgspec.json.decode(vault.open(bytes(row.auth_sealed), _context(str(row.id)))),
        options=row.options,
        priority=row.priority,
        weight=row.weight,
        max_concurrency=row.max_concurrency,
        models=None if row.models is None else tuple(row.models),
        open_network=row.origin == FROM_ENVIRONMENT,
        block=_block_of(row),
        version=bytes(row.auth_sealed),
    )


def _block_of(row: Any) -> Block | None:
    if row.blocked_at is None:
        return None
    return Block(row.blocked_reason or "", None if row.blocked_until is None else row.blocked_until.timestamp())


def _credential_of(row: Any) -> StoredCredential:
    values = row._asdict()
    del values["auth_sealed"]
    return StoredCredential(**{**values, "id": str(row.id)})
