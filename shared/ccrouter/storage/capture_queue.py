"""Brings captures to the database after their requests, one after the other, out of a queue with a bound."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ccrouter.captures.legs import Captured
from ccrouter.captures.redaction import Redactor, secrets_of
from ccrouter.captures.sealed import pack, seal
from ccrouter.clock import monotonic_s
from ccrouter.credentials.vault import Vault
from ccrouter.errors import StorageAway
from ccrouter.ports import Directory
from ccrouter.storage import captures
from ccrouter.storage.crossing import ThreadCrossing

if TYPE_CHECKING:
    from sqlalchemy import Engine

_log = logging.getLogger(__name__)

MOST_HELD = 64 * 1024 * 1024
"""What all captures together may hold in memory, those of requests under way and those that wait."""
MOST_WAITING = 1000
_TRIED_FOR_S = 60.0
"""How long a capture waits for a database that is away; its record waits in the outbox, without end."""
_TRY_EVERY_S = 1.0
_DATABASE_WITHIN_S = 20.0
_AT_THE_END_S = 5.0
_SAID_EVERY_S = 60.0
"""How often the log says that captures are dropped."""


class QueuedCaptures:
    """Implements `ports.Captures`. Its task lives only while something waits: without captures it costs nothing."""

    def __init__(
        self,
        engine: "Engine",
        crossing: ThreadCrossing,
        directory: Directory,
        vault: Callable[[], Vault],
        limit: int,
        *,
        most_held: int = MOST_HELD,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self.limit = limit
        self.held = 0
        self.dropped = 0
        """How many captures were dropped since the start."""
        self._engine = engine
        self._crossing = crossing
        self._directory = directory
        self._vault = vault
        self._most_held = most_held
        self._clock = clock
        self._waiting: deque[tuple[Captured, float]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._said_s: float | None = None

    def take(self, size: int) -> bool:
        """See `ports.Captures`."""
        if self.held + size > self._most_held:
            self._drop(f"captures hold {self.held} bytes already")
            return False
        self.held += size
        return True

    def give_back(self, size: int) -> None:
        """See `ports.Captures`."""
        self.held -= size

    def keep(self, captured: Captured) -> None:
        """See `ports.Captures`."""
        if len(self._waiting) >= MOST_WAITING:
            self.give_back(captured.held)
            self._drop(f"{MOST_WAITING} wait to be stored already")
            return
        self._waiting.append((captured, self._clock()))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._store_all())

    async def close(self) -> None:
        """Stores what waits, as far as that is possible soon."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(_AT_THE_END_S):
                await self._task
        except TimeoutError:
            self.dropped += len(self._waiting)
            _log.warning("%d captures could not be stored before the end", len(self._waiting))

    async def _store_all(self) -> None:
        while self._waiting:
            captured, since_s = self._waiting[0]
            try:
                routing = await self._directory.routing()
                secrets = [secret for credential in routing.credentials for secret in secrets_of(credential.auth)]
                await self._crossing.run_within(_DATABASE_WITHIN_S, self._store, captured, secrets)
            except StorageAway as error:
                if self._clock() - since_s < _TRIED_FOR_S:
                    await asyncio.sleep(_TRY_EVERY_S)
                    continue
                self._drop(str(error))
            except Exception:
                # Whatever it is, the next ones may fare better, and no request depends on it.
                self.dropped += 1
                _log.exception("the capture of request %s is dropped", captured.id)
            self._waiting.popleft()
            self.give_back(captured.held)

    def _store(self, captured: Captured, secrets: Sequence[str]) -> None:
        packed = pack(captured, Redactor(secrets), self.limit)
        captures.store(self._engine, captured.id, seal(self._vault(), captured.id, packed))

    def _drop(self, reason: str) -> None:
        self.dropped += 1
        now = self._clock()
        if self._said_s is None or now - self._said_s >= _SAID_EVERY_S:
            self._said_s = now
            _log.warning("a capture is dropped, the %d. since the start: %s", self.dropped, reason)
