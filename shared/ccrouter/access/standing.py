"""How a key stands: what it and its owner have used of their limits, what is left, and when it comes back."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Count:
    """A limit of requests, tokens or places. `resets_at`: when none of it is used any more, None where that is open."""

    limit: int
    used: int
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent in a window, in USD. `limit` None: as much as one likes. `reserved` is for requests under way."""

    of_owner: bool
    window: str
    limit: Decimal | None
    on_spend: str
    spent: Decimal
    reserved: Decimal
    begins_at: datetime | None
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """All of it. `counted_by`: `all` processes together, or this `process` alone, while Redis is away."""

    rpm: Count | None
    tpm: Count | None
    concurrency: Count | None
    spends: list[Spent]
    counted_by: str
