"""Sign-ins on real PostgreSQL and Valkey: one renewal for all processes, and no rotation is ever lost."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.emulators.antigravity import AntigravityEmulator
from tests.emulators.kiro import PROFILE, KiroEmulator
from tests.raw_platform import closed_port

from ccrouter.clock import rfc3339
from ccrouter.credentials.kinds import Credential
from ccrouter.credentials.vault import Vault
from ccrouter.embedded import EmbeddedServices
from ccrouter.errors import SignInFailed, StorageAway
from ccrouter.storage import credentials
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.engine import make_engine
from ccrouter.storage.locks import SharedLocks
from ccrouter.storage.redis import async_redis
from ccrouter.storage.secrets import DbSecrets
from ccrouter.tokens.calls import ServiceCalls
from ccrouter.tokens.code_assist import CodeAssistSignIn
from ccrouter.tokens.desk import SignInDesk
from ccrouter.tokens.kiro import KiroSignIn
from ccrouter.tokens.stored import StoredTokens
from ccrouter.upstream import AiohttpUpstream

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PAST = "2026-01-01T00:00:00Z"
OTHER = PROFILE.replace("EMULATED", "OTHER")


@pytest.fixture(scope="module")
def _kiro() -> Iterator[KiroEmulator]:
    with KiroEmulator() as emulator:
        yield emulator


@pytest.fixture
def kiro(_kiro: KiroEmulator) -> KiroEmulator:
    """The sign-in services."""
    _kiro.reset()
    _kiro.is_builder_id = True
    return _kiro


class Process:
    """What one process has: its own connections, nothing shared but the servers."""

    def __init__(self, engine: Engine, database_url: str, redis_url: str, vault: Vault) -> None:
        self.engine, self.vault = engine, vault
        self.crossing = ThreadCrossing(4)
        self.redis = async_redis(redis_url)
        self.upstream = AiohttpUpstream(LOOPBACK)
        self.calls = ServiceCalls(self.upstream, pauses_s=(0.01, 0.01))
        self.lock_engine = make_engine(database_url, pool_size=0)
        self.locks = SharedLocks(lambda: self.lock_engine, self.crossing, self.redis)
        self.store = DbSecrets(engine, self.crossing, self.redis, vault)
        self.kiro = StoredTokens(KiroSignIn(self.calls), self.store, self.locks, looks_s=(0.0, 0.3))
        self.code_assist = StoredTokens(CodeAssistSignIn(self.calls), self.store, self.locks, looks_s=(0.0,))
        self.desk = SignInDesk(self.upstream, self.store, self.locks, self.calls)

    def read(self, credential_id: str) -> Credential:
        """The credential as it is stored."""
        found = credentials.open_one(self.engine, self.vault, credential_id)
        assert found is not None
        return found

    async def close(self) -> None:
        """Ends it."""
        await self.kiro.close()
        await self.desk.close()
        await self.upstream.close()
        await self.redis.aclose()
        self.crossing.close()
        self.lock_engine.dispose()


Make = Callable[..., Any]
Run = Callable[[Callable[..., Coroutine[Any, Any, Any]]], Any]


@pytest.fixture
def run(engine: Engine, database_url: str, embedded: EmbeddedServices, vault: Vault) -> Run:
    """Runs a coroutine function with a maker of processes."""

    @contextlib.asynccontextmanager
    async def processes() -> AsyncIterator[Make]:
        made: list[Process] = []

        def a_process(redis_url: str = embedded.redis_url) -> Process:
            made.append(Process(engine, database_url, redis_url, vault))
            return made[-1]

        try:
            yield a_process
        finally:
            for process in made:
                await process.close()

    def run(work: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        async def inside() -> Any:
            async with processes() as a_process:
                return await work(a_process)

        return asyncio.run(inside())

    return run


@pytest.fixture
def store(engine: Engine, vault: Vault, kiro: KiroEmulator) -> Callable[..., Credential]:
    """Stores a credential of the emulator's."""

    def store(auth: dict[str, Any], **options: Any) -> Credential:
        fields = {"name": "mine", "options": {**kiro.options, **options}}
        made = credentials.create(engine, vault, "kiro", auth, fields)
        found = credentials.open_one(engine, vault, made.id)
        assert found is not None
        return found

    return store


