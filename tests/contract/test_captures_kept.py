"""Captures in the database: stored beside the requests, never in their way, gone after their time."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from tests.fakes import FakeDirectory, a_credential
from tests.services import some_settings

from ccrouter.captures.legs import CLIENT_REQUEST, Captured, OpenLeg
from ccrouter.captures.sealed import unpack, unseal
from ccrouter.clock import utc_now
from ccrouter.credentials.vault import Vault
from ccrouter.errors import StorageAway
from ccrouter.ids import request_id_of, uuid7
from ccrouter.metering.record import CallRecord
from ccrouter.services import Services
from ccrouter.storage import capture_queue, captures, settings
from ccrouter.storage.capture_queue import QueuedCaptures
from ccrouter.storage.crossing import ThreadCrossing
from ccrouter.worker.chores import CHORES

Work = Callable[[QueuedCaptures], Coroutine[Any, Any, None]]


def with_queue(engine: Engine, vault: Vault, work: Work, **fields: Any) -> None:
    """Runs some work with a queue that is closed afterwards."""

    async def run() -> None:
        crossing = ThreadCrossing(2)
        directory = FakeDirectory([a_credential("main", auth={"api_key": "secret-of-the-platform"})])
        queue = QueuedCaptures(engine, crossing, directory, lambda: vault, 1000, **fields)
        try:
            await work(queue)
            await queue.close()
        finally:
            crossing.close()

    asyncio.run(run())


def a_capture(queue: QueuedCaptures, body: bytes = b"hello", at: datetime | None = None) -> Captured:
    """A capture that holds its body."""
    assert queue.take(len(body))
    leg = OpenLeg(CLIENT_REQUEST, pieces=[body], kept=len(body), size=len(body), ended=True)
    return Captured(uuid7(at), at or utc_now(), [leg], len(body))


def body_of(engine: Engine, vault: Vault, capture_id: UUID) -> bytes | None:
    """The body of a stored capture's only leg."""
    sealed = captures.get(engine, str(capture_id))
    return None if sealed is None else unpack(unseal(vault, capture_id, sealed))[0].body


def test_a_capture_is_stored_sealed_without_the_secrets_of_credentials(engine: Engine, vault: Vault) -> None:
    """And what it held is given back."""
    kept: list[Captured] = []

    async def work(queue: QueuedCaptures) -> None:
        kept.append(a_capture(queue, b"the platform said secret-of-the-platform"))
        queue.keep(kept[0])
        assert queue.held > 0
        await queue.close()
        assert (queue.held, queue.dropped) == (0, 0)

    with_queue(engine, vault, work)
    assert body_of(engine, vault, kept[0].id) == b"the platform said [redacted]"
    sealed = captures.get(engine, str(kept[0].id))
    assert sealed is not None
    assert b"platform" not in sealed


def test_more_than_the_bound_is_not_held(engine: Engine, vault: Vault) -> None:
    """Over all requests, those under way and those that wait."""

    async def work(queue: QueuedCaptures) -> None:
        assert queue.take(60)
        assert not queue.take(60)
        queue.give_back(60)
        assert queue.take(100)
        queue.give_back(100)
        assert (queue.held, queue.dropped) == (0, 1)

    with_queue(engine, vault, work, most_held=100)


