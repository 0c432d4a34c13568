"""Jobs as stored: work that takes longer than an answer may.

A job is `queued`, then `running`, then `done` or `failed`. Whoever runs it holds a lease that it must renew: when its
process dies the lease ends, and the job is taken up again from its beginning; a job that ended three processes is
failed instead. `tries` counts the leases, and only the holder of the last one may write.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update

from ccrouter.ids import uuid7
from ccrouter.storage.rows import Page, begun, read_page, uuid_of
from ccrouter.storage.tables import jobs

EXPORT = "logs.export"
RERATE = "prices.rerate"
SET_UP = "credentials.set-up"
"""Kinds that the admin door begins and the worker does."""
LEASE_S = 60
MOST_TRIES = 3
_INTERRUPTED = f"The process that ran it ended before it was done, {MOST_TRIES} times. Start it anew."

_CLAIM = text(
    """
    UPDATE jobs SET state = 'running', tries = tries + 1, progress = 0,
        started_at = coalesce(started_at, clock_timestamp()),
        leased_until = clock_timestamp() + make_interval(secs => :lease_s)
    WHERE id = (
        SELECT id FROM jobs
        WHERE kind = ANY(:kinds)
          AND (state = 'queued' OR (state = 'running' AND leased_until < clock_timestamp() AND tries < :most_tries))
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING *
    """
)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job. `owner_id` None: the router's own; `progress` goes from 0 to 1."""

    id: str
    kind: str
    owner_id: str | None
    arguments: dict[str, Any]
    state: Literal["queued", "running", "done", "failed"]
    progress: float
    result_url: str | None
    error: str | None
    tries: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class JobLost(Exception):
    """The lease has ended, and another process may run this job now: leave it at once."""


def result_url(job_id: str) -> str:
    """Where the admin API gives out a job's file."""
    return f"/api/v1/jobs/{job_id}/result"


def create(place: Engine | Connection, kind: str, owner_id: str | None, arguments: dict[str, Any]) -> Job:
    """Queues a job; `arguments` is what JSON can hold."""
    with begun(place) as connection:
        row = connection.execute(
            insert(jobs)
            .values(id=uuid7(), kind=kind, owner_id=owner_id and uuid_of(owner_id), arguments=arguments)
            .returning(jobs)
        ).one()
    return _job_of(row)


def get(engine: Engine, job_id: str) -> Job | None:
    """The job with this id."""
    with engine.connect() as connection:
        row = connection.execute(select(jobs).where(jobs.c.id == uuid_of(job_id))).one_or_none()
    return None if row is None else _job_of(row)


def find(engine: Engine, *, owner_id: str | None = None, cursor: str | None = None, limit: int = 50) -> Page[Job]:
    """Jobs, newest first; everybody's unless an owner is named. Raises ValueError for a bad cursor."""
    query = select(jobs)
    if owner_id is not None:
        query = query.where(jobs.c.owner_id == uuid_of(owner_id))
    with engine.connect() as connection:
        return read_page(connection, query, jobs.c.id, cursor, limit, _job_of)


def claim(engine: Engine, kinds: Sequence[str], *, lease_s: float = LEASE_S) -> Job | None:
    """Takes the oldest job of these kinds that nobody runs; None where there is none. Fails those tried too often."""
    with engine.begin() as connection:
        connection.execute(
            update(jobs)
            .where(
                jobs.c.state == "running",
                jobs.c.leased_until < func.clock_timestamp(),
                jobs.c.tries >= MOST_TRIES,
            )
            .values(state="failed", error=_INTERRUPTED, ended_at=func.clock_timestamp(), leased_until=None)
        )
        row = connection.execute(
            _CLAIM, {"kinds": list(kinds), "lease_s": lease_s, "most_tries": MOST_TRIES}
        ).one_or_none()
    return None if row is None else _job_of(row)


def prolong(engine: Engine, job: Job, progress: float | None = None, *, lease_s: float = LEASE_S) -> None:
    """Renews the lease, and says how far the work has come. Raises JobLost."""
    values: dict[str, Any] = {"leased_until": func.clock_timestamp() + timedelta(seconds=lease_s)}
    if progress is not None:
        values["progress"] = min(max(progress, 0.0), 1.0)
    _change(engine, job, values)


def finish(engine: Engine, job: Job, result_url: str | None) -> None:
    """Ends a job that succeeded. Raises JobLost."""
    _end(engine, job, {"state": "done", "progress": 1.0, "result_url": result_url})


def fail(engine: Engine, job: Job, reason: str) -> None:
    """Ends a job that cannot be done, with a sentence for its owner. Raises JobLost."""
    _end(engine, job, {"state": "failed", "error": reason})


def give_back(engine: Engine, job: Job) -> None:
    """Queues a job anew whose process is being stopped; that it was begun does not count. Raises JobLost."""
    _change(engine, job, {"state": "queued", "tries": job.tries - 1, "progress": 0.0, "leased_until": None})


def drop_ended(engine: Engine, before: datetime) -> int:
    """Forgets jobs that ended before a moment; says how many."""
    with engine.begin() as connection:
        return connection.execute(delete(jobs).where(jobs.c.ended_at < before)).rowcount


def _end(engine: Engine, job: Job, values: dict[str, Any]) -> None:
    _change(engine, job, {**values, "ended_at": func.clock_timestamp(), "leased_until": None})


def _change(engine: Engine, job: Job, values: dict[str, Any]) -> None:
    with engine.begin() as connection:
        changed = connection.execute(
            update(jobs)
            .where(jobs.c.id == uuid_of(job.id), jobs.c.state == "running", jobs.c.tries == job.tries)
            .values(**values)
        ).rowcount
    if not changed:
        raise JobLost(job.id)


def _job_of(row: Any) -> Job:
    values = row._asdict()
    del values["leased_until"]
    return Job(**{**values, "id": str(row.id), "owner_id": None if row.owner_id is None else str(row.owner_id)})
