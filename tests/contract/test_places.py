"""Places on credentials, on real Valkey: exact over processes, and never lost with one of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.fakes import a_credential
from tests.raw_platform import closed_port

from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import uuid7
from ccrouter.storage.places import RedisPlaces
from ccrouter.storage.redis import async_redis


@asynccontextmanager
async def a_process(url: str, **fields: Any) -> AsyncIterator[RedisPlaces]:
    """The places as one process has them."""
    redis = async_redis(url)
    places = RedisPlaces(redis, **fields)
    try:
        yield places
    finally:
        await places.close()
        await redis.aclose()


def test_processes_together_take_no_more_places_than_there_are(embedded: EmbeddedServices) -> None:
    """Whoever asks; a place that is given back is free for all, and credentials do not share theirs."""
    credential, other = a_credential(uuid7().hex), a_credential(uuid7().hex)

    async def run() -> None:
        async with a_process(embedded.redis_url) as one, a_process(embedded.redis_url) as two:
            found = await asyncio.gather(*(process.take(credential, 3) for _ in range(20) for process in (one, two)))
            taken = [place for place in found if place is not None]
            assert len(taken) == 3
            assert await two.take(other, 1) is not None
            await one.give_back(taken[0])
            assert await two.take(credential, 3) is not None
            assert await one.take(credential, 3) is None

    asyncio.run(run())


def test_places_of_a_process_that_died_come_back(embedded: EmbeddedServices) -> None:
    """Those of one that lives are kept as long as the requests run, beyond the end of a lease."""
    credential = a_credential(uuid7().hex)

    async def run() -> None:
        async with a_process(embedded.redis_url, lease_ms=200) as lives, a_process(embedded.redis_url) as asks:
            async with a_process(embedded.redis_url, lease_ms=200) as dies:
                assert await dies.take(credential, 2) is not None
            assert await lives.take(credential, 2) is not None
            assert await asks.take(credential, 2) is None
            await asyncio.sleep(0.5)
            assert await asks.take(credential, 2) is not None
            assert await asks.take(credential, 2) is None

    asyncio.run(run())


def test_who_is_cancelled_while_asking_leaves_no_place_behind(embedded: EmbeddedServices) -> None:
    """A client may leave at any moment."""
    credential = a_credential(uuid7().hex)

    async def run() -> None:
        async with a_process(embedded.redis_url) as places:
            for pause_s in (0.0, 0.0001, 0.0005, 0.002):
                asking = asyncio.create_task(places.take(credential, 1))
                await asyncio.sleep(pause_s)
                if not asking.cancel() and (place := await asking) is not None:
                    await places.give_back(place)
                await asyncio.gather(asking, return_exceptions=True)
                place = await places.take(credential, 1)
                assert place is not None
                await places.give_back(place)

    asyncio.run(run())


def test_without_redis_each_process_goes_by_its_own_count() -> None:
    """Two of three who ask at once get a place; one that is given back is free."""
    credential = a_credential()

    async def run() -> None:
        async with a_process(f"redis://127.0.0.1:{closed_port()}/0") as places:
            found = await asyncio.gather(*(places.take(credential, 2) for _ in range(3)))
            taken = [place for place in found if place is not None]
            assert len(taken) == 2
            await places.give_back(taken[0])
            assert await places.take(credential, 2) is not None

    asyncio.run(run())
