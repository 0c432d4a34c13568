"""How many rows callers without a valid key may cause: counted in Redis, or here while Redis is away."""

from typing import TYPE_CHECKING

from ccrouter.clock import epoch_ms
from ccrouter.storage.redis import OptionalRedis

if TYPE_CHECKING:
    import redis.asyncio

ROWS_PER_MINUTE = 60
"""`product.md` §6, for each client address."""
_COUNTED = 10_000


class RedisRefusalCap:
    """Implements `ports.RefusalCap`. What this process has counted itself holds too, so that an address over its
    bound costs no round trip."""

    def __init__(self, redis: "redis.asyncio.Redis") -> None:
        self._redis = OptionalRedis(redis)
        self._minute = 0
        self._counts: dict[str, int] = {}

    async def admit(self, client_ip: str) -> bool:
        """Whether another row may be written for this address in this minute."""
        minute = epoch_ms() // 60_000
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        counted = self._counts.get(client_ip, 0) + 1
        if counted > ROWS_PER_MINUTE or (client_ip not in self._counts and len(self._counts) >= _COUNTED):
            return False
        self._counts[client_ip] = counted
        shared = await self._redis.ask(lambda redis: _count(redis, f"ccr:refused:{client_ip}:{minute}"))
        if shared is not None and shared > ROWS_PER_MINUTE:
            self._counts[client_ip] = ROWS_PER_MINUTE
            return False
        return True


async def _count(redis: "redis.asyncio.Redis", name: str) -> int:
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.incr(name)
        pipeline.expire(name, 120)
        count, _ = await pipeline.execute()
    return int(count)
