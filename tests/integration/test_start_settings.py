"""Starting with settings of one's own: other servers, and what a start says that cannot work."""

import re
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import Engine, text
from tests.integration.launched import Installation, json_of, new_installation
from tests.raw_platform import closed_port
from tests.services import MASTER_KEY, fresh_database

from ccrouter.cli import first_start
from ccrouter.embedded import EmbeddedServices
from ccrouter.errors import SettingsError, StorageAway
from ccrouter.storage.engine import make_engine
from ccrouter.storage.migrate import migrate

pytestmark = pytest.mark.xdist_group("start settings")


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """A folder that no router ever runs in."""
    with new_installation() as installation:
        yield installation


def test_servers_of_ones_own_are_used_instead(embedded: EmbeddedServices) -> None:
    """With all four given nothing is started; the data directory holds notes of what runs, and nothing to keep."""
    with new_installation() as installation, fresh_database(embedded) as url:
        settings = {
            "DATABASE_URL": url,
            "REDIS_URL": embedded.redis_url,
            "CCR_MASTER_KEY": MASTER_KEY,
            "JWT_SECRET": "j" * 32,
            "ADMIN_PASSWORD": "given",
        }
        with installation.running(**settings) as router:
            assert "password" not in router.said
            assert [path.name for path in installation.data_dir.iterdir()] == ["outbox"]
        listed = json_of(installation.run("keys", "list", "--json", DATABASE_URL=url))
        assert [key["name"] for key in listed] == ["first key"]
        assert not [path for path in installation.data_dir.rglob("*") if path.is_file()]


def test_with_a_database_of_ones_own_set_up_waits_for_its_code(embedded: EmbeddedServices) -> None:
    """A start and `migrate` print one; whoever has it becomes the administrator, and no later start prints any."""
    with new_installation() as installation, fresh_database(embedded) as url:
        settings = {
            "DATABASE_URL": url,
            "REDIS_URL": embedded.redis_url,
            "CCR_MASTER_KEY": MASTER_KEY,
            "JWT_SECRET": "j" * 32,
        }
        told = re.compile(r"^Set it up: \S+/setup   one-time code: (\S{23})$", re.MULTILINE)
        deployed = told.findall(installation.run("migrate", DATABASE_URL=url).stdout)
        with installation.running(**settings) as router:
            started = told.findall(router.said)
            assert (len(deployed), len(started), deployed == started) == (1, 1, False)
            assert "password" not in router.said
            body = {"code": deployed[0], "password": "twelve or more"}
            assert httpx2.post(f"{router.url}/api/v1/setup", json=body).status_code == 201
        with installation.running(**settings) as router:
            assert "code" not in router.said
        assert "code" not in installation.run("migrate", DATABASE_URL=url).stdout


def test_only_the_database_may_be_ones_own(embedded: EmbeddedServices) -> None:
    """Valkey and the session secret then come from the data directory; commands must be given the database, too."""
    with (
        new_installation() as installation,
        fresh_database(embedded) as url,
        installation.running(DATABASE_URL=url, CCR_MASTER_KEY=MASTER_KEY),
    ):
        assert not (installation.data_dir / "postgres").exists()
        assert (installation.data_dir / "valkey").exists()
        failed = installation.run("keys", "list")
        assert failed.returncode == 1
        assert "was started with DATABASE_URL; set it here to the same" in failed.stderr


