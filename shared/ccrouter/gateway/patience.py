"""How long an answer may keep silent, until its first event and between events, and how long it may last in all."""

from ccrouter.clock import monotonic_s
from ccrouter.errors import UpstreamTimeout
from ccrouter.http import HttpRequest

SILENCE_LIMIT_S = 600.0
"""A platform that sends nothing for so long is given up; clients only allow 300 s, but our pings keep them waiting."""


class Patience:
    """Begins with the platform's status; `began_s` is when the request was sent."""

    def __init__(self, request: HttpRequest | None = None, began_s: float | None = None) -> None:
        now_s = monotonic_s()
        self.silence_s = SILENCE_LIMIT_S
        """How long it may keep silent once something has come."""
        self._ends_s = float("inf")
        first_s = None
        if request is not None:
            self.silence_s = request.silence_within_s or SILENCE_LIMIT_S
            first_s = request.first_within_s
            if request.whole_within_s is not None:
                self._ends_s = (now_s if began_s is None else began_s) + request.whole_within_s
        self._silent_until_s = now_s + (self.silence_s if first_s is None else first_s)

    def heard(self) -> None:
        """Something has come. Raises UpstreamTimeout where the answer takes too long all the same."""
        now_s = monotonic_s()
        self._silent_until_s = now_s + self.silence_s
        if now_s >= self._ends_s:
            raise self.over()

    def wait_s(self, most_s: float = float("inf")) -> float:
        """How long to wait for more."""
        return max(0.0, min(most_s, min(self._silent_until_s, self._ends_s) - monotonic_s()))

    def left_s(self) -> float | None:
        """How long the answer may still take in all; None: as long as it wants."""
        return None if self._ends_s == float("inf") else max(0.0, self._ends_s - monotonic_s())

    def check(self) -> None:
        """Raises UpstreamTimeout where it is over."""
        if monotonic_s() >= min(self._silent_until_s, self._ends_s):
            raise self.over()

    def over(self) -> UpstreamTimeout:
        """What it ends with."""
        if monotonic_s() >= self._ends_s:
            return UpstreamTimeout("The platform took too long for its answer.")
        return UpstreamTimeout("The platform went silent during its answer.")
