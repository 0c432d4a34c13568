"""Every chore there is."""

from ccrouter.clock import utc_now
from ccrouter.services import Services
from ccrouter.storage import tombstones
from ccrouter.worker.chore import Chore

_HOUR_S = 3600.0


def _purge(services: Services) -> None:
    tombstones.purge_expired(services.engine, utc_now())


CHORES: tuple[Chore, ...] = (Chore("purge", _HOUR_S, _purge),)
