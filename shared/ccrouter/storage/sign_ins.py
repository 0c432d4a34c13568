"""Sign-ins that wait for a person: over all processes, with their secrets sealed, and each used once.

A device sign-in is asked for by one process at a time: `take_turn` puts the next question off, so that the service is
not asked more often than it wants. A code is taken by `take_code`, after which no other is.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, delete, insert, select, update

from ccrouter.credentials.vault import Vault
from ccrouter.storage.rows import uuid_of
from ccrouter.storage.tables import sign_ins

_ASKING_S = 60
"""How long a question may take before another process asks."""


class StoredSignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in as its administrator sees it."""

    id: str
    platform: str
    state: Literal["pending", "done", "failed", "expired"]
    url: str
    user_code: str | None
    credential_id: str | None
    error: str | None
    created_at: datetime
    expires_at: datetime


def begin(
    engine: Engine,
    vault: Vault,
    sign_in_id: UUID,
    platform: str,
    secret: dict[str, Any],
    *,
    url: str,
    user_code: str | None,
    expires_at: datetime,
    ask_at: datetime | None = None,
    state: str | None = None,
) -> None:
    """Keeps a new sign-in. `secret` is sealed; `state` is what a code comes back with."""
    with engine.begin() as connection:
        connection.execute(
            insert(sign_ins).values(
                id=sign_in_id,
                platform=platform,
                url=url,
                user_code=user_code,
                sealed=_seal(vault, sign_in_id, secret),
                state_digest=None if state is None else _digest(state),
                expires_at=expires_at,
                ask_at=ask_at,
            )
        )


def begin_failed(engine: Engine, sign_in_id: UUID, platform: str, error: str, now: datetime) -> None:
    """Keeps a sign-in that could not even begin."""
    with engine.begin() as connection:
        connection.execute(
            insert(sign_ins).values(
                id=sign_in_id, platform=platform, url="", state="failed", error=error, expires_at=now
            )
        )


def get(engine: Engine, sign_in_id: str, now: datetime) -> StoredSignIn | None:
    """The sign-in with this id."""
    with engine.connect() as connection:
        row = connection.execute(select(sign_ins).where(sign_ins.c.id == uuid_of(sign_in_id))).one_or_none()
    if row is None:
        return None
    return StoredSignIn(
        id=str(row.id),
        platform=row.platform,
        state="expired" if row.state == "pending" and row.expires_at <= now else row.state,
        url=row.url,
        user_code=row.user_code,
        credential_id=None if row.credential_id is None else str(row.credential_id),
        error=row.error,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def take_turn(engine: Engine, vault: Vault, sign_in_id: str, now: datetime) -> dict[str, Any] | None:
    """The secret of a sign-in that may be asked for now; None where it may not be, or another process asks."""
    with engine.begin() as connection:
        row = connection.execute(
            update(sign_ins)
            .where(sign_ins.c.id == uuid_of(sign_in_id), *_open(now), sign_ins.c.ask_at <= now)
            .values(ask_at=now + timedelta(seconds=_ASKING_S))
            .returning(sign_ins.c.id, sign_ins.c.sealed)
        ).one_or_none()
    return None if row is None else _opened(vault, row)


def ask_later(engine: Engine, vault: Vault, sign_in_id: str, secret: dict[str, Any], at: datetime) -> None:
    """The person has not confirmed yet."""
    with engine.begin() as connection:
        connection.execute(
            update(sign_ins)
            .where(sign_ins.c.id == uuid_of(sign_in_id), sign_ins.c.state == "pending")
            .values(ask_at=at, sealed=_seal(vault, uuid_of(sign_in_id), secret))
        )


def take_code(
    engine: Engine, vault: Vault, state: str, now: datetime, only: str | None = None
) -> tuple[str, dict[str, Any]] | None:
    """The id and secret of the open sign-in that this state belongs to; None for every other, and the second time.

    `only` is the id it must have.
    """
    statement = update(sign_ins).where(sign_ins.c.state_digest == _digest(state), *_open(now))
    if only is not None:
        statement = statement.where(sign_ins.c.id == uuid_of(only))
    with engine.begin() as connection:
        row = connection.execute(
            statement.values(state_digest=None).returning(sign_ins.c.id, sign_ins.c.sealed)
        ).one_or_none()
    return None if row is None else (str(row.id), _opened(vault, row))


def finish(connection: Connection, sign_in_id: str, credential_id: str) -> bool:
    """Ends a sign-in in the transaction that keeps its tokens; False where it has ended before."""
    return _end(connection, sign_in_id, {"state": "done", "credential_id": uuid_of(credential_id)})


def fail(engine: Engine, sign_in_id: str, error: str) -> None:
    """Ends a sign-in with a sentence for its administrator."""
    with engine.begin() as connection:
        _end(connection, sign_in_id, {"state": "failed", "error": error})


def drop_older(engine: Engine, before: datetime) -> int:
    """Forgets sign-ins that were begun before a moment; says how many."""
    with engine.begin() as connection:
        return connection.execute(delete(sign_ins).where(sign_ins.c.created_at < before)).rowcount


def _end(connection: Connection, sign_in_id: str, values: dict[str, Any]) -> bool:
    return bool(
        connection.execute(
            update(sign_ins)
            .where(sign_ins.c.id == uuid_of(sign_in_id), sign_ins.c.state == "pending")
            .values(sealed=None, state_digest=None, ask_at=None, **values)
        ).rowcount
    )


def _open(now: datetime) -> tuple[Any, Any]:
    return sign_ins.c.state == "pending", sign_ins.c.expires_at > now


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _context(sign_in_id: UUID | None) -> str:
    return f"sign-in:{sign_in_id}"


def _seal(vault: Vault, sign_in_id: UUID | None, secret: dict[str, Any]) -> bytes:
    return vault.seal(msgspec.json.encode(secret), _context(sign_in_id))


def _opened(vault: Vault, row: Any) -> dict[str, Any]:
    secret: dict[str, Any] = msgspec.json.decode(vault.open(bytes(row.sealed), _context(row.id)))
    return secret
