"""People: the administrators and members who own keys."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage.rows import uuid_of
from ccrouter.storage.tables import users


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as stored. `role`: admin or member; `status`: active, pending or disabled."""

    id: str
    login: str
    name: str | None
    role: str
    status: str
    language: str | None
    theme: str | None
    created_at: datetime
    last_seen_at: datetime | None


def by_login(engine: Engine, login: str) -> tuple[User, str | None] | None:
    """The user of this name and the hash of the password, None in its place for one who has none."""
    with engine.connect() as connection:
        row = connection.execute(select(users).where(users.c.login == login)).one_or_none()
    return None if row is None else (user_of(row), row.password_hash)


def by_id(engine: Engine, user_id: str) -> User | None:
    """The user with this id."""
    if (key := uuid_of(user_id)) is None:
        return None
    with engine.connect() as connection:
        row = connection.execute(select(users).where(users.c.id == key)).one_or_none()
    return None if row is None else user_of(row)


def create(
    engine: Engine, login: str, *, name: str | None = None, role: str = "member", status: str = "active"
) -> User:
    """A new user without a password. Raises IntegrityError where the login is taken."""
    with engine.begin() as connection:
        row = connection.execute(
            insert(users).values(id=uuid7(), login=login, name=name, role=role, status=status).returning(users)
        ).one()
    return user_of(row)


def ensure_admin(engine: Engine, login: str, password_hash: str, *, replace_password: bool = False) -> bool:
    """Makes the administrator unless there is one of this name; says whether it was made now.

    Several processes may start at once: one of them makes it. `replace_password` puts the given hash in any case.
    """
    with engine.begin() as connection:
        made = connection.execute(
            upsert(users)
            .values(id=uuid7(), login=login, role="admin", status="active", password_hash=password_hash)
            .on_conflict_do_nothing(index_elements=["login"])
        ).rowcount
        if not made and replace_password:
            connection.execute(update(users).where(users.c.login == login).values(password_hash=password_hash))
    return bool(made)


def set_password_hash(engine: Engine, user_id: str, password_hash: str) -> None:
    """Puts another password in force."""
    with engine.begin() as connection:
        connection.execute(update(users).where(users.c.id == uuid_of(user_id)).values(password_hash=password_hash))


def change(engine: Engine, user_id: str, changes: dict[str, Any]) -> User | None:
    """Sets the given columns; None where there is no such user."""
    with engine.begin() as connection:
        row = connection.execute(
            update(users).where(users.c.id == uuid_of(user_id)).values(**changes).returning(users)
        ).one_or_none()
    return None if row is None else user_of(row)


def touch(engine: Engine, user_id: str) -> None:
    """Notes that the user was here."""
    with engine.begin() as connection:
        connection.execute(update(users).where(users.c.id == uuid_of(user_id)).values(last_seen_at=utc_now()))


def count_admins(engine: Engine) -> int:
    """How many active administrators there are."""
    with engine.connect() as connection:
        return connection.execute(
            select(func.count()).select_from(users).where(users.c.role == "admin", users.c.status == "active")
        ).scalar_one()


def user_of(row: Any) -> User:
    """The value of a row of `users`."""
    return User(
        id=str(row.id),
        login=row.login,
        name=row.name,
        role=row.role,
        status=row.status,
        language=row.language,
        theme=row.theme,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
    )
