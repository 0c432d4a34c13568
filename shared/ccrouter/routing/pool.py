"""Which of the candidates of a plan are tried now: those that fare well, and what is told where none is left.

A pure choice over conditions (`routing/condition.py`): no clock and no I/O, moments are passed in.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from ccrouter.clock import rfc3339
from ccrouter.errors import NO_RETRY, ApiError, Overloaded, QuotaUsedUp, Unavailable
from ccrouter.routing.condition import Condition, Failure, after_failure, outlives_success
from ccrouter.routing.plan import Candidate

PROBE_S = 30.0
"""How long a first try after a cool-down keeps others away at most, where its outcome does not become known."""
_BUSY_S = 2
"""When a client may try again where every account serves as many requests as it may: one ends at any moment."""
_FOR_EVER = float("inf")

Conditions = Mapping[str, Mapping[str, Condition]]
"""By credential, then by scope."""


class Pool:
    """The conditions that one process knows of, kept up to date by what happens to its own requests."""

    def __init__(self) -> None:
        self.conditions: dict[str, dict[str, Condition]] = {}
        self._probes: dict[str, float] = {}
        self._under_way: Counter[str] = Counter()

    def choose(self, candidates: Sequence[Candidate], now: float) -> list[Candidate]:
        """The candidates to try, best first.

        Those that cool down are left out; where all do, the one that is ready soonest is tried, since a platform's
        own answer says more than ours. After a cool-down one request goes ahead, and the others follow its success:
        that is how the preferred credential gets its conversations back.

        Raises QuotaUsedUp or Unavailable where all are blocked, Overloaded where all that are not serve as many
        requests as they may.
        """
        usable = [candidate for candidate in candidates if blocked_until(candidate, self.conditions, now) is None]
        if not usable:
            raise nothing_left(candidates, self.conditions, now)
        usable = [candidate for candidate in usable if not self._is_full(candidate)]
        if not usable:
            raise all_full(candidates)
        ready = [candidate for candidate in usable if self._ready_at(candidate, now) <= now]
        return ready or [min(usable, key=lambda candidate: self._ready_at(candidate, now))]

    def is_free(self, candidate: Candidate, leaving: Candidate, now: float) -> bool:
        """Whether a candidate may be tried after `leaving`, by what has become known meanwhile."""
        return (
            blocked_until(candidate, self.conditions, now) is None
            and self._ready_at(candidate, now) <= now
            and (candidate.credential_id == leaving.credential_id or not self._is_full(candidate))
        )

    def begin(self, candidate: Candidate, now: float) -> None:
        """A try begins; where the credential has just cooled down, it is the one that goes ahead."""
        credential = candidate.credential
        if credential is None:
            return
        self._under_way[credential.id] += 1
        if any(condition.until > 0.0 for condition in conditions_of(candidate, self.conditions)):
            self._probes[credential.id] = now + PROBE_S

    def end(self, candidate: Candidate) -> None:
        """A try is over, whether or not it has told anything."""
        if candidate.credential is not None:
            self._probes.pop(candidate.credential.id, None)
            self._under_way[candidate.credential.id] -= 1
            if self._under_way[candidate.credential.id] <= 0:
                del self._under_way[candidate.credential.id]

    def failed(self, credential_id: str, failure: Failure, now: float) -> Condition | None:
        """Notes a failure; returns the condition that it made, None where it changed nothing."""
        self._probes.pop(credential_id, None)
        scopes, scope = self.conditions.setdefault(credential_id, {}), failure.consequence.scope
        before = scopes.get(scope)
        found = after_failure(before, failure, now)
        if found is None or found is before:
            return None
        scopes[scope] = found
        return found

    def succeeded(self, credential_id: str, model: str, began_s: float) -> list[str]:
        """Notes a success; returns the scopes whose conditions have ended by it."""
        self._probes.pop(credential_id, None)
        scopes = self.conditions.get(credential_id)
        if not scopes:
            return []
        ended = [
            scope
            for scope, condition in scopes.items()
            if _concerns(scope, condition, model) and not outlives_success(condition, began_s)
        ]
        for scope in ended:
            del scopes[scope]
        return ended

    def _is_full(self, candidate: Candidate) -> bool:
        credential = candidate.credential
        return (
            credential is not None
            and credential.max_concurrency is not None
            and self._under_way[credential.id] >= credential.max_concurrency
        )

    def _ready_at(self, candidate: Candidate, now: float) -> float:
        at = 0.0
        for condition in conditions_of(candidate, self.conditions):
            at = max(at, condition.until)
            if condition.on_probation(now) and candidate.credential is not None:
                at = max(at, self._probes.get(candidate.credential.id, 0.0))
        return at


def conditions_of(candidate: Candidate, conditions: Conditions) -> Iterator[Condition]:
    """What is known of a candidate: of its credential, of its model there, of groups its model belongs to."""
    if candidate.credential is None:
        return
    for scope, condition in conditions.get(candidate.credential.id, {}).items():
        if _concerns(scope, condition, candidate.target.model):
            yield condition


def blocked_until(candidate: Candidate, conditions: Conditions, now: float) -> float | None:
    """Until when a candidate must not be tried: infinity where somebody must act, None where it may be tried."""
    ends = [condition.until or _FOR_EVER for condition in conditions_of(candidate, conditions) if condition.blocks(now)]
    block = candidate.credential.block if candidate.credential is not None else None
    if block is not None and (block.until_s is None or now < block.until_s):
        ends.append(_FOR_EVER if block.until_s is None else block.until_s)
    return max(ends, default=None)


def nothing_left(candidates: Sequence[Candidate], conditions: Conditions, now: float) -> ApiError:
    """What a client is told where every candidate is blocked (anthropic-messages.md §9.2)."""
    platforms = ", ".join(dict.fromkeys(candidate.target.platform for candidate in candidates))
    soonest = min(blocked_until(candidate, conditions, now) or _FOR_EVER for candidate in candidates)
    if soonest == _FOR_EVER:
        return Unavailable(
            f"Every account of this router for {platforms} is blocked, and the platforms say that waiting will not "
            "help. Your own key is fine; an administrator must act.",
            extra=NO_RETRY,
        )
    until = rfc3339(datetime.fromtimestamp(soonest, UTC))
    return QuotaUsedUp(
        f"The quota of this router's accounts for {platforms} is used up. The first is filled again at {until}."
    )


def all_full(candidates: Sequence[Candidate]) -> Overloaded:
    """What a client is told where every account that is not blocked serves as many requests as it may."""
    platforms = ", ".join(dict.fromkeys(candidate.target.platform for candidate in candidates))
    return Overloaded(
        f"Every account of this router for {platforms} serves as many requests as it may; try again in a moment.",
        extra=(("retry-after", str(_BUSY_S)),),
    )


def _concerns(scope: str, condition: Condition, model: str) -> bool:
    return scope in ("", model) or model in condition.models
