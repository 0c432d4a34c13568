"""The cap on rows of callers without a key, counted in Valkey for all processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.raw_platform import closed_port

from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import uuid7
from ccrouter.storage import refusals
from ccrouter.storage.redis import async_redis, sync_redis
from ccrouter.storage.refusals import ROWS_PER_MINUTE, RedisRefusalCap


class Minutes:
    """The clock of these tests, in milliseconds."""

    def __init__(self) -> None:
        self.now = 600_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> Minutes:
    """The clock in place of the real one."""
    clock = Minutes()
    monkeypatch.setattr(refusals, "epoch_ms", clock)
    return clock


@pytest.fixture
def address() -> str:
    """An address that no other test counts."""
    return uuid7().hex


@asynccontextmanager
async def a_cap(url: str) -> AsyncIterator[RedisRefusalCap]:
    """A cap as one process has it."""
    redis = async_redis(url)
    try:
        yield RedisRefusalCap(redis)
    finally:
        await redis.aclose()


async def admitted(cap: RedisRefusalCap, address: str, times: int) -> int:
    """How many of so many are admitted."""
    return sum([await cap.admit(address) for _ in range(times)])


@pytest.mark.parametrize("redis_is_away", [False, True])
def test_sixty_a_minute_and_address_are_admitted(
    embedded: EmbeddedServices, minutes: Minutes, address: str, redis_is_away: bool
) -> None:
    """Counted here while Redis is away; another address and another minute count anew."""
    url = f"redis://127.0.0.1:{closed_port()}/0" if redis_is_away else embedded.redis_url

    async def run() -> list[int]:
        async with a_cap(url) as cap:
            first = await admitted(cap, address, 70)
            other = await admitted(cap, f"{address}-2", 1)
            minutes.now += 60_000
            return [first, other, await admitted(cap, address, 61)]

    assert asyncio.run(run()) == [ROWS_PER_MINUTE, 1, ROWS_PER_MINUTE]


def test_processes_count_together(embedded: EmbeddedServices, minutes: Minutes, address: str) -> None:
    """Sixty for all, and what is counted ends by itself."""

    async def run() -> int:
        async with a_cap(embedded.redis_url) as first, a_cap(embedded.redis_url) as second:
            return await admitted(first, address, 40) + await admitted(second, address, 40)

    assert asyncio.run(run()) == ROWS_PER_MINUTE
    with sync_redis(embedded.redis_url) as client:
        (name,) = client.keys(f"ccr:refused:{address}:*")
        assert 0 < client.ttl(name) <= 120


def test_an_address_over_its_bound_costs_no_round_trip(
    embedded: EmbeddedServices, minutes: Minutes, address: str
) -> None:
    """A flood is refused from memory."""

    async def run() -> None:
        async with a_cap(embedded.redis_url) as cap:
            await admitted(cap, address, 100)

    asyncio.run(run())
    with sync_redis(embedded.redis_url) as client:
        assert client.get(f"ccr:refused:{address}:10") == b"60"


def test_memory_is_bounded_also_for_floods_of_addresses(
    embedded: EmbeddedServices, minutes: Minutes, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses beyond the bound get no rows in this minute; those that are counted go on."""
    monkeypatch.setattr(refusals, "_COUNTED", 3)

    async def run() -> list[int]:
        async with a_cap(embedded.redis_url) as cap:
            return [await admitted(cap, f"{address}-{number}", 1) for number in (0, 1, 2, 3, 0)]

    assert asyncio.run(run()) == [1, 1, 1, 0, 1]
