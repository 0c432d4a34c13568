"""Which credentials have answered a conversation: in memory, and in Redis for all processes, for 24 hours."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ccrouter.clock import monotonic_s
from ccrouter.storage.redis import OptionalRedis

if TYPE_CHECKING:
    import redis.asyncio

_KEPT_S = 24 * 3600
_WRITTEN_EVERY_S = 3600.0
"""How often an answer by a known credential is written again, so that a long conversation is not forgotten."""
_TRUSTED_S = 30.0
"""How long what was read from Redis is not read again: another process may have answered meanwhile."""
_REMEMBERED = 10_000


@dataclass(slots=True)
class _Known:
    answered_by: frozenset[str]
    read_at: float | None = None
    written_at: float | None = None


class RedisConversations:
    """Implements `ports.ConversationMemory`; Redis sees hashes of conversations only."""

    def __init__(self, redis: "redis.asyncio.Redis", *, clock: Callable[[], float] = monotonic_s) -> None:
        self._redis = OptionalRedis(redis)
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._writing: set[asyncio.Task[object]] = set()

    async def answered_by(self, conversation: str) -> frozenset[str]:
        """The ids of the credentials; what this process knows itself while Redis is away."""
        name = _name(conversation)
        known = self._known_of(name)
        if known.read_at is None or self._clock() - known.read_at > _TRUSTED_S:
            members = await self._redis.ask(lambda redis: redis.smembers(name))
            known.read_at = self._clock()
            known.answered_by |= {member.decode() for member in cast("set[bytes]", members or set())}
        return known.answered_by

    def note(self, conversation: str, credential_id: str) -> None:
        """One more answer; written in the background, and only where Redis does not know it."""
        name = _name(conversation)
        known, now = self._known_of(name), self._clock()
        is_known = credential_id in known.answered_by
        known.answered_by |= {credential_id}
        if is_known and known.written_at is not None and now - known.written_at < _WRITTEN_EVERY_S:
            return
        known.written_at = now
        task = asyncio.create_task(self._redis.ask(lambda redis: _add(redis, name, credential_id)))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Waits for what is being written."""
        await asyncio.gather(*self._writing)

    def _known_of(self, name: str) -> _Known:
        known = self._known.setdefault(name, _Known(frozenset()))
        self._known.move_to_end(name)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known


async def _add(redis: "redis.asyncio.Redis", name: str, credential_id: str) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.sadd(name, credential_id)
        pipeline.expire(name, _KEPT_S)
        await pipeline.execute()


def _name(conversation: str) -> str:
    return "ccr:conversation:" + hashlib.sha256(conversation.encode()).hexdigest()
