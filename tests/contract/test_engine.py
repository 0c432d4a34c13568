"""How long a connection to PostgreSQL waits, and what a URL may say."""

import gc
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.gate import SOCKETS_LEFT_OPEN, Gate
from tests.raw_platform import RawPlatform, closed_port

from ccrouter.embedded import EmbeddedServices
from ccrouter.errors import SettingsError, StorageAway
from ccrouter.storage import engine as engines
from ccrouter.storage.crossing import away_named, is_away
from ccrouter.storage.engine import make_engine, ping

pytestmark = pytest.mark.filterwarnings(SOCKETS_LEFT_OPEN)


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Half a second in place of ten."""
    monkeypatch.setattr(engines, "_CONNECT_TIMEOUT_S", 0.5)
    yield
    gc.collect()


@pytest.mark.usefixtures("short_limit")
def test_a_migration_may_take_longer_than_an_answer(database_url: str) -> None:
    """An index on a large table is built in minutes; a request does not wait so long for anything."""
    patient, other = make_engine(database_url, pool_size=0), make_engine(database_url, pool_size=1)
    with patient.connect() as connection:
        connection.execute(text("SELECT pg_sleep(0.8)"))
    with pytest.raises((DBAPIError, TimeoutError)) as caught, other.connect() as connection:
        connection.execute(text("SELECT pg_sleep(0.8)"))
    assert is_away(caught.value)
    ping(other)
    other.dispose()


@pytest.mark.usefixtures("short_limit")
@pytest.mark.parametrize("pool_size", [0, 1])
def test_a_server_that_does_not_speak_is_given_up(pool_size: int) -> None:
    """Also by a migration: there is nothing to wait for."""
    with RawPlatform(None) as silent:
        engine = make_engine(silent.url.replace("http://", "postgresql://u:p@") + "/x", pool_size=pool_size)
        began = time.monotonic()
        with pytest.raises(StorageAway):
            away_named(ping)(engine)
        assert time.monotonic() - began < 3
        engine.dispose()


def test_a_connection_that_broke_in_the_pool_is_replaced(embedded: EmbeddedServices) -> None:
    """A restart of the server costs no request."""
    with Gate(embedded.database_url) as gate:
        engine = make_engine(gate.url, pool_size=1)
        ping(engine)
        gate.shut()
        with pytest.raises(StorageAway, match="PostgreSQL does not answer"):
            away_named(ping)(engine)
        gate.open()
        ping(engine)
        engine.dispose()


def test_a_wrong_statement_is_not_an_outage(database_url: str) -> None:
    """It must not send records to the outbox."""
    engine = make_engine(database_url, pool_size=0)
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT nonsense"))
    assert not is_away(caught.value)


def test_an_outage_names_neither_password_nor_user() -> None:
    """What is said goes to logs."""
    engine = make_engine(f"postgresql://operator:s3cret@127.0.0.1:{closed_port()}/x", pool_size=0)
    with pytest.raises(StorageAway) as caught:
        away_named(ping)(engine)
    assert "s3cret" not in str(caught.value)
    assert "operator" not in str(caught.value)


@pytest.mark.parametrize(
    "query", ["sslmode=disable", "sslmode=prefer&channel_binding=require", "application_name=mine&x=1"]
)
def test_the_words_of_other_drivers_do_no_harm(embedded: EmbeddedServices, query: str) -> None:
    """URLs are copied from providers' pages."""
    ping(make_engine(f"{embedded.database_url}?{query}", pool_size=0))


@pytest.mark.parametrize("url", ["mysql://h/x", "postgresql:///x", "postgresql://h/x?sslmode=perhaps"])
def test_a_url_that_cannot_work_is_named(url: str) -> None:
    """Before anything is tried."""
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        make_engine(url)


def test_a_statement_is_sent_at_once(database_url: str) -> None:
    """Else a statement of more than one piece takes 40 ms: the kernel keeps its end back for an acknowledgement."""
    engine = make_engine(database_url, pool_size=1)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        assert driver._usock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    engine.dispose()
