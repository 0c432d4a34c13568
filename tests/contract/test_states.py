"""The states of credentials as processes share them: on real Valkey and PostgreSQL, and while Valkey is away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.fakes import a_credential
from tests.raw_platform import closed_port

from ccrouter.clock import epoch_s
from ccrouter.credentials.kinds import Credential
from ccrouter.credentials.vault import Vault
from ccrouter.embedded import EmbeddedServices
from ccrouter.errors import Consequence, Trouble, Unavailable
from ccrouter.ids import uuid7
from ccrouter.routing.condition import Failure
from ccrouter.routing.mapping import Target
from ccrouter.routing.plan import Candidate
from ccrouter.storage import credentials
from ccrouter.storage.conversations import RedisConversations
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.redis import async_redis, sync_redis
from ccrouter.storage.states import SharedStates, forget_shared, read_shared

THROTTLED = Consequence(Trouble.THROTTLED, 30.0, scope="m")
UNHURT = a_credential("unhurt")


class Hands:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = epoch_s()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hands:
    """The clock of all processes."""
    return Hands()


@asynccontextmanager
async def a_process(engine: Engine, url: str, clock: Hands) -> AsyncIterator[SharedStates]:
    """The states as one process has them."""
    crossing, redis = ThreadCrossing(2), async_redis(url)
    states = SharedStates(engine, crossing, redis, clock=clock)
    try:
        yield states
        await states.close()
    finally:
        await redis.aclose()
        crossing.close()


def failed(states: SharedStates, credential: Credential, consequence: Consequence, clock: Hands) -> None:
    """One failed try."""
    states.failed(credential, Failure(consequence, "m", "c", "it said no", clock.now))


def chosen(states: SharedStates, credential: Credential) -> bool:
    """Whether a credential is tried although another is there."""
    others = [Candidate(Target("anthropic", "m"), 0, each) for each in (credential, UNHURT)]
    return states.choose(others)[0].credential is credential


async def until(true: Callable[[], bool | Awaitable[bool]]) -> bool:
    """Waits until something comes true; False after three seconds."""
    for _ in range(150):
        found = true()
        if found is True or (not isinstance(found, bool) and await found):
            return True
        await asyncio.sleep(0.02)
    return False


def test_processes_know_of_each_others_failures_and_successes(
    engine: Engine, embedded: EmbeddedServices, clock: Hands
) -> None:
    """A second later at most; the process that saw it, at once."""
    credential = a_credential(uuid7().hex)

    async def run() -> None:
        async with (
            a_process(engine, embedded.redis_url, clock) as one,
            a_process(engine, embedded.redis_url, clock) as two,
        ):
            assert chosen(two, credential)
            failed(one, credential, THROTTLED, clock)
            assert not chosen(one, credential)
            await one.close()
            clock.now += 1.0
            assert await until(lambda: not chosen(two, credential))
            clock.now += 30.0
            assert chosen(one, credential)
            one.succeeded(credential, "m", clock.now)
            await one.close()
            assert two.known.get(credential.id)
            clock.now += 1.0
            chosen(two, credential)
            assert await until(lambda: credential.id not in two.known)

    asyncio.run(run())


def test_a_request_waits_for_nothing(engine: Engine, embedded: EmbeddedServices, clock: Hands) -> None:
    """What is known is read at most once a second, in the background."""
    asked: list[str] = []

    async def run() -> None:
        async with a_process(engine, embedded.redis_url, clock) as states:
            ask = states._redis.ask

            async def counted(call: Any) -> Any:
                asked.append("asked")
                return await ask(call)

            states._redis.ask = counted  # type: ignore[method-assign] # counts what goes over the wire
            for _ in range(100):
                chosen(states, UNHURT)
            assert asked == []
            await states.close()
            for _ in range(100):
                chosen(states, UNHURT)
            await states.close()

    asyncio.run(run())
    assert asked == ["asked"]


def test_without_redis_each_process_goes_on_by_what_it_sees(engine: Engine, clock: Hands) -> None:
    """Cool-downs begin and end; nothing is raised."""
    credential = a_credential(uuid7().hex)

    async def run() -> None:
        async with a_process(engine, f"redis://127.0.0.1:{closed_port()}/0", clock) as states:
            failed(states, credential, THROTTLED, clock)
            assert not chosen(states, credential)
            await states.close()
            clock.now += 29.0
            assert not chosen(states, credential)
            clock.now += 1.0
            assert chosen(states, credential)

    asyncio.run(run())


def test_what_redis_has_lost_is_told_again(engine: Engine, embedded: EmbeddedServices, clock: Hands) -> None:
    """A restart of Redis ends no cool-down."""
    credential = a_credential(uuid7().hex)

    async def run() -> None:
        async with a_process(engine, embedded.redis_url, clock) as states:
            failed(states, credential, THROTTLED, clock)
            await states.close()
            with sync_redis(embedded.redis_url) as client:
                client.delete("ccr:pool")
                clock.now += 1.0
                assert not chosen(states, credential)
                assert await until(lambda: credential.id in read_shared(client))
            assert not chosen(states, credential)

    asyncio.run(run())


def test_a_block_is_stored_for_all_and_lifted_for_all(
    engine: Engine, embedded: EmbeddedServices, vault: Vault, clock: Hands
) -> None:
    """It holds here at once and by the database from then on; when it is lifted there, nothing of it stays here."""
    credentials.create(engine, vault, "anthropic", {"api_key": "k"}, {"name": "c"})

    async def run() -> None:
        async with a_process(engine, embedded.redis_url, clock) as states:
            (credential,) = credentials.in_use(engine, vault)
            failed(states, credential, Consequence(Trouble.REFUSED), clock)
            with pytest.raises(Unavailable):
                states.choose([Candidate(Target("anthropic", "m"), 0, credential)])
            await states.close()
            (blocked,) = credentials.in_use(engine, vault)
            assert blocked.block is not None
            assert (blocked.block.reason, blocked.block.until_s) == ("it said no", None)
            assert credentials.unblock(engine, credential.id)
            clock.now += 5.1
            assert not chosen(states, credential)
            await states.close()
            clock.now += 1.0
            assert await until(lambda: chosen(states, credential))

    asyncio.run(run())


def test_a_credential_begins_anew_for_all(engine: Engine, embedded: EmbeddedServices, clock: Hands) -> None:
    """What is forgotten in Redis is forgotten by every process."""
    credential, other = a_credential(uuid7().hex), a_credential(uuid7().hex)

    async def run() -> None:
        async with a_process(engine, embedded.redis_url, clock) as states:
            failed(states, credential, THROTTLED, clock)
            failed(states, other, THROTTLED, clock)
            await states.close()
            with sync_redis(embedded.redis_url) as client:
                forget_shared(client, credential.id)
            clock.now += 1.0
            chosen(states, credential)
            assert await until(lambda: credential.id not in states.known)
            assert other.id in states.known

    asyncio.run(run())


@pytest.mark.parametrize("redis_is_away", [False, True])
def test_a_conversation_is_remembered(embedded: EmbeddedServices, redis_is_away: bool) -> None:
    """By the process that answered, and by others where Redis tells them; for a day."""
    url = f"redis://127.0.0.1:{closed_port()}/0" if redis_is_away else embedded.redis_url
    name = uuid7().hex

    async def run() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        redis = async_redis(url)
        one, two = RedisConversations(redis), RedisConversations(redis)
        try:
            before = await one.answered_by(name)
            one.note(name, "a")
            one.note(name, "b")
            await one.close()
            return before, await one.answered_by(name), await two.answered_by(name)
        finally:
            await redis.aclose()

    both = frozenset({"a", "b"})
    assert asyncio.run(run()) == (frozenset(), both, frozenset() if redis_is_away else both)
