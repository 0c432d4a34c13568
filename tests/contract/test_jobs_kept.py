"""Jobs and their files as PostgreSQL keeps them, and as a worker runs them, dies over them and takes them up again."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.services import an_admin, some_settings

from ccrouter.clock import utc_now
from ccrouter.embedded import EmbeddedServices
from ccrouter.errors import CcrError
from ccrouter.services import Services
from ccrouter.storage import jobs
from ccrouter.storage.jobs import MOST_TRIES, Job, JobLost
from ccrouter.worker.job_kinds import Progress
from ccrouter.worker.job_runner import JobRunner


@pytest.fixture
def services(database_url: str, embedded: EmbeddedServices, tmp_path: Path) -> Iterator[Services]:
    """The parts of a process."""
    built = Services.build(some_settings(database_url, embedded.redis_url, tmp_path))
    yield built
    built.engine.dispose()


def state_of(engine: Engine, job: Job) -> tuple[str, float, str | None, str | None]:
    """What the job's owner sees."""
    found = jobs.get(engine, job.id)
    assert found is not None
    return found.state, found.progress, found.result_url, found.error


def test_a_job_is_run_once_and_tells_how_far_it_is(services: Services) -> None:
    """By whichever runner takes it; its result is where it says."""
    engine = services.engine
    job = jobs.create(engine, "sum", an_admin(engine).id, {"numbers": [1, 2]})
    assert state_of(engine, job) == ("queued", 0, None, None)
    seen = []

    def add(_: Services, job: Job, progress: Progress) -> str:
        progress(0.5)
        seen.append(state_of(engine, job))
        return f"/sums/{sum(job.arguments['numbers'])}"

    with ThreadPoolExecutor(4) as pool:
        ended = sum(pool.map(lambda _: JobRunner(services, {"sum": add}).run_waiting(), range(4)))
    assert ended == 1
    assert seen == [("running", 0.5, None, None)]
    assert state_of(engine, job) == ("done", 1, "/sums/3", None)


def test_a_kind_that_this_version_does_not_know_waits_for_one_that_does(services: Services) -> None:
    """While two versions run side by side."""
    job = jobs.create(services.engine, "later", None, {})
    assert JobRunner(services, {}).run_waiting() == 0
    assert state_of(services.engine, job)[0] == "queued"


