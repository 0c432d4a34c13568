"""The commands beside `serve`: each works while a router runs and while none does, on the same data."""

import json
import time
from collections.abc import Callable, Iterator

import click
import httpx2
import pytest
from click.testing import CliRunner
from sqlalchemy import select
from tests.integration.launched import Installation, exports_in, json_of, new_installation
from tests.services import UPSTREAM_SECRET
from tests.upstream import FakeUpstream, error, json_answer, message

from ccrouter import cli
from ccrouter.storage.engine import make_engine
from ccrouter.storage.tables import chores

pytestmark = pytest.mark.xdist_group("commands")

_TO_SANDBOX = '{"opus": [{"platform": "sandbox", "model": "sandbox"}]}'


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """An installation that was started once."""
    with new_installation() as installation:
        with installation.running():
            pass
        yield installation


@pytest.fixture(params=["a router runs", "no router runs"])
def anyhow(request: pytest.FixtureRequest, installation: Installation) -> Iterator[Installation]:
    """That installation, with and without a running router."""
    if request.param == "a router runs":
        with installation.running():
            yield installation
    else:
        yield installation


def test_every_command_works_with_and_without_a_running_router(anyhow: Installation) -> None:
    """Make, list, disable; add, list, test; migrate; sync prices; check totals; describe the API."""
    made = anyhow.run("keys", "create", "laptop", "--mapping", _TO_SANDBOX)
    assert exports_in(made.stdout).keys() == {
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    }
    key = json_of(anyhow.run("keys", "list", "--json"))[0]
    assert (key["name"], key["enabled"]) == ("laptop", True)
    assert anyhow.run("keys", "disable", key["id"]).stdout == "laptop is disabled\n"
    assert json_of(anyhow.run("keys", "list", "--json"))[0]["enabled"] is False

    added = anyhow.run("credentials", "add", "--name", "main", given="sk-ant-secret\n")
    assert added.returncode == 0, added.stderr
    listed = anyhow.run("credentials", "list").stdout
    assert "anthropic  enabled   main" in listed
    assert "sk-ant-secret" not in listed

    assert anyhow.run("migrate").stdout == "nothing to apply\n"
    assert " in force" in anyhow.run("prices", "sync").stdout
    assert "rows and sums are equal" in anyhow.run("check-totals").stdout
    assert json_of(anyhow.run("openapi"))["openapi"].startswith("3.")


def test_a_key_that_is_disabled_here_stops_working_there(installation: Installation) -> None:
    """Within five seconds (`product.md` §5)."""
    with installation.running() as router:
        key = json_of(installation.run("keys", "create", "short-lived", "--json", "--mapping", _TO_SANDBOX))
        assert router.ask(key["key"]).status_code == 200
        installation.run("keys", "disable", key["id"])
        assert _within_5_s(lambda: router.ask(key["key"]).status_code == 401)


def test_a_credential_is_tried_with_a_real_request(installation: Installation) -> None:
    """What the platform says decides; the request is logged like any other, and the exit code tells scripts."""
    with FakeUpstream(UPSTREAM_SECRET) as platform:
        add = ("credentials", "add", "--base-url", platform.url)
        assert installation.run(*add, "--name", "right", given=UPSTREAM_SECRET).returncode == 0
        assert installation.run(*add, "--name", "refused", given=UPSTREAM_SECRET).returncode == 0
        platform.script = [json_answer(message("Hello")), error(401, "authentication_error", "invalid x-api-key")]
        tried = installation.run("credentials", "test", "right")
        assert (tried.returncode, tried.stdout.partition(" answered as ")[0]) == (0, "ok  right")
        refused = installation.run("credentials", "test", "refused")
        assert (refused.returncode, refused.stdout) == (1, "failed  refused: status 401: invalid x-api-key\n")
    unreachable = json.loads(installation.run("credentials", "test", "right", "--json").stdout)
    assert unreachable["error"]["message"].startswith("No answer from 127.0.0.1")
    with installation.running(ADMIN_PASSWORD="given") as router, httpx2.Client(base_url=router.url) as client:
        signed_in = client.post("/api/v1/auth/login", json={"username": "admin", "password": "given"}).json()
        rows = client.get("/api/v1/logs", headers={"authorization": f"Bearer {signed_in['access_token']}"}).json()
    kinds = [row["status"] for row in rows["items"] if row["kind"] == "test"]
    assert kinds == ["error", "error", "ok"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("keys", "disable", "nobody"), "there is no key nobody; "),
        (("keys", "create", "x", "--owner", "nobody"), "there is no user «nobody»"),
        (("keys", "create", "x", "--mapping", '{"opus": 1}'), "Invalid value for --mapping"),
        (("keys", "create", "x", "--mapping", "opus"), "this is not JSON"),
        (
            ("keys", "create", "x", "--mapping", '{"opus": [{"platform": "nowhere", "model": "x"}]}'),
            "mapping.opus[0].platform: there is no platform «nowhere»; there are anthropic, ",
        ),
        (("keys", "create", " "), "must not be empty"),
        (("credentials", "add", "--name", "x"), "auth.api_key must not be empty"),
        (("credentials", "test", "nobody"), "there is no credential «nobody»; "),
        (("credentials", "add", "--name", "x", "--secret-env", "NOT_SET"), "the variable NOT_SET is not set"),
        (("keyz",), "No such command 'keyz'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    installation: Installation, arguments: tuple[str, ...], words: str
) -> None:
    """No traceback, and a code that is not 0."""
    failed = installation.run(*arguments)
    assert failed.returncode != 0
    assert words in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_command_in_the_wrong_folder_says_that_it_starts_anew() -> None:
    """Data directories are relative to the folder; somebody who stands in another one must notice."""
    with new_installation() as elsewhere:
        listed = elsewhere.run("keys", "list")
        assert listed.stderr == f"starting a new data directory: {elsewhere.data_dir}\n"
        failed = elsewhere.run("keys", "create", "x")
        assert "there is no user «admin» yet: the first start of the router makes it" in failed.stderr


def test_a_database_of_ones_own_that_is_away_is_named(installation: Installation) -> None:
    """Where and why, at once, without the password."""
    failed = installation.run("keys", "list", DATABASE_URL="postgresql://user:hidden-password@127.0.0.1:1/name")
    assert failed.returncode == 1
    assert failed.stderr == "ccrouter: PostgreSQL does not answer: Connection refused (127.0.0.1:1/name)\n"


def _within_5_s(holds: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + 5
    while not holds():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for part in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), part)
            assert found is not None
            yield from _commands(found, f"{name} {part}")


@pytest.mark.parametrize(("name", "command"), list(_commands(cli.cli, "ccrouter")), ids=lambda value: str(value))
def test_every_command_has_help_with_examples(name: str, command: click.Command) -> None:
    """At least one, and it is of this command."""
    said = CliRunner().invoke(command, ["--help"])
    assert said.exit_code == 0
    examples = said.output.partition("Example")[2].splitlines()[1:]
    assert any(name in line for line in examples), said.output


def test_a_running_router_does_its_chores(installation: Installation) -> None:
    """From its start on, beside the requests."""
    with installation.running():
        database_url = json.loads((installation.data_dir / "runtime.json").read_text())["database_url"]
        engine = make_engine(database_url, pool_size=1)
        give_up = time.monotonic() + 20
        with engine.connect() as connection:
            while True:
                done = set(connection.execute(select(chores.c.name).where(chores.c.ended_at.is_not(None))).scalars())
                connection.rollback()
                if {"keep_months", "reconcile"} <= done:
                    break
                assert time.monotonic() < give_up, done
                time.sleep(0.05)
        engine.dispose()
