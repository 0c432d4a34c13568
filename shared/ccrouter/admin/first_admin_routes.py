"""Set-up: who becomes the first administrator of an installation."""

from fastapi import APIRouter, Request, Response

from ccrouter.admin.account_schemas import SetUpInput, TokenView
from ccrouter.admin.attempts import Attempts
from ccrouter.admin.needs import Needs
from ccrouter.admin.problems import Problem
from ccrouter.admin.sign_in import SignIn
from ccrouter.admin.signed_in import signed_in
from ccrouter.storage import first_admin
from ccrouter.storage.first_admin import SetUpClosed


def first_admin_routes(needs: Needs, sign_in: SignIn) -> APIRouter:
    """The route `/setup`."""
    routes = APIRouter(tags=["account"])
    attempts = Attempts(lambda: needs.redis_sync)

    @routes.post("/setup", operation_id="setUp", summary="Make the first administrator", status_code=201)
    def set_up(body: SetUpInput, request: Request, response: Response) -> TokenView:
        """Make the administrator `admin` and sign in, with the one-time code that the start or the deploy printed.

        Open while `setup_open` in `GET /meta` is true; afterwards 409.
        """
        client_ip = request.state.client_ip
        attempts.check([f"setup:{client_ip}"])
        password_hash = sign_in.hash_password(body.password)
        try:
            user = first_admin.make(needs.engine, body.code, password_hash, name=body.name, client_ip=client_ip)
        except SetUpClosed:
            raise Problem(409, "There is an administrator already: sign in.", code="setup_closed") from None
        if user is None:
            attempts.failed([f"setup:{client_ip}"])
            raise Problem(
                403,
                "This is not the one-time code. The router prints it when it starts without an administrator.",
                code="wrong_setup_code",
            )
        return signed_in(needs, sign_in, user, request, response)

    return routes
