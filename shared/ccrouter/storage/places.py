"""Places on credentials that serve only so many requests at once, counted over all processes in Redis.

A place is a lease that its process renews while the request runs: when the process dies, it comes back by itself.
While Redis is away, or after it has lost what it knew, each process goes by its own count alone.
"""

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ccrouter.clock import epoch_ms
from ccrouter.credentials.kinds import Credential
from ccrouter.ids import uuid7
from ccrouter.ports import Place
from ccrouter.storage.redis import OptionalRedis

if TYPE_CHECKING:
    import redis.asyncio

_LEASE_MS = 60_000


class RedisPlaces:
    """Implements `ports.Places`."""

    def __init__(self, redis: "redis.asyncio.Redis", *, lease_ms: int = _LEASE_MS) -> None:
        self._redis = OptionalRedis(redis)
        self._lease_ms = lease_ms
        self._script: Any = None
        self._held: set[Place] = set()
        self._keeping: asyncio.Task[None] | None = None

    async def take(self, credential: Credential, most: int) -> Place | None:
        """A place, where fewer than `most` are taken; while Redis is away, by this process's own count."""
        if sum(held.credential_id == credential.id for held in self._held) >= most:
            return None
        place = Place(credential.id, str(uuid7()))
        self._held.add(place)
        asking = asyncio.ensure_future(self._redis.ask(lambda redis: self._take(redis, place, most)))
        try:
            given = await asyncio.shield(asking)
        except BaseException:
            # Whoever is cancelled leaves no place behind: what is still on its way to Redis must not come after this.
            await asyncio.wait([asking])
            await self.give_back(place)
            raise
        if given == 0:
            self._held.discard(place)
            return None
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._renew())
        return place

    async def give_back(self, place: Place) -> None:
        """The request is over. What Redis cannot take now ends with its lease."""
        self._held.discard(place)
        await self._redis.ask(lambda redis: redis.zrem(_name(place), place.id))

    async def close(self) -> None:
        """Stops renewing; places of requests that still run come back within a minute."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def _take(self, redis: "redis.asyncio.Redis", place: Place, most: int) -> int:
        if self._script is None:
            source = (files(__package__) / "scripts" / "place.lua").read_text()
            self._script = redis.register_script(source)
        now = epoch_ms()
        return int(await self._script(keys=[_name(place)], args=[now, now + self._lease_ms, place.id, most]))

    async def _renew(self) -> None:
        while self._held:
            await asyncio.sleep(self._lease_ms / 4000)
            until, held = epoch_ms() + self._lease_ms, list(self._held)
            await self._redis.ask(lambda redis, held=held, until=until: _extend(redis, held, until))  # type: ignore[misc]


def _name(place: Place) -> str:
    return f"ccr:places:{place.credential_id}"


async def _extend(redis: "redis.asyncio.Redis", places: list[Place], until: int) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for place in places:
            # Only where it still is: a place that was given back meanwhile is not taken again.
            pipeline.zadd(_name(place), {place.id: until}, xx=True)
            pipeline.pexpireat(_name(place), until)
        await pipeline.execute()
