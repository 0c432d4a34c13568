"""Credentials as PostgreSQL keeps them: sealed, bound to their row, in step with the environment."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from ccrouter.credentials.kinds import Block
from ccrouter.credentials.vault import Vault, new_master_key, read_master_key
from ccrouter.storage import credentials

NO_ID = "this is no id"
UNKNOWN_ID = "01a20fa1-1e64-758e-be7d-0f5c33ab1360"


def test_a_credentials_secret_is_sealed_at_rest(engine: Engine, vault: Vault) -> None:
    """Nothing in the row shows it; it opens with the key of this installation only."""
    auth = {"api_key": "sk-ant-very-secret"}
    made = credentials.create(engine, vault, "anthropic", auth, {"name": "main", "weight": 3})
    with engine.connect() as connection:
        row = connection.execute(text("SELECT credentials::text, auth_sealed FROM credentials")).one()
    assert "very-secret" not in row[0]
    assert b"very-secret" not in bytes(row[1])
    opened = credentials.open_one(engine, vault, made.id)
    assert opened is not None
    assert (opened.auth, opened.weight, opened.open_network) == (auth, 3, False)
    assert "very-secret" not in repr(opened)
    assert credentials.in_use(engine, Vault(read_master_key(new_master_key()))) == []


def test_a_sealed_secret_is_bound_to_its_row(engine: Engine, vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    """Copied to another row by hand, it does not open there."""
    first = credentials.create(engine, vault, "anthropic", {"api_key": "one"}, {"name": "one"})
    credentials.create(engine, vault, "anthropic", {"api_key": "two"}, {"name": "two"})
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE credentials SET auth_sealed = (SELECT auth_sealed FROM credentials WHERE id = :id)"),
            {"id": first.id},
        )
    with caplog.at_level(logging.ERROR):
        assert [item.name for item in credentials.in_use(engine, vault)] == ["one"]
    assert "two" in caplog.text


def test_another_secret_lifts_a_block_and_a_change_of_name_does_not(engine: Engine, vault: Vault) -> None:
    """A block says that the platform refused this secret."""
    made = credentials.create(engine, vault, "anthropic", {"api_key": "one"}, {"name": "one"})
    assert credentials.block(engine, made.id, "terms")
    assert credentials.change(engine, vault, made.id, {"name": "renamed"})
    assert [item.block for item in credentials.in_use(engine, vault)] == [Block("terms")]
    found = credentials.get(engine, made.id)
    assert found is not None
    assert found.blocked_reason == "terms"
    assert credentials.change(engine, vault, made.id, {}, auth={"api_key": "two"})
    assert [(item.auth, item.block) for item in credentials.in_use(engine, vault)] == [({"api_key": "two"}, None)]


def test_a_block_of_what_has_changed_meanwhile_is_none(engine: Engine, vault: Vault) -> None:
    """What was refused was another secret; and a block is lifted by hand."""
    made = credentials.create(engine, vault, "anthropic", {"api_key": "one"}, {"name": "one"})
    (refused,) = credentials.in_use(engine, vault)
    assert credentials.change(engine, vault, made.id, {}, auth={"api_key": "two"})
    assert not credentials.block(engine, made.id, "401", version=refused.version)
    (item,) = credentials.in_use(engine, vault)
    assert item.block is None
    assert credentials.change(engine, vault, made.id, {"name": "renamed"})
    assert credentials.block(engine, made.id, "401", version=item.version)
    assert credentials.unblock(engine, made.id)
    assert [item.block for item in credentials.in_use(engine, vault)] == [None]
    assert not credentials.unblock(engine, NO_ID)


def test_credentials_are_listed_by_platform(engine: Engine, vault: Vault) -> None:
    """Newest first, without secrets; deleted ones apart."""
    for name, platform in (("a", "anthropic"), ("b", "gemini"), ("c", "anthropic")):
        credentials.create(engine, vault, platform, {"api_key": "k"}, {"name": name})
    gone = credentials.find(engine, platform="gemini").items[0]
    assert credentials.soft_delete(engine, gone.id)
    assert [item.name for item in credentials.find(engine).items] == ["c", "a"]
    assert [item.name for item in credentials.find(engine, deleted=True).items] == ["b"]
    assert credentials.open_one(engine, vault, gone.id) is None
    assert not credentials.change(engine, vault, gone.id, {"name": "x"})
    assert not credentials.soft_delete(engine, NO_ID)


def test_the_credential_of_the_environment_follows_it(engine: Engine, vault: Vault) -> None:
    """Made, kept, changed and removed with CLAUDE_API_KEY and CLAUDE_BASE_URL; one, however many start at once."""

    def now() -> list[tuple[Any, ...]]:
        return [(item.auth["api_key"], item.base_url, item.open_network) for item in credentials.in_use(engine, vault)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: credentials.follow_environment(engine, vault, "one", None), range(6)))
    assert now() == [("one", None, True)]
    (first,) = credentials.find(engine).items
    assert credentials.follow_environment(engine, vault, "one", None) is None
    assert credentials.find(engine).items == [first]
    credentials.block(engine, first.id, "401")
    assert credentials.follow_environment(engine, vault, "two", "http://10.0.0.1") == first.id
    assert [item.block for item in credentials.in_use(engine, vault)] == [None]
    assert now() == [("two", "http://10.0.0.1", True)]
    credentials.follow_environment(engine, vault, None, None)
    assert now() == []
    credentials.follow_environment(engine, vault, "three", None)
    assert now() == [("three", None, True)]
