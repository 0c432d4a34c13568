"""Kiro accounts that are throttled for so long that their plan may be used up: Kiro says both alike (kiro.md §11)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_LONG = timedelta(minutes=10)
"""After so long the account's usage is asked for, and not more often than that (kiro.md §12.2)."""


@dataclass(slots=True)
class _Throttle:
    since: datetime
    asked_at: datetime | None = None


class LongThrottles:
    """Counts for this process alone; an answer ends what is known of an account."""

    def __init__(self) -> None:
        self._known: dict[str, _Throttle] = {}

    def note(self, credential_id: str, now: datetime) -> bool:
        """One more throttle; whether to ask for the account's usage."""
        known = self._known.setdefault(credential_id, _Throttle(now))
        if now - known.since < _LONG or (known.asked_at is not None and now - known.asked_at < _LONG):
            return False
        known.asked_at = now
        return True

    def end(self, credential_id: str) -> None:
        """The account has answered."""
        self._known.pop(credential_id, None)
