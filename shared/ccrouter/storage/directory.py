"""Keys, credentials, mapping and prices for the proxy: from memory, from Redis, from PostgreSQL, never over 5 s old."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ccrouter.access.keys import ApiKey
from ccrouter.clock import monotonic_s
from ccrouter.credentials.vault import Vault
from ccrouter.errors import StorageAway
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.prices import PriceTable
from ccrouter.ports import RoutingData
from ccrouter.routing.mapping import read_mapping
from ccrouter.storage import credentials, keys, prices, settings
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.redis import OptionalRedis

if TYPE_CHECKING:
    import redis
    import redis.asyncio
    from sqlalchemy import Engine

_log = logging.getLogger(__name__)

FRESH_S = 5.0
"""`product.md` §5: a change is in force everywhere within this time."""
_RENEW_S = 2.5
"""From this age routing data is read anew in the background, so that no request waits for it."""
DATABASE_WITHIN_S = 3.0
"""How long a request waits for a database that is there and does not answer."""
_LEFT_ALONE_S = 5.0
"""How long requests do not wait for such a database again where they can go on with what was last read."""
_REMEMBERED = 10_000
"""How many keys, known and unknown, are kept in memory; the oldest makes room."""

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(ApiKey)


def redis_name(digest: str) -> str:
    """Where Redis keeps the shared copy of a key."""
    return f"ccr:key:{digest}"


def forget_key(client: "redis.Redis", digest: str) -> None:
    """Drops the shared copy of a key that has changed; without Redis it ends by itself within 5 seconds."""
    from redis.exceptions import RedisError

    try:
        client.delete(redis_name(digest))
    except (RedisError, OSError) as error:
        _log.warning(
            "Redis does not answer (%s); the changed key is in force within %g s", type(error).__name__, FRESH_S
        )


class CachedDirectory:
    """Implements `ports.Directory`.

    A key is remembered here until 5 s after the database was read, whichever process read it: Redis keeps the copy
    exactly for the rest of that time, and what comes from Redis is remembered for what is left of it. Unknown keys
    are remembered here only, so that guesses fill neither Redis nor, beyond a bound, this process.
    """

    def __init__(
        self,
        engine: "Engine",
        crossing: ThreadCrossing,
        redis: "redis.asyncio.Redis",
        vault: Vault,
        *,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self._engine = engine
        self._crossing = crossing
        self._redis = OptionalRedis(redis)
        self._vault = vault
        self._clock = clock
        self._keys: OrderedDict[str, tuple[float, ApiKey | None]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[ApiKey | None]] = {}
        self._routing: tuple[float, RoutingData] | None = None
        self._reading: asyncio.Task[RoutingData] | None = None
        self._prices: PriceTable | None = None
        self._alone_until = 0.0

    async def find_key(self, digest: str) -> ApiKey | None:
        """The key with this hash; raises StorageAway when nobody knows. Many who ask at once cost one query."""
        remembered = self._keys.get(digest)
        if remembered is not None and self._clock() < remembered[0]:
            return remembered[1]
        task = self._asked.get(digest)
        if task is None:
            task = self._asked[digest] = asyncio.create_task(self._look_up(digest))
            task.add_done_callback(lambda _: self._asked.pop(digest, None))
        # Shielded: one client that leaves must not take the answer from the others.
        return await asyncio.shield(task)

    async def routing(self) -> RoutingData:
        """Credentials, default mapping and prices; raises StorageAway only when they were never read."""
        if self._routing is None:
            return await asyncio.shield(self._read_routing())
        age = self._clock() - self._routing[0]
        if age >= _RENEW_S and self._clock() >= self._alone_until:
            task = self._read_routing()
            if age >= FRESH_S:
                try:
                    return await asyncio.shield(task)
                except StorageAway as error:
                    self._alone_until = self._clock() + _LEFT_ALONE_S
                    _log.warning("%s; routing by what was last read", error)
        return self._routing[1]

    async def _look_up(self, digest: str) -> ApiKey | None:
        shared = await self._redis.ask(lambda redis: _get_with_ttl(redis, digest))
        if shared is not None and shared[0] is not None and shared[1] > 0:
            try:
                key = _DECODER.decode(shared[0])
            except msgspec.DecodeError:
                # Another version's copy; the database has the truth.
                _log.info("the shared copy of a key has another form; reading the database")
            else:
                self._remember(digest, key, self._clock() + min(shared[1] / 1000, FRESH_S))
                return key
        asked_at = self._clock()
        found = await self._crossing.run_within(DATABASE_WITHIN_S, keys.find_by_digest, self._engine, digest)
        self._remember(digest, found, asked_at + FRESH_S)
        left_ms = int((asked_at + FRESH_S - self._clock()) * 1000)
        if found is not None and left_ms > 0:
            await self._redis.ask(lambda redis: redis.set(redis_name(digest), _ENCODER.encode(found), px=left_ms))
        return found

    def _remember(self, digest: str, key: ApiKey | None, until: float) -> None:
        self._keys[digest] = (until, key)
        self._keys.move_to_end(digest)
        if len(self._keys) > _REMEMBERED:
            self._keys.popitem(last=False)

    def _read_routing(self) -> "asyncio.Task[RoutingData]":
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._load_routing())
            # Where nobody waits for it, a failure is only noted: the next request that needs it asks again.
            self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._reading

    async def _load_routing(self) -> RoutingData:
        asked_at = self._clock()
        data = await self._crossing.run_within(DATABASE_WITHIN_S, self._query_routing)
        self._routing = (asked_at, data)
        return data

    def _query_routing(self) -> RoutingData:
        version = prices.current_version(self._engine)
        table = self._prices
        if table is None or table.version != (version or builtin_table().version):
            table = builtin_table() if version is None else prices.load(self._engine, version)
            self._prices = table
        return RoutingData(
            credentials=credentials.in_use(self._engine, self._vault),
            default_mapping=read_mapping(settings.get(self._engine, settings.DEFAULT_MAPPING)),
            prices=table,
        )


async def _get_with_ttl(redis: "redis.asyncio.Redis", digest: str) -> tuple[bytes | None, int]:
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.get(redis_name(digest))
        pipeline.pttl(redis_name(digest))
        value, left_ms = await pipeline.execute()
    return value, left_ms
