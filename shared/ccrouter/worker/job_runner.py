"""Runs the jobs that wait, one after the other, each under a lease that is renewed while it runs."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from ccrouter.clock import monotonic_s, utc_now
from ccrouter.errors import CcrError, StorageAway
from ccrouter.storage import jobs, sign_ins
from ccrouter.storage.crossing import away_named
from ccrouter.storage.jobs import LEASE_S, Job, JobLost
from ccrouter.worker.job_kinds import JOBS, JobFunction

if TYPE_CHECKING:
    from ccrouter.services import Services

JOBS_KEPT = timedelta(days=30)
FILES_KEPT = timedelta(days=7)
SIGN_INS_KEPT = timedelta(days=1)
_TOLD_EVERY_S = 1.0

_log = logging.getLogger(__name__)


class JobRunner:
    """Runs jobs for one process."""

    def __init__(
        self, services: "Services", kinds: Mapping[str, JobFunction] = JOBS, *, lease_s: float = LEASE_S
    ) -> None:
        self._services = services
        self._kinds = kinds
        self._lease_s = lease_s

    def run_waiting(self) -> int:
        """Runs what waits until nothing does; says how many jobs came to an end here. Raises StorageAway.

        When the process is being stopped, the job under way is given back at its next word about progress.
        """
        ended = 0
        while not self._services.stopping.is_set():
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
        progress, ended = _Progress(self._services, job, self._lease_s), threading.Event()

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

    def __init__(self, services: "Services", job: Job, lease_s: float) -> None:
        self._services = services
        self._job = job
        self._lease_s = lease_s
        self._told_s = 0.0
        self._lost = False

    def __call__(self, done: float) -> None:
        if self._lost:
            raise JobLost(self._job.id)
        if self._services.stopping.is_set():
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
        away_named(jobs.prolong)(self._services.engine, self._job, done, lease_s=self._lease_s)


def run_jobs(services: "Services") -> None:
    """The chore: runs what waits."""
    JobRunner(services).run_waiting()


def forget_jobs(services: "Services") -> None:
    """The chore: forgets old jobs, files that nobody has fetched, and sign-ins that nobody has confirmed."""
    jobs.drop_ended(services.engine, utc_now() - JOBS_KEPT)
    services.result_files.drop_older(utc_now() - FILES_KEPT)
    sign_ins.drop_older(services.engine, utc_now() - SIGN_INS_KEPT)
