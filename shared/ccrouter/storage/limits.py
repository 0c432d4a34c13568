"""Limits in force: one script in Redis on a request's way in, one on its way out (docs/limits.md says how exact).

A place under `concurrency` is a lease that the process renews while the request runs: when the process dies, it comes
back by itself. What requests under way may use is reserved, for the key and for its owner, until they are settled.
Spend is counted per window in Redis and read from the database once a minute (`storage/spending.py`).
While Redis is away, spend limits hold by the database, and each process counts the rest by itself.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ccrouter.access.keys import ApiKey
from ccrouter.access.limits import COUNTS_PER_MINUTE, reserved, throttled
from ccrouter.access.standing import Standing
from ccrouter.clock import epoch_ms, monotonic_s, utc_now
from ccrouter.errors import StorageAway
from ccrouter.ids import uuid7
from ccrouter.ports import Lease
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.own_counts import OwnCounts
from ccrouter.storage.redis import OptionalRedis
from ccrouter.storage.spending import Spend, Spending, limits_of, nano, of_key, of_owner, spends_of
from ccrouter.storage.standing import Counts, counts_in_redis, standing_of

if TYPE_CHECKING:
    import redis.asyncio
    from sqlalchemy import Engine

_log = logging.getLogger(__name__)

_LEASE_MS = 60_000
_POLL_S = 0.1
_KEPT_S = 120.0
"""How long a booking waits for Redis: by then the lease has ended, and counters are read from the database anew."""
_HELD_WAIT_S = 5.0
"""After how long a client shall ask again where a budget is reserved: requests take some seconds."""
_MOST_READINGS = 10
"""A request that finds so many counters cold finds them cold for ever."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What `settle` needs to know of an admitted request, and what is reserved for it."""

    id: str
    key: ApiKey
    spends: tuple[Spend, ...]
    tokens: int
    nano: int

    def leases(self) -> list[str]:
        """Where Redis keeps leases and reservations of the key, and of its owner."""
        key = self.key
        return [of_key(key, "slots"), of_key(key, "reserved"), of_owner(key, "slots"), of_owner(key, "reserved")]

    def names(self, *, counters: bool = True) -> list[str]:
        """The keys of the scripts that admit and settle."""
        slots, held, owner_slots, owner_held = self.leases()
        requests, tokens, waiting, polled = (
            of_key(self.key, part) for part in ("requests", "tokens", "waiting", "polled")
        )
        fixed = [requests, tokens, slots, held, waiting, polled, owner_slots, owner_held]
        return fixed + [spend.counter for spend in self.spends] if counters else fixed

    def without(self, spend: Spend) -> "_Held":
        """The same, not asking about one of its limits."""
        return replace(self, spends=tuple(item for item in self.spends if item is not spend))


