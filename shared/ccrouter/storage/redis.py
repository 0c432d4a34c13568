"""Redis clients with the time limits of a gateway: what is slow counts as away, and nobody waits for it twice."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from ccrouter.clock import monotonic_s

if TYPE_CHECKING:
    import redis
    import redis.asyncio

T = TypeVar("T")

_TURNS: "WeakKeyDictionary[redis.asyncio.Redis, asyncio.Semaphore]" = WeakKeyDictionary()
"""For each client as many as it has connections."""

_log = logging.getLogger(__name__)

_ANSWER_S = 1.0
_CONNECT_S = 2.0
_CONNECTIONS = 32
"""For one event loop: commands take well below a millisecond, so that more would only wait in the server instead."""
_HEALTH_CHECK_S = 30
_LEFT_ALONE_S = 5.0
_ENDS_WITHIN_S = 0.25
"""How long who gives a call up waits for its end: it takes milliseconds, except where Redis does not answer at all."""
_LATE_S = 0.5
"""A time limit that strikes so much too late tells of this process, not of Redis."""
_TRIES_WHEN_LATE = 5
_SAID_EVERY_S = 60.0


def async_redis(url: str) -> "redis.asyncio.Redis":
    """A client for the event loop; connects at the first use and repeats a failed command once."""
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    # Who finds all connections busy waits for one: a crowd is not an outage.
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_ANSWER_S,
        socket_timeout=_ANSWER_S,
        socket_connect_timeout=_CONNECT_S,
        health_check_interval=_HEALTH_CHECK_S,
        retry=Retry(NoBackoff(), 1),
    )
    return Redis.from_pool(pool)


def sync_redis(url: str) -> "redis.Redis":
    """The same for threads."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(
        url,
        socket_timeout=_ANSWER_S,
        socket_connect_timeout=_CONNECT_S,
        health_check_interval=_HEALTH_CHECK_S,
        retry=Retry(NoBackoff(), 1),
    )


class OptionalRedis:
    """Redis for those who can do without: a failure costs a second at most, and then it is left alone for five.

    A crowd is no outage: who finds all connections busy waits for a turn, which does not count. Nor is a process that
    is late itself: where the time limit strikes long after it was due, the question is put again.
    """

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client
        self._turns = _TURNS.setdefault(client, asyncio.Semaphore(_CONNECTIONS))
        self._alone_until = 0.0
        self._said_at: float | None = None

    async def ask(self, call: Callable[["redis.asyncio.Redis"], Awaitable[T]]) -> T | None:
        """What the call answers; None when Redis is away. Says so in the log once a minute.

        The call may be made more than once.
        """
        from redis.exceptions import RedisError, ResponseError

        async with self._turns:
            for _ in range(_TRIES_WHEN_LATE):
                if monotonic_s() < self._alone_until:
                    return None
                began = monotonic_s()
                try:
                    async with asyncio.timeout(_ANSWER_S):
                        return await _whole(call(self._client))
                except ResponseError as error:
                    # It answers, but not this question: whoever asks others shall not do without.
                    self._say(f"Redis refuses a command ({error}); going on without its answer")
                    return None
                except (RedisError, OSError, TimeoutError) as error:
                    reason = type(error).__name__
                    if monotonic_s() - began < _ANSWER_S + _LATE_S:
                        break
            self._alone_until = monotonic_s() + _LEFT_ALONE_S
            self._say(f"Redis does not answer ({reason}); going on without it")
            return None

    def _say(self, words: str) -> None:
        if self._said_at is None or monotonic_s() - self._said_at > _SAID_EVERY_S:
            self._said_at = monotonic_s()
            _log.warning("%s", words)


async def _whole(call: Awaitable[T]) -> T:
    """A call that ends before whoever gives it up goes on: what they undo then would else come before it is done."""
    running = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if not running.done():
            await asyncio.wait([running], timeout=_ENDS_WITHIN_S)
        if not running.done():
            running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        raise
