"""The command line: which commands there are, and how a failure is told."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from ccrouter import __version__
from ccrouter.errors import CcrError, SettingsError

_COMMANDS = {
    "serve": ("ccrouter.cli.serve", "serve"),
    "migrate": ("ccrouter.cli.database", "migrate_command"),
    "keys": ("ccrouter.cli.keys", "keys"),
    "credentials": ("ccrouter.cli.credentials", "credentials"),
    "prices": ("ccrouter.cli.prices", "prices"),
    "check-totals": ("ccrouter.cli.totals", "check_totals"),
    "openapi": ("ccrouter.cli.openapi", "openapi"),
}


class _Commands(click.Group):
    """Imports a command when it is called for, so that the others cost nothing; tells failures in one line each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            _tell(error.problems)
        except CcrError as error:
            _tell([str(error)])
        sys.exit(1)


def _tell(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        click.secho("ccrouter: ", fg="red", bold=True, err=True, nl=False)
        click.echo(sentence, err=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ccrouter")
def cli() -> None:
    """Claude Code Router: one address and one key for every Claude client.

    \b
    Examples:
      ccrouter serve
      ccrouter keys create laptop
      ccrouter keys create --help
    """
