"""Brings a database to the tables this version needs."""

from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from ccrouter.errors import SettingsError
from ccrouter.storage.crossing import reason, sqlstate
from ccrouter.storage.engine import make_engine

_MIGRATIONS = Path(__file__).with_name("migrations")
_NOT_ALLOWED = ("42501", "3F000")
"""SQLSTATEs: no privilege, and no schema that the user may use."""
_LOCK = 0x6363726D
"""One migration at a time per database, whoever starts it."""


def migrate(database_url: str) -> list[str]:
    """Applies the migrations that are missing, all or none, and returns their ids in order."""
    engine = make_engine(database_url, pool_size=0)
    try:
        return migrate_engine(engine)
    finally:
        engine.dispose()


def migrate_engine(engine: Engine) -> list[str]:
    """The same on an engine that is there already. Raises SettingsError where its user may not make tables."""
    try:
        return _migrate(engine)
    except ProgrammingError as error:
        if sqlstate(error) not in _NOT_ALLOWED:
            raise
        raise SettingsError([f"the user in DATABASE_URL may not make the router's tables: {reason(error)}"]) from None


def _migrate(engine: Engine) -> list[str]:
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        # A newer version may have been here: its tables serve this one too, since migrations are made so that the
        # version before goes on running.
        if (_applied(connection) or "") >= newest_revision():
            return []
        # Only now: a start that has nothing to do shall not wait for Alembic's import.
        from alembic.migration import MigrationContext
        from alembic.operations import Operations
        from alembic.script import ScriptDirectory

        scripts = ScriptDirectory(str(_MIGRATIONS))
        context = MigrationContext.configure(connection)
        at = context.get_current_revision()
        head = scripts.get_current_head()
        missing = [] if at == head else list(reversed(list(scripts.iterate_revisions(head, at))))
        with Operations.context(context):
            for revision in missing:
                revision.module.upgrade()
                context.stamp(scripts, revision.revision)
    return [revision.revision for revision in missing]


def newest_revision() -> str:
    """The id of the newest revision of this version; their files are named by it."""
    return max(path.stem[1:5] for path in (_MIGRATIONS / "versions").glob("r[0-9]*.py"))


def _applied(connection: Connection) -> str | None:
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