class RedisLimiter:
    """Implements `ports.Limiter`."""

    def __init__(
        self, engine: "Engine", crossing: ThreadCrossing, redis: "redis.asyncio.Redis", *, lease_ms: int = _LEASE_MS
    ) -> None:
        self._redis = OptionalRedis(redis)
        self._lease_ms = lease_ms
        self._scripts: dict[str, Any] = {}
        self._spending = Spending(engine, crossing, self._run)
        self._own = OwnCounts()
        self._alone = False
        self._held: dict[str, _Held] = {}
        self._unsettled: list[tuple[float, _Held, int, Decimal]] = []
        self._keeping: asyncio.Task[None] | None = None

    async def admit(self, request_id: UUID, key: ApiKey, tokens: int, cost: Decimal) -> Lease | None:
        """A place for a request that will use about so much; None for a key without limits.

        Raises LimitReached; waits up to the key's `queue_s` for a place.
        """
        if not key.limits.any and not key.owner_limits.spend:
            return None
        held = _Held(str(request_id), key, spends_of(key, utc_now()), tokens, nano(cost))
        # A limit that only warns and is used up is not asked about, but counted on.
        asked, readings = held, 0
        give_up = monotonic_s() + key.limits.queue_s
        # Whether Redis may hold on to it: in the queue, or in a place that it was never told of.
        may_stay = waits = False
        try:
            while True:
                may_stay, may_wait = True, monotonic_s() < give_up
                what, detail = await self._ask(asked, may_wait=may_wait)
                may_stay = waits
                if what == "ok":
                    break
                if what == "cold":
                    readings += 1
                    await self._read(asked.spends[detail - 1], readings)
                elif what == "spend" or (what == "held" and _warns(key, asked.spends[detail - 1])):
                    if what == "spend":
                        self._spending.refuse_or_warn(key, asked.spends[detail - 1])
                    asked = asked.without(asked.spends[detail - 1])
                elif what in ("concurrency", "held") and may_wait:
                    may_stay = waits = True
                    await asyncio.sleep(_POLL_S * random.uniform(0.5, 1.5))  # noqa: S311 - only spreads the questions
                elif what == "held":
                    spend = asked.spends[detail - 1]
                    raise reserved(_whose(key, spend), spend.window, spend.limit, _HELD_WAIT_S)
                else:
                    raise throttled(what, key.name, getattr(key.limits, what), detail / 1000)
        except BaseException:
            if may_stay:
                await self._leave(held)
            raise
        self._held[held.id] = held
        self._keep_leases()
        return Lease(held.id)

    async def admit_count(self, key: ApiKey) -> None:
        """Room for one more token count in this minute. Raises LimitReached."""
        wait_ms = await self._run("count", [of_key(key, "counts")], [epoch_ms(), str(uuid7()), COUNTS_PER_MINUTE])
        if wait_ms:
            raise throttled("counts", key.name, COUNTS_PER_MINUTE, int(wait_ms) / 1000)

    async def settle(self, lease: Lease, tokens: int, cost: Decimal) -> None:
        """Gives the place back and books what was used. Never raises; what Redis cannot take now is booked later."""
        held = self._held.pop(lease.id, None)
        if held is None:
            return
        if self._alone:
            self._own.end(held.key, tokens)
        if not await self._book(held, tokens, cost):
            self._unsettled.append((monotonic_s(), held, tokens, cost))
            self._keep_leases()

    async def standing(self, key: ApiKey) -> Standing:
        """What the key and its owner have used of their limits. Raises StorageAway."""
        spends, now = await self._spending.by_windows(key), epoch_ms()
        found = await self._redis.ask(lambda redis: counts_in_redis(redis, key, now))
        if found is None:
            mine = [item for item in self._held.values() if item.key.owner_id == key.owner_id]
            of_this = [item for item in mine if item.key.id == key.id]
            reserved_tokens = sum(item.tokens for item in of_this)
            requests, tokens = self._own.of_last_minute(key)
            found = Counts(
                requests=requests,
                tokens=reserved_tokens + tokens,
                under_way=len(of_this),
                reserved=sum(item.nano for item in of_this),
                reserved_of_owner=sum(item.nano for item in mine),
                counted_by="process",
            )
        return standing_of(key, found, spends)

    async def close(self) -> None:
        """Stops renewing, and tries once more to book; places of requests that still run come back within a minute."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._book_waiting()

    async def _ask(self, held: _Held, *, may_wait: bool) -> tuple[str, int]:
        """What stands against a request, and a number: of a counter, or of milliseconds to wait."""
        limits = held.key.limits
        arguments = [
            *(epoch_ms(), held.id, self._lease_ms),
            *(limits.rpm or 0, limits.tpm or 0, limits.concurrency or 0),
            *(held.tokens, held.nano, int(may_wait), self._spending.good_since_ms()),
        ]
        for spend in held.spends:
            arguments += (nano(spend.limit), int(spend.of_owner))
        answer: Sequence[Any] | None = await self._run("admit", held.names(), arguments)
        if answer is None:
            return await self._ask_own(held)
        if self._alone:
            self._alone = False
            self._own.clear()
        return answer[0].decode(), int(answer[1]) if len(answer) > 1 else 0

    async def _ask_own(self, held: _Held) -> tuple[str, int]:
        """The same without Redis."""
        self._alone = True
        totals = [nano(await self._spending.by_log(spend)) for spend in held.spends]
        # From here on nothing is waited for: who is admitted must be seen by the next one.
        mine = [item for item in self._held.values() if item.key.owner_id == held.key.owner_id]
        of_this = [item for item in mine if item.key.id == held.key.id]
        for number, (spend, total) in enumerate(zip(held.spends, totals, strict=True), 1):
            limit = nano(spend.limit)
            if total >= limit:
                return "spend", number
            if total + sum(item.nano for item in (mine if spend.of_owner else of_this)) >= limit:
                return "held", number
        found = self._own.stands_against(held.key, len(of_this), sum(item.tokens for item in of_this))
        if found is not None:
            return found[0], round(found[1] * 1000)
        self._own.begin(held.key)
        return "ok", 0

    async def _read(self, spend: Spend, readings: int) -> None:
        """Makes a counter good. While the database is away, one that was ever read is good as it is."""
        try:
            await self._spending.read_window(spend)
        except StorageAway:
            if readings > 1:
                raise
        if readings > _MOST_READINGS:
            raise StorageAway("what was spent cannot be read")

    async def _leave(self, held: _Held) -> None:
        """Takes a request out of the queue and out of its place, as if it had never come."""
        await self._run("settle", held.names(counters=False), [epoch_ms(), held.id, 0, 0])

    async def _book(self, held: _Held, tokens: int, cost: Decimal) -> bool:
        return await self._run("settle", held.names(), [epoch_ms(), held.id, tokens, nano(cost)]) is not None

    async def _run(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        """Runs a script; None while Redis is away."""
        return await self._redis.ask(lambda redis: self._script(name, redis)(keys=keys, args=arguments))

    def _script(self, name: str, redis: "redis.asyncio.Redis") -> Any:
        if name not in self._scripts:
            scripts = files(__package__) / "scripts"
            shared = (scripts / "leases.lua").read_text() if name in ("admit", "settle", "renew") else ""
            self._scripts[name] = redis.register_script(shared + (scripts / f"{name}.lua").read_text())
        return self._scripts[name]

    def _keep_leases(self) -> None:
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        """Renews the leases of what runs here, and books what Redis could not take before, until there is nothing."""
        while self._held or self._unsettled:
            await asyncio.sleep(self._lease_ms / 4000)
            running = list(self._held.values())
            await self._redis.ask(lambda redis, running=running: self._extend(redis, running))  # type: ignore[misc]
            for held in running:
                if held.id not in self._held:
                    # It ended meanwhile, and its lease may have been taken after that.
                    await self._leave(held)
            await self._book_waiting()

    async def _extend(self, redis: "redis.asyncio.Redis", running: Sequence[_Held]) -> None:
        until, renew = epoch_ms() + self._lease_ms, self._script("renew", redis)
        async with redis.pipeline(transaction=False) as pipeline:
            for held in running:
                await renew(keys=held.leases(), args=[until, held.id, held.tokens, held.nano], client=pipeline)
            await pipeline.execute()

    async def _book_waiting(self) -> None:
        for item in list(self._unsettled):
            since, held, tokens, cost = item
            if await self._book(held, tokens, cost):
                self._unsettled.remove(item)
            elif monotonic_s() - since > _KEPT_S:
                self._unsettled.remove(item)
                _log.info("a booking is given up: the counters are read from the database when Redis is back")


def _warns(key: ApiKey, spend: Spend) -> bool:
    return limits_of(key, spend).on_spend == "warn"


def _whose(key: ApiKey, spend: Spend) -> str:
    return f"The owner of this key, {key.owner_login}," if spend.of_owner else f"The key «{key.name}»"
