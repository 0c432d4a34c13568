"""Every chore there is."""

from datetime import timedelta

from ccrouter.clock import utc_now
from ccrouter.services import Services
from ccrouter.storage import captures, cuts, tombstones
from ccrouter.worker.alerting import DELIVERIES, deliver, find_alerts, forget_deliveries
from ccrouter.worker.chore import Chore
from ccrouter.worker.job_runner import forget_jobs, run_jobs
from ccrouter.worker.log_months import keep_months
from ccrouter.worker.price_list import take_list_prices
from ccrouter.worker.reconciliation import reconcile

_HOUR_S = 3600.0
_JOBS_EVERY_S = 5.0
"""Whoever makes a job calls `hurry("jobs")` besides: it begins at once where the worker runs in the same process."""


def _purge(services: Services) -> None:
    tombstones.purge_expired(services.engine, utc_now())


def _delete_old_captures(services: Services) -> None:
    kept = timedelta(days=captures.kept_days(services.engine))
    captures.delete_before(services.engine, utc_now() - kept)


def _cut_hours(services: Services) -> None:
    cuts.cut_hours(services.engine, utc_now())


CHORES: tuple[Chore, ...] = (
    # Two, so that a short job does not wait for a long one.
    Chore("jobs", _JOBS_EVERY_S, run_jobs),
    Chore("jobs_beside", _JOBS_EVERY_S, run_jobs),
    Chore("forget_jobs", _HOUR_S, forget_jobs),
    Chore("purge", _HOUR_S, _purge),
    Chore("delete_old_captures", _HOUR_S, _delete_old_captures),
    Chore("alerts", 30.0, find_alerts),
    Chore(DELIVERIES, 10.0, deliver),
    Chore("forget_deliveries", _HOUR_S, forget_deliveries),
    Chore("cut_hours", 60.0, _cut_hours),
    Chore("list_prices", _HOUR_S, take_list_prices),
    Chore("keep_months", _HOUR_S, keep_months),
    Chore("reconcile", 60.0, reconcile),
)
