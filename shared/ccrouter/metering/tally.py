"""What one process has served since it began, counted for monitoring; by platform, never by key or account."""

from bisect import bisect_left
from collections import Counter
from decimal import Decimal

import msgspec

from ccrouter.metering.record import CallRecord

BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the histograms' buckets."""
NO_PLATFORM = "none"
"""For requests that reached none."""


class Histogram:
    """Durations of one platform."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def note(self, milliseconds: int) -> None:
        """One more."""
        seconds = milliseconds / 1000
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class Tally:
    """The counts. `in_flight` are requests of valid keys that are being answered."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """By kind, platform and status."""
        self.failed_attempts: Counter[tuple[str, str]] = Counter()
        """By platform and outcome."""
        self.tokens: Counter[tuple[str, str]] = Counter()
        """By platform and class."""
        self.unpriced: Counter[str] = Counter()
        self.cost_usd: dict[str, Decimal] = {}
        self.durations: dict[str, Histogram] = {}
        self.first_tokens: dict[str, Histogram] = {}

    def note(self, record: CallRecord) -> None:
        """A request that has ended."""
        platform = record.platform or NO_PLATFORM
        self.requests[record.kind, platform, record.status] += 1
        for attempt in record.attempts:
            if attempt.outcome != "ok":
                self.failed_attempts[attempt.platform, attempt.outcome] += 1
        if record.usage is not None:
            for name, count in msgspec.structs.asdict(record.usage).items():
                self.tokens[platform, name] += count
        if record.cost is not None:
            self.cost_usd[platform] = self.cost_usd.get(platform, Decimal(0)) + record.cost.total
        if record.cost_state == "unpriced":
            self.unpriced[platform] += 1
        if record.platform is not None:
            self.durations.setdefault(platform, Histogram()).note(record.duration_ms)
            if record.ttft_ms is not None:
                self.first_tokens.setdefault(platform, Histogram()).note(record.ttft_ms)
