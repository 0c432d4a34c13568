"""One request on its way through the router, and how its record is filled."""

from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from ccrouter.clock import monotonic_s
from ccrouter.errors import SignInFailed, UpstreamError
from ccrouter.messages.facts import StreamFacts
from ccrouter.metering.meter import meter
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.record import Attempt, CallRecord
from ccrouter.platforms.contract import COUNT_TOKENS, Ask
from ccrouter.platforms.registry import MOST_ATTEMPTS
from ccrouter.ports import Lease, Place
from ccrouter.routing.plan import Candidate

_NAME_KEPT = 200
"""Where a client's own name of a model goes through, it may be of any length; sums by model have it in their key."""
_WORDS_KEPT = 2_000
"""How much of a platform's words a row keeps."""


@dataclass(slots=True)
class Call:
    """What was asked, and what is known of the answer so far; `record` is filled on the way."""

    record: CallRecord
    arrived_s: float
    conversation: str = ""
    ask: Ask | None = None
    facts: StreamFacts = field(default_factory=StreamFacts)
    prices: PriceTable | None = None
    recorded: bool = False
    try_began_s: float = 0.0
    """When the try under way began, by the clock of `ports.CredentialStates`."""
    lease: Lease | None = None
    """Its place under the key's limits, until the record is written."""
    place: Place | None = None
    """Its place on the credential that is tried, where that serves only so many at once."""

    def since_arrival_ms(self) -> int:
        """Milliseconds since the request arrived."""
        return round((monotonic_s() - self.arrived_s) * 1000)

    def opened(self, candidate: Candidate) -> CallRecord:
        """The record as it will be if nothing more becomes known: it went to this candidate."""
        credential = candidate.credential
        return msgspec.structs.replace(
            self.record,
            platform=candidate.target.platform,
            model=candidate.target.model,
            credential_id=credential.id if credential else None,
            credential_name=credential.name if credential else None,
        )

    def begin_attempt(self, candidate: Candidate) -> Attempt:
        """A new attempt in the record, which names its target from here on."""
        target, credential, record = candidate.target, candidate.credential, self.record
        attempt = Attempt(
            platform=target.platform,
            model=target.model[:_NAME_KEPT],
            credential_id=credential.id if credential else None,
            credential_name=credential.name if credential else None,
        )
        record.attempts.append(attempt)
        record.platform, record.model = target.platform, attempt.model
        record.credential_id, record.credential_name = attempt.credential_id, attempt.credential_name
        return attempt

    def note_failure(self, candidate: Candidate, failure: UpstreamError) -> None:
        """An attempt that failed before a request could be sent."""
        attempt = self.begin_attempt(candidate)
        attempt.outcome, attempt.reason = failure.outcome, failure.message

    def may_ask(self, platform: str) -> bool:
        """Whether this request may be sent to a platform once more; a sign-in that fails asks for no answer."""
        most = MOST_ATTEMPTS.get(platform)
        if most is None:
            return True
        asked = [
            attempt
            for attempt in self.record.attempts
            if attempt.platform == platform and attempt.outcome != SignInFailed.outcome
        ]
        return len(asked) < most

    def used(self) -> tuple[int, Decimal]:
        """Tokens that count against a limit (all but what was read from a cache), and USD."""
        usage, cost = self.record.usage, self.record.cost
        tokens = 0 if usage is None else usage.prompt_tokens - usage.cache_read_tokens + usage.output_tokens
        return tokens, Decimal(0) if cost is None else cost.total

    def complete(self) -> bool:
        """Completes the record from what was seen; False where that was done before."""
        if self.recorded:
            return False
        self.recorded = True
        record, facts = self.record, self.facts
        record.duration_ms = self.since_arrival_ms()
        if record.ttft_ms is not None:
            record.timings.generation_ms = record.duration_ms - record.ttft_ms
        if record.attempts and record.attempts[-1].ms == 0:
            record.attempts[-1].ms = record.duration_ms - (record.timings.admission_ms or 0)
        record.stop_reason = facts.stop_reason
        record.error_type, record.error_message = facts.error_type, _shortened(facts.error_message)
        for attempt in record.attempts:
            attempt.reason = _shortened(attempt.reason)
        if record.status == "aborted" and record.http_status is None:
            record.http_status = 499
        if record.kind != COUNT_TOKENS and self.ask is not None and self.prices is not None:
            meter(
                record,
                facts.usage,
                self.ask.request,
                self.prices,
                final=facts.stopped,
                estimated=facts.usage_estimated,
                place=facts.place,
                answered_as=facts.answered_as,
                vendor=facts.vendor,
                billed_usd=facts.billed_usd,
            )
        return True


def _shortened(words: str | None) -> str | None:
    """A platform's words as far as a row keeps them; the client has got them whole."""
    return None if words is None else words[:_WORDS_KEPT]
