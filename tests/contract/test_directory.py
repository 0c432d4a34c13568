"""The cached directory on real PostgreSQL and Valkey: never older than five seconds, and going on when one is away."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.contract.adapters import a_directory, counted
from tests.raw_platform import closed_port
from tests.services import an_admin

from ccrouter.access.keys import digest, new_secret
from ccrouter.credentials.kinds import Block
from ccrouter.credentials.vault import Vault, new_master_key, read_master_key
from ccrouter.embedded import EmbeddedServices
from ccrouter.errors import StorageAway
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.prices import PriceTable
from ccrouter.storage import credentials, directory, keys, prices, settings
from ccrouter.storage.directory import CachedDirectory, forget_key, redis_name
from ccrouter.storage.engine import make_engine
from ccrouter.storage.redis import sync_redis

SANDBOX = [{"platform": "sandbox", "model": "sandbox"}]


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ask(
    engine: Engine, embedded: EmbeddedServices, vault: Vault, clock: Clock
) -> Callable[[Callable[[CachedDirectory], Coroutine[Any, Any, Any]]], Any]:
    """Runs a coroutine function with a directory."""

    def run(work: Callable[[CachedDirectory], Coroutine[Any, Any, Any]]) -> Any:
        async def with_directory() -> Any:
            async with a_directory(engine, embedded.redis_url, vault, clock=clock) as found:
                return await work(found)

        return asyncio.run(with_directory())

    return run


Ask = Callable[[Callable[[CachedDirectory], Coroutine[Any, Any, Any]]], Any]


def a_secret(engine: Engine, **fields: Any) -> str:
    """The hash of a new key's secret."""
    secret = new_secret()
    keys.create(engine, an_admin(engine).id, secret, {"name": "k", "mapping": {}, **fields})
    return digest(secret)


def disable(engine: Engine, hashed: str) -> None:
    """Changes a key behind everybody's back."""
    found = keys.find_by_digest(engine, hashed)
    assert found is not None
    assert keys.change(engine, found.id, {"enabled": False})


def test_a_key_is_found_with_all_that_it_allows(engine: Engine, ask: Ask) -> None:
    """The first time from PostgreSQL, then from memory, in another process from Redis: always the same."""
    hashed = a_secret(
        engine, mapping={"opus": SANDBOX, "rules": [{"match": "x*", "targets": []}]}, allowed_models=["claude-*"]
    )

    async def three_times(found: CachedDirectory) -> list[Any]:
        first, again = await found.find_key(hashed), await found.find_key(hashed)
        found._keys.clear()
        with counted(engine, "api_keys") as sent:
            shared = await found.find_key(hashed)
        assert sent == []
        return [first, again, shared]

    first, again, shared = ask(three_times)
    assert first == again == shared == keys.find_by_digest(engine, hashed)
    assert (first.owner_login, first.allowed_models, first.mapping.slots["opus"][0].platform) == (
        "admin", ("claude-*",), "sandbox",
    )  # fmt: skip


def test_a_change_is_in_force_after_five_seconds(engine: Engine, ask: Ask, clock: Clock) -> None:
    """To the moment, also when nobody could tell the caches."""
    hashed = a_secret(engine)

    async def watch(found: CachedDirectory) -> list[bool]:
        seen = []
        assert await found.find_key(hashed)
        disable(engine, hashed)
        await found._redis.ask(lambda redis: redis.delete(redis_name(hashed)))
        for later in (0.0, 4.99, 0.02):
            clock.now += later
            key = await found.find_key(hashed)
            assert key is not None
            seen.append(key.enabled)
        return seen

    assert ask(watch) == [True, True, False]


