"""How a key stands: what is used of its limits at this moment, read from Redis or counted by one process."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from ccrouter.access.keys import ApiKey
from ccrouter.access.limits import NANO
from ccrouter.access.standing import Count, Spent, Standing
from ccrouter.storage.spending import of_key, of_owner

if TYPE_CHECKING:
    import redis.asyncio


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is used of a key's limits now; the moments are those of the last request and of the last tokens, in ms."""

    requests: int
    tokens: int
    under_way: int
    reserved: int
    reserved_of_owner: int
    last_request_ms: int | None = None
    last_tokens_ms: int | None = None
    counted_by: str = "all"


async def counts_in_redis(redis: "redis.asyncio.Redis", key: ApiKey, now: int) -> Counts:
    """What all processes together have counted."""
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.zcount(of_key(key, "requests"), now - 60_000, "+inf")
        pipeline.zrange(of_key(key, "requests"), -1, -1, withscores=True)
        pipeline.hgetall(of_key(key, "tokens"))
        pipeline.zcount(of_key(key, "slots"), now, "+inf")
        pipeline.hmget(of_key(key, "reserved"), "#tokens", "#nano")
        pipeline.hget(of_owner(key, "reserved"), "#nano")
        requests, newest, seconds, under_way, (held_tokens, held), held_of_owner = await pipeline.execute()
    lately = {int(second) * 1000: int(count) for second, count in seconds.items() if int(second) * 1000 > now - 60_000}
    return Counts(
        requests=requests,
        tokens=int(held_tokens or 0) + sum(lately.values()),
        under_way=under_way,
        reserved=int(held or 0),
        reserved_of_owner=int(held_of_owner or 0),
        last_request_ms=int(newest[0][1]) if newest and requests else None,
        last_tokens_ms=max(lately, default=None),
    )


def standing_of(key: ApiKey, counts: Counts, spends: Sequence[Spent]) -> Standing:
    """The same against the key's limits."""
    limits = key.limits
    held = {False: Decimal(counts.reserved) / NANO, True: Decimal(counts.reserved_of_owner) / NANO}
    return Standing(
        rpm=_count(limits.rpm, counts.requests, counts.last_request_ms, 60_000),
        # Tokens are counted by full seconds.
        tpm=_count(limits.tpm, counts.tokens, counts.last_tokens_ms, 61_000),
        concurrency=_count(limits.concurrency, counts.under_way),
        spends=[replace(item, reserved=held[item.of_owner]) for item in spends],
        counted_by=counts.counted_by,
    )


def _count(limit: int | None, used: int, last_ms: int | None = None, over_ms: int = 0) -> Count | None:
    if limit is None:
        return None
    return Count(limit, used, None if last_ms is None else datetime.fromtimestamp((last_ms + over_ms) / 1000, UTC))