def test_every_setting_that_cannot_work_is_named_at_once(installation: Installation) -> None:
    """One message, a line for each; no start, nothing left behind."""
    wrong = {
        "PORT": "eighty",
        "JWT_SECRET": "short",
        "CCR_MASTER_KEY": "k",
        "DATABASE_URL": "mysql://user:hidden-password@host/x",
        "REDIS_URL": "host:6379",
        "CLAUDE_BASE_URL": "api.example.com",
        "FRONTEND_URL": "example.com",
        "CCR_LOG_SINK": "file",
        "CCR_TRUSTED_PROXIES": "everybody",
        "CCR_PRIVATE_UPSTREAMS": "10.0.0.0/99",
    }
    ended = installation.run("serve", **wrong)
    assert ended.returncode == 1
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert all(line.startswith("ccrouter: ") for line in lines), ended.stderr
    for name in wrong:
        assert any(line.startswith(f"ccrouter: {name}") for line in lines), name
    assert "hidden-password" not in ended.stderr
    assert not installation.data_dir.exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"DATABASE_URL": "postgresql://u@h/d"}, "CCR_MASTER_KEY is not set"),
        ({"CCR_PG_BIN": "/nowhere"}, "/nowhere (CCR_PG_BIN) holds no programs of PostgreSQL"),
        ({"CCR_DATA_DIR": "/dev/null/data"}, "the data directory /dev/null/data cannot be used (Not a directory)"),
        ({"CCR_HOST": "192.0.2.1"}, "(Cannot assign requested address); CCR_HOST names the host"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_start_that_cannot_work_says_why_in_one_line(
    installation: Installation, settings: dict[str, str], words: str
) -> None:
    """No traceback, no word of success."""
    ended = installation.run("serve", **settings)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert words in ended.stderr


def test_a_misspelt_setting_is_pointed_out() -> None:
    """It would be ignored in silence otherwise."""
    with new_installation() as installation, installation.running(CCR_DATADIR="elsewhere") as router:
        assert "no settings of this version: CCR_DATADIR" in router.said


def test_the_start_goes_on_without_redis() -> None:
    """It says so, and requests are answered."""
    with (
        new_installation() as installation,
        installation.running(REDIS_URL=f"redis://:hidden-password@127.0.0.1:{closed_port()}/0") as router,
    ):
        assert "Redis does not answer, and the router works without it, more slowly: Error 111" in router.said
        assert "hidden-password" not in router.said
        key = json_of(installation.run("keys", "create", "sandboxed", "--json", "--mapping", _TO_SANDBOX))["key"]
        assert router.ask(key).status_code == 200


def test_a_database_that_does_not_come_up_ends_the_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for some time; the message says where and why, and keeps the password."""
    monkeypatch.setattr(first_start, "_WAIT_FOR_DATABASE_S", 0.2)
    url = f"postgresql://user:hidden-password@127.0.0.1:{closed_port()}/name"
    with pytest.raises(StorageAway) as raised:
        first_start.wait_for_database(make_engine(url), url)
    place = url.partition("@")[2]
    assert str(raised.value) == f"PostgreSQL does not answer: Connection refused ({place}, given in DATABASE_URL)"
    assert capsys.readouterr().err == (
        f"waiting for PostgreSQL at {place} … (PostgreSQL does not answer: Connection refused)\n"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.replace("ccrouter:", "ccrouter:x"), "password authentication failed"),
        (lambda url: url + "x", "does not exist"),
        (lambda url: url + "?sslmode=require", "does not speak TLS"),
    ],
    ids=["password", "database", "TLS"],
)
def test_what_waiting_cannot_mend_is_said_at_once(
    embedded: EmbeddedServices, installation: Installation, change: Callable[[str], str], words: str
) -> None:
    """A wrong password, a database that is not there, a server without TLS."""
    ended = installation.run("serve", DATABASE_URL=change(embedded.database_url), CCR_MASTER_KEY=MASTER_KEY)
    assert ended.returncode == 1
    assert "waiting" not in ended.stderr
    assert words in ended.stderr.splitlines()[-1]


def test_a_foreign_master_key_ends_the_start(embedded: EmbeddedServices) -> None:
    """The database was written under another one."""
    with new_installation() as installation, fresh_database(embedded) as url:
        own = {"DATABASE_URL": url, "REDIS_URL": embedded.redis_url}
        with installation.running(**own, CCR_MASTER_KEY=MASTER_KEY):
            pass
        ended = installation.run("serve", **own, CCR_MASTER_KEY="A" * 43)
        assert ended.returncode == 1
        assert "CCR_MASTER_KEY is not the key this database was written with" in ended.stderr


def test_a_user_who_may_not_make_tables_is_told_so(engine: Engine, database_url: str) -> None:
    """Since PostgreSQL 15 nobody but the owner of a database may, unless it is granted."""
    name = f"guest_{uuid.uuid4().hex}"
    with engine.begin() as connection:
        connection.execute(
            text("DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC")
        )
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'guest'"))
    parts = urlsplit(database_url)
    try:
        with pytest.raises(
            SettingsError, match="may not make the router's tables: permission denied for schema public"
        ):
            migrate(parts._replace(netloc=f"{name}:guest@{parts.hostname}:{parts.port}").geturl())
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP ROLE {name}"))


def test_a_database_that_a_newer_version_has_used_is_left_as_it_is(engine: Engine, database_url: str) -> None:
    """Its tables serve this version too: an update can be taken back, and processes of both run side by side."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert migrate(database_url) == []


_TO_SANDBOX = '{"opus": [{"platform": "sandbox", "model": "sandbox"}]}'
