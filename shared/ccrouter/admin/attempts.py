"""How often a password may be tried: counted in Redis for all processes, or here while Redis is away."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from ccrouter.admin.problems import Problem
from ccrouter.clock import monotonic_s

if TYPE_CHECKING:
    from redis import Redis

_log = logging.getLogger(__name__)

ATTEMPTS = 10
WINDOW_S = 300
_COUNTED = 10_000


class Attempts:
    """Failed sign-ins per login and per client address: ten in five minutes, then none until the five are over."""

    def __init__(self, redis: "Callable[[], Redis]") -> None:
        self._redis = redis
        self._own: dict[str, tuple[int, float]] = {}

    def check(self, names: list[str]) -> None:
        """Raises Problem 429 where no attempt is admitted under these names now."""
        wait_s = self.wait_s(names)
        if wait_s:
            raise Problem(
                429, f"Too many failed sign-ins. Try again in {wait_s} seconds.", headers={"Retry-After": str(wait_s)}
            )

    def wait_s(self, names: list[str]) -> int:
        """Seconds until another attempt is admitted under these names, 0 when one is admitted now."""
        return max(self._wait_s(name) for name in names)

    def failed(self, names: list[str]) -> None:
        """Counts a failed attempt."""
        for name in names:
            self._count(name)

    def succeeded(self, name: str) -> None:
        """Forgets the failures under this name."""
        self._own.pop(name, None)
        try:
            self._redis().delete(_key(name))
        except (RedisError, OSError) as error:
            _log.warning("Redis does not answer (%s)", type(error).__name__)

    def _wait_s(self, name: str) -> int:
        count, until = self._own.get(name, (0, 0.0))
        left = int(until - monotonic_s()) + 1 if count >= ATTEMPTS and until > monotonic_s() else 0
        try:
            shared = self._redis().get(_key(name))
            if shared is not None and int(shared) >= ATTEMPTS:
                left = max(left, int(self._redis().ttl(_key(name))), 1)
        except (RedisError, OSError) as error:
            _log.warning("Redis does not answer (%s); failed sign-ins are counted here", type(error).__name__)
        return left

    def _count(self, name: str) -> None:
        now = monotonic_s()
        count, until = self._own.get(name, (0, 0.0))
        if until <= now:
            count, until = 0, now + WINDOW_S
        if len(self._own) >= _COUNTED:
            self._own = {other: seen for other, seen in self._own.items() if seen[1] > now}
        self._own[name] = (count + 1, until)
        try:
            with self._redis().pipeline(transaction=True) as pipeline:
                pipeline.incr(_key(name))
                pipeline.expire(_key(name), WINDOW_S)
                pipeline.execute()
        except (RedisError, OSError) as error:
            _log.warning("Redis does not answer (%s); failed sign-ins are counted here", type(error).__name__)


def _key(name: str) -> str:
    return f"ccr:sign-in:{name}"
