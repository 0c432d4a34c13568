"""Bringing a database to the tables of this version: from nothing, again, and by many at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text
from tests.services import empty_database, fresh_database

from ccrouter.embedded import EmbeddedServices
from ccrouter.storage.engine import make_engine
from ccrouter.storage.migrate import migrate, migrate_engine, newest_revision
from ccrouter.storage.tables import metadata


@pytest.fixture
def empty_url(embedded: EmbeddedServices) -> Iterator[str]:
    """A database without a table."""
    with empty_database(embedded) as url:
        yield url


def shape_of(engine: Engine) -> dict[str, Any]:
    """Tables with their columns, keys and indexes, as PostgreSQL has them; the months of the log are as the log is."""
    found = inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in found.get_columns(table)
            },
            "primary key": found.get_pk_constraint(table),
            "foreign keys": found.get_foreign_keys(table),
            "unique": found.get_unique_constraints(table),
            "checks": sorted(check["name"] or "" for check in found.get_check_constraints(table)),
            "indexes": sorted(found.get_indexes(table), key=str),
        }
        for table in sorted(found.get_table_names())
        if table != "alembic_version" and not table.startswith("request_log_")
    }


def function_of(engine: Engine, name: str) -> str:
    """The statement that makes a function of the migrations."""
    with engine.connect() as connection:
        found = connection.execute(text("SELECT pg_get_functiondef(CAST(:name AS regproc))"), {"name": name})
        return str(found.scalar_one())


def test_an_empty_database_gets_every_table(empty_url: str) -> None:
    """And says what was applied."""
    assert migrate(empty_url)[-1] == newest_revision()
    engine = make_engine(empty_url, pool_size=0)
    assert set(metadata.tables) <= set(inspect(engine).get_table_names())


def test_a_second_time_nothing_is_applied(database_url: str) -> None:
    """Every start migrates."""
    assert migrate(database_url) == []


def test_of_many_at_once_one_migrates(empty_url: str) -> None:
    """Several processes start on one empty database."""
    with ThreadPoolExecutor(5) as pool:
        applied = list(pool.map(migrate, [empty_url] * 5))
    assert sorted(map(bool, applied)) == [False] * 4 + [True]


def test_the_tables_of_the_code_are_those_of_the_migrations(embedded: EmbeddedServices, engine: Engine) -> None:
    """Column by column, with keys, checks and indexes: a change of one without the other is found here."""
    with fresh_database(embedded) as url:
        made = make_engine(url, pool_size=0)
        with made.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
            connection.exec_driver_sql(function_of(engine, "log_words"))
        metadata.create_all(made)
        assert shape_of(engine) == shape_of(made)


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    """All or nothing: a later start begins anew."""
    engine = make_engine(empty_url, pool_size=0)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE sessions (in_the_way int)"))
    with pytest.raises(Exception, match="already exists"):
        migrate_engine(engine)
    assert inspect(engine).get_table_names() == ["sessions"]
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE sessions"))
    assert migrate_engine(engine)


def test_the_tables_of_a_newer_version_are_left_alone(database_url: str) -> None:
    """A roll-back of the program does not touch them."""
    engine = make_engine(database_url, pool_size=0)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert migrate(database_url) == []