def test_the_shared_copy_lives_only_for_the_rest_of_the_five_seconds(
    engine: Engine, embedded: EmbeddedServices, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes together are not older than one: what comes from Redis is remembered for what is left of it."""
    monkeypatch.setattr(directory, "FRESH_S", 0.4)
    hashed = a_secret(engine)

    async def two_processes() -> list[bool]:
        async with (
            a_directory(engine, embedded.redis_url, vault) as first,
            a_directory(engine, embedded.redis_url, vault) as second,
        ):
            began = time.monotonic()
            assert await first.find_key(hashed)
            disable(engine, hashed)
            await asyncio.sleep(0.25)
            seen = [await second.find_key(hashed)]
            assert second._keys[hashed][0] - began < 0.45
            await asyncio.sleep(0.2)
            seen += [await first.find_key(hashed), await second.find_key(hashed)]
        return [key is not None and key.enabled for key in seen]

    assert asyncio.run(two_processes()) == [True, False, False]


def test_a_told_change_is_in_force_at_once_elsewhere(engine: Engine, ask: Ask, embedded: EmbeddedServices) -> None:
    """The shared copy is dropped; a process that does not remember the key itself reads the new one."""
    hashed = a_secret(engine)

    async def fill(found: CachedDirectory) -> Any:
        return await found.find_key(hashed)

    assert ask(fill).enabled
    disable(engine, hashed)
    with sync_redis(embedded.redis_url) as client:
        forget_key(client, hashed)
    assert not ask(fill).enabled


def test_unknown_keys_are_remembered_but_not_shared(
    engine: Engine, ask: Ask, clock: Clock, embedded: EmbeddedServices
) -> None:
    """Guesses cost one query in five seconds each and fill nothing of others."""
    guess = digest(new_secret())

    async def guesses(found: CachedDirectory) -> int:
        with counted(engine, "api_keys") as sent:
            for later in (0, 4.9, 0.2):
                clock.now += later
                assert await found.find_key(guess) is None
        return len(sent)

    assert ask(guesses) == 2
    with sync_redis(embedded.redis_url) as client:
        assert client.get(redis_name(guess)) is None


def test_memory_of_guesses_is_bounded(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest makes room."""
    monkeypatch.setattr(directory, "_REMEMBERED", 3)

    async def guess(found: CachedDirectory) -> list[str]:
        for number in range(5):
            await found.find_key(f"guess-{number}")
        return list(found._keys)

    assert ask(guess) == ["guess-2", "guess-3", "guess-4"]


def test_many_who_ask_at_once_cost_one_query(engine: Engine, ask: Ask) -> None:
    """And one that leaves does not take the answer from the others."""
    hashed = a_secret(engine)

    async def crowd(found: CachedDirectory) -> int:
        with counted(engine, "api_keys") as sent:
            tasks = [asyncio.create_task(found.find_key(hashed)) for _ in range(50)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert {type(result).__name__ for result in results[1:]} == {"ApiKey"}
        return len(sent)

    assert ask(crowd) == 1


def test_a_shared_copy_of_another_version_is_read_anew(engine: Engine, ask: Ask, embedded: EmbeddedServices) -> None:
    """While two versions run side by side, each understands PostgreSQL."""
    hashed = a_secret(engine)
    with sync_redis(embedded.redis_url) as client:
        client.set(redis_name(hashed), b'{"id":1}', px=5000)

    async def find(found: CachedDirectory) -> Any:
        return await found.find_key(hashed)

    assert ask(find).name == "k"


def test_without_redis_keys_are_found(engine: Engine, vault: Vault) -> None:
    """It is optional; that it is away is said once."""
    hashed = a_secret(engine)

    async def find() -> Any:
        async with a_directory(engine, f"redis://127.0.0.1:{closed_port()}/0", vault) as found:
            return await found.find_key(hashed), await found.find_key(digest(new_secret()))

    key, unknown = asyncio.run(find())
    assert (key.enabled, unknown) == (True, None)


def test_without_postgresql_nobody_knows(embedded: EmbeddedServices, vault: Vault) -> None:
    """That is no «unknown key»: it is said, and asked again at the next request."""
    engine = make_engine(f"postgresql://u:p@127.0.0.1:{closed_port()}/x")

    async def find() -> None:
        async with a_directory(engine, embedded.redis_url, vault) as found:
            for _ in range(2):
                with pytest.raises(StorageAway):
                    await found.find_key(digest(new_secret()))
            with pytest.raises(StorageAway):
                await found.routing()

    asyncio.run(find())
    engine.dispose()


def a_credential(engine: Engine, vault: Vault, name: str, **fields: Any) -> str:
    """A credential of Anthropic's."""
    return credentials.create(engine, vault, "anthropic", {"api_key": f"secret-{name}"}, {"name": name, **fields}).id


def test_routing_knows_the_credentials_that_may_be_used(
    engine: Engine, vault: Vault, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    """Highest priority first, opened; not those that are disabled, deleted, or sealed by another key. A blocked one
    says why and until when, so that clients can be told."""
    a_credential(engine, vault, "low", models=["a"])
    a_credential(engine, vault, "high", priority=5, base_url="https://x.example", weight=3)
    a_credential(engine, vault, "disabled", enabled=False)
    until = datetime(2030, 1, 2, tzinfo=UTC)
    credentials.block(engine, a_credential(engine, vault, "blocked", priority=1), "used up", until=until)
    credentials.soft_delete(engine, a_credential(engine, vault, "deleted"))
    a_credential(engine, Vault(read_master_key(new_master_key())), "foreign")

    async def read(found: CachedDirectory) -> Any:
        return (await found.routing()).credentials

    with caplog.at_level(logging.ERROR):
        high, blocked, low = ask(read)
    assert (high.name, high.base_url, high.weight, high.auth) == (
        "high", "https://x.example", 3, {"api_key": "secret-high"},
    )  # fmt: skip
    assert (low.name, low.models, low.open_network) == ("low", ("a",), False)
    assert (blocked.name, blocked.block, low.block) == ("blocked", Block("used up", until.timestamp()), None)
    assert "foreign" in caplog.text
    assert "secret-" not in repr(high)


def test_routing_knows_the_default_mapping_and_the_newest_prices(engine: Engine, ask: Ask) -> None:
    """Without a stored version, the prices are those that come with the program."""

    async def read(found: CachedDirectory) -> Any:
        return await found.routing()

    first = ask(read)
    assert (first.default_mapping.slots, first.prices.version) == ({}, builtin_table().version)
    settings.put(engine, settings.DEFAULT_MAPPING, {"haiku": SANDBOX})
    prices.put_list(engine, PriceTable(version="v1"), "test")
    prices.put_list(engine, PriceTable(version="v2", rows=builtin_table().rows[:1]), "test")
    second = ask(read)
    assert list(second.default_mapping.slots) == ["haiku"]
    assert (second.prices.version, second.prices.rows) == ("v2", builtin_table().rows[:1])


def test_routing_is_never_older_than_five_seconds(engine: Engine, vault: Vault, ask: Ask, clock: Clock) -> None:
    """From half that age on it is read anew in the background, so that no request waits."""

    async def watch(found: CachedDirectory) -> list[int]:
        seen = [len((await found.routing()).credentials)]
        a_credential(engine, vault, "new")
        for later in (2.4, 0.2):
            clock.now += later
            seen.append(len((await found.routing()).credentials))
        assert found._reading is not None
        await found._reading
        seen.append(len((await found.routing()).credentials))
        a_credential(engine, vault, "newer")
        clock.now += 5
        seen.append(len((await found.routing()).credentials))
        return seen

    assert ask(watch) == [0, 0, 0, 1, 2]


def test_routing_goes_on_with_what_was_read_while_postgresql_is_away(
    engine: Engine, vault: Vault, ask: Ask, clock: Clock
) -> None:
    """Old data are better than none; the database is asked again after a while."""
    a_credential(engine, vault, "one")

    async def watch(found: CachedDirectory) -> None:
        await found.routing()
        engine_away = make_engine(f"postgresql://u:p@127.0.0.1:{closed_port()}/x")
        found._engine, there = engine_away, found._engine
        clock.now += 60
        for _ in range(3):
            assert [item.name for item in (await found.routing()).credentials] == ["one"]
        engine_away.dispose()
        found._engine = there
        a_credential(engine, vault, "two")
        clock.now += 5
        assert len((await found.routing()).credentials) == 2

    ask(watch)
