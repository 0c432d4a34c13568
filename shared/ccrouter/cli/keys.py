"""`ccrouter keys`: make, list and disable API keys."""

import json
from typing import Any

import click

from ccrouter.access.keys import new_secret
from ccrouter.cli.database import COMMAND_LINE, every, open_database, tell_running_router
from ccrouter.cli.first_start import ADMIN
from ccrouter.cli.hints import client_lines, program
from ccrouter.clock import rfc3339, utc_now
from ccrouter.errors import SettingsError
from ccrouter.platforms.registry import PLATFORMS, SELF_ANSWERING, is_platform
from ccrouter.routing.mapping import MappingError, read_mapping, targets_of


@click.group()
def keys() -> None:
    """Make, list and disable API keys.

    \b
    Examples:
      ccrouter keys create laptop
      ccrouter keys list
    """


@keys.command()
@click.argument("name")
@click.option("--owner", default=ADMIN, show_default=True, help="Login of the user it belongs to.")
@click.option("--mapping", default="{}", help="Where models lead, as JSON; {} asks Anthropic for the name as it is.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def create(name: str, owner: str, mapping: str, as_json: bool) -> None:
    """Make a key. Its secret is shown once.

    \b
    Examples:
      ccrouter keys create laptop
      ccrouter keys create trial --mapping '{"opus": [{"platform": "sandbox", "model": "sandbox"}]}'
    """
    from ccrouter.storage import audit, users
    from ccrouter.storage import keys as stored

    document = _read(mapping)
    if not name.strip():
        raise click.BadParameter("must not be empty", param_hint="NAME")
    with open_database() as (engine, settings):
        found = users.by_login(engine, owner)
        if found is None:
            raise SettingsError(
                [
                    f"there is no user «{owner}»"
                    + (" yet: the first start of the router makes it" if owner == ADMIN else "")
                ]
            )
        secret = new_secret()
        with engine.begin() as connection:
            key = stored.create(connection, found[0].id, secret, {"name": name, "mapping": document})
            audit.note(
                connection,
                actor=COMMAND_LINE,
                action="key.create",
                kind="key",
                object_id=key.id,
                after={"name": name, "mapping": document, "owner": owner},
            )
    if as_json:
        click.echo(json.dumps({"id": key.id, "name": key.name, "key": secret}))
        return
    click.echo(f"{key.name} ({key.id}); the secret is shown once:\n")
    click.echo("\n".join(client_lines(settings.public_url, secret)))


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def list_keys(as_json: bool) -> None:
    """List all keys, newest first.

    \b
    Example:
      ccrouter keys list --json
    """
    from ccrouter.storage import keys as stored

    with open_database() as (engine, _):
        found = every(stored.find, engine)
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "id": key.id,
                        "name": key.name,
                        "prefix": key.prefix,
                        "owner": key.owner_login,
                        "enabled": key.enabled,
                        "last_used_at": None if key.last_used_at is None else rfc3339(key.last_used_at),
                    }
                    for key in found
                ]
            )
        )
        return
    for key in found:
        ended = key.expires_at is not None and key.expires_at <= utc_now()
        state = "disabled" if not key.enabled else "expired" if ended else "enabled"
        used = "never used" if key.last_used_at is None else f"last used {rfc3339(key.last_used_at)}"
        click.echo(f"{key.id}  {key.prefix}…  {state:8}  {key.owner_login}  {key.name}  ({used})")
    if not found:
        click.echo(f"no keys yet; make one: {program()} keys create NAME")


@keys.command()
@click.argument("key_id", metavar="ID")
def disable(key_id: str) -> None:
    """Disable a key; in force everywhere within 5 seconds.

    \b
    Example:
      ccrouter keys disable 0199…
    """
    from ccrouter.storage import audit
    from ccrouter.storage import keys as stored

    with open_database() as (engine, settings):
        key = stored.get(engine, key_id)
        with engine.begin() as connection:
            if key is None or not stored.change(connection, key_id, {"enabled": False}):
                raise SettingsError([f"there is no key {key_id}; {program()} keys list shows all"])
            audit.note(
                connection,
                actor=COMMAND_LINE,
                action="key.change",
                kind="key",
                object_id=key.id,
                before={"enabled": key.enabled},
                after={"enabled": False},
            )
        for digest in key.digests:
            tell_running_router(settings, digest)
    click.echo(f"{key.name} is disabled")


def _read(mapping: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(mapping)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"this is not JSON: {error}", param_hint="--mapping") from None
    try:
        targets = targets_of(read_mapping(document))
    except MappingError as error:
        raise click.BadParameter(str(error), param_hint="--mapping") from None
    for field, target in targets:
        if not is_platform(target.platform):
            known = ", ".join(sorted([*PLATFORMS, *SELF_ANSWERING]))
            raise click.BadParameter(
                f"{field}.platform: there is no platform «{target.platform}»; there are {known}", param_hint="--mapping"
            )
    return document or {}
