"""Limits in force: one script in Redis on a request's way in, one on its way out; spend from PostgreSQL without Redis.

A place under `concurrency` is a lease that the process renews while the request runs: when the process dies, it comes
back by itself. Spend is counted per window in Redis, read from the log once per window and whenever Redis lost it.
While Redis is away, spend limits hold by the log (at most 5 s old); requests, tokens and places are not counted then.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ccrouter.access.keys import ApiKey
from ccrouter.access.limits import COUNTS_PER_MINUTE, NANO, spent, throttled, window_bounds
from ccrouter.clock import epoch_ms, monotonic_s, utc_now
from ccrouter.ids import uuid7
from ccrouter.ports import Lease
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.logs import spent_since
from ccrouter.storage.redis import OptionalRedis

if TYPE_CHECKING:
    import redis
    import redis.asyncio
    from sqlalchemy import Engine

_log = logging.getLogger(__name__)

_LEASE_MS = 60_000
_POLL_S = 0.1
_FRESH_S = 5.0
_FIXED = 6
"""How many keys of the scripts come before those of the spend counters."""


@dataclass(frozen=True, slots=True)
class _Spend:
    """One spend limit in force: whose, which window of which begin, how much."""

    of_owner: bool
    window: str
    limit: Decimal
    begin: datetime | None
    end: datetime | None

    @property
    def name(self) -> str:
        """The window with its begin: what tells counters apart."""
        return f"{self.window}:{int(self.begin.timestamp()) if self.begin else 0}"


@dataclass(frozen=True, slots=True)
class _Held:
    """What `settle` needs to know of an admitted request."""

    id: str
    key: ApiKey
    spends: tuple[_Spend, ...]

    def names(self) -> list[str]:
        """The keys of both scripts. The braces keep all of an owner's on one node of a cluster."""
        of_key = f"ccr:{{{self.key.owner_id}}}:{self.key.id}"
        of_owner = f"ccr:{{{self.key.owner_id}}}"
        fixed = [f"{of_key}:{part}" for part in ("requests", "tokens", "slots", "reserved", "waiting", "polled")]
        return fixed + [f"{of_owner if spend.of_owner else of_key}:spend:{spend.name}" for spend in self.spends]


