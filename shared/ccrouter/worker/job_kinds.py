"""Which kinds of jobs there are, and the function that does each."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from ccrouter.storage.jobs import EXPORT, RERATE, SET_UP, Job
from ccrouter.worker.export_logs import export_logs
from ccrouter.worker.rerate_job import rerate
from ccrouter.worker.set_up import set_up_account

if TYPE_CHECKING:
    from ccrouter.services import Services

Progress: TypeAlias = Callable[[float], None]
"""Called now and then with how much is done, from 0 to 1; raises to end work that is no longer this process's."""

JobFunction: TypeAlias = "Callable[[Services, Job, Progress], str | None]"
"""Does a job and answers with the address of its result. Raises CcrError with a sentence for the owner.

It may be begun more than once: what it changes must be whole or not there, whenever its process dies.
"""

JOBS: dict[str, JobFunction] = {
    EXPORT: export_logs,
    RERATE: rerate,
    SET_UP: set_up_account,
}
"""By kind, as `storage.jobs.create` takes it."""
