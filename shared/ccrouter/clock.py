"""The time, in the one place that asks for it."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)


def epoch_ms() -> int:
    """Milliseconds since 1970, for ids and for ages that several processes compare."""
    return time.time_ns() // 1_000_000


def epoch_s() -> float:
    """Seconds since 1970, for moments that several processes compare."""
    return time.time()


def monotonic_s() -> float:
    """Seconds of a clock that never jumps, for durations and time limits."""
    return time.monotonic()


def rfc3339(moment: datetime) -> str:
    """A moment as the API writes it: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
