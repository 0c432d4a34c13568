"""Reasoning state of platforms in Redis, for clients that strip thinking blocks (gemini.md §6, antigravity.md §9.3)."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ccrouter.credentials.vault import Vault, VaultError
from ccrouter.storage.redis import OptionalRedis

if TYPE_CHECKING:
    import redis.asyncio

_log = logging.getLogger(__name__)

_KEPT_S = 24 * 3600
_LARGEST = 64 * 1024
"""A larger state is not kept: it holds conversation text, and Redis is memory."""


class RedisReasoningMemory:
    """Implements `ports.ReasoningMemory`; entries are sealed like credentials, since they hold conversation text."""

    def __init__(self, redis: "redis.asyncio.Redis", vault: Vault) -> None:
        self._redis = OptionalRedis(redis)
        self._vault = vault

    async def recall(self, key_id: str, tool_use_ids: Sequence[str]) -> Mapping[str, bytes]:
        """What is known of these calls; nothing while Redis is away."""
        names = [_name(key_id, tool_use_id) for tool_use_id in tool_use_ids]
        values = await self._redis.ask(lambda redis: redis.mget(names)) or []
        found: dict[str, bytes] = {}
        for tool_use_id, name, value in zip(tool_use_ids, names, values, strict=False):
            if not isinstance(value, bytes):
                continue
            try:
                found[tool_use_id] = self._vault.open(value, name)
            except VaultError as error:
                _log.warning("a remembered reasoning state is not used: %s", error)
        return found

    async def remember(self, key_id: str, by_tool_use_id: Mapping[str, bytes]) -> None:
        """Keeps what a platform will want back."""
        sealed = {
            name: self._vault.seal(state, name)
            for tool_use_id, state in by_tool_use_id.items()
            if len(state) <= _LARGEST and (name := _name(key_id, tool_use_id))
        }
        if sealed:
            await self._redis.ask(lambda redis: _set_all(redis, sealed))


async def _set_all(redis: "redis.asyncio.Redis", values: Mapping[str, bytes]) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for name, value in values.items():
            pipeline.set(name, value, ex=_KEPT_S)
        await pipeline.execute()


def _name(key_id: str, tool_use_id: str) -> str:
    return "ccr:reasoning:" + hashlib.sha256(f"{key_id}\0{tool_use_id}".encode()).hexdigest()