Store = Callable[..., Credential]


def block_of(engine: Engine, credential: Credential) -> str | None:
    """Why the credential is out of use."""
    found = credentials.get(engine, credential.id)
    assert found is not None
    return found.blocked_reason


def in_an_hour() -> str:
    """The end of a token that is good."""
    return rfc3339(datetime.now(UTC) + timedelta(hours=1))


@pytest.mark.parametrize("method", ["idc", "social"])
@pytest.mark.parametrize("has_redis", [True, False])
def test_many_with_an_expired_token_cause_one_renewal(
    run: Run, store: Store, kiro: KiroEmulator, method: str, has_redis: bool
) -> None:
    """Twenty in two processes; also without Redis. What was rotated is stored, and the row's date has not moved."""
    kiro.pause_s = 0.2
    credential = store(kiro.sign_in(method, expires_at=PAST))

    async def work(a_process: Make) -> None:
        urls = () if has_redis else (f"redis://127.0.0.1:{closed_port()}/0",)
        first, second = a_process(*urls), a_process(*urls)
        got = await asyncio.gather(*(p.kiro.signed_in(credential) for _ in range(10) for p in (first, second)))
        tokens = {signed.auth["access_token"] for signed in got}
        stored = first.read(credential.id).auth
        assert tokens == {stored["access_token"]}
        assert (kiro.refreshes, stored["refresh_token"]) == (1, kiro.refresh_token)
        third = a_process(*urls)
        assert (await third.kiro.signed_in(credential)).auth["access_token"] in tokens
        assert kiro.refreshes == 1
        kept = credentials.get(first.engine, credential.id)
        assert kept is not None
        assert kept.updated_at == kept.created_at

    run(work)


def test_processes_that_do_not_see_each_others_locks_do_not_harm_the_credential(
    run: Run, store: Store, kiro: KiroEmulator, engine: Engine
) -> None:
    """One is without Redis: it looks what the other has stored before it gives the sign-in up."""
    kiro.pause_s = 0.2
    credential = store(kiro.sign_in("social", expires_at=PAST))

    async def work(a_process: Make) -> None:
        first, second = a_process(), a_process(f"redis://127.0.0.1:{closed_port()}/0")
        got = await asyncio.gather(first.kiro.signed_in(credential), second.kiro.signed_in(credential))
        assert got[0].auth["access_token"] == got[1].auth["access_token"]

    run(work)
    assert block_of(engine, credential) is None


def test_a_good_token_is_used_as_it_is(run: Run, store: Store, kiro: KiroEmulator) -> None:
    """Nobody is asked."""
    credential = store(kiro.sign_in("social", expires_at=in_an_hour()))

    async def work(a_process: Make) -> None:
        assert await a_process().kiro.signed_in(credential) == credential

    run(work)
    assert kiro.seen == []


@pytest.mark.parametrize("left_s", [None, 90])
def test_a_token_near_its_end_is_renewed_first(run: Run, store: Store, kiro: KiroEmulator, left_s: int | None) -> None:
    """Also one whose end is not known; a refresh token that does not rotate stays."""
    kiro.rotates = False
    auth = kiro.sign_in("idc", expires_at=PAST)
    del auth["expires_at"]
    if left_s is not None:
        auth["expires_at"] = rfc3339(datetime.now(UTC) + timedelta(seconds=left_s))
    credential = store(auth)

    async def work(a_process: Make) -> None:
        process = a_process()
        signed = await process.kiro.signed_in(credential)
        assert signed.auth["access_token"] != auth["access_token"]
        assert process.read(credential.id).auth["refresh_token"] == auth["refresh_token"]

    run(work)


