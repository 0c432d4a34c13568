"""Signing in to a platform over the admin API."""

from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from ccrouter.admin.needs import Needs
from ccrouter.admin.platform_sign_ins import PlatformSignIns
from ccrouter.admin.problems import invalid
from ccrouter.admin.settings_routes import public_url
from ccrouter.admin.sign_in_schemas import PlatformCodeInput, PlatformSignInInput, PlatformSignInView
from ccrouter.storage import site_settings
from ccrouter.storage.sign_ins import StoredSignIn


def platform_sign_in_routes(needs: Needs) -> APIRouter:
    """The routes under `/credentials/sign-in`."""
    routes = APIRouter(prefix="/credentials/sign-in", tags=["credentials"])
    flows = PlatformSignIns(needs)

    @routes.post("", operation_id="beginPlatformSignIn", summary="Sign in to a platform", status_code=201)
    async def begin(body: PlatformSignInInput, request: Request, response: Response) -> PlatformSignInView:
        """Begin a sign-in that a person confirms in a browser; a credential comes of it.

        Open `url`, then ask `GET …/sign-in/{id}` every few seconds until the state is no longer `pending`.
        """
        begun = await flows.begin(body, request.state.user.id, request.state.client_ip)
        response.headers["Location"] = f"/api/v1/credentials/sign-in/{begun.id}"
        return _view(begun)

    @routes.get(
        "/callback",
        operation_id="returnFromPlatform",
        summary="Where Google sends the browser",
        status_code=303,
        response_class=RedirectResponse,
        responses={303: {"description": "To the page of the platforms"}},
    )
    async def come_back(
        state: Annotated[str, Query(max_length=200, description="What the sign-in was begun with; good once")],
        code: Annotated[str | None, Query(max_length=4000, description="What the tokens are asked for with")] = None,
        error: Annotated[str | None, Query(max_length=200, description="Why there is no code")] = None,
        scope: Annotated[str | None, Query(max_length=4000, description="What was granted")] = None,
        iss: Annotated[str | None, Query(max_length=500, description="Who granted it")] = None,
        authuser: Annotated[str | None, Query(max_length=100, description="Which of the browser's accounts")] = None,
        prompt: Annotated[str | None, Query(max_length=100, description="What was asked")] = None,
        hd: Annotated[str | None, Query(max_length=300, description="The account's organisation")] = None,
    ) -> RedirectResponse:
        """End a sign-in at Google and go on to the pages; not for programs."""
        ended = await flows.take(state, code, error)
        settings = await run_in_threadpool(site_settings.read, needs.engine)
        home = public_url(needs.settings, settings.values["public_url"])
        return RedirectResponse(f"{home}/platforms?sign_in={ended.id}", 303)

    @routes.get("/{sign_in_id}", operation_id="getPlatformSignIn", summary="Ask how far a sign-in is")
    async def look(sign_in_id: str) -> PlatformSignInView:
        """How far it is; the credential once it is done."""
        return _view(await flows.look(sign_in_id))

    @routes.post("/{sign_in_id}", operation_id="finishPlatformSignIn", summary="Give the address the browser ended on")
    async def finish(sign_in_id: str, body: PlatformCodeInput) -> PlatformSignInView:
        """End a sign-in at Google whose `redirect_uri` does not lead to this router."""
        try:
            query = parse_qs(urlsplit(body.url).query)
        except ValueError:
            query = {}
        state, code, error = (query.get(name, [None])[0] for name in ("state", "code", "error"))
        if state is None or (code is None and error is None):
            raise invalid("url", "must be the whole address, with state and code")
        return _view(await flows.take(state, code, error, only=sign_in_id))

    return routes


def _view(found: StoredSignIn) -> PlatformSignInView:
    return PlatformSignInView(
        id=found.id,
        platform=found.platform,
        flow="device" if found.platform == "kiro" else "code",
        state=found.state,
        url=found.url or None,
        user_code=found.user_code,
        credential_id=found.credential_id,
        error=found.error,
        created_at=found.created_at,
        expires_at=found.expires_at,
    )
