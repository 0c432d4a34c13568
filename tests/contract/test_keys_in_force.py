"""A change of a key in several processes at once, with Redis and without: in force in all of them within 5 seconds."""

import asyncio
import contextlib
from typing import Any

from sqlalchemy import Engine
from tests.contract.adapters import a_directory
from tests.raw_platform import closed_port
from tests.services import an_admin

from ccrouter.access.keys import digest, new_secret
from ccrouter.clock import monotonic_s
from ccrouter.credentials.vault import Vault
from ccrouter.embedded import EmbeddedServices
from ccrouter.storage import keys
from ccrouter.storage.directory import FRESH_S, CachedDirectory

_READS_WITHIN_S = 2.0
"""What reading the database may take on a busy machine."""


def test_a_changed_key_is_in_force_everywhere_within_five_seconds(
    engine: Engine, vault: Vault, embedded: EmbeddedServices
) -> None:
    """Nobody is told of the change; two processes share a Redis and two have none, and all of them use the key."""
    secret = new_secret()
    key = keys.create(engine, an_admin(engine).id, secret, {"name": "k", "limits": {"rpm": 1}})
    nowhere = f"redis://127.0.0.1:{closed_port()}/0"

    async def sees_after(process: CachedDirectory, changed_at: float) -> float:
        """How long a process that asks all the time goes on with the former limit."""
        while True:
            found = await process.find_key(digest(secret))
            assert found is not None
            if found.limits.rpm == 2:
                return monotonic_s() - changed_at
            await asyncio.sleep(0.02)

    async def run() -> list[float]:
        async with contextlib.AsyncExitStack() as stack:
            processes: list[Any] = [
                await stack.enter_async_context(a_directory(engine, url, vault))
                for url in (embedded.redis_url, embedded.redis_url, nowhere, nowhere)
            ]
            for process in processes:
                found = await process.find_key(digest(secret))
                assert found is not None
                assert found.limits.rpm == 1
            assert await asyncio.to_thread(keys.change, engine, key.id, {"limits": {"rpm": 2}})
            changed_at = monotonic_s()
            return list(await asyncio.gather(*(sees_after(process, changed_at) for process in processes)))

    waited = asyncio.run(run())
    assert len(waited) == 4
    assert max(waited) <= FRESH_S + _READS_WITHIN_S
