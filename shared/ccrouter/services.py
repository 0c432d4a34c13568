"""The composition root: builds everything once from the settings, each part at its first need.

What the proxy does not use is not imported for it (performance.md §2.2): parts that bring SQLAlchemy or Redis are
imported where they are made.
"""

import asyncio
import logging
from collections import defaultdict
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING, Any

from ccrouter import __version__
from ccrouter.clock import monotonic_s
from ccrouter.config import Settings, require
from ccrouter.credentials.vault import Vault, read_master_key
from ccrouter.errors import StorageAway
from ccrouter.gateway import Gateway
from ccrouter.media import UpstreamMedia
from ccrouter.ports import Outside
from ccrouter.routing.pool import Conditions
from ccrouter.upstream import AiohttpUpstream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from redis import Redis as SyncRedis
    from redis.asyncio import Redis as AsyncRedis
    from sqlalchemy import Engine

    from ccrouter.metering.record import CallRecord
    from ccrouter.storage.call_log import DbCallLog
    from ccrouter.storage.capture_queue import QueuedCaptures
    from ccrouter.storage.conversations import RedisConversations
    from ccrouter.storage.crossing import ThreadCrossing
    from ccrouter.storage.directory import CachedDirectory
    from ccrouter.storage.limits import RedisLimiter
    from ccrouter.storage.places import RedisPlaces
    from ccrouter.storage.refusals import RedisRefusalCap
    from ccrouter.storage.result_files import DbResultFiles
    from ccrouter.storage.running import Running
    from ccrouter.storage.states import SharedStates
    from ccrouter.tokens.desk import SignInDesk
    from ccrouter.tokens.quotas import Quotas
    from ccrouter.webhooks import Outcome

_log = logging.getLogger(__name__)

_READY_FOR_S = 1.0
"""How long an answer about readiness is reused: a load balancer's questions must not become the database's load."""
_READY_WITHIN_S = 3.0


