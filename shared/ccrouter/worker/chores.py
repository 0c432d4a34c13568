"""Every chore there is."""

from ccrouter.worker.chore import Chore

CHORES: tuple[Chore, ...] = ()
