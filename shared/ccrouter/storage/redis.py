"""Redis clients with the time limits of a gateway: what is slow counts as away."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import redis
    import redis.asyncio

_ANSWER_S = 1
_CONNECT_S = 2
_HEALTH_CHECK_S = 30


def async_redis(url: str) -> "redis.asyncio.Redis":
    """A client for the event loop; connects at the first use and repeats a failed command once."""
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return Redis.from_url(
        url,
        socket_timeout=_ANSWER_S,
        socket_connect_timeout=_CONNECT_S,
        health_check_interval=_HEALTH_CHECK_S,
        retry=Retry(NoBackoff(), 1),
    )


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
