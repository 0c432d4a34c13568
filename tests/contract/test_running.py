"""Requests under way: known to others while they run, and each with one row when their process dies."""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine
from tests.contract.adapters import a_call_log
from tests.services import some_settings

from ccrouter.clock import utc_now
from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import request_id_of, uuid7
from ccrouter.messages.usage import Usage
from ccrouter.metering.record import CallRecord, encode_record
from ccrouter.services import Services
from ccrouter.storage import call_log, log_lists, logs, running
from ccrouter.storage.call_log import DbCallLog
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.storage.engine import make_engine
from ccrouter.storage.journal import Journal, left_by_the_dead
from ccrouter.storage.log_filters import LogFilters
from ccrouter.storage.outbox import Outbox
from ccrouter.storage.redis import async_redis, sync_redis
from ccrouter.storage.running import DIED, Running, under_way
from ccrouter.storage.totals import differences
from ccrouter.worker.reconciliation import reconcile

NO_REDIS = "redis://127.0.0.1:1"


def a_record(**fields: Any) -> CallRecord:
    """A request that goes to a platform now."""
    record_id = uuid7()
    values: dict[str, Any] = {
        "id": record_id, "at": utc_now(), "kind": "messages", "request_id": request_id_of(record_id),
        "platform": "anthropic", "model": "m", "key_id": str(uuid7()),
    }  # fmt: skip
    return CallRecord(**(values | fields))


@pytest.fixture(autouse=True)
def _alone(embedded: EmbeddedServices) -> Iterator[None]:
    """Redis knows of no process before and after."""
    yield
    with sync_redis(embedded.redis_url) as redis:
        for name in redis.scan_iter("ccr:running*"):
            redis.delete(name)


@asynccontextmanager
async def noting(redis_url: str, directory: Path | None) -> AsyncIterator[Running]:
    """What runs in a process; the process ends in good order."""
    redis = async_redis(redis_url)
    noted = Running(redis, directory)
    await noted.start()
    try:
        yield noted
    finally:
        await noted.close()
        await redis.aclose()


def die(directory: Path, *records: CallRecord, ended: int = 0) -> str:
    """A process that was killed while these ran, the first `ended` being over."""
    process = uuid.uuid4().hex
    journal = Journal(directory, process)
    journal.open()
    for record in records:
        journal.begin(str(record.id), encode_record(record))
    for record in records[:ended]:
        journal.end(str(record.id), {})
    assert journal._descriptor is not None
    os.close(journal._descriptor)
    return process


def seen(redis_url: str, *, expect: Callable[[list[CallRecord]], bool]) -> list[CallRecord]:
    """What runs by Redis, as soon as it is as expected."""
    give_up = time.monotonic() + 10
    with sync_redis(redis_url) as redis:
        while not expect(found := under_way(redis)):
            assert time.monotonic() < give_up, found
            time.sleep(0.01)
    return found


def rows(engine: Engine) -> list[CallRecord]:
    """All rows, newest first; their sums are right."""
    now = utc_now()
    assert differences(engine, now.replace(hour=0, minute=0, second=0, microsecond=0), now) == []
    return log_lists.find(engine, LogFilters(), limit=200).items


def start(engine: Engine, outbox: Path) -> None:
    """A process starts on this folder and ends again."""

    async def run() -> None:
        async with a_call_log(engine, outbox):
            pass

    asyncio.run(run())


def test_what_runs_is_known_until_it_is_over(embedded: EmbeddedServices, tmp_path: Path) -> None:
    """To all who ask Redis, newest first; nothing is left behind."""
    with sync_redis(embedded.redis_url) as redis:
        # What processes that other tests have killed were about.
        for left in redis.scan_iter("ccr:running*"):
            redis.delete(left)

    async def run() -> None:
        async with noting(embedded.redis_url, tmp_path) as here, noting(embedded.redis_url, tmp_path) as there:
            first = a_record()
            await asyncio.sleep(0.002)
            second = a_record()
            await here.begin(first)
            await there.begin(second)
            found = await asyncio.to_thread(seen, embedded.redis_url, expect=lambda found: len(found) == 2)
            assert [(item.id, item.status) for item in found] == [(second.id, "running"), (first.id, "running")]
            here.end(str(first.id))
            await asyncio.to_thread(seen, embedded.redis_url, expect=lambda found: len(found) == 1)
            there.end(str(second.id))

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []
    with sync_redis(embedded.redis_url) as redis:
        assert list(redis.scan_iter("ccr:running*")) == []


