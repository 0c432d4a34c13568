"""What keys and their owners have spent, for limits: read from the database's hourly sums, counted on in Redis.

Strategy: a window's counter in Redis is good for a minute; then somebody reads the window from the database anew, so
that whatever the counter missed (a limit that was lifted for a while, a booking that was lost, rows that came late) is
mended. Requests under way are left out of that sum by their ids and added when they are booked: none counts twice.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from ccrouter.access.keys import ApiKey
from ccrouter.access.limits import NANO, WINDOWS, Limits, spent, window_bounds
from ccrouter.access.standing import Spent
from ccrouter.clock import epoch_ms, monotonic_s, utc_now
from ccrouter.errors import StorageAway
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.logs import spent_by_windows, spent_since

if TYPE_CHECKING:
    import redis
    from sqlalchemy import Engine

_log = logging.getLogger(__name__)

_GOOD_FOR_MS = 60_000
"""How long a counter is good: the longest time for which one that has missed something goes on missing it."""
_READ_WITHIN_S = 3.0
_READ_WITHIN_MS = 10_000
"""How long bookings are kept for a reader: longer than it waits for the database, with what Redis may take."""
_TRIES = 3
_FRESH_S = 5.0
"""How old a sum may be where there are no counters, because Redis is away."""
_LEFT_ALONE_S = 5.0
_REMEMBERED = 10_000

Run = Callable[[str, list[str], list[Any]], Awaitable[Any]]
"""Runs a script of Redis; None while it is away."""


@dataclass(frozen=True, slots=True)
class Spend:
    """One spend limit in force: whose, which window of which begin, how much."""

    of_owner: bool
    whose_id: str
    window: str
    limit: Decimal
    begin: datetime | None
    end: datetime | None
    counter: str
    """The name of its counter in Redis."""
    reserved: str
    """Where Redis keeps what requests under way may still use of it."""


def spends_of(key: ApiKey, now: datetime) -> tuple[Spend, ...]:
    """The spend limits under which a request of this key stands."""
    return tuple(
        _spend(key, of_owner, window, limit, now)
        for of_owner, limits in ((False, key.limits), (True, key.owner_limits))
        for window, limit in limits.spend.items()
    )


def of_key(key: ApiKey, part: str) -> str:
    """The name in Redis of something that is a key's. The braces keep all of an owner's on one node of a cluster."""
    return f"ccr:{{{key.owner_id}}}:{key.id}:{part}"


def of_owner(key: ApiKey, part: str) -> str:
    """The name in Redis of something that is an owner's."""
    return f"ccr:{{{key.owner_id}}}:{part}"


def nano(amount: Decimal) -> int:
    """An amount as it is counted in Redis."""
    return int((amount * NANO).to_integral_value(ROUND_HALF_UP))


def limits_of(key: ApiKey, spend: Spend) -> Limits:
    """The limits that this one stands among."""
    return key.owner_limits if spend.of_owner else key.limits


def forget_spend(client: "redis.Redis") -> None:
    """Drops what Redis has counted as spent; it is read from the database anew at the next request of each key."""
    for name in client.scan_iter(match="ccr:{*}*:spent:*", count=1000):
        client.delete(name)


