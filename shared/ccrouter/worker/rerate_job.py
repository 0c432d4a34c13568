"""The job that prices many rows anew."""

from typing import TYPE_CHECKING

import msgspec

from ccrouter.metering.prices import PriceRow
from ccrouter.storage import prices, rerating
from ccrouter.storage.jobs import Job, result_url
from ccrouter.storage.rerating import Report, RerateFilters

if TYPE_CHECKING:
    from ccrouter.services import Services
    from ccrouter.worker.job_kinds import Progress


class RerateArguments(msgspec.Struct, frozen=True, kw_only=True):
    """What the job is given."""

    filters: RerateFilters
    version: str
    dry_run: bool
    own: list[PriceRow] | None = None
    """Own prices that are not in force, for a dry run."""


def rerate(services: "Services", job: Job, progress: "Progress") -> str:
    """Prices rows anew by one version, and leaves the report as a file; rows that are done stay done."""
    arguments = msgspec.convert(job.arguments, RerateArguments)
    table = prices.load_known(services.engine, arguments.version)
    if arguments.own is not None:
        table = msgspec.structs.replace(table, own=tuple(arguments.own))
    rows = max(1, rerating.count(services.engine, arguments.filters))
    report = rerating.rerate(
        services.engine,
        arguments.filters,
        table,
        dry_run=arguments.dry_run,
        looked_at=lambda done: progress(done / rows),
    )
    if not report.dry_run:
        services.forget_spend()
    services.result_files.write(job.id, "rerate.json", "application/json", [_file(report)])
    return result_url(job.id)


def _file(report: Report) -> bytes:
    return msgspec.json.format(msgspec.json.encode(rerating.as_document(report)), indent=1)
