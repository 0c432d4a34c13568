"""The last step of a sign-in with GitHub: from the OAuth door's ticket to a session."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import IntegrityError

from ccrouter.access.cookies import cookie, cookie_name
from ccrouter.access.tickets import TICKET_COOKIE, Ticket, Tickets
from ccrouter.admin.github_admission import admit, is_named
from ccrouter.admin.needs import Needs
from ccrouter.admin.settings_routes import public_url
from ccrouter.admin.sign_in import SESSION, SignIn
from ccrouter.storage import audit, site_settings, users
from ccrouter.storage.site_settings import GithubRules, MemberRules
from ccrouter.storage.users import User


def github_routes(needs: Needs, sign_in: SignIn) -> APIRouter:
    """The route `/auth/github/finish`; the steps before it are the OAuth door's."""
    routes = APIRouter(tags=["account"])
    tickets, secure = Tickets(needs.settings.jwt_secret or ""), needs.settings.secure_cookies

    @routes.get(
        "/auth/github/finish",
        operation_id="finishGithubSignIn",
        summary="Finish a sign-in with GitHub",
        status_code=303,
        response_class=RedirectResponse,
        response_description="To `next`, signed in by cookie, or to the sign-in page with `outcome`",
    )
    def finish_github_sign_in(request: Request) -> RedirectResponse:
        """Make a session of the ticket that the step before has put into a cookie; it is of one use, for a minute.

        Outcomes: `pending` (an administrator must approve), `disabled`, `not_allowed`, `queue_full` (too many wait),
        `expired` (no ticket, an old or a used one).
        """
        ticket = tickets.read_ticket(request.cookies.get(cookie_name(TICKET_COOKIE, secure=secure), ""))
        admitted = "expired" if ticket is None else _admit_once_more(ticket, request.state.client_ip)
        if isinstance(admitted, User) and ticket is not None:
            answer = _sign_in(admitted, ticket, request)
        else:
            answer = _to("/login?" + urlencode({"outcome": admitted}))
        answer.set_cookie(**cookie(TICKET_COOKIE, "", 0, secure=secure))
        return answer

    def _sign_in(user: User, ticket: Ticket, request: Request) -> RedirectResponse:
        try:
            token, session = sign_in.start_session(user, request, session_id=ticket.id)
        except IntegrityError:
            return _to("/login?" + urlencode({"outcome": "expired"}))
        with needs.engine.begin() as connection:
            users.touch(connection, user.id)
            audit.note(
                connection,
                actor=user,
                action="session.start",
                kind="session",
                object_id=session.id,
                after={"by": "github", "github_login": ticket.login},
                client_ip=request.state.client_ip,
            )
        answer = _to(ticket.next)
        answer.set_cookie(**sign_in.cookie(token, int(SESSION.total_seconds())))
        return answer

    def _admit_once_more(ticket: Ticket, client_ip: str) -> User | str:
        try:
            return _admit(ticket, client_ip)
        except IntegrityError:
            # Two first sign-ins of one person at once, or two people who want one login: now the other is there.
            return _admit(ticket, client_ip)

    def _admit(ticket: Ticket, client_ip: str) -> User | str:
        rules = site_settings.read_topic(needs.engine, GithubRules)
        members = site_settings.read_topic(needs.engine, MemberRules)
        named = is_named(rules, ticket, tickets.is_in)
        with needs.engine.begin() as connection:
            return admit(connection, ticket, named=named, rules=rules, members=members, client_ip=client_ip)

    def _to(path: str) -> RedirectResponse:
        stored = site_settings.read(needs.engine).values["public_url"]
        return RedirectResponse(f"{public_url(needs.settings, stored)}{path}", 303)

    return routes
