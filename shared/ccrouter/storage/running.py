"""Which requests are under way, in all processes: for the log's lists, and for the rows of those whose process dies.

Strategy: a request is noted when it goes to a target and forgotten when its record is durable. The note is a line in
the process's journal, which costs no waiting, and a field of a hash in Redis, where other machines see it. One task
sends what has begun and ended meanwhile to Redis, at once and for all; where there is no journal, a request waits for
that. The same task gives a sign of life. What Redis has lost, or could not be told, it is told whole.

A process is dead when the lock of its journal is free, or, on another machine, when it has given no sign for minutes.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ccrouter.clock import epoch_ms
from ccrouter.ids import uuid7
from ccrouter.metering.record import CallRecord, decode_record, encode_record
from ccrouter.storage.journal import Journal, Left
from ccrouter.storage.redis import OptionalRedis

if TYPE_CHECKING:
    import redis
    import redis.asyncio

_log = logging.getLogger(__name__)

_PROCESSES = "ccr:running"
"""A sorted set: processes by their last sign of life, in ms."""
_SIGN_EVERY_S = 5.0
_ENDS_WITHIN_S = 0.2
"""How long an end waits for others to be sent with."""
_DEAD_AFTER_MS = 5 * 60_000
"""Without a sign for so long a process of another machine counts as dead. Redis may be away for a while before."""
_FORGOTTEN_AFTER_S = 7 * 24 * 3600

DIED = "The process that served this request ended before it did; what the platform answered is not known."


class Running:
    """What this process has under way. `directory` is where its journal goes, None where nothing outlives a process."""

    def __init__(self, redis: "redis.asyncio.Redis", directory: Path | None) -> None:
        self.process = uuid7().hex
        self.directory = directory
        self._redis = OptionalRedis(redis)
        self._journal = Journal(directory, self.process) if directory is not None else None
        self._lines: dict[str, bytes] = {}
        self._begun: dict[str, bytes] = {}
        self._ended: set[str] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._told = False
        """Whether Redis knows of all that runs, but for what is in `_begun` and `_ended`."""
        self._sender: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Opens the journal; where that cannot be written, Redis alone knows."""
        self._open_journal()
        self._sender = asyncio.create_task(self._send_all())

    async def begin(self, record: CallRecord) -> None:
        """Returns when others will find the request if this process dies. Never raises."""
        request, line = str(record.id), encode_record(record)
        self._lines[request] = self._begun[request] = line
        self._wake.set()
        if not self._note(request, line) and self._sender is not None and not self._sender.done():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def end(self, request: str) -> None:
        """Its record is durable."""
        if self._lines.pop(request, None) is None:
            return
        self._begun.pop(request, None)
        self._ended.add(request)
        if len(self._ended) == 1:
            asyncio.get_running_loop().call_later(_ENDS_WITHIN_S, self._wake.set)
        if self._journal is not None:
            try:
                self._journal.end(request, self._lines)
            except OSError as error:
                self._do_without_journal(error)

    async def forget(self, process: str) -> None:
        """Another process's requests have their rows."""
        await self._redis.ask(lambda redis: _forget(redis, process))

    async def close(self) -> None:
        """Leaves nothing behind, unless something is still under way: others will see to that then."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
            self._sender = None
        self._let_go()
        if not self._lines:
            await self.forget(self.process)
        if self._journal is not None:
            self._journal.close(keep=bool(self._lines))

    def _open_journal(self) -> None:
        if self._journal is not None:
            try:
                self._journal.open()
            except OSError as error:
                self._do_without_journal(error)

    def _note(self, request: str, line: bytes) -> bool:
        if self._journal is None:
            return False
        try:
            self._journal.begin(request, line)
        except OSError as error:
            self._do_without_journal(error)
            return False
        return True

    def _do_without_journal(self, error: OSError) -> None:
        _log.warning("requests under way are noted in Redis alone: %s", error)
        self._journal = None

    async def _send_all(self) -> None:
        try:
            while True:
                try:
                    async with asyncio.timeout(_SIGN_EVERY_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
                await self._send()
        finally:
            # Nobody else will: whoever waits goes on without Redis.
            self._let_go()

    async def _send(self) -> None:
        begun, ended, waiting = self._begun, self._ended, self._waiting
        self._begun, self._ended, self._waiting = {}, set(), []
        if not self._told:
            begun, ended = dict(self._lines), set()
        whole = not self._told
        try:
            answer = await self._redis.ask(lambda redis: _tell(redis, self.process, begun, ended, whole=whole))
        finally:
            for future in waiting:
                if not future.done():
                    future.set_result(None)
        # A process that is new to Redis although it was there: Redis has lost what it knew.
        self._told = answer is not None and (whole or not answer)
        if answer and not whole:
            self._wake.set()

    def _let_go(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting = []


async def _tell(
    redis: "redis.asyncio.Redis", process: str, begun: dict[str, bytes], ended: set[str], *, whole: bool
) -> bool:
    """Says whether the process was new to Redis."""
    name = _name(process)
    async with redis.pipeline(transaction=whole) as pipeline:
        pipeline.zadd(_PROCESSES, {process: epoch_ms()})
        if whole:
            pipeline.delete(name)
        if begun:
            pipeline.hset(name, items=[part for item in begun.items() for part in item])
        if ended:
            pipeline.hdel(name, *ended)
        pipeline.expire(name, _FORGOTTEN_AFTER_S)
        answers = await pipeline.execute()
    return bool(answers[0])


async def _forget(redis: "redis.asyncio.Redis", process: str) -> None:
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.delete(_name(process))
        pipeline.zrem(_PROCESSES, process)
        await pipeline.execute()


def under_way(redis: "redis.Redis") -> list[CallRecord]:
    """The requests that run now in processes that give signs of life, newest first. Raises what the client raises."""
    living: Any = redis.zrangebyscore(_PROCESSES, epoch_ms() - 3 * int(_SIGN_EVERY_S * 1000), "+inf")
    found: list[CallRecord] = []
    with redis.pipeline(transaction=False) as pipeline:
        for process in living:
            pipeline.hvals(_name(process.decode()))
        for lines in pipeline.execute():
            found += _decoded(lines)
    for record in found:
        record.status = "running"
    return sorted(found, key=lambda record: record.id, reverse=True)


def left_in_redis(redis: "redis.Redis") -> list[tuple[str, list[bytes]]]:
    """Processes that have long given no sign of life, with the rows of their requests."""
    gone: Any = redis.zrangebyscore(_PROCESSES, "-inf", epoch_ms() - _DEAD_AFTER_MS, withscores=True)
    found = []
    for name, sign in gone:
        process = name.decode()
        lines: Any = redis.hvals(_name(process))
        found.append((process, rows_of(lines, datetime.fromtimestamp(sign / 1000, UTC))))
    return found


def forget_sync(redis: "redis.Redis", process: str) -> None:
    """A dead process's requests have their rows."""
    with redis.pipeline(transaction=True) as pipeline:
        pipeline.delete(_name(process))
        pipeline.zrem(_PROCESSES, process)
        pipeline.execute()


def rows_of_left(left: Left) -> list[bytes]:
    """The rows of the requests that a dead process has left in its journal."""
    return rows_of(left.lines, left.last_sign)


def rows_of(lines: Sequence[bytes], last_sign: datetime) -> list[bytes]:
    """The rows of requests whose process died: what is known of them, and that the rest is not."""
    rows = []
    for record in _decoded(lines):
        record.status = "error"
        record.error_type, record.error_message = "api_error", DIED
        record.duration_ms = max(0, round((last_sign - record.at).total_seconds() * 1000))
        rows.append(encode_record(record))
    return rows


def _decoded(lines: Sequence[Any]) -> list[CallRecord]:
    found = []
    for line in lines:
        try:
            found.append(decode_record(line))
        except msgspec.DecodeError:
            # The process was killed while it wrote the line, and had not yet asked anybody.
            _log.warning("a request that a dead process left cannot be read")
    return found


def _name(process: str) -> str:
    return f"{_PROCESSES}:{process}"