def test_more_than_so_many_do_not_wait(engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes on top is dropped and given back."""
    monkeypatch.setattr(capture_queue, "MOST_WAITING", 2)

    async def work(queue: QueuedCaptures) -> None:
        for _ in range(3):
            queue.keep(a_capture(queue))
        assert (queue.held, queue.dropped) == (10, 1)

    with_queue(engine, vault, work)
    assert len(captures.stored_of(engine, [])) == 0


def test_a_database_that_comes_back_gets_what_waits(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order in which it came."""
    monkeypatch.setattr(capture_queue, "_TRY_EVERY_S", 0.01)
    real, failures, stored = captures.store, threading.Semaphore(3), []

    def store(engine: Engine, capture_id: UUID, sealed: bytes) -> None:
        if failures.acquire(blocking=False):
            raise StorageAway("away")
        stored.append(capture_id)
        real(engine, capture_id, sealed)

    monkeypatch.setattr(captures, "store", store)
    kept: list[Captured] = []

    async def work(queue: QueuedCaptures) -> None:
        kept.extend(a_capture(queue) for _ in range(2))
        for capture in kept:
            queue.keep(capture)

    with_queue(engine, vault, work)
    assert stored == [capture.id for capture in kept]
    assert captures.stored_of(engine, stored) == frozenset(stored)


def test_a_database_that_stays_away_costs_captures_and_no_memory(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After their time they are dropped."""
    monkeypatch.setattr(capture_queue, "_TRY_EVERY_S", 0.001)
    tries: list[UUID] = []

    def store(engine: Engine, capture_id: UUID, sealed: bytes) -> None:
        tries.append(capture_id)
        raise StorageAway("away")

    monkeypatch.setattr(captures, "store", store)
    now = iter(range(0, 10_000, 25))

    async def work(queue: QueuedCaptures) -> None:
        queue.keep(a_capture(queue))
        await queue.close()
        assert (queue.held, queue.dropped, len(tries)) == (0, 1, 3)

    with_queue(engine, vault, work, clock=lambda: float(next(now)))


def test_a_capture_that_cannot_be_stored_holds_up_no_other(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it."""
    real, faults = captures.store, [ValueError("a fault")]
    kept: list[Captured] = []

    def store(engine: Engine, capture_id: UUID, sealed: bytes) -> None:
        if faults:
            raise faults.pop()
        real(engine, capture_id, sealed)

    monkeypatch.setattr(captures, "store", store)

    async def work(queue: QueuedCaptures) -> None:
        kept.extend(a_capture(queue) for _ in range(2))
        for capture in kept:
            queue.keep(capture)
        await queue.close()
        assert (queue.held, queue.dropped) == (0, 1)

    with_queue(engine, vault, work)
    assert captures.stored_of(engine, [capture.id for capture in kept]) == {kept[1].id}


def test_captures_are_deleted_after_their_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of requests before a moment, in portions, and no other."""
    monkeypatch.setattr(captures, "_AT_ONCE", 2)
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    old = [uuid7(now - timedelta(days=8, minutes=number)) for number in range(5)]
    young = [uuid7(now - timedelta(days=6))]
    for capture_id in (*old, *young):
        captures.store(engine, capture_id, b"sealed")
    assert captures.delete_before(engine, now - timedelta(days=7)) == 5
    assert captures.stored_of(engine, [*old, *young]) == frozenset(young)


def test_a_chore_deletes_what_the_settings_say(database_url: str, tmp_path: Path) -> None:
    """So that nobody has to think of it."""
    services = Services.build(some_settings(database_url, "redis://127.0.0.1:1", tmp_path))
    settings.put(services.engine, "retention", {"capture_days": 2})
    old, young = (uuid7(utc_now() - timedelta(days=days)) for days in (3, 1))
    for capture_id in (old, young):
        captures.store(services.engine, capture_id, b"sealed")
    (chore,) = (chore for chore in CHORES if chore.name == "delete_old_captures")
    chore.run(services)
    assert captures.stored_of(services.engine, [old, young]) == {young}
    services.engine.dispose()


@pytest.mark.parametrize(("retention", "days"), [(None, 7), ({}, 7), ({"capture_days": 30}, 30)])
def test_how_long_they_are_kept_is_a_setting(engine: Engine, retention: Any, days: int) -> None:
    """Seven days where nobody has said."""
    if retention is not None:
        settings.put(engine, "retention", retention)
    assert days == captures.kept_days(engine)


@pytest.mark.parametrize(
    ("mode", "status", "age", "stored", "state"),
    [
        (None, "ok", timedelta(0), False, "none"),
        ("all", "ok", timedelta(0), True, "stored"),
        ("all", "ok", timedelta(0), False, "pending"),
        ("all", "ok", timedelta(hours=1), False, "dropped"),
        ("all", "ok", timedelta(days=8), False, "expired"),
        ("errors", "ok", timedelta(hours=1), False, "none"),
        ("errors", "limited", timedelta(hours=1), False, "none"),
        ("errors", "aborted", timedelta(hours=1), False, "dropped"),
        ("errors", "error", timedelta(0), True, "stored"),
    ],
)
def test_what_became_of_a_capture_is_known(
    engine: Engine, mode: str | None, status: str, age: timedelta, stored: bool, state: str
) -> None:
    """From what its key wanted, how it ended, whether it is there, and how old it is."""
    at = utc_now() - age
    row = CallRecord(
        id=uuid7(at), at=at, kind="messages", request_id=request_id_of(uuid7(at)), status=status, capture=mode
    )
    if stored:
        captures.store(engine, row.id, b"sealed")
    assert captures.states_of(engine, [row]) == {row.id: state}
