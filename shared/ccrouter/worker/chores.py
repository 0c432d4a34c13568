"""Every chore there is."""

from datetime import timedelta

from ccrouter.clock import utc_now
from ccrouter.services import Services
from ccrouter.storage import captures, tombstones
from ccrouter.worker.chore import Chore
from ccrouter.worker.log_months import keep_months

_HOUR_S = 3600.0


def _purge(services: Services) -> None:
    tombstones.purge_expired(services.engine, utc_now())


def _delete_old_captures(services: Services) -> None:
    kept = timedelta(days=captures.kept_days(services.engine))
    captures.delete_before(services.engine, utc_now() - kept)


CHORES: tuple[Chore, ...] = (
    Chore("purge", _HOUR_S, _purge),
    Chore("delete_old_captures", _HOUR_S, _delete_old_captures),
    Chore("keep_months", _HOUR_S, keep_months),
)