DEAD = [
    (400, {"error": "invalid_grant", "error_description": "Invalid refresh token provided"}),
    (400, {"__type": "com.amazonaws#ExpiredTokenException", "message": "gone"}),
    (400, {"error": "InvalidTokenException"}),
    (401, {"error": "invalid_client"}),
    (400, {"error": "ExpiredClientException"}),
    (400, {"error": "x", "error_description": "Client is expired"}),
]


@pytest.mark.parametrize(("status", "body"), DEAD)
def test_a_dead_sign_in_blocks_its_credential(
    run: Run, store: Store, kiro: KiroEmulator, engine: Engine, status: int, body: dict[str, str]
) -> None:
    """With a reason that says what to do; and it is not asked again."""
    kiro.failures = [(status, body)]
    credential = store(kiro.sign_in("idc", expires_at=PAST))

    async def work(a_process: Make) -> None:
        process = a_process()
        for _ in range(2):
            with pytest.raises(SignInFailed, match="Sign in again") as caught:
                await process.kiro.signed_in(credential)
            assert caught.value.needs_login

    run(work)
    assert len(kiro.seen) == 1
    reason = block_of(engine, credential)
    assert reason is not None
    assert "Sign in again, and give this credential the new tokens." in reason


@pytest.mark.parametrize("status", [401, 403])
def test_a_social_sign_in_that_is_refused_is_dead(
    run: Run, store: Store, kiro: KiroEmulator, engine: Engine, status: int
) -> None:
    """Whatever the answer says."""
    kiro.failures = [(status, {"message": "no"})]
    credential = store(kiro.sign_in("social", expires_at=PAST))

    async def work(a_process: Make) -> None:
        with pytest.raises(SignInFailed):
            await a_process().kiro.signed_in(credential)

    run(work)
    assert block_of(engine, credential) is not None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_that_passes_is_tried_again(
    run: Run, store: Store, kiro: KiroEmulator, engine: Engine, status: int
) -> None:
    """Twice; after that nobody is asked for a while, and the credential stays in use."""
    kiro.failures = [(status, {"message": "busy"})] * 3
    credential = store(kiro.sign_in("idc", expires_at=PAST))

    async def work(a_process: Make) -> None:
        process = a_process()
        for _ in range(2):
            with pytest.raises(SignInFailed) as caught:
                await process.kiro.signed_in(credential)
            assert not caught.value.needs_login
        assert len(kiro.seen) == 3
        process.kiro._resting.clear()
        assert (await process.kiro.signed_in(credential)).auth["access_token"]

    run(work)
    assert block_of(engine, credential) is None


def test_an_old_token_serves_while_it_still_holds(run: Run, store: Store, kiro: KiroEmulator) -> None:
    """Where it cannot be renewed, but ends only in a minute."""
    kiro.failures = [(503, {})] * 3
    credential = store(kiro.sign_in("idc", expires_at=rfc3339(datetime.now(UTC) + timedelta(seconds=60))))

    async def work(a_process: Make) -> None:
        signed = await a_process().kiro.signed_in(credential)
        assert signed.auth["access_token"] == credential.auth["access_token"]

    run(work)


def test_a_token_that_was_refused_is_renewed_once(run: Run, store: Store, kiro: KiroEmulator) -> None:
    """Whoever comes later with the old one gets the new one; the copies of other processes lag behind."""
    credential = store(kiro.sign_in("idc", expires_at=in_an_hour()))

    async def work(a_process: Make) -> None:
        first, second = a_process(), a_process()
        got = await asyncio.gather(*(p.kiro.renew(credential, "token") for _ in range(5) for p in (first, second)))
        tokens = {signed.auth["access_token"] for signed in got}
        assert len(tokens) == 1
        assert credential.auth["access_token"] not in tokens
        assert (await first.kiro.renew(credential, "token")).auth["access_token"] in tokens
        assert (await first.kiro.signed_in(credential)).auth["access_token"] in tokens
        assert kiro.refreshes == 1
        # Once more, now with what they were given.
        again = await second.kiro.renew(got[0], "token")
        assert again.auth["access_token"] not in tokens
        assert kiro.refreshes == 2
        # The first process has only heard of the first renewal.
        assert (await first.kiro.renew(got[0], "token")).auth["access_token"] == again.auth["access_token"]
        assert kiro.refreshes == 2

    run(work)


