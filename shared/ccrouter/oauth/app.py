"""The OAuth door's two addresses, and the application of its own that it is where it stands alone (on AWS)."""

from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse

from ccrouter import __version__
from ccrouter.access.cookies import cookie, cookie_name
from ccrouter.access.tickets import NONCE_COOKIE, STATE_S, TICKET_COOKIE, TICKET_S, Tickets
from ccrouter.config import Settings
from ccrouter.oauth.github import Github, SignInFailed

FINISH = "/api/v1/auth/github/finish"


def oauth_routes(settings: Settings) -> APIRouter:
    """The routes of the door, for an application that serves them below `/api/v1`."""
    routes = APIRouter(tags=["account"])
    tickets, github = Tickets(settings.jwt_secret or ""), Github(settings)
    secure = settings.secure_cookies

    @routes.get(
        "/auth/github",
        operation_id="startGithubSignIn",
        summary="Sign in with GitHub",
        status_code=303,
        response_class=RedirectResponse,
        response_description="To GitHub",
    )
    def start_github_sign_in(next: str = "/") -> RedirectResponse:  # noqa: A002 - the name of the parameter
        """Open this address in a browser: it leads to GitHub, back here, and to `next`, a path of this installation.

        Where nobody can sign in, it ends on `/login?outcome=…` of the pages, as the other steps do.
        """
        if not settings.github_on:
            return _login("github_off")
        nonce = tickets.new_nonce()
        state = tickets.write_state(nonce, next)
        answer = _to(github.authorization_url(state, tickets.code_verifier(nonce)))
        answer.set_cookie(**cookie(NONCE_COOKIE, nonce, STATE_S, secure=secure))
        return answer

    @routes.get(
        "/auth/github/callback",
        operation_id="receiveGithubSignIn",
        summary="Come back from GitHub",
        status_code=303,
        response_class=RedirectResponse,
        response_description="To the next step, or to the sign-in page with `outcome`",
    )
    def receive_github_sign_in(request: Request, code: str = "", state: str = "", error: str = "") -> RedirectResponse:
        """GitHub sends browsers here, with a code or an error.

        Outcomes: `denied` (on GitHub), `state` (begun in another browser, or too long ago), `expired` (the code is old
        or used), `rate_limited`, `github_away`, `github_refused` (the OAuth application is not set up rightly),
        `github_off` (none is).
        """
        nonce = request.cookies.get(cookie_name(NONCE_COOKIE, secure=secure), "")
        then = tickets.read_state(state, nonce)
        if not settings.github_on:
            answer = _login("github_off")
        elif then is None or not nonce:
            answer = _login("state")
        elif error or not code:
            answer = _login("denied" if error == "access_denied" else "github_refused")
        else:
            answer = _receive(code, nonce, then)
        # The nonce is of one use, whatever came of it.
        answer.set_cookie(**cookie(NONCE_COOKIE, "", 0, secure=secure))
        return answer

    def _receive(code: str, nonce: str, then: str) -> RedirectResponse:
        try:
            person = github.identify(code, tickets.code_verifier(nonce))
        except SignInFailed as failed:
            return _login(failed.outcome)
        ticket = tickets.write_ticket(
            github_id=person.github_id,
            login=person.login,
            name=person.name,
            avatar_url=person.avatar_url,
            email=person.email,
            organisations=person.organisations,
            then=then,
        )
        answer = _to(FINISH)
        answer.set_cookie(**cookie(TICKET_COOKIE, ticket, TICKET_S, secure=secure))
        return answer

    def _login(outcome: str) -> RedirectResponse:
        return _to(f"{settings.public_url}/login?{urlencode({'outcome': outcome})}")

    return routes


def _to(url: str) -> RedirectResponse:
    # Codes and states stand in the addresses here: nobody keeps these answers or is told where somebody came from.
    return RedirectResponse(url, 303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def create_oauth_app(settings: Settings) -> FastAPI:
    """The door alone."""
    app = FastAPI(
        title="Claude Code Router: sign-in with GitHub",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.include_router(oauth_routes(settings), prefix="/api/v1")
    return app
