"""How much of an account's plan is used, whatever its platform: values only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaWindow:
    """One thing that is metered, until it is filled again; what a platform does not tell is None.

    `left` is the share that is left, from 0 to 1; `used` and `limit` count in `unit`.
    """

    name: str
    left: float | None = None
    used: float | None = None
    limit: float | None = None
    unit: str | None = None
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What an account's platform tells of its plan; `error` says why it tells nothing."""

    read_at: datetime
    plan: str | None = None
    windows: Sequence[QuotaWindow] = ()
    error: str | None = None