def test_a_new_sign_in_replaces_what_a_process_knows(
    run: Run, store: Store, kiro: KiroEmulator, engine: Engine, vault: Vault
) -> None:
    """Also while a renewal of the old one is under way: then the new one stays."""
    credential = store(kiro.sign_in("idc", expires_at=PAST))

    async def work(a_process: Make) -> None:
        process = a_process()
        await process.kiro.signed_in(credential)
        pasted = {**credential.auth, "refresh_token": "p" * 120, "access_token": "pasted", "expires_at": in_an_hour()}
        credentials.change(engine, vault, credential.id, {}, auth=pasted)
        fresh = process.read(credential.id)
        assert (await process.kiro.signed_in(fresh)).auth["access_token"] == "pasted"
        # A renewal that began before finds its secret replaced.
        credentials.change(engine, vault, credential.id, {}, auth=kiro.sign_in("idc", expires_at=PAST))
        old = process.read(credential.id)
        kiro.pause_s = 0.3
        flight = asyncio.create_task(process.kiro.signed_in(old))
        await asyncio.sleep(0.15)
        credentials.change(engine, vault, credential.id, {}, auth=pasted)
        assert (await flight).auth["access_token"] == "pasted"
        assert process.read(credential.id).auth == pasted

    run(work)


def test_a_rotation_waits_in_redis_while_postgres_is_away(
    run: Run, store: Store, kiro: KiroEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next who finds it there stores it."""
    credential = store(kiro.sign_in("idc", expires_at=PAST))

    async def work(a_process: Make) -> None:
        first, second = a_process(), a_process()
        with monkeypatch.context() as away:
            away.setattr(credentials, "replace_auth", _away)
            signed = await first.kiro.signed_in(credential)
        assert first.read(credential.id).auth == credential.auth
        kiro.expire()
        renewed = await second.kiro.signed_in(credential)
        assert renewed.auth["access_token"] == signed.auth["access_token"]
        assert second.read(credential.id).auth["refresh_token"] == kiro.refresh_token
        assert kiro.refreshes == 1
        assert await second.redis.get(f"ccr:tokens:{credential.id}") is None

    run(work)


def _away(*_: Any, **__: Any) -> Any:
    raise OSError("the database is away")


def test_a_rotation_that_can_be_kept_nowhere_is_not_used_and_not_lost(
    run: Run, store: Store, kiro: KiroEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither PostgreSQL nor Redis: the process keeps it until one is back."""
    credential = store(kiro.sign_in("idc", expires_at=PAST))

    async def work(a_process: Make) -> None:
        process = a_process(f"redis://127.0.0.1:{closed_port()}/0")
        with monkeypatch.context() as away:
            away.setattr(credentials, "replace_auth", _away)
            with pytest.raises(SignInFailed, match="database"):
                await process.kiro.signed_in(credential)
        process.kiro._resting.clear()
        signed = await process.kiro.signed_in(credential)
        assert (kiro.refreshes, signed.auth["refresh_token"]) == (1, kiro.refresh_token)
        assert process.read(credential.id).auth["access_token"] == signed.auth["access_token"]

    run(work)


def test_nothing_is_renewed_that_could_not_be_read_first(
    run: Run, store: Store, kiro: KiroEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While PostgreSQL is away a refresh token is not spent."""
    credential = store(kiro.sign_in("idc", expires_at=PAST))

    async def work(a_process: Make) -> None:
        monkeypatch.setattr(credentials, "open_sealed", _away)
        with pytest.raises(SignInFailed, match="database") as caught:
            await a_process().kiro.signed_in(credential)
        assert not caught.value.needs_login

    run(work)
    assert kiro.seen == []


def test_a_client_that_leaves_does_not_lose_the_rotation(run: Run, store: Store, kiro: KiroEmulator) -> None:
    """The renewal goes on; a process that ends waits for it."""
    kiro.pause_s = 0.3
    credential = store(kiro.sign_in("idc", expires_at=PAST))

    async def work(a_process: Make) -> None:
        process = a_process()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.kiro.signed_in(credential), 0.15)
        await process.kiro.close()
        assert process.read(credential.id).auth["refresh_token"] == kiro.refresh_token

    run(work)


def test_tokens_in_use_are_renewed_ahead(run: Run, store: Store, kiro: KiroEmulator) -> None:
    """Shortly before a request would have to wait; those that nobody uses are left alone."""
    kiro.lifetime_s = 170
    used, unused = store(kiro.sign_in("idc", expires_at=PAST)), store(kiro.sign_in("idc", expires_at=in_an_hour()))

    async def work(a_process: Make) -> None:
        process = a_process()
        clock = 0.0
        tokens = StoredTokens(KiroSignIn(process.calls), process.store, process.locks, clock=lambda: clock)
        first = await tokens.signed_in(used)
        assert await tokens.signed_in(used) == first
        await tokens.renew_ahead()
        assert kiro.refreshes == 2
        assert (await tokens.signed_in(used)).auth["access_token"] != first.auth["access_token"]
        clock = 3_700.0
        await tokens.renew_ahead()
        assert kiro.refreshes == 2
        assert process.read(unused.id).auth == unused.auth

    run(work)


def test_an_organisations_profile_is_found_once(run: Run, store: Store, kiro: KiroEmulator) -> None:
    """And kept with the credential."""
    kiro.is_builder_id, kiro.profiles = False, [PROFILE]
    credential = store(kiro.sign_in("idc", expires_at=PAST))

    async def work(a_process: Make) -> None:
        process = a_process()
        assert (await process.kiro.signed_in(credential)).auth["profile_arn"] == PROFILE
        await process.kiro.signed_in(credential)
        assert process.read(credential.id).auth["profile_arn"] == PROFILE

    run(work)
    assert [seen.path for seen in kiro.seen].count("/ListAvailableProfiles") == 1


def test_a_builder_id_is_asked_for_no_profile_twice(run: Run, store: Store, kiro: KiroEmulator) -> None:
    """It has none; one that is known as such is not asked at all."""
    unknown = store(kiro.sign_in("idc", expires_at=in_an_hour()))
    known = store(kiro.sign_in("idc", expires_at=in_an_hour()) | {"start_url": "https://view.awsapps.com/start"})

    async def work(a_process: Make) -> None:
        process = a_process()
        for credential in (unknown, unknown, known):
            assert "profile_arn" not in (await process.kiro.signed_in(credential)).auth

    run(work)
    assert [seen.path for seen in kiro.seen] == ["/ListAvailableProfiles"]


def test_among_several_profiles_an_administrator_chooses(
    run: Run, store: Store, kiro: KiroEmulator, engine: Engine
) -> None:
    """The message names them."""
    kiro.is_builder_id, kiro.profiles = False, [PROFILE, OTHER]
    auth = kiro.sign_in("idc", expires_at=in_an_hour())
    undecided, decided = store(auth), store(auth, profile_arn=OTHER)

    async def work(a_process: Make) -> None:
        process = a_process()
        with pytest.raises(SignInFailed, match=f"{PROFILE}, {OTHER}"):
            await process.kiro.signed_in(undecided)
        await process.kiro.signed_in(decided)

    run(work)
    assert block_of(engine, undecided) is None


def test_a_keys_profile_is_found_when_kiro_asks_for_it(run: Run, store: Store, kiro: KiroEmulator) -> None:
    """Only then, and it is kept."""
    kiro.profiles = [PROFILE]
    credential = store(kiro.auth)

    async def work(a_process: Make) -> None:
        process = a_process()
        assert await process.kiro.signed_in(credential) == credential
        assert (await process.kiro.renew(credential, "profile")).auth["profile_arn"] == PROFILE
        assert process.read(credential.id).auth["profile_arn"] == PROFILE
        with pytest.raises(SignInFailed, match="another profile"):
            await process.kiro.renew(process.read(credential.id), "profile")

    run(work)


def test_what_is_learned_of_an_account_is_with_its_credential(run: Run, store: Store, kiro: KiroEmulator) -> None:
    """Models on all pages, and the day on which the plan is filled again; the first request does not wait for it."""
    kiro.native, kiro.next_reset = True, 1_800_000_000.0
    credential = store(kiro.auth)

    async def work(a_process: Make) -> None:
        desk = a_process().desk
        assert "models" not in (await desk.signed_in(credential)).auth
        await asyncio.gather(*desk._kiro_facts._tasks)
        auth = (await desk.signed_in(credential)).auth
        assert auth["plan_renewed_at"] == 1_800_000_000.0
        assert set(auth["models"]) == {"claude-opus-4.5", "claude-sonnet-4.5", "claude-haiku-4.5"}
        assert auth["models"]["claude-haiku-4.5"]["window"] == 200_000
        assert "effort" in str(auth["models"]["claude-haiku-4.5"]["fields_schema"])

    run(work)


def test_antigravity_signs_in_and_finds_its_project(run: Run, engine: Engine, vault: Vault, kiro: KiroEmulator) -> None:
    """One renewal for many; Google's refresh token stays; one that was revoked blocks the credential."""
    with AntigravityEmulator() as google:
        fields = {"name": "a", "base_url": google.url, "options": google.options}
        made = credentials.create(engine, vault, "antigravity", google.auth, fields)
        held = credentials.create(
            engine, vault, "antigravity", google.auth, {"name": "b", "base_url": google.url, "options": {}}
        )

        async def work(a_process: Make) -> None:
            first, second = a_process(), a_process()
            credential = first.read(made.id)
            got = await asyncio.gather(*(p.desk.signed_in(credential) for _ in range(10) for p in (first, second)))
            assert len({signed.auth["access_token"] for signed in got}) == 1
            assert got[0].auth["project"] == first.read(made.id).auth["project"]
            assert google.tokens == 1
            google.expire()
            assert (await second.desk.renew(got[0], "token")).auth["access_token"] != got[0].auth["access_token"]
            # Not acknowledged: nothing leaves.
            asked = len(google.seen)
            assert "access_token" not in (await first.desk.signed_in(first.read(held.id))).auth
            assert len(google.seen) == asked
            google.revoke()
            with pytest.raises(SignInFailed, match="expired or revoked"):
                await first.desk.renew(second.read(made.id), "token")

        run(work)
        found = credentials.get(engine, made.id)
        assert found is not None
        assert "Sign in again" in (found.blocked_reason or "")


def test_a_lock_is_held_by_one_and_prolonged(
    run: Run, monkeypatch: pytest.MonkeyPatch, embedded: EmbeddedServices
) -> None:
    """Over all processes, for longer than its own time; then the next one has it."""
    monkeypatch.setattr("ccrouter.storage.locks._HELD_MS", 300)
    monkeypatch.setattr("ccrouter.storage.locks._PROLONGED_EVERY_S", 0.1)

    async def work(a_process: Make) -> None:
        for urls in ((), (f"redis://127.0.0.1:{closed_port()}/0",)):
            first, second = a_process(*urls), a_process(*urls)
            inside: list[str] = []

            async def hold(process: Process, name: str, inside: list[str] = inside) -> None:
                async with process.locks.hold("x"):
                    inside.append(f"{name} in")
                    await asyncio.sleep(0.6)
                    inside.append(f"{name} out")

            await asyncio.gather(hold(first, "a"), hold(second, "b"))
            assert inside in (["a in", "a out", "b in", "b out"], ["b in", "b out", "a in", "a out"])
            monkeypatch.setattr("ccrouter.storage.locks._PATIENCE_S", 0.2)
            async with first.locks.hold("x"):
                with pytest.raises(StorageAway, match="lock"):
                    async with second.locks.hold("x"):
                        raise AssertionError("both have it")
            monkeypatch.setattr("ccrouter.storage.locks._PATIENCE_S", 10.0)

    run(work)