def test_without_a_folder_a_request_waits_for_redis(embedded: EmbeddedServices) -> None:
    """When `begin` returns it is known; a crowd waits together."""

    async def run() -> None:
        async with noting(embedded.redis_url, None) as here:
            records = [a_record() for _ in range(50)]
            await asyncio.gather(*(here.begin(record) for record in records))
            with sync_redis(embedded.redis_url) as redis:
                assert len(under_way(redis)) == 50
            for record in records:
                here.end(str(record.id))

    asyncio.run(run())


def test_what_redis_has_lost_it_is_told_again(
    embedded: EmbeddedServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was started anew, without its data."""
    monkeypatch.setattr(running, "_SIGN_EVERY_S", 0.05)

    async def run() -> None:
        async with noting(embedded.redis_url, tmp_path) as here:
            await here.begin(a_record())
            await asyncio.to_thread(seen, embedded.redis_url, expect=lambda found: len(found) == 1)
            with sync_redis(embedded.redis_url) as redis:
                redis.delete("ccr:running", f"ccr:running:{here.process}")
            await asyncio.to_thread(seen, embedded.redis_url, expect=lambda found: len(found) == 1)

    asyncio.run(run())


def test_while_redis_is_away_nobody_waits(tmp_path: Path) -> None:
    """The journal knows; and without a journal the request goes on all the same."""

    async def run() -> None:
        async with noting(NO_REDIS, tmp_path) as here, noting(NO_REDIS, None) as there:
            began = time.monotonic()
            await here.begin(a_record())
            await there.begin(a_record())
            assert time.monotonic() - began < 5
            with left_by_the_dead(tmp_path) as left:
                assert left == []
            there._lines.clear()

    asyncio.run(run())
    with left_by_the_dead(tmp_path) as left:
        assert [len(item.lines) for item in left] == [1]


def test_a_request_whose_process_died_has_one_row(engine: Engine, tmp_path: Path) -> None:
    """It says what is known, and what is not; what was over has none from here. A second start adds nothing."""
    over, cut = a_record(), a_record(session_id="s")
    die(tmp_path / "running", over, cut, ended=1)
    for _ in range(2):
        start(engine, tmp_path)
        (row,) = rows(engine)
        assert (row.id, row.status, row.error_message, row.session_id) == (cut.id, "error", DIED, "s")
        assert (row.usage, row.usage_state, row.cost_state, row.platform) == (None, None, "none", "anthropic")
    assert list((tmp_path / "running").iterdir()) == []


def test_a_living_process_does_it_for_a_dead_one(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within seconds, and its outbox too; it does not touch what lives."""
    monkeypatch.setattr(call_log, "_REPLAY_EVERY_S", 0.05)

    async def run() -> None:
        async with a_call_log(engine, tmp_path) as here, a_call_log(engine, tmp_path) as there:
            mine, others, kept = a_record(), a_record(), a_record(status="ok")
            await here.begin(mine)
            await there.begin(mine)
            Outbox(tmp_path).append([encode_record(kept)])
            die(tmp_path / "running", others)
            give_up = time.monotonic() + 10
            while len(rows(engine)) < 2:
                assert time.monotonic() < give_up
                await asyncio.sleep(0.05)
            assert {row.id for row in rows(engine)} == {others.id, kept.id}
            await here.record(mine)
            await there.record(mine)
            assert len(rows(engine)) == 3

    asyncio.run(run())


def test_a_request_is_over_although_nobody_waits_for_its_record(engine: Engine, tmp_path: Path) -> None:
    """Its task was cancelled while the record was written."""

    async def run() -> None:
        async with a_call_log(engine, tmp_path) as log:
            record = a_record()
            await log.begin(record)
            waiting = asyncio.create_task(log.record(record))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            give_up = time.monotonic() + 10
            while log._running._lines:
                assert time.monotonic() < give_up
                await asyncio.sleep(0.01)
            assert [row.id for row in rows(engine)] == [record.id]

    asyncio.run(run())


def test_the_true_record_of_a_dead_process_comes_first(engine: Engine, tmp_path: Path) -> None:
    """It was killed between the outbox and its journal: what it used is not lost."""
    record = a_record()
    done = msgspec.structs.replace(record, usage=Usage(input_tokens=7), usage_state="final")
    die(tmp_path / "running", record)
    Outbox(tmp_path).append([encode_record(done)])
    start(engine, tmp_path)
    (row,) = rows(engine)
    assert (row.status, row.usage) == ("ok", Usage(input_tokens=7))


def test_while_the_database_is_away_the_dead_wait(engine: Engine, tmp_path: Path) -> None:
    """Their rows are written when it is back."""
    record = a_record()
    die(tmp_path / "running", record)
    away = make_engine("postgresql://u:p@127.0.0.1:1/x")
    start(away, tmp_path)
    away.dispose()
    start(engine, tmp_path)
    assert [row.id for row in rows(engine)] == [record.id]


def test_a_process_that_died_on_another_machine(
    database_url: str, embedded: EmbeddedServices, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives no sign of life: the chore writes the rows, unless they are there."""
    services = Services.build(some_settings(database_url, embedded.redis_url, tmp_path))
    cut, stored = a_record(), a_record(status="ok")

    async def run() -> None:
        redis = async_redis(embedded.redis_url)
        elsewhere = Running(redis, None)
        await elsewhere.start()
        await elsewhere.begin(cut)
        await elsewhere.begin(stored)
        await elsewhere.close()
        await redis.aclose()

    asyncio.run(run())
    logs.insert_many(engine, [encode_record(stored)])
    reconcile(services)
    assert [row.id for row in rows(engine)] == [stored.id]
    monkeypatch.setattr(running, "_DEAD_AFTER_MS", 0)
    for _ in range(2):
        reconcile(services)
        assert {row.id: row.status for row in rows(engine)} == {stored.id: "ok", cut.id: "error"}
    assert under_way(services.redis_sync) == []
    services.redis_sync.close()
    services.engine.dispose()


def test_a_journal_does_not_grow_without_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written anew, it still names what runs, and is still locked."""
    monkeypatch.setattr("ccrouter.storage.journal._LARGEST", 20_000)

    async def run() -> None:
        async with noting(NO_REDIS, tmp_path) as here:
            stays = a_record()
            await here.begin(stays)
            for _ in range(200):
                record = a_record()
                await here.begin(record)
                here.end(str(record.id))
            assert here._journal is not None
            assert here._journal._size < 25_000
            with left_by_the_dead(tmp_path) as left:
                assert left == []

    asyncio.run(run())
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 25_000
    with left_by_the_dead(tmp_path) as left:
        assert [len(item.lines) for item in left] == [1]


def test_a_line_that_was_cut_off_is_no_request(tmp_path: Path, engine: Engine) -> None:
    """The process was killed while it wrote: nothing had been asked yet."""
    whole = a_record()
    process = die(tmp_path / "running", whole, a_record())
    path = tmp_path / "running" / f"{process}.running"
    path.write_bytes(path.read_bytes()[:-40])
    start(engine, tmp_path)
    assert [row.id for row in rows(engine)] == [whole.id]


def test_a_log_that_is_never_closed_keeps_what_waits(engine: Engine, tmp_path: Path) -> None:
    """The server ended without its last step: everybody is let go, and the records are in the outbox."""

    async def run() -> None:
        redis = async_redis(NO_REDIS)
        log = DbCallLog(engine, crossing, tmp_path, Running(redis, tmp_path / "running"))
        await log.start()
        waiting = [asyncio.create_task(log.record(a_record())) for _ in range(3)]
        await asyncio.sleep(0)
        for task in log._tasks:
            task.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(*waiting)
            await log.record(a_record())
        await redis.aclose()

    crossing = ThreadCrossing(2)
    asyncio.run(run())
    crossing.close()
    start(engine, tmp_path)
    assert len(rows(engine)) == 4
