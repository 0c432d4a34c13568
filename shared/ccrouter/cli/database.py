"""How a command reaches the database, and `ccrouter migrate`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

from ccrouter.cli.first_start import place_of
from ccrouter.config import Settings, read_environment
from ccrouter.credentials.vault import Vault, read_master_key
from ccrouter.embedded import EmbeddedServices
from ccrouter.errors import SettingsError, StorageAway

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ccrouter.storage.rows import Page

T = TypeVar("T")

COMMAND_LINE = "command line"
"""Who acts, for the audit log."""


@contextmanager
def reach_database() -> Iterator[Settings]:
    """Settings with a `database_url` that works: the one given, the running router's, or one started for the moment."""
    settings = read_environment()
    if settings.database_url is not None:
        yield settings
        return
    embedded = EmbeddedServices(settings.data_dir, pg_bin=settings.pg_bin)
    announced = embedded.directory.running()
    if announced is not None:
        if not announced["database_url"]:
            raise SettingsError(
                [f"the router on {announced['address']} was started with DATABASE_URL; set it here to the same"]
            )
        yield _filled(settings, embedded, announced["database_url"], announced["redis_url"])
        return
    from ccrouter.storage.migrate import migrate

    if not embedded.directory.path.exists():
        click.echo(f"starting a new data directory: {embedded.directory.path}", err=True)
    with embedded:
        migrate(embedded.database_url)
        yield _filled(settings, embedded, embedded.database_url, embedded.redis_url)


@contextmanager
def open_database(*, patient: bool = False) -> "Iterator[tuple[Engine, Settings]]":
    """An engine on that database; a `patient` one waits for long answers. Raises StorageAway when it is away."""
    from ccrouter.storage.crossing import away_named
    from ccrouter.storage.engine import make_engine, ping

    with reach_database() as settings:
        url = settings.database_url or ""
        engine = make_engine(url, pool_size=1, patient=patient)
        try:
            with _placed(url):
                away_named(ping)(engine)
            yield engine, settings
        finally:
            engine.dispose()


def every(find: "Callable[..., Page[T]]", engine: "Engine") -> list[T]:
    """All that a repository's `find` gives, page after page."""
    page = find(engine, limit=200)
    found = page.items
    while page.next_cursor is not None:
        page = find(engine, cursor=page.next_cursor, limit=200)
        found += page.items
    return found


def vault_of(settings: Settings) -> Vault:
    """The vault; raises SettingsError where the master key is not known."""
    if settings.master_key is None:
        raise SettingsError(
            ["CCR_MASTER_KEY is not set: credentials are encrypted with it; set it here as for the router"]
        )
    return Vault(read_master_key(settings.master_key))


def tell_running_router(settings: Settings, digest: str) -> None:
    """Drops the shared copy of a key that has changed, where a Redis is known."""
    if settings.redis_url is not None:
        from ccrouter.storage.directory import forget_key
        from ccrouter.storage.redis import sync_redis

        client = sync_redis(settings.redis_url)
        forget_key(client, digest)
        client.close()


@click.command("migrate")
def migrate_command() -> None:
    """Bring the database to the tables this version needs.

    `ccrouter serve` does the same when it starts. Where nobody administers yet, it prints the one-time code of the
    set-up, unless ADMIN_PASSWORD is given.

    \b
    Examples:
      ccrouter migrate
      DATABASE_URL=postgresql://user:password@host/name ccrouter migrate
    """
    from ccrouter.storage.crossing import away_named
    from ccrouter.storage.migrate import migrate

    on_its_own = read_environment().database_url is None
    with reach_database() as settings:
        url = settings.database_url or ""
        with _placed(url):
            applied = away_named(migrate)(url)
            code = None if on_its_own or settings.admin_password else away_named(_set_up_code)(url)
    click.echo(f"applied: {', '.join(applied)}" if applied else "nothing to apply")
    if code is not None:
        click.echo(f"Set it up: {settings.public_url}/setup   one-time code: {code}")


def _set_up_code(url: str) -> str | None:
    from ccrouter.storage import first_admin
    from ccrouter.storage.engine import make_engine

    engine = make_engine(url, pool_size=1)
    try:
        return first_admin.new_code(engine)
    finally:
        engine.dispose()


@contextmanager
def _placed(url: str) -> Iterator[None]:
    """Names the database in the errors of what is done inside."""
    try:
        yield
    except StorageAway as error:
        raise StorageAway(f"{error} ({place_of(url)})") from error


def _filled(settings: Settings, embedded: EmbeddedServices, database_url: str, redis_url: str) -> Settings:
    return replace(
        settings,
        database_url=database_url,
        redis_url=settings.redis_url or redis_url,
        master_key=settings.master_key or embedded.directory.secrets()["master_key"],
    )