def test_a_job_that_cannot_be_done_says_why(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    """The owner hears a sentence that was meant for him; what nobody foresaw is told in the log alone."""

    def refuse(_: Services, job: Job, __: Progress) -> None:
        raise CcrError("There is nothing to do.") if job.arguments["foreseen"] else RuntimeError("boom: secret")

    foreseen = jobs.create(services.engine, "odd", None, {"foreseen": True})
    unforeseen = jobs.create(services.engine, "odd", None, {"foreseen": False})
    assert JobRunner(services, {"odd": refuse}).run_waiting() == 2
    assert state_of(services.engine, foreseen)[3] == "There is nothing to do."
    state, _, _, error = state_of(services.engine, unforeseen)
    assert state == "failed"
    assert error is not None
    assert "boom" not in error
    assert unforeseen.id in error
    assert "boom: secret" in caplog.text


def test_a_job_of_a_dead_process_is_taken_up_again_and_not_for_ever(engine: Engine) -> None:
    """Its lease ends; the third process that dies over it is the last."""
    job = jobs.create(engine, "deadly", None, {})
    for number in range(1, MOST_TRIES + 1):
        taken = jobs.claim(engine, ["deadly"], lease_s=0.01)
        assert taken is not None
        assert (taken.id, taken.tries) == (job.id, number)
        time.sleep(0.05)
    assert jobs.claim(engine, ["deadly"]) is None
    state, _, _, error = state_of(engine, job)
    assert state == "failed"
    assert error is not None
    assert "process" in error


def test_who_was_thought_dead_writes_no_more(engine: Engine) -> None:
    """Neither progress nor an end: another process may run the job by now."""
    jobs.create(engine, "slow", None, {})
    late = jobs.claim(engine, ["slow"], lease_s=0.01)
    time.sleep(0.05)
    now = jobs.claim(engine, ["slow"])
    assert late is not None
    assert now is not None
    writes: list[Callable[[], None]] = [
        partial(jobs.prolong, engine, late, 0.9),
        partial(jobs.finish, engine, late, "/mine"),
        partial(jobs.fail, engine, late, "no"),
        partial(jobs.give_back, engine, late),
    ]
    for write in writes:
        with pytest.raises(JobLost):
            write()
    jobs.finish(engine, now, "/right")
    assert state_of(engine, now) == ("done", 1, "/right", None)


def test_long_work_keeps_its_lease(services: Services) -> None:
    """It is renewed beside the work, also where that says nothing for a while."""

    def work(_: Services, __: Job, ___: Progress) -> None:
        time.sleep(0.7)
        assert jobs.claim(services.engine, ["long"]) is None

    job = jobs.create(services.engine, "long", None, {})
    assert JobRunner(services, {"long": work}, lease_s=0.3).run_waiting() == 1
    assert state_of(services.engine, job)[0] == "done"


def test_a_process_that_is_stopped_gives_its_job_back(services: Services) -> None:
    """At once, and without counting it as a death."""
    job = jobs.create(services.engine, "long", None, {})
    begun = threading.Event()

    def work(_: Services, __: Job, progress: Progress) -> None:
        while True:
            progress(0.1)
            begun.set()
            time.sleep(0.01)

    running = threading.Thread(target=JobRunner(services, {"long": work}).run_waiting)
    running.start()
    assert begun.wait(10)
    services.stopping.set()
    running.join(10)
    assert not running.is_alive()
    found = jobs.get(services.engine, job.id)
    assert found is not None
    assert (found.state, found.tries) == ("queued", 0)


def test_an_owner_finds_the_own_jobs_newest_first(engine: Engine) -> None:
    """And old ones are forgotten once they have ended."""
    mine, other = an_admin(engine), an_admin(engine, "other")
    made = [jobs.create(engine, "k", owner.id, {}).id for owner in (mine, other, mine)]
    page = jobs.find(engine, owner_id=mine.id, limit=1)
    rest = jobs.find(engine, owner_id=mine.id, limit=1, cursor=page.next_cursor)
    assert [job.id for job in page.items + rest.items] == [made[2], made[0]]
    assert len(jobs.find(engine).items) == 3
    ended = jobs.claim(engine, ["k"])
    assert ended is not None
    jobs.finish(engine, ended, None)
    assert jobs.drop_ended(engine, utc_now() - timedelta(hours=1)) == 0
    assert jobs.drop_ended(engine, utc_now() + timedelta(hours=1)) == 1
    assert len(jobs.find(engine).items) == 2


def test_a_file_is_read_as_it_was_written_and_only_whole(services: Services) -> None:
    """In parts, whatever the chunks were; one whose writing broke off is not there; an old one is forgotten."""
    files, job = services.result_files, jobs.create(services.engine, "k", None, {})
    content = bytes(range(256)) * 8000

    def broken() -> Iterator[bytes]:
        yield content
        raise CcrError("cut")

    with pytest.raises(CcrError):
        files.write(job.id, "a.csv", "text/csv", broken())
    assert files.open(job.id) is None
    files.write(job.id, "é.csv", "text/csv", (content[at : at + 99_999] for at in range(0, len(content), 99_999)))
    found = files.open(job.id)
    assert found is not None
    assert (found.name, found.media_type, found.size) == ("é.csv", "text/csv", len(content))
    parts: list[Any] = list(found.chunks)
    assert len(parts) > 1
    assert b"".join(parts) == content
    files.drop_older(utc_now() + timedelta(hours=1))
    assert files.open(job.id) is None
