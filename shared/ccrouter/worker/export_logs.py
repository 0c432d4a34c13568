"""The job that exports the log, for doors that cannot stream an answer of any length."""

from typing import TYPE_CHECKING

import msgspec

from ccrouter.clock import utc_now
from ccrouter.storage import jobs, log_export
from ccrouter.storage.engine import make_engine
from ccrouter.storage.log_filters import LogFilters
from ccrouter.storage.log_sums import beginning

if TYPE_CHECKING:
    from datetime import datetime

    from ccrouter.services import Services
    from ccrouter.storage.jobs import Job
    from ccrouter.worker.job_kinds import Progress


def export_logs(services: "Services", job: "Job", progress: "Progress") -> str:
    """See `job_kinds.JobFunction`. Begun anew it writes another file; the newest is the one that is given out."""
    filters = msgspec.convert(job.arguments["filters"], LogFilters)
    with services.engine.connect() as connection:
        oldest = filters.since or beginning(connection) or utc_now()
    newest = min(filters.until or utc_now(), utc_now())

    def tell(reached: "datetime") -> None:
        progress((newest - reached) / (newest - oldest) if newest > oldest else 0.0)

    # Its connection is in use until the last row: the pool's few are for others.
    engine = make_engine(services.settings.database_url or "", pool_size=0)
    try:
        parts = log_export.chunks(
            engine,
            filters,
            with_credentials=bool(job.arguments["with_credentials"]),
            bom=bool(job.arguments["bom"]),
            progress=tell,
        )
        services.result_files.write(job.id, log_export.file_name(job.created_at), "text/csv; charset=utf-8", parts)
    finally:
        engine.dispose()
    return jobs.result_url(job.id)
