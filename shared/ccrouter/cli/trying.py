"""`ccrouter credentials test`: one real request with a credential, told and logged like any other."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import click

from ccrouter.cli.database import every, open_database, vault_of
from ccrouter.cli.first_start import ADMIN
from ccrouter.cli.hints import program
from ccrouter.config import Settings, require
from ccrouter.errors import SettingsError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ccrouter.credentials.kinds import Credential
    from ccrouter.metering.record import CallRecord


@click.command("test")
@click.argument("wanted", metavar="ID|NAME")
@click.option("--model", default="claude-haiku-4-5", show_default=True, help="The platform's model to ask.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def try_credential(wanted: str, model: str, as_json: bool) -> None:
    """Send a real request for one token with an account, in use or not.

    It appears in the log as kind `test` and costs what one token costs. The exit code is 0 only when it was answered.

    \b
    Examples:
      ccrouter credentials test main
      ccrouter credentials test main --model claude-opus-5-5 --json
    """
    from ccrouter.storage import credentials, users

    with open_database() as (engine, settings):
        require(settings, "redis_url")
        vault = vault_of(settings)
        credential = credentials.open_one(engine, vault, _id_of(engine, wanted))
        admin = users.by_login(engine, ADMIN)
        if credential is None or admin is None:
            raise SettingsError([f"there is no credential «{wanted}»; {program()} credentials list shows all"])
        record = asyncio.run(_ask(settings, credential, model, admin[0].id))
    if as_json:
        click.echo(json.dumps(_described(record, credential.name)))
    elif record.status == "ok":
        click.secho("ok", fg="green", nl=False)
        click.echo(f"  {credential.name} answered as {model} within {record.duration_ms} ms")
    else:
        click.secho("failed", fg="red", nl=False)
        click.echo(f"  {credential.name}: {_what_went_wrong(record)}")
    sys.exit(0 if record.status == "ok" else 1)


async def _ask(settings: Settings, credential: "Credential", model: str, user_id: str) -> "CallRecord":
    from ccrouter.gateway import probe
    from ccrouter.services import Services

    services = Services(settings)
    await services.start()
    try:
        prices = (await services.directory.routing()).prices
        return await probe(credential, model, prices, services.outside, user_id=user_id, user_login=ADMIN)
    finally:
        await services.close()


def _id_of(engine: "Engine", wanted: str) -> str:
    """The id of the credential of this id or name; raises SettingsError where several have the name."""
    from ccrouter.storage import credentials

    named = [item.id for item in every(credentials.find, engine) if wanted in (item.id, item.name)]
    if len(named) > 1:
        raise SettingsError([f"{len(named)} credentials are called «{wanted}»; give the id of one: {', '.join(named)}"])
    return named[0] if named else wanted


def _what_went_wrong(record: "CallRecord") -> str:
    """The platform's own words; clients are told less of them."""
    last = record.attempts[-1] if record.attempts else None
    if last is None or last.reason is None:
        return f"{record.error_type}: {record.error_message}"
    return last.reason if last.status is None else f"status {last.status}: {last.reason}"


def _described(record: "CallRecord", name: str) -> dict[str, object]:
    error = {"type": record.error_type, "message": _what_went_wrong(record)} if record.error_type else None
    return {
        "ok": record.status == "ok",
        "credential": name,
        "http_status": record.http_status,
        "duration_ms": record.duration_ms,
        "error": error,
        "log_id": str(record.id),
    }
