"""Secrets of credentials that renew themselves: in PostgreSQL, and in Redis while PostgreSQL is away."""

import base64
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from ccrouter.credentials.vault import Vault, VaultError
from ccrouter.errors import StorageAway
from ccrouter.ports import Stored
from ccrouter.storage import credentials
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.redis import OptionalRedis

if TYPE_CHECKING:
    import redis.asyncio
    from sqlalchemy import Engine

_KEPT_S = 30 * 86_400
"""A rotated token that PostgreSQL could not take waits that long in Redis; a refresh token hardly lives longer."""
_WITHIN_S = 5.0

_log = logging.getLogger(__name__)


class DbSecrets:
    """Implements `ports.SecretStore`.

    A refresh token that was rotated while PostgreSQL is away goes to Redis, sealed, with the version it replaces; the
    next read that finds PostgreSQL again puts it there, unless somebody has changed the secret since.
    """

    def __init__(self, engine: "Engine", crossing: ThreadCrossing, redis: "redis.asyncio.Redis", vault: Vault) -> None:
        self._engine = engine
        self._crossing = crossing
        self._redis = OptionalRedis(redis)
        self._vault = vault

    async def read(self, credential_id: str) -> Stored | None:
        """See `SecretStore.read`."""
        found = await self._crossing.run_within(
            _WITHIN_S, credentials.open_sealed, self._engine, self._vault, credential_id
        )
        if found is None:
            return None
        stored = Stored(*found)
        waiting = await self._redis.ask(lambda redis: redis.get(_name(credential_id)))
        if not isinstance(waiting, bytes):
            return stored
        following = None
        try:
            note = msgspec.json.decode(self._vault.open(waiting, _name(credential_id)))
        except (VaultError, msgspec.DecodeError) as error:
            _log.error("a waiting secret of a credential cannot be read: %s", error)
        else:
            if base64.b64decode(note["version"]) == stored.version:
                following = await self._put(stored, note["auth"])
        await self._redis.ask(lambda redis: redis.delete(_name(credential_id)))
        return stored if following is None else following

    async def put(self, stored: Stored, auth: dict[str, Any]) -> Stored | None:
        """See `SecretStore.put`."""
        try:
            return await self._put(stored, auth)
        except StorageAway:
            if not await self._leave_in_redis(stored, auth):
                raise
            _log.warning("PostgreSQL is away; the new tokens of «%s» wait in Redis", stored.credential.name)
            return Stored(replace(stored.credential, auth=auth), stored.version)

    async def block(self, stored: Stored, reason: str) -> bool:
        """See `SecretStore.block`."""
        return await self._crossing.run_within(
            _WITHIN_S, credentials.block_sealed, self._engine, stored.credential.id, stored.version, reason
        )

    async def _put(self, stored: Stored, auth: dict[str, Any]) -> Stored | None:
        version = await self._crossing.run_within(
            _WITHIN_S, credentials.replace_auth, self._engine, self._vault, stored.credential.id, stored.version, auth
        )
        return None if version is None else Stored(replace(stored.credential, auth=auth), version)

    async def _leave_in_redis(self, stored: Stored, auth: dict[str, Any]) -> bool:
        name = _name(stored.credential.id)
        note = {"version": base64.b64encode(stored.version).decode(), "auth": auth}
        sealed = self._vault.seal(msgspec.json.encode(note), name)
        return bool(await self._redis.ask(lambda redis: redis.set(name, sealed, ex=_KEPT_S)))


def _name(credential_id: str) -> str:
    return f"ccr:tokens:{credential_id}"