class Services:
    """Everything a door needs. Build with `build`, then `start` in the loop that serves, then `close`."""

    version = __version__

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._ready: tuple[float, tuple[bool, dict[str, Any]]] | None = None
        self.stopping = Event()
        """Set when what runs beside the requests shall end."""
        self._hurried: defaultdict[str, Event] = defaultdict(Event)

    @classmethod
    def build(cls, settings: Settings) -> "Services":
        """Checks that the needed settings are there; raises SettingsError naming each that is missing."""
        require(settings, "database_url", "redis_url", "jwt_secret", "master_key")
        return cls(settings)

    @cached_property
    def vault(self) -> Vault:
        """Seals and opens secrets."""
        return Vault(read_master_key(self.settings.master_key or ""))

    @cached_property
    def engine(self) -> "Engine":
        """The database."""
        from ccrouter.storage.engine import make_engine

        return make_engine(self.settings.database_url or "", pool_size=self.settings.db_pool_size)

    @cached_property
    def crossing(self) -> "ThreadCrossing":
        """The way from the event loop to the database."""
        from ccrouter.storage.crossing import ThreadCrossing

        return ThreadCrossing(self.settings.db_pool_size)

    @cached_property
    def redis(self) -> "AsyncRedis":
        """Redis, for the event loop."""
        from ccrouter.storage.redis import async_redis

        return async_redis(self.settings.redis_url or "")

    @cached_property
    def redis_sync(self) -> "SyncRedis":
        """Redis, for threads."""
        from ccrouter.storage.redis import sync_redis

        return sync_redis(self.settings.redis_url or "")

    @cached_property
    def directory(self) -> "CachedDirectory":
        """Keys, credentials, prices."""
        from ccrouter.storage.directory import CachedDirectory

        return CachedDirectory(self.engine, self.crossing, self.redis, self.vault)

    @cached_property
    def call_log(self) -> "DbCallLog":
        """The request log."""
        from ccrouter.storage.call_log import DbCallLog

        return DbCallLog(self.engine, self.crossing, self.settings.data_dir / "outbox", self.running)

    @cached_property
    def running(self) -> "Running":
        """The requests under way."""
        from ccrouter.storage.running import Running

        # On Lambda no file outlives its environment.
        folder = None if self.settings.on_lambda else self.settings.data_dir / "outbox" / "running"
        return Running(self.redis, folder)

    @cached_property
    def captures(self) -> "QueuedCaptures":
        """Captures of requests whose keys ask for it."""
        from ccrouter.storage.capture_queue import QueuedCaptures

        limit = self.settings.capture_limit_kb * 1024
        return QueuedCaptures(self.engine, self.crossing, self.directory, lambda: self.vault, limit)

    @cached_property
    def refusal_cap(self) -> "RedisRefusalCap":
        """The bound on rows without a key."""
        from ccrouter.storage.refusals import RedisRefusalCap

        return RedisRefusalCap(self.redis)

    @cached_property
    def upstream(self) -> AiohttpUpstream:
        """The upstream leg."""
        return AiohttpUpstream(self.settings.private_upstreams)

    @cached_property
    def limits(self) -> "RedisLimiter":
        """Limits of keys and owners."""
        from ccrouter.storage.limits import RedisLimiter

        return RedisLimiter(self.engine, self.crossing, self.redis)

    @cached_property
    def states(self) -> "SharedStates":
        """Who cools down, who is blocked."""
        from ccrouter.storage.states import SharedStates

        return SharedStates(self.engine, self.crossing, self.redis)

    @cached_property
    def places(self) -> "RedisPlaces":
        """How many requests are under way on a credential."""
        from ccrouter.storage.places import RedisPlaces

        return RedisPlaces(self.redis)

    @cached_property
    def conversations(self) -> "RedisConversations":
        """Which credentials answered a conversation."""
        from ccrouter.storage.conversations import RedisConversations

        return RedisConversations(self.redis)

    @cached_property
    def patient_engine(self) -> "Engine":
        """The database, for those who keep a connection to themselves or wait long for an answer: nothing is pooled."""
        from ccrouter.storage.engine import make_engine

        return make_engine(self.settings.database_url or "", pool_size=0)

    @cached_property
    def sign_ins(self) -> "SignInDesk":
        """Access for credentials that must sign in first."""
        from ccrouter.storage.locks import SharedLocks
        from ccrouter.storage.secrets import DbSecrets
        from ccrouter.tokens.desk import SignInDesk

        store = DbSecrets(self.engine, self.crossing, self.redis, self.vault)
        return SignInDesk(
            self.upstream,
            store,
            SharedLocks(lambda: self.patient_engine, self.crossing, self.redis),
            token_command=self.settings.antigravity_token_command,
        )

    @cached_property
    def result_files(self) -> "DbResultFiles":
        """The files that jobs make."""
        from ccrouter.storage.result_files import DbResultFiles

        return DbResultFiles(self.engine)

    @cached_property
    def quotas(self) -> "Quotas":
        """How much of an account's plan is used."""
        from ccrouter.tokens.calls import ServiceCalls
        from ccrouter.tokens.quotas import Quotas

        return Quotas(ServiceCalls(self.upstream, pauses_s=()), self.sign_ins)

    @cached_property
    def outside(self) -> Outside:
        """What the story of a request needs, all together."""
        from ccrouter.storage.reasoning import RedisReasoningMemory

        return Outside(
            directory=self.directory,
            limits=self.limits,
            upstream=self.upstream,
            call_log=self.call_log,
            sign_ins=self.sign_ins,
            memory=RedisReasoningMemory(self.redis, self.vault),
            states=self.states,
            places=self.places,
            conversations=self.conversations,
            media=UpstreamMedia(self.upstream),
        )

    @cached_property
    def gateway(self) -> Gateway:
        """The story of a request."""
        return Gateway(self.outside)

    def forget_key(self, digest: str) -> None:
        """Drops the shared copy of a key that has changed; processes forget theirs within 5 seconds."""
        from ccrouter.storage.directory import forget_key

        forget_key(self.redis_sync, digest)

    async def send_events(self, events: "Sequence[tuple[str, str, UUID, str]]") -> "list[Outcome]":
        """Sends events (address, secret, id, body) to webhooks, all at once; in whichever loop it is called."""
        from ccrouter import webhooks

        upstream = AiohttpUpstream(self.settings.private_upstreams)
        try:
            return list(await asyncio.gather(*(webhooks.send(upstream, *event) for event in events)))
        finally:
            await upstream.close()

    def forget_spend(self) -> None:
        """Lets limits of spend hold by the log anew, where the cost of rows has changed."""
        from redis.exceptions import RedisError

        from ccrouter.storage.spending import forget_spend

        try:
            forget_spend(self.redis_sync)
        except (RedisError, OSError) as error:
            _log.warning("Redis does not answer (%s); its spend counters may be outdated", type(error).__name__)

    def under_way(self) -> "list[CallRecord]":
        """The requests that run now in all processes, newest first; none while Redis is away."""
        from redis.exceptions import RedisError

        from ccrouter.storage.running import under_way

        try:
            return under_way(self.redis_sync)
        except (RedisError, OSError) as error:
            _log.warning("Redis does not answer (%s); nobody knows what is under way", type(error).__name__)
            return []

    def conditions(self) -> Conditions:
        """How the credentials fare, for threads: as all processes know it, or this one while Redis is away."""
        from redis.exceptions import RedisError

        from ccrouter.storage.states import read_shared

        try:
            return read_shared(self.redis_sync)
        except (RedisError, OSError):
            return self.states.known

    def begin_anew(self, credential_id: str) -> None:
        """Forgets how a credential fared; other processes do within a second, where Redis can tell them."""
        from redis.exceptions import RedisError

        from ccrouter.storage.states import forget_shared

        self.states.forget(credential_id)
        try:
            forget_shared(self.redis_sync, credential_id)
        except (RedisError, OSError) as error:
            _log.warning("Redis does not answer (%s); cool-downs end by themselves elsewhere", type(error).__name__)

    def hurry(self, chore: str) -> None:
        """Has a chore done now, if it is done in this process; elsewhere it comes round as ever."""
        self.hurried(chore).set()

    def hurried(self, chore: str) -> Event:
        """What wakes the thread of a chore."""
        return self._hurried[chore]

    async def start(self) -> None:
        """What must run beside the requests: the log's writer, which first replays what an earlier run left."""
        await self.call_log.start()

    async def close(self) -> None:
        """Writes what is still to be written and closes every connection that was opened."""
        made = self.__dict__
        if "quotas" in made:
            await self.quotas.close()
        if "sign_ins" in made:
            await self.sign_ins.close()
        if "call_log" in made:
            await self.call_log.close()
        if "captures" in made:
            await self.captures.close()
        if "limits" in made:
            await self.limits.close()
        if "states" in made:
            await self.states.close()
        if "places" in made:
            await self.places.close()
        if "conversations" in made:
            await self.conversations.close()
        if "upstream" in made:
            await self.upstream.close()
        if "redis" in made:
            await self.redis.aclose()
        if "redis_sync" in made:
            self.redis_sync.close()
        if "crossing" in made:
            self.crossing.close()
        for name in ("engine", "patient_engine"):
            if name in made:
                made[name].dispose()

    async def check_ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether requests can be served, and the state of each part: `ok`, `degraded` (Redis away), `unavailable`."""
        if self._ready is not None and monotonic_s() - self._ready[0] < _READY_FOR_S:
            return self._ready[1]
        postgres, redis_ok = await asyncio.gather(self._postgres_answers(), self._redis_answers())
        state = "unavailable" if not postgres else "ok" if redis_ok else "degraded"
        parts = {
            "status": state,
            "postgres": "ok" if postgres else "away",
            "redis": "ok" if redis_ok else "away",
            "version": self.version,
        }
        self._ready = (monotonic_s(), (postgres, parts))
        return postgres, parts

    async def _postgres_answers(self) -> bool:
        from ccrouter.storage.engine import ping

        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                await self.crossing.run(ping, self.engine)
        except (StorageAway, TimeoutError):
            return False
        return True

    async def _redis_answers(self) -> bool:
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                await self.redis.ping()
        except (RedisError, OSError, TimeoutError):
            return False
        return True
