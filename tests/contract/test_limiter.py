"""Limits in force, on real Valkey and PostgreSQL: exact counts, leases that come back, budgets read from the log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Engine
from tests.fakes import a_key

from ccrouter.access.keys import ApiKey
from ccrouter.access.limits import LimitReached, read_limits
from ccrouter.clock import epoch_ms, monotonic_s, utc_now
from ccrouter.embedded import EmbeddedServices
from ccrouter.errors import StorageAway
from ccrouter.ids import request_id_of, uuid7
from ccrouter.metering.record import CallRecord, Cost, encode_record
from ccrouter.ports import Lease
from ccrouter.storage import logs
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.limits import RedisLimiter
from ccrouter.storage.redis import async_redis
from ccrouter.storage.spending import spends_of

NOTHING = Decimal(0)
NOBODY = "redis://127.0.0.1:9/0"


def limited(limits: dict[str, Any] | None = None, **owner: Any) -> ApiKey:
    """A key of its own with these limits; `owner` are its owner's."""
    return a_key(
        id=str(uuid7()), owner_id=str(uuid7()), limits=read_limits(limits), owner_limits=read_limits(owner or None)
    )


@asynccontextmanager
async def a_limiter(engine: Engine, url: str, **fields: Any) -> AsyncIterator[RedisLimiter]:
    """A limiter as one process has it."""
    redis, crossing = async_redis(url), ThreadCrossing(4)
    limiter = RedisLimiter(engine, crossing, redis, **fields)
    try:
        yield limiter
    finally:
        await limiter.close()
        await redis.aclose()
        crossing.close()


def with_limiter(engine: Engine, url: str, test: Callable[[RedisLimiter], Awaitable[None]]) -> None:
    """Runs a test with a limiter."""

    async def run() -> None:
        async with a_limiter(engine, url) as limiter:
            await test(limiter)

    asyncio.run(run())


async def outcomes(limiter: RedisLimiter, key: ApiKey, count: int, tokens: int = 0) -> list[Lease | str | None]:
    """So many requests at once: a lease, or the code of the limit that stood against it."""

    async def one() -> Lease | str | None:
        try:
            return await limiter.admit(uuid7(), key, tokens, NOTHING)
        except LimitReached as error:
            return error.error_code

    return await asyncio.gather(*(one() for _ in range(count)))


def leases(found: list[Lease | str | None]) -> list[Lease]:
    """Those that were admitted."""
    return [item for item in found if isinstance(item, Lease)]


def logged(engine: Engine, key: ApiKey, total: str, lease: Lease | None = None) -> None:
    """A row of this key that cost so much: of the request with this lease, or of any."""
    record_id, amount = uuid7() if lease is None else UUID(lease.id), Decimal(total)
    parts = dict.fromkeys(("output", "cache_read", "cache_write", "other"), NOTHING)
    record = CallRecord(
        id=record_id,
        at=utc_now(),
        kind="messages",
        request_id=request_id_of(record_id),
        key_id=key.id,
        user_id=key.owner_id,
        cost=Cost(total=amount, input=amount, **parts, rates={}, currency="USD", price_version="test"),
        cost_state="priced",
    )
    logs.insert_many(engine, [encode_record(record)])


def test_two_hundred_at_once_pass_exactly_as_many_as_a_minute_allows(
    engine: Engine, embedded: EmbeddedServices
) -> None:
    """From two processes; the others are told to wait."""

    async def run() -> None:
        key = limited({"rpm": 100})
        async with a_limiter(engine, embedded.redis_url) as one, a_limiter(engine, embedded.redis_url) as other:
            halves = await asyncio.gather(outcomes(one, key, 100), outcomes(other, key, 100))
        found = halves[0] + halves[1]
        assert len(leases(found)) == 100
        assert found.count("limit_rpm") == 100

    asyncio.run(run())


def test_places_are_given_to_as_many_as_there_are_and_come_back(engine: Engine, embedded: EmbeddedServices) -> None:
    """Five at a time; a place that is given back is free at once."""

    async def test(limiter: RedisLimiter) -> None:
        key = limited({"concurrency": 5})
        held = leases(found := await outcomes(limiter, key, 20))
        assert len(held) == 5
        assert found.count("limit_concurrency") == 15
        await limiter.settle(held[0], 0, NOTHING)
        assert len(leases(await outcomes(limiter, key, 3))) == 1

    with_limiter(engine, embedded.redis_url, test)


