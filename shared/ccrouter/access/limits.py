"""What a key and its owner may use: limits as values, their windows, and how they are told (`product.md` §5)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ccrouter.errors import NO_RETRY, ApiError

WINDOWS = ("5h", "day", "week", "month", "total")
"""Windows of spend limits, in UTC: blocks of five hours, calendar days, weeks from Monday, months, for ever."""
_WORDS = {"5h": "in 5 hours", "day": "a day", "week": "a week", "month": "a month", "total": "in total"}
COUNTS_PER_MINUTE = 600
"""The limit of `count_tokens`, which counts against no other (Claude Code sends 25 at once)."""
NANO = Decimal(10**9)
"""Money is counted in billionths of a dollar, so that Redis can add whole numbers."""

Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Each member is optional: without it there is no such limit.

    `rpm` and `tpm` count requests and tokens of the last 60 s; `concurrency` what is under way, with a wait of up to
    `queue_s` seconds for a place; `spend` is USD by window. `on_spend` warn only notes that a window is used up.
    """

    rpm: Count | None = None
    tpm: Count | None = None
    concurrency: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    queue_s: Annotated[int, Meta(ge=0, le=50)] = 0
    spend: dict[str, Decimal] = {}
    on_spend: Literal["reject", "warn"] = "reject"

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return bool(self.rpm or self.tpm or self.concurrency or self.spend)


class LimitsError(ValueError):
    """A `limits` object cannot be read; `field` is the path of the member at fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def read_limits(document: Any, field: str = "limits") -> Limits:
    """Reads `{"rpm", "tpm", "concurrency", "queue_s", "spend": {"day": "10.00"}, "on_spend"}`; null members are none.

    Raises LimitsError naming the member at fault.
    """
    if document is None:
        return Limits()
    if not isinstance(document, dict):
        raise LimitsError(field, 'must be an object such as {"rpm": 60}')
    members = {name: value for name, value in document.items() if value is not None and name != "spend"}
    spend = _read_spend(document.get("spend"), f"{field}.spend")
    for name, value in members.items():
        try:
            msgspec.convert({name: value}, Limits)
        except msgspec.ValidationError as error:
            message = str(error).partition(" - at ")[0]
            if message.startswith("Object contains unknown"):
                message = "is not known; the limits are rpm, tpm, concurrency, queue_s, spend and on_spend"
            raise LimitsError(f"{field}.{name}", message) from None
    return msgspec.structs.replace(msgspec.convert(members, Limits), spend=spend)


def _read_spend(document: Any, field: str) -> dict[str, Decimal]:
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise LimitsError(field, 'must be an object such as {"day": "10.00"}')
    spend: dict[str, Decimal] = {}
    for window, amount in document.items():
        if window not in WINDOWS:
            raise LimitsError(f"{field}.{window}", f"is no window; they are {', '.join(WINDOWS)}")
        if amount is None:
            continue
        try:
            value = Decimal(str(amount))
        except InvalidOperation:
            value = Decimal(-1)
        if not value.is_finite() or not 0 <= value <= 10**9 or isinstance(amount, bool):
            raise LimitsError(f"{field}.{window}", 'must be an amount in USD such as "10.00"')
        spend[window] = value
    return spend


def window_bounds(window: str, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Begin and end of the window that holds this moment; None for what has neither."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if window == "5h":
        blocks = int(now.timestamp()) // (5 * 3600)
        begin = datetime.fromtimestamp(blocks * 5 * 3600, UTC)
        return begin, begin + timedelta(hours=5)
    if window == "day":
        return day, day + timedelta(days=1)
    if window == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    if window == "month":
        first = day.replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1)
    return None, None


class LimitReached(ApiError):
    """A limit of the router's own: 429 with a code; a throttle says how long to wait, used-up spend does not."""

    status, kind = 429, "rate_limit_error"


def throttled(what: str, key_name: str, limit: int, wait_s: float) -> LimitReached:
    """The answer for `rpm`, `tpm`, `concurrency` or the limit of `count_tokens`. `wait_s` is rounded up to 1 to 59."""
    wait = min(59, max(1, -int(-wait_s // 1)))
    words = {
        "rpm": f"{limit} requests a minute",
        "tpm": f"{limit} tokens a minute",
        "concurrency": f"{limit} requests at a time",
        "counts": f"{limit} token counts a minute",
    }[what]
    code = "limit_rpm" if what == "counts" else f"limit_{what}"
    return LimitReached(
        f"The key «{key_name}» may use {words}; try again in {wait} s.",
        extra=(("retry-after", str(wait)),),
        error_code=code,
    )


def reserved(whose: str, window: str, limit: Decimal, wait_s: float) -> LimitReached:
    """The answer where what is left of a spend limit is reserved for requests under way: they end, and rarely use all.

    It is a throttle by what runs at a time, not a used-up limit: clients shall wait and ask again.
    """
    wait = min(59, max(1, -int(-wait_s // 1)))
    return LimitReached(
        f"{whose} has requests under way that may use up the limit of {limit} USD {_WORDS[window]}; "
        f"try again in {wait} s.",
        extra=(("retry-after", str(wait)),),
        error_code="limit_concurrency",
    )


def spent(whose: str, window: str, limit: Decimal, resets_at: datetime | None) -> LimitReached:
    """The answer for a used-up spend limit; `whose` is «the key «laptop»» or its owner."""
    when = f"It resets at {resets_at:%Y-%m-%d %H:%M} UTC." if resets_at else "It does not reset by itself."
    return LimitReached(
        f"{whose} has used up its limit of {limit} USD {_WORDS[window]}. {when} An administrator can raise it.",
        extra=NO_RETRY,
        error_code="limit_spend",
    )
