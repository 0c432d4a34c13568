"""How a credential fares: what failures and successes make of it (anthropic-passthrough.md §2, "Cool-down").

No clock and no I/O: moments are seconds since 1970 and passed in, since several processes compare them.

Strategy: one condition for each credential and scope ("" for all of it, else a model or a group of models that share
a quota). A failure makes a new condition out of the old one; a success of a try that began after the last failure
removes it. What a try that began earlier says is old news: it neither ends a cool-down nor makes it longer, so that a
burst of parallel requests counts as one step.
"""

from dataclasses import dataclass, replace

import msgspec

from ccrouter.errors import Consequence, Trouble

MOST_WAIT_S = 31 * 86_400.0
"""A platform that names a later moment is not believed: quotas are filled each month at the latest."""
FAULTS_IN_A_ROW = 3
CONVERSATIONS = 2
"""Faults of one conversation alone bench nothing: the fault may be its own."""
SECOND_401_AFTER_S = 5.0
"""A 401 may be a key that is just being replaced; a later one is not."""
LONG_QUOTA_S = 60.0
"""A used-up quota that fills again later than this blocks, so that nobody tries in vain (`product.md` §4)."""
REMEMBERED_S = 600.0
"""How long the last step of a cool-down is remembered after its end; then it begins anew."""
REFUSAL_REMEMBERED_S = 24 * 3600.0
"""How long the refusal of one model is remembered; the next try after it says whether it still holds."""
_REASON_KEPT = 300


class Condition(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a credential in one scope; there is none where all is well.

    `until` ends a cool-down or a block; a block without it holds until it is lifted. `wait_s` is the last step of the
    doubling. `quota` tells a used-up quota from a refusal. `models` are those that a group of models was seen with.
    """

    at: float
    until: float = 0.0
    blocked: bool = False
    quota: bool = False
    reason: str = ""
    wait_s: float = 0.0
    faults: int = 0
    conversations: tuple[str, ...] = ()
    unauthorized_at: float = 0.0
    models: tuple[str, ...] = ()

    def blocks(self, now: float) -> bool:
        """Whether it must not be tried."""
        return self.blocked and (not self.until or now < self.until)

    def cools(self, now: float) -> bool:
        """Whether it is only tried where nothing else is left."""
        return not self.blocked and now < self.until

    def on_probation(self, now: float) -> bool:
        """Whether a cool-down or a block has ended, and no success has shown yet that all is well."""
        return 0.0 < self.until <= now

    def forgotten(self, now: float) -> bool:
        """Whether it says nothing any more."""
        if self.blocked and not self.until:
            return now > self.at + REFUSAL_REMEMBERED_S
        return now > max(self.at, self.until) + REMEMBERED_S


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed try on a credential: what follows, in which conversation it was, and when the try began."""

    consequence: Consequence
    model: str
    conversation: str
    reason: str
    began_s: float


def after_failure(before: Condition | None, failure: Failure, now: float) -> Condition | None:
    """The condition after a failure; None where it says nothing of the credential and nothing was known."""
    consequence = failure.consequence
    if consequence.retry_after_s is not None and not consequence.retry_after_s <= MOST_WAIT_S:
        failure = replace(failure, consequence=replace(consequence, retry_after_s=MOST_WAIT_S))
        consequence = failure.consequence
    if consequence.trouble is Trouble.NONE or (before is not None and before.blocks(now)):
        return before
    known = Condition(at=0.0) if before is None or before.forgotten(now) else before
    models = known.models
    if consequence.scope not in ("", failure.model) and failure.model not in models:
        models = (*models, failure.model)
    found = msgspec.structs.replace(known, at=now, blocked=False, quota=False, reason=_said(failure), models=models)
    match consequence.trouble:
        case Trouble.REFUSED:
            return msgspec.structs.replace(found, blocked=True, until=0.0)
        case Trouble.UNAUTHORIZED:
            if known.unauthorized_at and now - known.unauthorized_at >= SECOND_401_AFTER_S:
                return msgspec.structs.replace(found, blocked=True, until=0.0)
            return msgspec.structs.replace(found, unauthorized_at=known.unauthorized_at or now)
        case Trouble.EXHAUSTED if consequence.retry_after_s is not None and consequence.retry_after_s > LONG_QUOTA_S:
            return msgspec.structs.replace(found, blocked=True, quota=True, until=now + consequence.retry_after_s)
        case Trouble.FAULT:
            conversations = known.conversations
            if failure.conversation not in conversations and len(conversations) < CONVERSATIONS:
                conversations = (*conversations, failure.conversation)
            found = msgspec.structs.replace(found, faults=known.faults + 1, conversations=conversations)
            if found.faults < FAULTS_IN_A_ROW or len(conversations) < CONVERSATIONS:
                return found
    return _cooled(found, known, failure, now)


def outlives_success(condition: Condition, began_s: float) -> bool:
    """Whether a condition stands although a try that began then has succeeded."""
    return began_s < condition.at


def _cooled(found: Condition, known: Condition, failure: Failure, now: float) -> Condition:
    asked_s = failure.consequence.retry_after_s
    if asked_s is not None:
        return msgspec.structs.replace(found, until=max(known.until, now + asked_s))
    if known.wait_s and failure.began_s < known.at:
        return found
    first_s, longest_s = failure.consequence.steps
    wait_s = min(known.wait_s * 2, longest_s) if known.wait_s else first_s
    return msgspec.structs.replace(found, wait_s=wait_s, until=max(known.until, now + wait_s))


def _said(failure: Failure) -> str:
    return failure.reason[:_REASON_KEPT]
