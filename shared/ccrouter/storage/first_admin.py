"""The first administrator, and the one-time code that lets somebody become it.

An address on the network must not be claimable by whoever passes by: the code is printed where only the operator sees
it, at start or deploy, and kept as its hash. Each start prints another one, and the last few hold, so that it does not
matter which of several processes somebody has looked at. All end with the first administrator.
"""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, update

from ccrouter.storage import audit
from ccrouter.storage import settings as stored
from ccrouter.storage import users as people
from ccrouter.storage.tables import settings, users
from ccrouter.storage.users import User

LOGIN = "admin"
"""The login of the administrator that every installation begins with."""
BY_SET_UP = "set-up"
"""Who makes the first administrator, in the audit log."""
_NAME = "setup_codes"
_HELD = 5
_LOCK = 0x63637275
"""One at a time, so that of two who claim the installation one is first."""
_GROUPS = 4


class SetUpClosed(Exception):
    """There is an administrator."""


def new_code(engine: Engine) -> str | None:
    """A code such as `7QX4M-…`, 100 random bits; None where there is an administrator."""
    text = base64.b32encode(secrets.token_bytes(13)).decode()[: 5 * _GROUPS]
    with engine.begin() as connection:
        _lock(connection)
        if people.count_admins(connection):
            return None
        stored.put(connection, _NAME, [*_digests(connection), _digest(text)][-_HELD:])
    return "-".join(text[at : at + 5] for at in range(0, len(text), 5))


def make(engine: Engine, code: str, password_hash: str, *, name: str | None, client_ip: str) -> User | None:
    """The first administrator; None for a wrong code. Raises SetUpClosed where there is one.

    Every code that holds is compared, whichever fits.
    """
    with engine.begin() as connection:
        _lock(connection)
        if people.count_admins(connection):
            raise SetUpClosed
        wanted = _digest(code)
        if not any([hmac.compare_digest(wanted, known) for known in _digests(connection)]):  # noqa: C419 - all of them
            return None
        values: dict[str, Any] = {"name": name, "password_hash": password_hash, "role": "admin", "status": "active"}
        former = connection.execute(select(users.c.id).where(func.lower(users.c.login) == LOGIN)).scalar_one_or_none()
        if former is None:
            user = people.create(connection, LOGIN, **values)
        else:
            # Somebody disabled or deleted: the operator takes the name back.
            connection.execute(update(users).where(users.c.id == former).values(deleted_at=None))
            changed = people.change(connection, str(former), values)
            assert changed is not None  # noqa: S101 - found above, in the same transaction
            user = changed
        connection.execute(delete(settings).where(settings.c.name == _NAME))
        audit.note(
            connection,
            actor=BY_SET_UP,
            action="user.create",
            kind="user",
            object_id=user.id,
            after={"login": user.login, "role": user.role},
            client_ip=client_ip,
        )
    return user


def _lock(connection: Connection) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _digests(connection: Connection) -> list[str]:
    found = connection.execute(select(settings.c.value).where(settings.c.name == _NAME)).scalar_one_or_none()
    return list(found or [])


def _digest(code: str) -> str:
    """However it is typed: small letters, spaces, without dashes."""
    plain = re.sub("[^A-Z2-7]", "", code.upper())
    return hashlib.sha256(plain.encode()).hexdigest()
