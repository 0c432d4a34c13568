"""Locks over all processes: in Redis; while Redis is away, PostgreSQL's advisory locks."""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from ccrouter.clock import monotonic_s
from ccrouter.errors import StorageAway
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.redis import OptionalRedis

if TYPE_CHECKING:
    import redis.asyncio
    from sqlalchemy import Connection, Engine

_HELD_MS = 30_000
_PROLONGED_EVERY_S = 10.0
_LOOKS_EVERY_S = 0.1
_PATIENCE_S = 120.0
"""Longer than the three tries of a renewal (kiro.md §3.7): whoever has the lock then is stuck."""

_PROLONG = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class SharedLocks:
    """Implements `ports.Locks`.

    `engine` gives connections that are not pooled: a lock keeps one to itself while it is held.
    """

    def __init__(self, engine: "Callable[[], Engine]", crossing: ThreadCrossing, redis: "redis.asyncio.Redis") -> None:
        self._engine = engine
        self._crossing = crossing
        self._redis = OptionalRedis(redis)

    @contextlib.asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """See `Locks.hold`."""
        key, token = f"ccr:lock:{name}", secrets.token_hex(16)
        until = monotonic_s() + _PATIENCE_S
        while True:
            taken = await self._redis.ask(_told(lambda redis: redis.set(key, token, nx=True, px=_HELD_MS)))
            if taken is None:
                async with self._hold_in_postgres(name, until):
                    yield
                return
            if taken[0]:
                break
            await self._wait(name, until)
        prolonging = asyncio.create_task(self._prolong(key, token))
        try:
            yield
        finally:
            prolonging.cancel()
            await self._redis.ask(lambda redis: redis.eval(_RELEASE, 1, key, token))

    async def _prolong(self, key: str, token: str) -> None:
        while True:
            await asyncio.sleep(_PROLONGED_EVERY_S)
            await self._redis.ask(lambda redis: redis.eval(_PROLONG, 1, key, token, _HELD_MS))

    @contextlib.asynccontextmanager
    async def _hold_in_postgres(self, name: str, until: float) -> AsyncIterator[None]:
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
        connection = await self._crossing.run(lambda: self._engine().connect())
        try:
            while not await self._crossing.run(_try_lock, connection, number):
                await self._wait(name, until)
            yield
        finally:
            # The lock goes with its connection.
            await asyncio.shield(self._crossing.run(connection.close))

    async def _wait(self, name: str, until: float) -> None:
        if monotonic_s() > until:
            raise StorageAway(f"the lock {name} was not given within {_PATIENCE_S:g} s")
        await asyncio.sleep(_LOOKS_EVERY_S)


def _try_lock(connection: "Connection", number: int) -> bool:
    taken = connection.execute(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}).scalar_one()
    connection.commit()
    return bool(taken)


def _told(
    call: "Callable[[redis.asyncio.Redis], Awaitable[Any]]",
) -> "Callable[[redis.asyncio.Redis], Awaitable[tuple[Any]]]":
    """The same call, whose answer differs from no answer even where it is None."""

    async def told(redis: "redis.asyncio.Redis") -> tuple[Any]:
        return (await call(redis),)

    return told
