"""What this process counts by itself while Redis is away: its own requests and tokens of the last minute.

So each limit goes on to hold for each process; over all of them it is as many times higher.
"""

from collections import deque
from typing import TypeVar

from ccrouter.access.keys import ApiKey
from ccrouter.clock import monotonic_s

T = TypeVar("T")

_MINUTE_S = 60.0
_KEYS = 10_000


class OwnCounts:
    """Requests and tokens by key; nothing is known of the time before Redis went away."""

    def __init__(self) -> None:
        self._requests: dict[str, deque[float]] = {}
        self._tokens: dict[str, deque[tuple[float, int]]] = {}

    def stands_against(self, key: ApiKey, under_way: int, reserved_tokens: int) -> tuple[str, float] | None:
        """Which limit does, and for how many seconds it will."""
        limits, now = key.limits, monotonic_s()
        requests, tokens = self._lately(key, now)
        if limits.rpm is not None and len(requests) >= limits.rpm:
            return "rpm", requests[-limits.rpm] + _MINUTE_S - now
        if limits.tpm is not None and reserved_tokens + sum(count for _, count in tokens) >= limits.tpm:
            return "tpm", tokens[0][0] + _MINUTE_S - now if tokens else 1.0
        if limits.concurrency is not None and under_way >= limits.concurrency:
            return "concurrency", 1.0
        return None

    def of_last_minute(self, key: ApiKey) -> tuple[int, int]:
        """Requests and tokens."""
        requests, tokens = self._lately(key, monotonic_s())
        return len(requests), sum(count for _, count in tokens)

    def begin(self, key: ApiKey) -> None:
        """One more request."""
        self._of(self._requests, key.id).append(monotonic_s())

    def end(self, key: ApiKey, tokens: int) -> None:
        """It used so many tokens."""
        self._of(self._tokens, key.id).append((monotonic_s(), tokens))

    def clear(self) -> None:
        """Redis counts again."""
        self._requests.clear()
        self._tokens.clear()

    def _lately(self, key: ApiKey, now: float) -> tuple[deque[float], deque[tuple[float, int]]]:
        requests, tokens = self._of(self._requests, key.id), self._of(self._tokens, key.id)
        while requests and requests[0] <= now - _MINUTE_S:
            requests.popleft()
        while tokens and tokens[0][0] <= now - _MINUTE_S:
            tokens.popleft()
        return requests, tokens

    @staticmethod
    def _of(by_key: "dict[str, deque[T]]", key_id: str) -> "deque[T]":
        if key_id not in by_key and len(by_key) >= _KEYS:
            by_key.pop(next(iter(by_key)))
        return by_key.setdefault(key_id, deque())
