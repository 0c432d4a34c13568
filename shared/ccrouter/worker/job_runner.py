"""Runs the jobs that wait, one after the other, each under a lease that is renewed while it runs."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ccrouter.clock import monotonic_s
from ccrouter.errors import CcrError, StorageAway
from ccrouter.storage import jobs
from ccrouter.storage.crossing import away_named
from ccrouter.storage.jobs import LEASE_S, Job, JobLost
from ccrouter.worker.job_kinds import JOBS, JobFunction

if TYPE_CHECKING:
    from ccrouter.services import Services

_TOLD_EVERY_S = 1.0

_log = logging.getLogger(__name__)


class JobRunner:
    """Runs jobs for one process until it is told to stop."""

    def __init__(
        self, services: "Services", kinds: Mapping[str, JobFunction] = JOBS, *, lease_s: float = LEASE_S
    ) -> None:
        self._services = services
        self._kinds = kinds
        self._lease_s = lease_s
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Lets the job under way be given back at its next word about progress, and begins no other."""
        self._stopping.set()

    def run_waiting(self) -> int:
        """Runs what waits until nothing does; says how many jobs came to an end here. Raises StorageAway."""
        ended = 0
        while not self._stopping.is_set():
            job = away_named(jobs.claim)(self._services.engine, list(self._kinds), lease_s=self._lease_s)
            if job is None:
                break
            try:
                self._run(job)
            except JobLost:
                _log.warning("the job %s (%s) is another process's now", job.id, job.kind)
            except _GivenBack:
                away_named(jobs.give_back)(self._services.engine, job)
            else:
                ended += 1
        return ended

    def _run(self, job: Job) -> None:
        engine = self._services.engine
        try:
            with self._lease(job) as progress:
                result_url = self._kinds[job.kind](self._services, job, progress)
            away_named(jobs.finish)(engine, job, result_url)
        except (JobLost, StorageAway, _GivenBack):
            # While the database is away nothing can be said about the job; its lease ends, and it is taken up again.
            raise
        except CcrError as error:
            away_named(jobs.fail)(engine, job, str(error))
        except Exception:
            _log.exception("the job %s (%s) failed", job.id, job.kind)
            away_named(jobs.fail)(engine, job, f"The router failed to do it; its log names the reason under {job.id}.")

    @contextmanager
    def _lease(self, job: Job) -> "Iterator[_Progress]":
        """Renews the lease beside the work."""
        progress, ended = _Progress(self, job), threading.Event()

        def renew() -> None:
            while not ended.wait(self._lease_s / 3):
                progress.renew()

        renewing = threading.Thread(target=renew, name=f"ccr-job-{job.id}", daemon=True)
        renewing.start()
        try:
            yield progress
        finally:
            ended.set()
            renewing.join()


class _GivenBack(Exception):
    """The process is being stopped."""


class _Progress:
    """See `job_kinds.Progress`."""

    def __init__(self, runner: JobRunner, job: Job) -> None:
        self._runner = runner
        self._job = job
        self._told_s = 0.0
        self._lost = False

    def __call__(self, done: float) -> None:
        if self._lost:
            raise JobLost(self._job.id)
        if self._runner._stopping.is_set():  # noqa: SLF001 - two halves of one thing
            raise _GivenBack
        if monotonic_s() - self._told_s >= _TOLD_EVERY_S:
            self._told_s = monotonic_s()
            self._prolong(done)

    def renew(self) -> None:
        """Prolongs the lease; remembers that it was lost, for the work to hear of it."""
        try:
            self._prolong(None)
        except JobLost:
            self._lost = True
        except StorageAway as error:
            _log.warning("the lease of the job %s is not renewed: %s", self._job.id, error)

    def _prolong(self, done: float | None) -> None:
        services, lease_s = self._runner._services, self._runner._lease_s  # noqa: SLF001 - the same
        away_named(jobs.prolong)(services.engine, self._job, done, lease_s=lease_s)
