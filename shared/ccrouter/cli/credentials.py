"""`ccrouter credentials`: the operator's own accounts on the platforms."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ccrouter.cli.database import COMMAND_LINE, every, open_database, vault_of
from ccrouter.cli.hints import program
from ccrouter.cli.trying import try_credential
from ccrouter.clock import rfc3339, utc_now
from ccrouter.config import read_secret_variable
from ccrouter.credentials.kinds import KINDS, AuthError, check_auth, check_options
from ccrouter.networks import check_base_url
from ccrouter.platforms.registry import PLATFORMS

if TYPE_CHECKING:
    from ccrouter.storage.credentials import StoredCredential


@click.group()
def credentials() -> None:
    """Add, list and test the accounts that requests are sent with.

    \b
    Examples:
      ccrouter credentials add --platform anthropic --name main
      ccrouter credentials test main
      ccrouter credentials list
    """


credentials.add_command(try_credential)


@credentials.command()
@click.option("--platform", type=click.Choice(sorted(PLATFORMS)), default="anthropic", show_default=True)
@click.option("--name", required=True, help="What you call it.")
@click.option("--base-url", help="Another address than the platform's own, without /v1.")
@click.option("--secret-env", metavar="VARIABLE", help="Take the secret from this environment variable.")
@click.option("--auth-token", is_flag=True, help="The secret is a bearer token, not an API key (anthropic).")
@click.option("--auth-json", is_flag=True, help="The secret is the whole `auth` object of the platform, as JSON.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the platform.")
@click.option("--priority", type=int, default=0, show_default=True, help="Higher ones are used first.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def add(
    platform: str,
    name: str,
    base_url: str | None,
    secret_env: str | None,
    auth_token: bool,
    auth_json: bool,
    options: tuple[str, ...],
    priority: int,
    as_json: bool,
) -> None:
    """Add an account. The secret is asked for, or read from standard input: never from the command line.

    \b
    Examples:
      ccrouter credentials add --platform anthropic --name main
      ccrouter credentials add --name main < secret.txt
      ccrouter credentials add --name glm --base-url https://api.z.ai/api/anthropic --secret-env GLM_KEY
      ccrouter credentials add --platform vertex --name cloud --auth-json --option region=global < auth.json
    """
    from ccrouter.storage import audit
    from ccrouter.storage import credentials as stored

    if not name.strip():
        raise click.BadParameter("must not be empty", param_hint="--name")
    if secret_env is not None:
        secret = read_secret_variable(secret_env)
        if secret is None:
            raise click.BadParameter(f"the variable {secret_env} is not set", param_hint="--secret-env")
    elif sys.stdin.isatty():
        secret = click.prompt("Secret", hide_input=True)
    else:
        secret = sys.stdin.read()
    try:
        auth = check_auth(platform, _auth_object(secret, auth_token=auth_token, auth_json=auth_json))
        checked_options = check_options(platform, dict(map(_option, options)))
    except AuthError as error:
        raise click.UsageError(f"{error.field} {error.message}") from None
    kind = KINDS[platform]
    if base_url is not None and kind.base_url is None:
        raise click.BadParameter(f"{platform} takes its addresses as options", param_hint="--base-url")
    with open_database() as (engine, settings):
        if base_url is not None:
            try:
                base_url = check_base_url(base_url, settings.private_upstreams, kind.refused_endings)
            except ValueError as error:
                raise click.BadParameter(str(error), param_hint="--base-url") from None
        fields = {"name": name, "base_url": base_url, "priority": priority, "options": checked_options}
        with engine.begin() as connection:
            made = stored.create(connection, vault_of(settings), platform, auth, fields)
            audit.note(
                connection,
                actor=COMMAND_LINE,
                action="credential.create",
                kind="credential",
                object_id=made.id,
                after={"platform": platform, **fields},
            )
    if as_json:
        click.echo(json.dumps({"id": made.id, "name": made.name, "platform": made.platform}))
        return
    click.echo(f"{made.name} ({made.id}) is in use within 5 seconds")


def _auth_object(secret: str, *, auth_token: bool, auth_json: bool) -> dict[str, Any]:
    if not auth_json:
        return {"auth_token" if auth_token else "api_key": secret}
    try:
        document = json.loads(secret)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise click.UsageError("the secret is not a JSON object")
    return document


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text} is not NAME=VALUE", param_hint="--option")
    return name, {"true": True, "false": False}.get(value, value)


_COLOURS = {"enabled": "green", "disabled": "yellow", "blocked": "red"}


def _block_of(item: "StoredCredential") -> dict[str, Any]:
    """Whether it is out of use, why, and until when; one whose end is past is none."""
    blocked = item.is_blocked(utc_now())
    until = item.blocked_until if blocked else None
    return {
        "blocked": blocked,
        "blocked_reason": item.blocked_reason if blocked else None,
        "blocked_until": None if until is None else rfc3339(until),
    }


@credentials.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def list_credentials(as_json: bool) -> None:
    """List all accounts, newest first, without their secrets.

    \b
    Example:
      ccrouter credentials list --json
    """
    from ccrouter.storage import credentials as stored

    with open_database() as (engine, _):
        found = every(stored.find, engine)
    if as_json:
        members = ("id", "platform", "name", "enabled", "base_url", "priority", "origin")
        click.echo(
            json.dumps([{member: getattr(item, member) for member in members} | _block_of(item) for item in found])
        )
        return
    for item in found:
        blocked = _block_of(item)
        state = "blocked" if blocked["blocked"] else "enabled" if item.enabled else "disabled"
        line = f"{item.id}  {item.platform}  {click.style(f'{state:8}', fg=_COLOURS[state])}  {item.name}"
        click.echo(f"{line}  {item.base_url or ''}".rstrip())
        if blocked["blocked"]:
            until = "" if blocked["blocked_until"] is None else f", until {blocked['blocked_until']}"
            click.echo(f"    {blocked['blocked_reason']}{until}")
    if not found:
        click.echo(f"no credentials yet; add one: {program()} credentials add --name NAME")
