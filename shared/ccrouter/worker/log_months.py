"""The chore of the log's months: those ahead are made, stray rows moved, old months dropped."""

from datetime import timedelta

from ccrouter.clock import utc_now
from ccrouter.services import Services
from ccrouter.storage import partitions, settings

AHEAD = 3
"""Months that are there at any time, this one included: so long may the chore be out of order."""


def keep_months(services: Services) -> None:
    """Does what is to be done now, with an engine that waits: a month of stray rows takes its time to move."""
    engine, now = services.patient_engine, utc_now()
    partitions.make(engine, partitions.months_from(now, AHEAD) + partitions.strays(engine, now))
    days = _rows_days(services)
    if days is not None:
        partitions.drop_before(engine, now - timedelta(days=days))


def _rows_days(services: Services) -> int | None:
    """For how many days rows are kept at least; None: for ever."""
    retention = settings.get(services.engine, "retention")
    days = retention.get("rows_days") if isinstance(retention, dict) else None
    return days if type(days) is int and days > 0 else None