class RedisLimiter:
    """Implements `ports.Limiter`. `poll_s` is how often a waiting request asks for a place."""

    def __init__(
        self, engine: "Engine", crossing: ThreadCrossing, redis: "redis.asyncio.Redis", *, lease_ms: int = _LEASE_MS
    ) -> None:
        self._engine = engine
        self._crossing = crossing
        self._redis = OptionalRedis(redis)
        self._lease_ms = lease_ms
        self._scripts: dict[str, Any] = {}
        self._held: dict[str, _Held] = {}
        self._unsettled: list[tuple[_Held, int, Decimal]] = []
        self._from_log: dict[tuple[str, str], tuple[float, Decimal]] = {}
        self._keeping: asyncio.Task[None] | None = None

    async def admit(self, key: ApiKey, tokens: int, cost: Decimal) -> Lease | None:
        """A place for a request that will use about so much; None for a key without limits.

        Raises LimitReached; waits up to the key's `queue_s` for a place.
        """
        if not key.limits.any and not key.owner_limits.spend:
            return None
        held = _Held(str(uuid7()), key, _spends(key, utc_now()))
        # A limit that only warns and is used up is not asked about, but counted on.
        asked = held
        give_up = monotonic_s() + key.limits.queue_s
        # Whether Redis may hold on to it: in the queue, or in a place that it was never told of.
        may_stay = waits = False
        try:
            while True:
                may_stay, may_wait = True, monotonic_s() < give_up
                verdict = await self._ask(asked, tokens, cost, may_wait=may_wait)
                if verdict is None:
                    await self._check_by_log(held)
                    break
                may_stay = waits
                what, *detail = verdict
                if what == b"ok":
                    break
                if what == b"cold":
                    await self._read_window(asked, int(detail[0]))
                elif what == b"spend":
                    asked = self._spent(asked, asked.spends[int(detail[0]) - 1])
                elif what == b"concurrency" and may_wait:
                    may_stay = waits = True
                    await asyncio.sleep(_POLL_S * random.uniform(0.5, 1.5))  # noqa: S311 - only spreads the questions
                else:
                    name = what.decode()
                    raise throttled(name, key.name, getattr(key.limits, name), int(detail[0]) / 1000)
        except BaseException:
            if may_stay:
                await self._leave(held)
            raise
        self._held[held.id] = held
        self._keep_leases()
        return Lease(held.id)

    async def admit_count(self, key: ApiKey) -> None:
        """Room for one more token count in this minute. Raises LimitReached."""
        names = [f"ccr:{{{key.owner_id}}}:{key.id}:counts"]
        wait_ms = await self._run("count", names, [epoch_ms(), str(uuid7()), COUNTS_PER_MINUTE])
        if wait_ms:
            raise throttled("counts", key.name, COUNTS_PER_MINUTE, int(wait_ms) / 1000)

    async def settle(self, lease: Lease, tokens: int, cost: Decimal) -> None:
        """Gives the place back and books what was used. Never raises; what Redis cannot take now is booked later."""
        held = self._held.pop(lease.id, None)
        if held is not None and not await self._book(held, tokens, cost):
            self._unsettled.append((held, tokens, cost))
            self._keep_leases()

    async def close(self) -> None:
        """Stops renewing, and tries once more to book; places of requests that still run come back within a minute."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._book_waiting()

    async def _leave(self, held: _Held) -> None:
        """Takes a request out of the queue and out of its place, as if it had never come."""
        await self._run("settle", held.names()[:_FIXED], [epoch_ms(), held.id, 0, 0])

    async def _ask(self, held: _Held, tokens: int, cost: Decimal, *, may_wait: bool) -> Sequence[Any] | None:
        limits = held.key.limits
        args = [
            *(epoch_ms(), held.id, self._lease_ms),
            *(limits.rpm or 0, limits.tpm or 0, limits.concurrency or 0),
            *(tokens, _nano(cost), int(may_wait)),
            *(_nano(spend.limit) for spend in held.spends),
        ]
        answer: Sequence[Any] | None = await self._run("admit", held.names(), args)
        return answer

    async def _book(self, held: _Held, tokens: int, cost: Decimal) -> bool:
        return await self._run("settle", held.names(), [epoch_ms(), held.id, tokens, _nano(cost)]) is not None

    async def _run(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """Runs a script; None while Redis is away."""

        async def call(redis: "redis.asyncio.Redis") -> Any:
            script = self._scripts.get(name)
            if script is None:
                source = (files(__package__) / "scripts" / f"{name}.lua").read_text()
                script = self._scripts[name] = redis.register_script(source)
            return await script(keys=keys, args=args)

        return await self._redis.ask(call)

    async def _read_window(self, held: _Held, number: int) -> None:
        """Reads what the log says of a window into its counter; who comes second changes nothing."""
        spend, name = held.spends[number - 1], held.names()[_FIXED + number - 1]
        total = _nano(await self._sum(held.key, spend))
        # A counter outlives its window by a day, for requests that began in it; the one that never ends is read anew
        # every 40 days.
        until = spend.end + timedelta(days=1) if spend.end else utc_now() + timedelta(days=40)
        await self._redis.ask(lambda redis: redis.set(name, total, nx=True, exat=until))

    async def _check_by_log(self, held: _Held) -> None:
        """Without Redis: spend by the log, at most 5 s old."""
        for spend in held.spends:
            known = self._from_log.get((held.key.id, spend.name))
            if known is None or monotonic_s() - known[0] > _FRESH_S:
                known = (monotonic_s(), await self._sum(held.key, spend))
                self._from_log[held.key.id, spend.name] = known
            if known[1] >= spend.limit:
                self._spent(held, spend)

    async def _sum(self, key: ApiKey, spend: _Spend) -> Decimal:
        of = {"user_id": key.owner_id} if spend.of_owner else {"key_id": key.id}
        return await self._crossing.run(spent_since, self._engine, spend.begin, **of)

    def _spent(self, held: _Held, spend: _Spend) -> _Held:
        """Raises LimitReached; where the limit only warns, says so in the log and goes on without it."""
        key = held.key
        limits = key.owner_limits if spend.of_owner else key.limits
        whose = f"The owner of this key, {key.owner_login}," if spend.of_owner else f"The key «{key.name}»"
        if limits.on_spend == "reject":
            raise spent(whose, spend.window, spend.limit, spend.end)
        _log.warning("%s has used up its limit of %s USD (%s); it only warns", whose, spend.limit, spend.window)
        return replace(held, spends=tuple(item for item in held.spends if item is not spend))

    def _keep_leases(self) -> None:
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        """Renews the leases of what runs here, and books what Redis could not take before, until there is nothing."""
        while self._held or self._unsettled:
            await asyncio.sleep(self._lease_ms / 4000)
            until = epoch_ms() + self._lease_ms
            slots = [(held.names()[2], held.id) for held in self._held.values()]
            if slots:
                await self._redis.ask(lambda redis, slots=slots, until=until: _extend(redis, slots, until))  # type: ignore[misc]
            await self._book_waiting()

    async def _book_waiting(self) -> None:
        for item in list(self._unsettled):
            if await self._book(*item):
                self._unsettled.remove(item)


async def _extend(redis: "redis.asyncio.Redis", slots: Sequence[tuple[str, str]], until: int) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for name, request in slots:
            # Only where it still is: a lease that ended is not taken back.
            pipeline.zadd(name, {request: until}, xx=True)
        await pipeline.execute()


def _spends(key: ApiKey, now: datetime) -> tuple[_Spend, ...]:
    return tuple(
        _Spend(of_owner, window, limit, *window_bounds(window, now))
        for of_owner, limits in ((False, key.limits), (True, key.owner_limits))
        for window, limit in limits.spend.items()
    )


def _nano(amount: Decimal) -> int:
    return int((amount * NANO).to_integral_value(ROUND_HALF_UP))


def forget_spend(client: "redis.Redis") -> None:
    """Drops what Redis has counted as spent; it is read from the log anew at the next request of each key."""
    for name in client.scan_iter(match="ccr:{*}*:spend:*", count=1000):
        client.delete(name)
