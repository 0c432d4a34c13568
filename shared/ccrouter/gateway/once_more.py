"""Whether a failed try is worth another on the same credential, and how it must differ."""

from dataclasses import dataclass

from ccrouter.errors import UpstreamError, UpstreamRefused
from ccrouter.platforms.contract import CannedAnswer, Exchange

_MOST_MENDINGS = 2
"""A request that is still refused after so many changes is refused for good."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next try: with something renewed, with a changed request, or the same after a pause; else there is none."""

    renew: str = ""
    exchange: Exchange | CannedAnswer | None = None
    wait_s: float | None = None


class OnceMore:
    """Counts what was tried on one credential for one request."""

    def __init__(self) -> None:
        self._renewed = False
        self._mendings = 0
        self._repeats = 0

    def after(self, failure: UpstreamError, exchange: Exchange) -> Step:
        """What to try after this failure; each kind of step is bounded."""
        consequence = failure.consequence
        if consequence.renews and not self._renewed:
            self._renewed = True
            return Step(renew=consequence.renews)
        if isinstance(failure, UpstreamRefused) and self._mendings < _MOST_MENDINGS:
            mended = exchange.mend(failure)
            if mended is not None:
                self._mendings += 1
                return Step(exchange=mended)
        if self._repeats < len(consequence.repeats):
            self._repeats += 1
            return Step(wait_s=consequence.repeats[self._repeats - 1])
        return Step()
