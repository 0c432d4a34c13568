"""Sessions of the admin door: what makes a signed token end before it expires."""

from datetime import datetime

import msgspec
from sqlalchemy import Engine, insert, select, true, update

from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage.rows import uuid_of
from ccrouter.storage.tables import sessions, users
from ccrouter.storage.users import User, user_of


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in of one user."""

    id: str
    user_id: str
    created_at: datetime
    expires_at: datetime


def start(
    engine: Engine, user_id: str, expires_at: datetime, *, user_agent: str | None = None, client_ip: str | None = None
) -> Session:
    """A new session of this user."""
    with engine.begin() as connection:
        row = connection.execute(
            insert(sessions)
            .values(
                id=uuid7(), user_id=uuid_of(user_id), expires_at=expires_at, user_agent=user_agent, client_ip=client_ip
            )
            .returning(sessions)
        ).one()
    return Session(id=str(row.id), user_id=user_id, created_at=row.created_at, expires_at=row.expires_at)


def find_active(engine: Engine, session_id: str) -> tuple[Session, User] | None:
    """The session and its user, None for one that is unknown, ended or expired, or whose user is not active."""
    if (key := uuid_of(session_id)) is None:
        return None
    with engine.connect() as connection:
        session = connection.execute(
            select(sessions).where(
                sessions.c.id == key, sessions.c.revoked_at.is_(None), sessions.c.expires_at > utc_now()
            )
        ).one_or_none()
        if session is None:
            return None
        user = connection.execute(
            select(users).where(users.c.id == session.user_id, users.c.status == "active")
        ).one_or_none()
    if user is None:
        return None
    return (
        Session(
            id=session_id, user_id=str(session.user_id), created_at=session.created_at, expires_at=session.expires_at
        ),
        user_of(user),
    )


def revoke(engine: Engine, session_id: str) -> None:
    """Ends a session."""
    with engine.begin() as connection:
        connection.execute(update(sessions).where(sessions.c.id == uuid_of(session_id)).values(revoked_at=utc_now()))


def revoke_all(engine: Engine, user_id: str, *, but: str | None = None) -> None:
    """Ends every session of a user, or every other one than `but`."""
    others = sessions.c.id != uuid_of(but) if but is not None else true()
    with engine.begin() as connection:
        connection.execute(
            update(sessions)
            .where(sessions.c.user_id == uuid_of(user_id), sessions.c.revoked_at.is_(None), others)
            .values(revoked_at=utc_now())
        )
