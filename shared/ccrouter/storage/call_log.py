"""The request log as the proxy writes it: many records in one insert, a file while the database is away."""

import asyncio
import logging
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from ccrouter.clock import utc_now
from ccrouter.errors import StorageAway
from ccrouter.metering.record import CallRecord, encode_record
from ccrouter.storage import keys, logs, partitions
from ccrouter.storage.crossing import ThreadCrossing, away_named, reason
from ccrouter.storage.journal import left_by_the_dead
from ccrouter.storage.outbox import Outbox
from ccrouter.storage.running import Running, rows_of_left

if TYPE_CHECKING:
    from sqlalchemy import Engine

_log = logging.getLogger(__name__)

_DATABASE_WITHIN_S = 2.0
"""How long the end of an answer waits for the database before its record goes to the outbox."""
_REPLAY_EVERY_S = 2.0
_TOUCH_EVERY = timedelta(minutes=1)
"""How exact `last_used_at` of a key is."""
_LARGEST_BATCH = 500

_Waiting = tuple[CallRecord, bytes, "asyncio.Future[None]"]


class DbCallLog:
    """Implements `ports.CallLog` by group commit: one writer takes all that waits and stores it in one statement.

    While the database is away, records go straight to the outbox, and a second task tries to bring them back; only
    when it has, the writer turns to the database again. That task also writes the rows of requests whose process died
    beside this one, after all that the dead process had put into the outbox.
    """

    def __init__(self, engine: "Engine", crossing: ThreadCrossing, outbox_directory: Path, running: Running) -> None:
        self._engine = engine
        self._crossing = crossing
        self._outbox = Outbox(outbox_directory)
        self._running = running
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._used = asyncio.Event()
        self._closing = asyncio.Event()
        self._away = False
        self._touched: dict[str, datetime] = {}
        self._to_touch: dict[str, datetime] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._toucher: asyncio.Task[None] | None = None
        self._written = False
        self._month: partitions.Month | None = None

    async def start(self) -> None:
        """Starts the writer, and brings back what an earlier run left in the outbox."""
        await self._running.start()
        self._away = await asyncio.to_thread(self._outbox.has_any)
        if self._away:
            await self._replay()
        await self._take_over()
        self._tasks = [asyncio.create_task(self._write_all()), asyncio.create_task(self._bring_back())]
        self._toucher = asyncio.create_task(self._touch_as_used())

    async def begin(self, record: CallRecord) -> None:
        """Returns when the request will have its row even if this process dies. Never raises."""
        await self._running.begin(record)

    async def record(self, record: CallRecord) -> None:
        """Returns when the record is durable. Never raises."""
        line = encode_record(record)
        if self._closing.is_set() or not self._tasks or self._tasks[0].done():
            # A straggler while the process stops: no writer will come for it.
            await self._keep([line])
            self._running.end(str(record.id))
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, line, future))
        self._wake.set()
        await future

    def outbox_bytes(self) -> int:
        """How much waits on the disk for the database."""
        return self._outbox.size()

    async def close(self) -> None:
        """Writes what waits, then stops."""
        self._closing.set()
        self._wake.set()
        await asyncio.gather(*self._tasks)
        self._tasks = []
        if self._toucher is not None:
            self._written = True
            self._used.set()
            await self._toucher
            self._toucher = None
        await self._running.close()

    async def _write_all(self) -> None:
        try:
            await self._write_until_closed()
        finally:
            # Cut short, by a server that ends without closing: what waits is kept all the same.
            if self._waiting:
                self._put_away([line for _, line, _ in self._waiting])
                self._release(self._waiting)

    async def _write_until_closed(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:_LARGEST_BATCH], self._waiting[_LARGEST_BATCH:]
                try:
                    await self._keep([line for _, line, _ in batch])
                except asyncio.CancelledError:
                    self._waiting[:0] = batch
                    raise
                self._release(batch)
                self._note_use([record for record, _, _ in batch])
            if self._closing.is_set():
                return

    def _release(self, batch: Sequence[_Waiting]) -> None:
        """These are durable, also where nobody waits for it any longer."""
        for record, _, future in batch:
            self._running.end(str(record.id))
            if not future.done():
                future.set_result(None)

    async def _keep(self, lines: Sequence[bytes]) -> None:
        if not self._away:
            try:
                await self._crossing.run_within(_DATABASE_WITHIN_S, self._store, lines)
                return
            except StorageAway as error:
                self._away = True
                _log.warning("records go to the outbox: %s", error)
            except Exception:
                # Whatever it is, the records come first.
                self._away = True
                _log.exception("records go to the outbox")
        await asyncio.to_thread(self._put_away, lines)

    def _put_away(self, lines: Sequence[bytes]) -> None:
        try:
            self._outbox.append(lines)
        except OSError as error:
            _log.critical("the outbox cannot be written (%s); records follow on standard output", error)
            for line in lines:
                sys.stdout.write(f'{{"usage_record":{line.decode()}}}\n')
            sys.stdout.flush()

    def _store(self, lines: Sequence[bytes]) -> None:
        """Stores records; one that the database will never take is set aside, so that it does not hold up the rest."""
        try:
            logs.insert_many(self._engine, lines)
        except DBAPIError:
            # Raises StorageAway where the database is away: then nothing is wrong with the records.
            for line in lines:
                try:
                    away_named(logs.insert_many)(self._engine, [line])
                except DBAPIError as error:
                    _log.error("a record cannot be stored and is set aside in outbox.bad.jsonl: %s", reason(error))
                    self._outbox.set_aside([line])

    async def _bring_back(self) -> None:
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(_REPLAY_EVERY_S):
                    await self._closing.wait()
            except TimeoutError:
                if self._away or self._outbox.has_any():
                    await self._replay()
                await self._take_over()
                await self._make_months()

    async def _replay(self) -> None:
        try:
            stored, bad = await self._crossing.run(self._outbox.replay, self._store)
        except StorageAway:
            return
        except (OSError, DBAPIError):
            _log.exception("the outbox cannot be replayed now")
            return
        self._away = False
        if stored or bad:
            _log.warning("%d records came back from the outbox, %d unreadable ones were set aside", stored, bad)

    async def _take_over(self) -> None:
        """Writes the rows of requests whose process died beside this one."""
        if self._running.directory is None or self._away:
            return
        try:
            taken = await self._crossing.run(self._store_left, self._running.directory)
        except StorageAway:
            return
        except (OSError, DBAPIError):
            _log.exception("what dead processes have left cannot be stored now")
            return
        for process in taken:
            await self._running.forget(process)

    def _store_left(self, directory: Path) -> list[str]:
        taken = []
        with left_by_the_dead(directory) as found:
            for left in found:
                if self._outbox.has_any():
                    # Their true records may be among these, and come first.
                    break
                rows = rows_of_left(left)
                for start in range(0, len(rows), _LARGEST_BATCH):
                    self._store(rows[start : start + _LARGEST_BATCH])
                left.forget()
                taken.append(left.process)
                _log.warning("a process has died; %d of its requests were under way", len(rows))
        return taken

    async def _make_months(self) -> None:
        """Makes the part of the log for this month and the next where no worker has; rows wait for none of it."""
        now = utc_now()
        month = partitions.month_of(now)
        if self._away or month == self._month:
            return
        try:
            await self._crossing.run(partitions.make, self._engine, partitions.months_from(now, 2))
            self._month = month
        except (StorageAway, DBAPIError) as error:
            _log.warning("the log's months are not made now: %s", reason(error))

    def _note_use(self, records: Sequence[CallRecord]) -> None:
        for record in records:
            if record.key_id is not None:
                last = self._touched.get(record.key_id)
                if last is None or record.at - last >= _TOUCH_EVERY:
                    self._touched[record.key_id] = self._to_touch[record.key_id] = record.at
                    self._used.set()

    async def _touch_as_used(self) -> None:
        """Notes the last use of keys. Beside the writer, so that no answer waits for it."""
        ends = False
        while not ends:
            await self._used.wait()
            self._used.clear()
            ends = self._written
            await self._touch_keys()

    async def _touch_keys(self) -> None:
        if not self._to_touch or self._away:
            return
        used, self._to_touch = self._to_touch, {}
        try:
            await self._crossing.run_within(_DATABASE_WITHIN_S, keys.touch_last_used, self._engine, used)
        except StorageAway:
            # They stay noted, and the next use takes them along.
            self._to_touch = used | self._to_touch
        except DBAPIError:
            _log.exception("the last use of keys cannot be noted")
