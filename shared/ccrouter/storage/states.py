"""How credentials fare, shared by all processes: cool-downs in Redis, blocks of whole credentials in PostgreSQL.

Strategy: requests only read and change what this process knows. One background task sends what has changed to Redis
and reads what the others sent, at most a second after a request asked; without Redis each process goes on by what it
sees itself. A block goes to PostgreSQL alone, and holds here until the routing data has brought it.

A refusal of one model, or of a group of them, is kept in Redis alone, and for a day: it need not outlive a loss of
Redis and of every process at once. Whoever asks next then learns it anew by one attempt, from which the request goes on
elsewhere; a credential that is blocked for good must not be asked even once, and is therefore in PostgreSQL.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import msgspec

from ccrouter.clock import epoch_s
from ccrouter.credentials.kinds import Credential
from ccrouter.errors import StorageAway
from ccrouter.routing.condition import Condition, Failure
from ccrouter.routing.plan import Candidate
from ccrouter.routing.pool import Conditions, Pool
from ccrouter.storage import credentials
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.directory import FRESH_S
from ccrouter.storage.redis import OptionalRedis

if TYPE_CHECKING:
    import redis
    import redis.asyncio
    from sqlalchemy import Engine

_log = logging.getLogger(__name__)

RENEW_S = 1.0
_HASH = "ccr:pool"
"""One hash for all: a field for each credential and scope, and one that tells whether the hash was lost."""
_MARK = b"-"
_WITHIN_S = 3.0

_Key = tuple[str, str]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Condition).decode


@dataclass(slots=True)
class _Block:
    """A block on its way to the database; `version` is the credential as it was tried."""

    version: bytes
    condition: Condition
    written_at: float | None = None


class SharedStates:
    """Implements `ports.CredentialStates`."""

    def __init__(
        self,
        engine: "Engine",
        crossing: ThreadCrossing,
        redis: "redis.asyncio.Redis",
        *,
        clock: Callable[[], float] = epoch_s,
    ) -> None:
        self._engine = engine
        self._crossing = crossing
        self._redis = OptionalRedis(redis)
        self._clock = clock
        self._pool = Pool()
        self._changed: dict[_Key, Condition | None] = {}
        self._blocks: dict[str, _Block] = {}
        self._renewed_at = 0.0
        self._work: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def known(self) -> Conditions:
        """What this process knows."""
        return self._pool.conditions

    def choose(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates to try now, best first. Raises QuotaUsedUp, Unavailable or Overloaded where there is none."""
        now = self._clock()
        if not 0.0 <= now - self._renewed_at < RENEW_S:
            self._share()
        return self._pool.choose(candidates, now)

    def is_free(self, candidate: Candidate, leaving: Candidate) -> bool:
        """Whether a candidate may be tried after `leaving`, by what has become known meanwhile."""
        return self._pool.is_free(candidate, leaving, self._clock())

    def end(self, candidate: Candidate) -> None:
        """A try is over."""
        self._pool.end(candidate)

    def begin(self, candidate: Candidate) -> float:
        """A try begins; returns the moment, for its outcome."""
        now = self._clock()
        self._pool.begin(candidate, now)
        return now

    def failed(self, credential: Credential, failure: Failure) -> None:
        """A try failed: in force here at once, elsewhere soon."""
        made = self._pool.failed(credential.id, failure, self._clock())
        if made is None:
            return
        scope = failure.consequence.scope
        if made.blocked:
            _log.warning("the credential «%s» is blocked: %s", credential.name, made.reason)
        if made.blocked and not scope:
            self._blocks[credential.id] = _Block(credential.version, made)
        else:
            self._changed[credential.id, scope] = made
        self._share()

    def succeeded(self, credential: Credential, model: str, began_s: float) -> None:
        """A try that began then was answered."""
        ended = self._pool.succeeded(credential.id, model, began_s)
        if ended:
            self._changed |= {(credential.id, scope): None for scope in ended}
            self._share()

    def forget(self, credential_id: str) -> None:
        """Lets a credential begin anew in this process; may be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._forget, credential_id)

    async def close(self) -> None:
        """Sends what has not been sent yet."""
        if self._work is not None:
            await self._work

    def _forget(self, credential_id: str) -> None:
        self._pool.conditions.pop(credential_id, None)
        self._blocks.pop(credential_id, None)
        self._changed = {key: made for key, made in self._changed.items() if key[0] != credential_id}

    def _share(self) -> None:
        """Makes sure that the background task runs; one that runs sees what has changed meanwhile."""
        if self._work is None or self._work.done():
            self._loop = asyncio.get_running_loop()
            self._work = self._loop.create_task(self._exchange())

    async def _exchange(self) -> None:
        try:
            while True:
                self._renewed_at = self._clock()
                changed, self._changed = self._changed, {}
                answer = await self._redis.ask(lambda redis: _send_and_read(redis, changed))  # noqa: B023 - awaited
                if answer is None:
                    self._changed = changed | self._changed
                else:
                    self._take(*answer)
                stored = await self._write_blocks()
                unsent = bool(self._changed) and answer is not None
                unstored = stored and any(block.written_at is None for block in self._blocks.values())
                if not unsent and not unstored:
                    return
        except Exception:
            _log.exception("the state of credentials could not be shared; this process goes on by its own")

    def _take(self, was_lost: bool, stored: dict[bytes, bytes]) -> None:
        """Replaces what is known by what all know, but for what has changed here meanwhile."""
        now, own = self._clock(), self._pool.conditions
        if was_lost:
            for credential_id, scopes in own.items():
                for scope, made in scopes.items():
                    if scope or credential_id not in self._blocks:
                        self._changed.setdefault((credential_id, scope), made)
            return
        found: dict[str, dict[str, Condition]] = {}
        for key, condition in _read(stored):
            if condition.forgotten(now):
                self._changed.setdefault(key, None)
            else:
                found.setdefault(key[0], {})[key[1]] = condition
        for key in (*self._changed, *((credential, "") for credential in self._blocks)):
            mine = own.get(key[0], {}).get(key[1])
            if mine is None:
                found.get(key[0], {}).pop(key[1], None)
            else:
                found.setdefault(key[0], {})[key[1]] = mine
        self._pool.conditions = found

    async def _write_blocks(self) -> bool:
        """Brings blocks to the database, and drops those that have come back from it; False while it is away."""
        for credential_id, block in list(self._blocks.items()):
            if block.written_at is None:
                made = block.condition
                until = datetime.fromtimestamp(made.until, UTC) if made.until else None
                try:
                    await self._crossing.run_within(
                        _WITHIN_S,
                        credentials.block,
                        self._engine,
                        credential_id,
                        made.reason,
                        until=until,
                        version=block.version,
                    )
                except StorageAway as error:
                    _log.warning("a block of a credential is not stored yet: %s", error)
                    return False
                block.written_at = self._clock()
            elif self._clock() - block.written_at > FRESH_S and self._blocks.get(credential_id) is block:
                del self._blocks[credential_id]
                scopes = self._pool.conditions.get(credential_id, {})
                if scopes.get("") is block.condition:
                    del scopes[""]
        return True


def read_shared(client: "redis.Redis") -> Conditions:
    """What all processes know, for threads. Raises RedisError."""
    found: dict[str, dict[str, Condition]] = {}
    stored = cast("dict[bytes, bytes]", client.hgetall(_HASH))
    for (credential_id, scope), condition in _read(stored):
        found.setdefault(credential_id, {})[scope] = condition
    return found


def forget_shared(client: "redis.Redis", credential_id: str) -> None:
    """Lets a credential begin anew in all processes, for threads. Raises RedisError."""
    names = cast("list[bytes]", client.hkeys(_HASH))
    of_it = [name for name in names if name.startswith(f"{credential_id}|".encode())]
    if of_it:
        client.hdel(_HASH, *of_it)


async def _send_and_read(
    redis: "redis.asyncio.Redis", changed: dict[_Key, Condition | None]
) -> tuple[bool, dict[bytes, bytes]]:
    """Sends changes and reads all in one round trip; also whether the hash was not there before."""
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.hsetnx(_HASH, _MARK, b"1")
        for (credential_id, scope), condition in changed.items():
            name = f"{credential_id}|{scope}"
            if condition is None:
                pipeline.hdel(_HASH, name)
            else:
                pipeline.hset(_HASH, name, _encode(condition))
        pipeline.hgetall(_HASH)
        answers = await pipeline.execute()
    return bool(answers[0]), answers[-1]


def _read(stored: dict[bytes, bytes]) -> Iterable[tuple[_Key, Condition]]:
    for name, value in stored.items():
        if name == _MARK:
            continue
        credential_id, _, scope = name.decode().partition("|")
        try:
            yield (credential_id, scope), _decode(value)
        except msgspec.MsgspecError:
            # Another version's form: its processes tell each other; what it says here ends with their cool-downs.
            _log.info("the state of a credential has another form; it is not used here")
