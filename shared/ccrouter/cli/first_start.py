"""What a start puts in place before requests come: tables, administrator, credential, first key."""

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from ccrouter.access.keys import new_secret
from ccrouter.config import Settings
from ccrouter.credentials.vault import Vault
from ccrouter.errors import StorageAway

if TYPE_CHECKING:
    from sqlalchemy import Engine

ADMIN = "admin"
"""The login of the administrator that every installation has."""
_WAIT_FOR_DATABASE_S = 15
_SANDBOX = [{"platform": "sandbox", "model": "sandbox"}]


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What is shown once. `password` None: it was given in ADMIN_PASSWORD."""

    password: str | None
    key: str
    answers_from_sandbox: bool


def prepare(engine: "Engine", vault: Vault, settings: Settings) -> FirstStart | None:
    """Brings everything in place; returns what to show where this is the first start of this database.

    Raises StorageAway when the database does not come up in time, SettingsError for a foreign master key.
    """
    from ccrouter.storage import credentials, keys, users
    from ccrouter.storage import settings as stored
    from ccrouter.storage.migrate import migrate_engine

    wait_for_database(engine, settings.database_url or "")
    migrate_engine(engine)
    stored.check_master_key(engine, vault)
    credentials.follow_environment(engine, vault, settings.claude_api_key, settings.claude_base_url)
    generated = None if settings.admin_password else secrets.token_urlsafe(12)
    first = _ensure_admin(engine, settings.admin_password, generated)
    if not first:
        return None
    found = users.by_login(engine, ADMIN)
    assert found is not None  # noqa: S101 - made above
    has_platform = bool(credentials.find(engine, limit=1).items)
    secret = new_secret()
    mapping = {} if has_platform else dict.fromkeys(("opus", "sonnet", "haiku", "default"), _SANDBOX)
    keys.create(engine, found[0].id, secret, {"name": "first key", "mapping": mapping})
    return FirstStart(generated, secret, not has_platform)


def wait_for_database(engine: "Engine", url: str) -> None:
    """Returns when the database answers; raises StorageAway naming host and cause, never the password."""
    from ccrouter.storage.crossing import away_named
    from ccrouter.storage.engine import ping

    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port or 5432}"
    give_up = time.monotonic() + _WAIT_FOR_DATABASE_S
    said = False
    while True:
        try:
            away_named(ping)(engine)
        except StorageAway as error:
            if time.monotonic() > give_up:
                raise StorageAway(f"{error} ({place}, given in DATABASE_URL)") from None
            if not said:
                click.echo(f"waiting for PostgreSQL at {place} …", err=True)
                said = True
            time.sleep(0.5)
        else:
            return


def _ensure_admin(engine: "Engine", given: str | None, generated: str | None) -> bool:
    """Makes the administrator; a password that is given is in force at every start. Says whether this is the first."""
    from argon2 import PasswordHasher
    from argon2.exceptions import VerificationError

    from ccrouter.storage import sessions, users

    found = users.by_login(engine, ADMIN)
    hasher = PasswordHasher()
    if found is None:
        return users.ensure_admin(engine, ADMIN, hasher.hash(given or generated or ""))
    user, known = found
    if given is not None:
        try:
            hasher.verify(known or "", given)
        except VerificationError:
            users.set_password_hash(engine, user.id, hasher.hash(given))
            sessions.revoke_all(engine, user.id)
        except ValueError:
            # An account without a password, or with a hash of another kind.
            users.set_password_hash(engine, user.id, hasher.hash(given))
    return False
