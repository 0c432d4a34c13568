"""Adapters over the real servers, made in the loop that uses them and closed with it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from ccrouter.credentials.vault import Vault
from ccrouter.storage.call_log import DbCallLog
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.directory import CachedDirectory
from ccrouter.storage.redis import async_redis
from ccrouter.storage.running import Running


@asynccontextmanager
async def a_directory(engine: Engine, redis_url: str, vault: Vault, **more: Any) -> AsyncIterator[CachedDirectory]:
    """A directory as one process has it."""
    crossing, redis = ThreadCrossing(4), async_redis(redis_url)
    try:
        yield CachedDirectory(engine, crossing, redis, vault, **more)
    finally:
        await redis.aclose()
        crossing.close()


@asynccontextmanager
async def a_call_log(engine: Engine, outbox: Path, redis_url: str = "redis://127.0.0.1:1") -> AsyncIterator[DbCallLog]:
    """A running call log, closed in the end; without a `redis_url` Redis is away."""
    crossing, redis = ThreadCrossing(4), async_redis(redis_url)
    log = DbCallLog(engine, crossing, outbox, Running(redis, outbox / "running"))
    await log.start()
    try:
        yield log
    finally:
        await log.close()
        await redis.aclose()
        crossing.close()


@contextmanager
def counted(engine: Engine, words: str) -> Iterator[list[str]]:
    """The statements with these words that were sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if words in statement:
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
