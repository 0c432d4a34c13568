"""The chore of the log's months: those ahead are made, stray rows moved, old months dropped."""

from datetime import timedelta

from ccrouter.clock import utc_now
from ccrouter.services import Services
from ccrouter.storage import partitions
from ccrouter.storage.site_settings import Retention, read_topic

AHEAD = 3
"""Months that are there at any time, this one included: so long may the chore be out of order."""


def keep_months(services: Services) -> None:
    """Does what is to be done now, with an engine that waits: a month of stray rows takes its time to move."""
    engine, now = services.patient_engine, utc_now()
    partitions.make(engine, partitions.months_from(now, AHEAD) + partitions.strays(engine, now))
    days = read_topic(engine, Retention).rows_days
    if days is not None:
        partitions.drop_before(engine, now - timedelta(days=days))
