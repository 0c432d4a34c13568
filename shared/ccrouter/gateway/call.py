"""One request on its way through the router."""

from dataclasses import dataclass, field

from ccrouter.clock import monotonic_s
from ccrouter.messages.facts import StreamFacts
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.record import CallRecord
from ccrouter.platforms.contract import Ask


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

    def since_arrival_ms(self) -> int:
        """Milliseconds since the request arrived."""
        return round((monotonic_s() - self.arrived_s) * 1000)
