"""What was read from an answer on its way: the gateway's and the meter's view of it, whatever the dialect."""

from decimal import Decimal
from typing import Any


class StreamFacts:
    """What was read from an answer so far."""

    def __init__(self) -> None:
        self.usage: dict[str, Any] = {}
        """Anthropic's usage object, merged (anthropic-messages.md §7.2)."""
        self.usage_estimated = False
        """Whether counts are our own estimate: the platform named none."""
        self.stop_reason: str | None = None
        self.stopped = False
        """Whether message_stop was seen: only then are the counts final."""
        self.error_type: str | None = None
        self.error_message: str | None = None
        self.content_began = False
        """Whether a content block has begun: the first token, as a person sees it."""
        self.place: str | None = None
        """Where the platform was asked to compute (`global`, a geography, a region); None: prices do not differ."""
        self.answered_as: str | None = None
        """The model that the answer itself names."""
        self.vendor: str | None = None
        """Whose prices hold, where a platform leads to several vendors."""
        self.billed_usd: Decimal | None = None
        """What the vendor says that it bills."""
