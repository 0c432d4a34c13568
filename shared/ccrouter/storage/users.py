"""People: the administrators and members who own keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage.rows import Page, begun, read_page, uuid_of
from ccrouter.storage.tables import api_keys, users


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as stored."""

    id: str
    login: str
    name: str | None
    role: Literal["admin", "member"]
    status: Literal["active", "pending", "disabled"]
    language: str | None
    theme: str | None
    created_at: datetime
    last_seen_at: datetime | None
    email: str | None = None
    avatar_url: str | None = None
    github_id: int | None = None
    github_login: str | None = None
    has_password: bool = False
    limits: dict[str, Any] = {}
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def may_sign_in(self) -> bool:
        """Whether sessions of this user hold."""
        return self.status == "active" and self.deleted_at is None


class UserFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Which users a list holds; None asks nothing. `q` is a part of login, name or mail address."""

    role: str | None = None
    status: str | None = None
    q: str | None = None
    deleted: bool = False


_ACTIVE_ADMIN = and_(users.c.role == "admin", users.c.status == "active", users.c.deleted_at.is_(None))
_CAN_SIGN_IN = or_(users.c.password_hash.is_not(None), users.c.github_id.is_not(None))


def by_login(engine: Engine, login: str) -> tuple[User, str | None] | None:
    """The user of this name and the hash of the password, None in its place for one who has none."""
    with engine.connect() as connection:
        row = connection.execute(select(users).where(users.c.login == login)).one_or_none()
    return None if row is None else (user_of(row), row.password_hash)


def by_id(place: Engine | Connection, user_id: str) -> User | None:
    """The user with this id, deleted ones included."""
    return _one(place, users.c.id == uuid_of(user_id))


def by_github_id(place: Engine | Connection, github_id: int) -> User | None:
    """The user of this GitHub account, deleted ones included."""
    return _one(place, users.c.github_id == github_id)


def find(engine: Engine, filters: UserFilters, *, cursor: str | None = None, limit: int = 50) -> Page[User]:
    """Users, newest first. Raises ValueError for a bad cursor."""
    query = select(users).where(users.c.deleted_at.is_not(None) if filters.deleted else users.c.deleted_at.is_(None))
    if filters.role is not None:
        query = query.where(users.c.role == filters.role)
    if filters.status is not None:
        query = query.where(users.c.status == filters.status)
    if filters.q:
        texts = (users.c.login, users.c.name, users.c.email, users.c.github_login)
        query = query.where(or_(*(column.icontains(filters.q, autoescape=True) for column in texts)))
    with engine.connect() as connection:
        return read_page(connection, query, users.c.id, cursor, limit, user_of)


def create(
    place: Engine | Connection,
    login: str,
    *,
    name: str | None = None,
    role: str = "member",
    status: str = "active",
    **fields: Any,
) -> User:
    """A new user, without a password unless `fields` hold its hash. Raises IntegrityError where the login is taken."""
    with begun(place) as connection:
        row = connection.execute(
            insert(users)
            .values(id=uuid7(), login=login, name=name, role=role, status=status, **fields)
            .returning(users)
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
            .on_conflict_do_nothing()
        ).rowcount
        if not made and replace_password:
            connection.execute(update(users).where(users.c.login == login).values(password_hash=password_hash))
    return bool(made)


def set_password_hash(place: Engine | Connection, user_id: str, password_hash: str) -> None:
    """Puts another password in force."""
    with begun(place) as connection:
        connection.execute(
            update(users)
            .where(users.c.id == uuid_of(user_id))
            .values(password_hash=password_hash, updated_at=func.clock_timestamp())
        )


def change(
    place: Engine | Connection, user_id: str, changes: dict[str, Any], *, if_updated_at: datetime | None = None
) -> User | None:
    """Sets the given columns; None where there is no such user, or one that has changed since `if_updated_at`."""
    statement = update(users).where(users.c.id == uuid_of(user_id))
    if if_updated_at is not None:
        statement = statement.where(users.c.updated_at == if_updated_at)
    with begun(place) as connection:
        row = connection.execute(
            statement.values(**changes, updated_at=func.clock_timestamp()).returning(users)
        ).one_or_none()
    return None if row is None else user_of(row)


def touch(place: Engine | Connection, user_id: str) -> None:
    """Notes that the user was here."""
    with begun(place) as connection:
        connection.execute(update(users).where(users.c.id == uuid_of(user_id)).values(last_seen_at=utc_now()))


def count_admins(place: Engine | Connection) -> int:
    """How many active administrators there are."""
    with begun(place) as connection:
        return connection.execute(select(func.count()).select_from(users).where(_ACTIVE_ADMIN)).scalar_one()


def count_pending(place: Engine | Connection) -> int:
    """How many wait for approval."""
    with begun(place) as connection:
        return connection.execute(
            select(func.count()).select_from(users).where(users.c.status == "pending", users.c.deleted_at.is_(None))
        ).scalar_one()


def is_last_admin(connection: Connection, user_id: str) -> bool:
    """Whether nobody but this user could administer: active, an administrator, with a way to sign in.

    All administrators stay locked until the transaction ends: of two changes that would each leave one, the second
    sees what the first has done.
    """
    found = connection.execute(
        select(users.c.id).where(_ACTIVE_ADMIN, _CAN_SIGN_IN).order_by(users.c.id).with_for_update()
    ).scalars()
    return [str(admin_id) for admin_id in found] == [user_id]


def is_taken(place: Engine | Connection, login: str) -> bool:
    """Whether somebody, deleted or not, has this login in whatever case."""
    return _one(place, func.lower(users.c.login) == login.lower()) is not None


def has_passwords(place: Engine | Connection) -> bool:
    """Whether anybody could sign in with a password."""
    condition = and_(users.c.password_hash.is_not(None), users.c.status == "active", users.c.deleted_at.is_(None))
    with begun(place) as connection:
        return bool(connection.execute(select(exists().where(condition))).scalar_one())


def keys_of(place: Engine | Connection, user_id: str) -> list[str]:
    """The hashes of all keys of this user, former secrets included, for those who must forget them."""
    with begun(place) as connection:
        found = connection.execute(
            select(api_keys.c.digest, api_keys.c.former_digest).where(api_keys.c.owner_id == uuid_of(user_id))
        )
        return [digest for row in found for digest in row if digest is not None]


def hold(connection: Connection, user_id: str) -> None:
    """Keeps others who hold the same user waiting until the transaction ends."""
    connection.execute(select(users.c.id).where(users.c.id == uuid_of(user_id)).with_for_update())


def count_keys(place: Engine | Connection, user_ids: Sequence[str]) -> dict[str, int]:
    """How many keys, deleted ones left out, each of these users has."""
    with begun(place) as connection:
        rows = connection.execute(
            select(api_keys.c.owner_id, func.count())
            .where(api_keys.c.owner_id.in_([uuid_of(user_id) for user_id in user_ids]), api_keys.c.deleted_at.is_(None))
            .group_by(api_keys.c.owner_id)
        ).all()
    return {str(owner_id): count for owner_id, count in rows}


def transfer_keys(connection: Connection, user_id: str, to: str) -> int:
    """Gives all keys of a user to another; says how many."""
    return connection.execute(
        update(api_keys)
        .where(api_keys.c.owner_id == uuid_of(user_id))
        .values(owner_id=uuid_of(to), updated_at=func.clock_timestamp())
    ).rowcount


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
        email=row.email,
        avatar_url=row.avatar_url,
        github_id=row.github_id,
        github_login=row.github_login,
        has_password=row.password_hash is not None,
        limits=row.limits,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def _one(place: Engine | Connection, condition: ColumnElement[bool]) -> User | None:
    with begun(place) as connection:
        row = connection.execute(select(users).where(condition)).one_or_none()
    return None if row is None else user_of(row)