def test_who_may_wait_gets_a_place_in_the_order_of_asking(engine: Engine, embedded: EmbeddedServices) -> None:
    """A queue of three behind one place, each served when the one before has gone."""

    async def test(limiter: RedisLimiter) -> None:
        key = limited({"concurrency": 1, "queue_s": 10})
        first = await limiter.admit(uuid7(), key, 0, NOTHING)
        assert first is not None
        order: list[int] = []

        async def wait(number: int) -> None:
            lease = await limiter.admit(uuid7(), key, 0, NOTHING)
            order.append(number)
            assert lease is not None
            await limiter.settle(lease, 0, NOTHING)

        waiting = []
        for number in range(3):
            waiting.append(asyncio.create_task(wait(number)))
            await asyncio.sleep(0.05)
        await limiter.settle(first, 0, NOTHING)
        await asyncio.gather(*waiting)
        assert order == [0, 1, 2]

    with_limiter(engine, embedded.redis_url, test)


def test_places_of_a_process_that_died_come_back(engine: Engine, embedded: EmbeddedServices) -> None:
    """Their lease ends; while the process lives it is renewed."""

    async def run() -> None:
        key = limited({"concurrency": 1})
        async with a_limiter(engine, embedded.redis_url) as living:
            async with a_limiter(engine, embedded.redis_url, lease_ms=400) as dying:
                assert len(leases(await outcomes(dying, key, 1))) == 1
                await asyncio.sleep(0.7)
                assert await outcomes(living, key, 1) == ["limit_concurrency"]
            await asyncio.sleep(0.5)
            assert len(leases(await outcomes(living, key, 2))) == 1

    asyncio.run(run())


def test_who_leaves_the_queue_stands_in_nobodys_way(engine: Engine, embedded: EmbeddedServices) -> None:
    """Neither a client that has gone nor one that has given up is waited for when the place comes free."""

    async def test(limiter: RedisLimiter) -> None:
        patient = limited({"concurrency": 1, "queue_s": 50})
        (held,) = leases(await outcomes(limiter, patient, 1))
        waiting = [asyncio.create_task(limiter.admit(uuid7(), patient, 0, NOTHING)) for _ in range(2)]
        await asyncio.sleep(0.3)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await limiter.settle(held, 0, NOTHING)
        hurried = msgspec.structs.replace(patient, limits=read_limits({"concurrency": 1}))
        (held,) = leases(await outcomes(limiter, hurried, 1))
        brief = msgspec.structs.replace(patient, limits=read_limits({"concurrency": 1, "queue_s": 1}))
        assert await outcomes(limiter, brief, 1) == ["limit_concurrency"]
        await limiter.settle(held, 0, NOTHING)
        assert len(leases(await outcomes(limiter, hurried, 1))) == 1

    with_limiter(engine, embedded.redis_url, test)


