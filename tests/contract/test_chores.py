"""Chores: once for all processes, one process at a time, and again after whatever came in their way."""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.raw_platform import closed_port
from tests.services import some_settings

from ccrouter.services import Services
from ccrouter.storage.chores import turn
from ccrouter.storage.tables import chores
from ccrouter.worker import Chore, Worker

REDIS = "redis://127.0.0.1:1"


@pytest.fixture
def process(database_url: str, tmp_path: Path) -> Iterator[Callable[[], Services]]:
    """Makes services as one more process has them."""
    made: list[Services] = []

    def make(url: str = database_url) -> Services:
        made.append(Services.build(some_settings(url, REDIS, tmp_path)))
        return made[-1]

    yield make
    for services in made:
        services.engine.dispose()


@contextlib.contextmanager
def working(services: Services, *done: Chore) -> Iterator[Worker]:
    """A worker at work."""
    worker = Worker(services, done)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def wait_for(what: Callable[[], bool]) -> None:
    """Returns when it is so."""
    give_up = time.monotonic() + 10
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_chore_is_done_once_for_all_processes(process: Callable[[], Services]) -> None:
    """Three look at it all the time; it is done as often as it says, and never by two at once."""
    began: list[float] = []
    alone = threading.Lock()

    def run(_services: Services) -> None:
        assert alone.acquire(blocking=False)
        began.append(time.monotonic())
        time.sleep(0.05)
        alone.release()

    chore = Chore("test", 0.4, run)
    with working(process(), chore), working(process(), chore), working(process(), chore):
        wait_for(lambda: len(began) == 4)
    assert min(after - before for before, after in itertools.pairwise(began)) >= 0.35


def test_a_chore_is_done_early_for_who_is_in_a_hurry(process: Callable[[], Services]) -> None:
    """At once, and then in its own time again."""
    services, done = process(), threading.Semaphore(0)
    with working(services, Chore("test", 3600, lambda _: done.release())):
        assert done.acquire(timeout=10)
        assert not done.acquire(timeout=0.2)
        services.hurry("test")
        assert done.acquire(timeout=10)
        assert not done.acquire(timeout=0.2)


def test_a_chore_that_fails_comes_round_again(
    process: Callable[[], Services], caplog: pytest.LogCaptureFixture
) -> None:
    """Why is in the log and beside its name until it goes well."""
    services, tries = process(), []

    def run(_services: Services) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("no luck today")

    def failure() -> str | None:
        with services.engine.connect() as connection:
            row = connection.execute(select(chores).where(chores.c.ended_at.is_not(None))).one()
        return None if row.failure is None else str(row.failure)

    worker = Worker(services, [Chore("test", 0, run)])
    worker.run_due()
    assert failure() == "no luck today"
    worker.run_due()
    assert (len(tries), failure()) == (2, None)
    assert "no luck today" in caplog.text


def test_a_stop_lets_a_turn_end(process: Callable[[], Services]) -> None:
    """A chore that looks whether it shall stop is not cut."""
    services, at_it, ended = process(), threading.Event(), []

    def run(services: Services) -> None:
        at_it.set()
        services.stopping.wait(10)
        ended.append(1)

    with working(services, Chore("test", 1, run)):
        assert at_it.wait(10)
    assert ended == [1]


def test_a_turn_left_by_a_dead_process_is_free(process: Callable[[], Services]) -> None:
    """The lock goes with the connection."""
    services = process()
    with contextlib.suppress(KeyboardInterrupt), turn(services.engine, "test", 0) as mine:
        assert mine
        with turn(process().engine, "test", 0) as other:
            assert not other
        raise KeyboardInterrupt
    with turn(services.engine, "test", 0) as mine:
        assert mine


def test_while_the_database_is_away_chores_wait(
    process: Callable[..., Services], caplog: pytest.LogCaptureFixture
) -> None:
    """One line says so, once, without a traceback."""
    services = process(f"postgresql://u:p@127.0.0.1:{closed_port()}/x")
    worker = Worker(services, [Chore("test", 1, lambda _: None)])
    worker.run_due()
    worker.run_due()
    assert caplog.text.count("the chore «test» waits") == 1
    assert "Traceback" not in caplog.text
