"""Setting an account up at its platform, which only an administrator begins (antigravity.md §3.2)."""

from fastapi import APIRouter, Request

from ccrouter.admin.editing import not_found
from ccrouter.admin.job_routes import view_of
from ccrouter.admin.job_schemas import JobView
from ccrouter.admin.needs import Needs
from ccrouter.admin.problems import invalid
from ccrouter.storage import audit, credentials, jobs
from ccrouter.storage.jobs import SET_UP


def set_up_routes(needs: Needs) -> APIRouter:
    """The route `/credentials/{id}/set-up`."""
    routes = APIRouter()

    @routes.post(
        "/credentials/{credential_id}/set-up",
        operation_id="setUpCredential",
        summary="Set an account up at its platform",
        status_code=202,
        tags=["credentials"],
    )
    def set_up_credential(credential_id: str, request: Request) -> JobView:
        """Let Google set an account of `antigravity` up that is not yet: this changes the account there.

        Takes up to two minutes; the job says how it went.
        """
        found = credentials.get(needs.engine, credential_id)
        if found is None or found.deleted_at is not None:
            raise not_found("credential")
        if found.platform != "antigravity":
            raise invalid("id", f"is a credential of {found.platform}, whose accounts are not set up from here")
        if not found.options.get("acknowledged"):
            raise invalid("options.acknowledged", "must be set first: you must hold the right to use this account here")
        with needs.engine.begin() as connection:
            job = jobs.create(connection, SET_UP, request.state.user.id, {"credential_id": found.id})
            audit.note(
                connection,
                actor=request.state.user,
                action="credential.set-up",
                kind="credential",
                object_id=found.id,
                client_ip=request.state.client_ip,
            )
        return view_of(job)

    return routes