def test_a_place_whose_taker_left_before_it_was_told_is_free_again(
    engine: Engine, embedded: EmbeddedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client goes between the script in Redis and its answer."""

    async def test(limiter: RedisLimiter) -> None:
        key, taken, ask = limited({"concurrency": 1}), asyncio.Event(), limiter._ask

        async def ask_slowly(*args: Any, **fields: Any) -> Any:
            await ask(*args, **fields)
            taken.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as patched:
            patched.setattr(limiter, "_ask", ask_slowly)
            task = asyncio.create_task(limiter.admit(uuid7(), key, 0, NOTHING))
            await taken.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert len(leases(await outcomes(limiter, key, 1))) == 1

    with_limiter(engine, embedded.redis_url, test)


def test_a_place_that_is_asked_for_twice_is_taken_once(engine: Engine, embedded: EmbeddedServices) -> None:
    """The client of Redis repeats a command whose answer was lost: the request must not wait for itself."""

    async def test(limiter: RedisLimiter) -> None:
        key = limited({"concurrency": 1, "rpm": 1})
        (lease,) = leases(await outcomes(limiter, key, 1))
        assert await limiter._ask(limiter._held[lease.id], may_wait=False) == ("ok", 0)

    with_limiter(engine, embedded.redis_url, test)


def test_tokens_count_as_reserved_and_then_as_used(engine: Engine, embedded: EmbeddedServices) -> None:
    """A reservation holds until what was used takes its place."""

    async def test(limiter: RedisLimiter) -> None:
        key = limited({"tpm": 1000})
        (first,) = leases(await outcomes(limiter, key, 1, tokens=999))
        assert len(leases(await outcomes(limiter, key, 1, tokens=10))) == 1
        assert await outcomes(limiter, key, 1) == ["limit_tpm"]
        await limiter.settle(first, 100, NOTHING)
        assert len(leases(await outcomes(limiter, key, 1, tokens=5000))) == 1
        assert await outcomes(limiter, key, 1) == ["limit_tpm"]

    with_limiter(engine, embedded.redis_url, test)


@pytest.mark.parametrize("whose", ["key", "owner"])
def test_a_budget_begins_with_what_the_log_says_and_ends_when_used_up(
    engine: Engine, embedded: EmbeddedServices, whose: str
) -> None:
    """Spend of the window so far, then what is booked; the message says whose it is."""
    limits = {"spend": {"day": "1.00"}}
    key = limited(limits) if whose == "key" else limited(None, **limits)
    logged(engine, key, "0.70")

    async def test(limiter: RedisLimiter) -> None:
        lease = await limiter.admit(uuid7(), key, 0, NOTHING)
        assert lease is not None
        logged(engine, key, "0.30", lease)
        await limiter.settle(lease, 10, Decimal("0.30"))
        with pytest.raises(LimitReached, match=r"used up its limit of 1\.00 USD a day") as caught:
            await limiter.admit(uuid7(), key, 0, NOTHING)
        assert ("owner" in caught.value.message) == (whose == "owner")

    with_limiter(engine, embedded.redis_url, test)


def test_reservations_count_against_a_budget(engine: Engine, embedded: EmbeddedServices) -> None:
    """What is under way is not spent yet, but neither is it free."""

    async def test(limiter: RedisLimiter) -> None:
        key = limited({"spend": {"total": "1"}})
        assert await limiter.admit(uuid7(), key, 0, Decimal("0.60")) is not None
        assert await limiter.admit(uuid7(), key, 0, Decimal("0.60")) is not None
        with pytest.raises(LimitReached, match="under way") as caught:
            await limiter.admit(uuid7(), key, 0, NOTHING)
        # They end, and rarely use all: to wait helps.
        assert caught.value.error_code == "limit_concurrency"
        assert dict(caught.value.extra) == {"retry-after": "5"}

    with_limiter(engine, embedded.redis_url, test)


def test_who_may_wait_waits_for_what_is_reserved(engine: Engine, embedded: EmbeddedServices) -> None:
    """And is served when a request under way has used less than was reserved for it."""

    async def test(limiter: RedisLimiter) -> None:
        key = limited({"spend": {"total": "1"}, "queue_s": 10})
        first = await limiter.admit(uuid7(), key, 0, Decimal(2))
        assert first is not None
        waiting = asyncio.create_task(limiter.admit(uuid7(), key, 0, NOTHING))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await limiter.settle(first, 0, Decimal("0.5"))
        assert await waiting is not None

    with_limiter(engine, embedded.redis_url, test)


def test_an_owners_budget_sees_what_all_keys_have_under_way(engine: Engine, embedded: EmbeddedServices) -> None:
    """Two keys in two processes: what one reserves, the other cannot have; what it gives back, it can."""

    async def run() -> None:
        first = limited(None, spend={"day": "1"})
        second = msgspec.structs.replace(first, id=str(uuid7()))
        async with a_limiter(engine, embedded.redis_url) as one, a_limiter(engine, embedded.redis_url) as other:
            lease = await one.admit(uuid7(), first, 0, Decimal(1))
            assert lease is not None
            with pytest.raises(LimitReached, match="owner of this key, ada, has requests under way"):
                await other.admit(uuid7(), second, 0, NOTHING)
            logged(engine, first, "0.9", lease)
            await one.settle(lease, 0, Decimal("0.9"))
            assert await other.admit(uuid7(), second, 0, Decimal("0.1")) is not None
            with pytest.raises(LimitReached):
                await one.admit(uuid7(), first, 0, NOTHING)

    asyncio.run(run())


def test_what_a_dead_process_had_reserved_of_an_owners_budget_comes_back(
    engine: Engine, embedded: EmbeddedServices
) -> None:
    """Also where its key is never used again."""

    async def run() -> None:
        first = limited(None, spend={"day": "1"})
        second = msgspec.structs.replace(first, id=str(uuid7()))
        async with a_limiter(engine, embedded.redis_url) as living:
            async with a_limiter(engine, embedded.redis_url, lease_ms=300) as dying:
                assert await dying.admit(uuid7(), first, 0, Decimal(1)) is not None
            assert await outcomes(living, second, 1) == ["limit_concurrency"]
            await asyncio.sleep(0.4)
            assert len(leases(await outcomes(living, second, 1))) == 1

    asyncio.run(run())


def test_a_window_that_is_read_anew_counts_no_request_twice(
    engine: Engine, embedded: EmbeddedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one whose row is there and that is not booked yet, nor one that is booked while the database is read."""

    async def test(limiter: RedisLimiter) -> None:
        key = limited({"spend": {"day": "1.00"}})
        recorded, meanwhile = [await limiter.admit(uuid7(), key, 0, NOTHING) for _ in range(2)]
        assert recorded is not None
        assert meanwhile is not None
        (spend,) = limiter._held[recorded.id].spends
        logged(engine, key, "0.30", recorded)
        read_sum = limiter._spending._sum

        async def while_read(*args: Any) -> Decimal:
            logged(engine, key, "0.30", meanwhile)
            total = await read_sum(*args)
            await limiter.settle(meanwhile, 0, Decimal("0.30"))
            return total

        await limiter._redis.ask(lambda redis: redis.hdel(spend.counter, "read"))
        with monkeypatch.context() as patched:
            patched.setattr(limiter._spending, "_sum", while_read)
            await limiter._spending.read_window(spend)
        await limiter.settle(recorded, 0, Decimal("0.30"))
        assert await limiter._redis.ask(lambda redis: redis.hget(spend.counter, "sum")) == b"600000000"
        assert await limiter.admit(uuid7(), key, 0, NOTHING) is not None

    with_limiter(engine, embedded.redis_url, test)


def test_requests_that_end_while_windows_are_read_are_counted_once(engine: Engine, embedded: EmbeddedServices) -> None:
    """Many at once in two processes, whose counters are thrown away again and again: in the end the sum is exact."""

    async def run() -> None:
        key = limited({"spend": {"day": "1000"}})
        async with a_limiter(engine, embedded.redis_url) as one, a_limiter(engine, embedded.redis_url) as other:

            async def ask(limiter: RedisLimiter) -> None:
                for _ in range(10):
                    lease = await limiter.admit(uuid7(), key, 0, Decimal("0.01"))
                    assert lease is not None
                    await asyncio.to_thread(logged, engine, key, "0.01", lease)
                    await limiter.settle(lease, 0, Decimal("0.01"))

            (spend,) = spends_of(key, utc_now())
            working = asyncio.gather(*(ask(limiter) for limiter in (one, other) for _ in range(4)))
            while not working.done():
                await one._redis.ask(lambda redis: redis.hdel(spend.counter, "read"))
                await asyncio.sleep(0.02)
            await working
            assert await one._redis.ask(lambda redis: redis.hget(spend.counter, "sum")) == b"800000000"

    asyncio.run(run())


def test_a_limit_that_was_lifted_for_a_while_counts_what_was_spent_meanwhile(
    engine: Engine, embedded: EmbeddedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counter is read anew after a minute, whatever it says."""

    async def test(limiter: RedisLimiter) -> None:
        key = limited({"spend": {"day": "1.00"}})
        assert await limiter.admit(uuid7(), key, 0, NOTHING) is not None
        logged(engine, key, "1.00")
        assert await limiter.admit(uuid7(), key, 0, NOTHING) is not None
        monkeypatch.setattr("ccrouter.storage.spending.epoch_ms", lambda: epoch_ms() + 61_000)
        assert await outcomes(limiter, key, 1) == ["limit_spend"]

    with_limiter(engine, embedded.redis_url, test)


def test_while_the_database_is_away_counters_are_good_as_they_are(
    engine: Engine, embedded: EmbeddedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counter that was never read is not made up."""

    async def test(limiter: RedisLimiter) -> None:
        async def nobody(*_args: Any) -> Decimal:
            raise StorageAway("away")

        key = limited({"spend": {"day": "1.00"}})
        lease = await limiter.admit(uuid7(), key, 0, NOTHING)
        assert lease is not None
        monkeypatch.setattr(limiter._spending, "_sum", nobody)
        monkeypatch.setattr("ccrouter.storage.spending.epoch_ms", lambda: epoch_ms() + 61_000)
        assert await limiter.admit(uuid7(), key, 0, NOTHING) is not None
        await limiter.settle(lease, 0, Decimal(1))
        assert await outcomes(limiter, key, 1) == ["limit_spend"]
        with pytest.raises(StorageAway):
            await limiter.admit(uuid7(), limited({"spend": {"day": "1.00"}}), 0, NOTHING)

    with_limiter(engine, embedded.redis_url, test)


def test_a_booking_that_redis_refuses_is_not_repeated_for_ever(
    engine: Engine, embedded: EmbeddedServices, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Something of another kind stands in its place; other keys are limited as before."""

    async def test(limiter: RedisLimiter) -> None:
        key, other = limited({"tpm": 1000}), limited({"rpm": 1})
        lease = await limiter.admit(uuid7(), key, 0, NOTHING)
        assert lease is not None
        tokens = limiter._held[lease.id].names()[1]
        await limiter._redis.ask(lambda redis: redis.set(tokens, "odd"))
        await limiter.settle(lease, 10, NOTHING)
        assert "Redis refuses a command" in caplog.text
        assert len(limiter._unsettled) == 1
        assert len(leases(await outcomes(limiter, other, 2))) == 1
        monkeypatch.setattr("ccrouter.storage.limits.monotonic_s", lambda: monotonic_s() + 121)
        await limiter._book_waiting()
        assert limiter._unsettled == []

    with_limiter(engine, embedded.redis_url, test)


def test_what_runs_takes_its_place_again_when_redis_has_lost_it(engine: Engine, embedded: EmbeddedServices) -> None:
    """Redis was started anew, or was away when the request came; one that has ended takes none."""

    async def run() -> None:
        key = limited({"concurrency": 1})
        async with (
            a_limiter(engine, embedded.redis_url, lease_ms=400) as limiter,
            a_limiter(engine, embedded.redis_url) as other,
        ):
            (lease,) = leases(await outcomes(limiter, key, 1))
            names = limiter._held[lease.id].leases()
            await limiter._redis.ask(lambda redis: redis.delete(*names))
            await asyncio.sleep(0.25)
            assert await outcomes(other, key, 1) == ["limit_concurrency"]
            await limiter.settle(lease, 0, NOTHING)
            assert len(leases(await outcomes(other, key, 1))) == 1

    asyncio.run(run())


def test_a_booking_that_comes_twice_counts_once(engine: Engine, embedded: EmbeddedServices) -> None:
    """The window is read from the log anew, where the request has one row."""
    key = limited({"spend": {"day": "1.00"}})

    async def test(limiter: RedisLimiter) -> None:
        lease = await limiter.admit(uuid7(), key, 0, NOTHING)
        assert lease is not None
        held = limiter._held[lease.id]
        logged(engine, key, "0.60", lease)
        await limiter.settle(lease, 0, Decimal("0.60"))
        assert await limiter._book(held, 0, Decimal("0.60"))
        assert await limiter.admit(uuid7(), key, 0, NOTHING) is not None

    with_limiter(engine, embedded.redis_url, test)


def test_a_budget_that_only_warns_lets_everything_pass(
    engine: Engine, embedded: EmbeddedServices, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said in the log, once for a window."""

    async def test(limiter: RedisLimiter) -> None:
        key = limited({"spend": {"day": "0"}, "on_spend": "warn"})
        for _ in range(3):
            assert await limiter.admit(uuid7(), key, 0, Decimal(5)) is not None

    with_limiter(engine, embedded.redis_url, test)
    assert caplog.text.count("it only warns") == 1


def test_spend_above_a_limit_that_warns_is_counted_on(engine: Engine, embedded: EmbeddedServices) -> None:
    """When the limit is raised later, and rejects, all of it counts."""

    async def test(limiter: RedisLimiter) -> None:
        warned = limited({"spend": {"day": "1"}, "on_spend": "warn"})
        for _ in range(3):
            lease = await limiter.admit(uuid7(), warned, 0, NOTHING)
            assert lease is not None
            await limiter.settle(lease, 0, Decimal(1))
        with pytest.raises(LimitReached):
            await limiter.admit(
                uuid7(), msgspec.structs.replace(warned, limits=read_limits({"spend": {"day": "3"}})), 0, NOTHING
            )

    with_limiter(engine, embedded.redis_url, test)


def test_what_redis_could_not_take_is_booked_before_the_process_ends(
    engine: Engine, embedded: EmbeddedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis was away when the last request ended, and is back."""

    async def run() -> None:
        key = limited({"spend": {"day": "1"}})
        async with a_limiter(engine, embedded.redis_url) as ending, a_limiter(engine, embedded.redis_url) as other:
            lease = await ending.admit(uuid7(), key, 0, NOTHING)
            assert lease is not None

            async def nothing(*_args: Any) -> None:
                return None

            with monkeypatch.context() as away:
                away.setattr(ending, "_run", nothing)
                await ending.settle(lease, 0, Decimal(1))
            await ending.close()
            with pytest.raises(LimitReached):
                await other.admit(uuid7(), key, 0, NOTHING)

    asyncio.run(run())


def test_without_redis_budgets_hold_by_the_log(engine: Engine) -> None:
    """With what this process has under way."""

    async def test(limiter: RedisLimiter) -> None:
        spender = limited({"spend": {"day": "1.00"}})
        logged(engine, spender, "1.00")
        assert await outcomes(limiter, spender, 1) == ["limit_spend"]
        key = limited({"spend": {"day": "1.00"}})
        assert await limiter.admit(uuid7(), key, 0, Decimal(1)) is not None
        assert await outcomes(limiter, key, 1) == ["limit_concurrency"]

    with_limiter(engine, NOBODY, test)


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"rpm": 2}, "limit_rpm"), ({"tpm": 200}, "limit_tpm"), ({"concurrency": 2}, "limit_concurrency")],
)
def test_without_redis_each_process_counts_by_itself(engine: Engine, limits: dict[str, Any], code: str) -> None:
    """What is not known of the others is not made up."""

    async def test(limiter: RedisLimiter) -> None:
        # Read from the database, for which all of them wait.
        key = limited(limits | {"spend": {"day": "1000"}})
        found = await outcomes(limiter, key, 3, tokens=100)
        assert len(leases(found)) == 2
        assert found[2] == code
        for lease in leases(found):
            await limiter.settle(lease, 100, NOTHING)
        again = await outcomes(limiter, key, 1)
        assert (len(leases(again)) == 1) == (code == "limit_concurrency")

    with_limiter(engine, NOBODY, test)


def test_sums_read_without_redis_are_not_kept_for_ever(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand at most; the oldest makes room."""
    monkeypatch.setattr("ccrouter.storage.spending._REMEMBERED", 3)

    async def test(limiter: RedisLimiter) -> None:
        for _ in range(5):
            assert await limiter.admit(uuid7(), limited({"spend": {"day": "1.00"}}), 0, NOTHING) is not None
        assert len(limiter._spending._from_log) == 3

    with_limiter(engine, NOBODY, test)


def test_many_who_find_a_counter_cold_cost_one_query(
    engine: Engine, embedded: EmbeddedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each process."""

    async def test(limiter: RedisLimiter) -> None:
        asked, read_sum = [], limiter._spending._sum

        async def counted(*args: Any) -> Decimal:
            asked.append(args)
            return await read_sum(*args)

        monkeypatch.setattr(limiter._spending, "_sum", counted)
        assert len(leases(await outcomes(limiter, limited({"spend": {"day": "1"}}), 50))) == 50
        assert len(asked) == 1

    with_limiter(engine, embedded.redis_url, test)


def test_token_counts_have_their_own_limit(engine: Engine, embedded: EmbeddedServices) -> None:
    """Six hundred a minute, whatever else the key is allowed."""

    async def test(limiter: RedisLimiter) -> None:
        key = limited({"rpm": 1})
        for _ in range(12):
            await asyncio.gather(*(limiter.admit_count(key) for _ in range(50)))
        with pytest.raises(LimitReached, match="600 token counts a minute"):
            await limiter.admit_count(key)
        assert len(leases(await outcomes(limiter, key, 1))) == 1

    with_limiter(engine, embedded.redis_url, test)


def test_a_key_without_limits_costs_no_command(engine: Engine) -> None:
    """Redis is not even asked."""

    async def test(limiter: RedisLimiter) -> None:
        assert await limiter.admit(uuid7(), limited(), 0, NOTHING) is None
        assert limiter._scripts == {}

    with_limiter(engine, NOBODY, test)
