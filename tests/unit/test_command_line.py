"""The command line: help that shows how, colours for people alone, and what a script can rely on."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine
from tests.services import MASTER_KEY, an_admin

from ccrouter.cli import cli
from ccrouter.clock import utc_now
from ccrouter.credentials.vault import Vault
from ccrouter.storage import audit, credentials
from ccrouter.storage.audit import AuditFilters


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


@pytest.fixture
def runner(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line of an installation with a database of its own."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("CCR_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("CCR_DATA_DIR", str(tmp_path))
    return CliRunner()


@pytest.mark.parametrize("words", list(commands(cli)), ids=" ".join)
def test_every_help_shows_how(words: tuple[str, ...]) -> None:
    """With an example that begins with the command."""
    answer = CliRunner().invoke(cli, [*words, "--help"])
    assert answer.exit_code == 0
    assert "Example" in answer.output
    assert f"ccrouter {' '.join(words)}" in answer.output.partition("Example")[2]


def test_a_block_that_has_ended_is_none(runner: CliRunner, engine: Engine, vault: Vault) -> None:
    """One that holds is told with its reason and end; colours are for terminals."""
    made = [credentials.create(engine, vault, "anthropic", {"api_key": "k"}, {"name": name}) for name in ("a", "b")]
    credentials.block(engine, made[0].id, "quota", until=utc_now() - timedelta(hours=1))
    credentials.block(engine, made[1].id, "quota", until=utc_now() + timedelta(hours=1))
    plain = runner.invoke(cli, ["credentials", "list"])
    assert plain.exit_code == 0
    assert "\x1b" not in plain.output
    lines = plain.output.splitlines()
    assert [line.split()[2] for line in lines if line.startswith("0")] == ["blocked", "enabled"]
    assert "quota, until " in plain.output
    assert "\x1b[31m" in runner.invoke(cli, ["credentials", "list"], color=True).output
    listed = json.loads(runner.invoke(cli, ["credentials", "list", "--json"]).output)
    assert [(item["name"], item["blocked"]) for item in listed] == [("b", True), ("a", False)]


def test_what_the_command_line_changes_is_in_the_audit_log(runner: CliRunner, engine: Engine) -> None:
    """By what did it; secrets are not in it."""
    an_admin(engine)
    key = json.loads(runner.invoke(cli, ["keys", "create", "laptop", "--json"]).output)
    assert runner.invoke(cli, ["keys", "disable", key["id"]]).exit_code == 0
    added = runner.invoke(cli, ["credentials", "add", "--name", "main", "--json"], input="sk-ant-secret")
    assert json.loads(added.output)["name"] == "main"
    entries = audit.find(engine, AuditFilters(actor="command line")).items
    assert [entry.action for entry in reversed(entries)] == ["key.create", "key.change", "credential.create"]
    assert "secret" not in str([(entry.before, entry.after) for entry in entries])
    assert key["key"] not in str([(entry.before, entry.after) for entry in entries])


def test_a_failure_has_one_sentence_and_its_exit_code(runner: CliRunner) -> None:
    """1 for what does not work, 2 for what was typed wrongly."""
    unknown = runner.invoke(cli, ["keys", "disable", "nobody"])
    assert (unknown.exit_code, unknown.output.count("\n")) == (1, 1)
    assert "there is no key nobody" in unknown.output
    assert runner.invoke(cli, ["keys", "create", " "]).exit_code == 2
    assert runner.invoke(cli, ["keys", "create", "x", "--mapping", "{"]).exit_code == 2
    assert runner.invoke(cli, ["nonsense"]).exit_code == 2
