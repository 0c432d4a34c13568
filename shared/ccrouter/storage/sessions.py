"""Sessions of the admin door: what makes a signed token end before it expires."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, insert, select, true, update

from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage.rows import begun, uuid_of
from ccrouter.storage.tables import sessions, users
from ccrouter.storage.users import User, user_of


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in of one user."""

    id: str
    user_id: str
    created_at: datetime
    expires_at: datetime
    user_agent: str | None = None
    client_ip: str | None = None


def start(
    place: Engine | Connection,
    user_id: str,
    expires_at: datetime,
    *,
    user_agent: str | None = None,
    client_ip: str | None = None,
    session_id: str | None = None,
) -> Session:
    """A new session of this user. Raises IntegrityError where there was one with this id."""
    with begun(place) as connection:
        row = connection.execute(
            insert(sessions)
            .values(
                id=uuid7() if session_id is None else uuid_of(session_id),
                user_id=uuid_of(user_id),
                expires_at=expires_at,
                user_agent=user_agent,
                client_ip=client_ip,
            )
            .returning(sessions)
        ).one()
    return _session_of(row)


def find_active(engine: Engine, session_id: str) -> tuple[Session, User] | None:
    """The session and its user, None for one that is unknown, ended or expired, or whose user is not active."""
    if (key := uuid_of(session_id)) is None:
        return None
    with engine.connect() as connection:
        session = connection.execute(select(sessions).where(sessions.c.id == key, *_open())).one_or_none()
        if session is None:
            return None
        user = user_of(connection.execute(select(users).where(users.c.id == session.user_id)).one())
    return (_session_of(session), user) if user.may_sign_in else None


def of_user(engine: Engine, user_id: str) -> list[Session]:
    """The sessions of a user that have not ended, newest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            select(sessions).where(sessions.c.user_id == uuid_of(user_id), *_open()).order_by(sessions.c.id.desc())
        ).all()
    return [_session_of(row) for row in rows]


def revoke(place: Engine | Connection, session_id: str, *, user_id: str | None = None) -> bool:
    """Ends a session; False where it has ended already, or is not one of the user that is named."""
    theirs = sessions.c.user_id == uuid_of(user_id) if user_id is not None else true()
    with begun(place) as connection:
        return bool(
            connection.execute(
                update(sessions)
                .where(sessions.c.id == uuid_of(session_id), theirs, *_open())
                .values(revoked_at=utc_now())
            ).rowcount
        )


def revoke_all(place: Engine | Connection, user_id: str, *, but: str | None = None) -> int:
    """Ends every session of a user, or every other one than `but`; says how many."""
    others = sessions.c.id != uuid_of(but) if but is not None else true()
    with begun(place) as connection:
        return connection.execute(
            update(sessions)
            .where(sessions.c.user_id == uuid_of(user_id), *_open(), others)
            .values(revoked_at=utc_now())
        ).rowcount


def _open() -> tuple[ColumnElement[bool], ...]:
    return sessions.c.revoked_at.is_(None), sessions.c.expires_at > utc_now()


def _session_of(row: Any) -> Session:
    return Session(
        id=str(row.id),
        user_id=str(row.user_id),
        created_at=row.created_at,
        expires_at=row.expires_at,
        user_agent=row.user_agent,
        client_ip=row.client_ip,
    )