class Spending:
    """Reads windows for `RedisLimiter`; one for a process."""

    def __init__(self, engine: "Engine", crossing: ThreadCrossing, run: Run) -> None:
        self._engine = engine
        self._crossing = crossing
        self._run = run
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._from_log: OrderedDict[str, tuple[float, Decimal]] = OrderedDict()
        self._by_windows: OrderedDict[str, tuple[float, tuple[Limits, Limits], list[Spent]]] = OrderedDict()
        self._said: OrderedDict[tuple[str, datetime | None], None] = OrderedDict()
        self._alone_until = 0.0

    def good_since_ms(self) -> int:
        """Since when a counter must have been read to be good; any is while the database is away."""
        return 0 if monotonic_s() < self._alone_until else epoch_ms() - _GOOD_FOR_MS

    async def read_window(self, spend: Spend) -> None:
        """Reads what the database says of a window into its counter. Many who ask at once cost one query.

        While the database is away, counters are good as they are; raises StorageAway for one that was never read.
        """
        if monotonic_s() < self._alone_until:
            raise StorageAway("PostgreSQL does not answer, and what was spent is not known")
        await self._once(spend.counter, lambda: self._read(spend))

    async def by_log(self, spend: Spend) -> Decimal:
        """What the database says, at most 5 s old: for as long as Redis is away. Raises StorageAway."""
        known = self._from_log.get(spend.counter)
        if known is None or monotonic_s() - known[0] > _FRESH_S:
            await self._once(f"log:{spend.counter}", lambda: self._remember(spend))
            known = self._from_log[spend.counter]
        return known[1]

    async def by_windows(self, key: ApiKey) -> list[Spent]:
        """What the key has spent in each window, and its owner where that is limited, at most 5 s ago.

        From the database: there a request counts before it is booked in Redis. Raises StorageAway.
        """
        known = self._by_windows.get(key.id)
        if known is None or monotonic_s() - known[0] > _FRESH_S or known[1] != (key.limits, key.owner_limits):
            found = [*await self._windows(key, key.limits), *await self._windows(key, key.owner_limits, by_owner=True)]
            known = (monotonic_s(), (key.limits, key.owner_limits), found)
            _bounded(self._by_windows, key.id, known)
        return known[2]

    async def _windows(self, key: ApiKey, limits: Limits, *, by_owner: bool = False) -> list[Spent]:
        windows = [window for window in WINDOWS if window in limits.spend or not by_owner]
        if not windows:
            return []
        now = utc_now()
        bounds = [window_bounds(window, now) for window in windows]
        whose = {"user_id": key.owner_id} if by_owner else {"key_id": key.id}
        totals = await self._crossing.run_within(
            _READ_WITHIN_S, spent_by_windows, self._engine, [begin for begin, _ in bounds], **whose
        )
        return [
            Spent(
                of_owner=by_owner,
                window=window,
                limit=limits.spend.get(window),
                on_spend=limits.on_spend,
                spent=total,
                reserved=Decimal(0),
                begins_at=begin,
                resets_at=end,
            )
            for window, total, (begin, end) in zip(windows, totals, bounds, strict=True)
        ]

    def refuse_or_warn(self, key: ApiKey, spend: Spend) -> None:
        """Raises LimitReached for a used-up limit; where it only warns, says so in the log once for each window."""
        whose = f"The owner of this key, {key.owner_login}," if spend.of_owner else f"The key «{key.name}»"
        if limits_of(key, spend).on_spend == "reject":
            raise spent(whose, spend.window, spend.limit, spend.end)
        said = (f"{spend.counter}:{spend.limit}", spend.begin)
        if said not in self._said:
            _bounded(self._said, said, None)
            _log.warning("%s has used up its limit of %s USD (%s); it only warns", whose, spend.limit, spend.window)

    async def _once(self, name: str, read: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._reading.get(name)
        if task is None:
            task = self._reading[name] = asyncio.create_task(read())

            def ended(task: asyncio.Task[None]) -> None:
                self._reading.pop(name, None)
                # Where nobody waits any more, a failure concerns nobody.
                _ = task.cancelled() or task.exception()

            task.add_done_callback(ended)
        # Shielded: one client that leaves must not take the answer from the others.
        await asyncio.shield(task)

    async def _read(self, spend: Spend) -> None:
        # A counter outlives its window by a day, for requests that began in it.
        until = spend.end + timedelta(days=1) if spend.end else utc_now() + timedelta(days=40)
        for _ in range(_TRIES):
            now = epoch_ms()
            since = now - _GOOD_FOR_MS
            under_way = await self._run(
                "begin_reading", [spend.counter, spend.reserved], [now, now + _READ_WITHIN_MS, since]
            )
            if under_way is None:
                # Read meanwhile by somebody else; or Redis has gone, which the next question finds out.
                return
            ids = [item.decode() for item in under_way]
            try:
                total = await self._sum(spend, ids)
            except StorageAway:
                self._alone_until = monotonic_s() + _LEFT_ALONE_S
                raise
            arguments = [epoch_ms(), since, nano(total), int(until.timestamp()), *ids]
            if await self._run("end_reading", [spend.counter], arguments) != 0:
                return
        _log.warning("what was spent of a limit could not be read within %d ms", _READ_WITHIN_MS)

    async def _remember(self, spend: Spend) -> None:
        total = await self._sum(spend, ())
        _bounded(self._from_log, spend.counter, (monotonic_s(), total))

    async def _sum(self, spend: Spend, without: Sequence[str]) -> Decimal:
        whose = {"user_id": spend.whose_id} if spend.of_owner else {"key_id": spend.whose_id}
        return await self._crossing.run_within(
            _READ_WITHIN_S, spent_since, self._engine, spend.begin, without=without, **whose
        )


def _spend(key: ApiKey, by_owner: bool, window: str, limit: Decimal, now: datetime) -> Spend:
    name, whose_id = (of_owner, key.owner_id) if by_owner else (of_key, key.id)
    begin, end = window_bounds(window, now)
    return Spend(
        of_owner=by_owner,
        whose_id=whose_id,
        window=window,
        limit=limit,
        begin=begin,
        end=end,
        counter=name(key, f"spent:{window}:{int(begin.timestamp()) if begin else 0}"),
        reserved=name(key, "reserved"),
    )


def _bounded(kept: OrderedDict[Any, Any], name: Any, value: Any) -> None:
    """Keeps a value and lets the oldest go."""
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
