"""The job that sets an account up at its platform: it changes the account, so that only a person begins it."""

import asyncio
from typing import TYPE_CHECKING

from ccrouter.credentials.kinds import Credential
from ccrouter.credentials.vault import VaultError
from ccrouter.errors import CcrError

if TYPE_CHECKING:
    from ccrouter.services import Services
    from ccrouter.storage.jobs import Job
    from ccrouter.worker.job_kinds import Progress


def set_up_account(services: "Services", job: "Job", progress: "Progress") -> None:
    """See `job_kinds.JobFunction`; `arguments` are `{"credential_id"}`. What is set up already stays as it is."""
    from ccrouter.storage import credentials

    credential_id = str(job.arguments["credential_id"])
    try:
        credential = credentials.open_one(services.engine, services.vault, credential_id)
    except VaultError as error:
        raise CcrError(str(error)) from error
    if credential is None:
        raise CcrError("The credential was deleted.")
    progress(0.0)
    asyncio.run(_set_up(services, credential))
    services.begin_anew(credential_id)


async def _set_up(services: "Services", credential: Credential) -> None:
    # Connections belong to the loop that made them: this one has its own.
    own = type(services).build(services.settings)
    try:
        await own.sign_ins.set_up(credential)
    finally:
        await own.close()
