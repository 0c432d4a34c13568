"""What a start puts in place before requests come: tables, credential, administrator, first key."""

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from ccrouter.access.keys import new_secret
from ccrouter.clock import monotonic_s
from ccrouter.config import Settings
from ccrouter.credentials.vault import Vault
from ccrouter.errors import StorageAway

if TYPE_CHECKING:
    from sqlalchemy import Engine

ADMIN = "admin"
"""The login of the administrator that every installation begins with."""
_WAIT_FOR_DATABASE_S = 15
_SANDBOX = [{"platform": "sandbox", "model": "sandbox"}]


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What is shown once. `password` None: it was given in ADMIN_PASSWORD."""

    password: str | None
    key: str
    answers_from_sandbox: bool


@dataclass(frozen=True, slots=True)
class AwaitsSetUp:
    """Nobody administers yet: whoever knows the code may begin."""

    code: str


def prepare(engine: "Engine", vault: Vault, settings: Settings) -> str | None:
    """Brings tables and the environment's credential in place; returns that one's id where it has changed.

    Raises StorageAway when the database does not come up in time, SettingsError for a foreign master key.
    """
    from ccrouter.storage import credentials
    from ccrouter.storage import settings as stored
    from ccrouter.storage.migrate import migrate_engine

    wait_for_database(engine, settings.database_url or "")
    migrate_engine(engine)
    stored.check_master_key(engine, vault)
    return credentials.follow_environment(engine, vault, settings.claude_api_key, settings.claude_base_url)


def make_administrator(engine: "Engine", settings: Settings, *, on_its_own: bool) -> FirstStart | AwaitsSetUp | None:
    """Makes the administrator and a first key where there are none; returns what to show then, None at later starts.

    Where the router is not `on_its_own` (it brings its database along) and ADMIN_PASSWORD is not given, nobody is made:
    set-up waits for whoever has the code. Called when it can be shown at once: a start that is broken off before leaves
    no password that nobody saw.
    """
    from ccrouter.storage import credentials, first_admin, keys, users

    if settings.admin_password is None:
        if users.count_admins(engine):
            return None
        if not on_its_own:
            code = first_admin.new_code(engine)
            return None if code is None else AwaitsSetUp(code)
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
    from ccrouter.storage.crossing import away_named, never_will
    from ccrouter.storage.engine import ping

    place = place_of(url)
    give_up = monotonic_s() + _WAIT_FOR_DATABASE_S
    said = False
    while True:
        try:
            away_named(ping)(engine)
        except StorageAway as error:
            if monotonic_s() > give_up or (error.__cause__ is not None and never_will(error.__cause__)):
                raise StorageAway(f"{error} ({place}, given in DATABASE_URL)") from error.__cause__
            if not said:
                click.echo(f"waiting for PostgreSQL at {place} … ({error})", err=True)
                said = True
            time.sleep(0.5)
        else:
            return


def place_of(url: str) -> str:
    """Host, port and database of a URL: what may be shown of it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"


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
