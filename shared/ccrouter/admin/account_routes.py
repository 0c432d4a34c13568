"""Signing in and out, and the own account."""

from fastapi import APIRouter, Request, Response

from ccrouter.admin.account_schemas import LoginInput, MeInput, MetaView, MeView, ProviderView, TokenView
from ccrouter.admin.attempts import Attempts
from ccrouter.admin.audit_routes import note
from ccrouter.admin.editing import not_found
from ccrouter.admin.needs import Needs
from ccrouter.admin.problems import Problem, invalid
from ccrouter.admin.schemas import Page
from ccrouter.admin.settings_routes import public_url
from ccrouter.admin.sign_in import SignIn
from ccrouter.admin.signed_in import me_view, signed_in
from ccrouter.admin.user_schemas import SignedInView
from ccrouter.storage import audit, sessions, site_settings, users
from ccrouter.storage.sessions import Session
from ccrouter.storage.users import User


def account_routes(needs: Needs, sign_in: SignIn) -> APIRouter:
    """The routes under `/auth`, and `/meta`."""
    routes = APIRouter(tags=["account"])
    attempts = Attempts(lambda: needs.redis_sync)

    @routes.post("/auth/login", operation_id="login")
    def login(body: LoginInput, request: Request, response: Response) -> TokenView:
        """Sign in with a password. The token is also set as a cookie."""
        names = [f"login:{body.username}", f"address:{request.state.client_ip}"]
        attempts.check(names)
        user = sign_in.check_password(body.username, body.password)
        if user is None:
            attempts.failed(names)
            with needs.engine.begin() as connection:
                audit.note(
                    connection,
                    actor="sign-in",
                    action="session.start",
                    kind="session",
                    object_id=None,
                    after={"login": body.username},
                    client_ip=request.state.client_ip,
                    failed=True,
                )
            raise Problem(401, "User name or password is wrong.", code="wrong_password")
        attempts.succeeded(names[0])
        return signed_in(needs, sign_in, user, request, response)

    @routes.post("/auth/logout", operation_id="logout", status_code=204)
    def logout(request: Request, response: Response) -> None:
        """End the session. Without one, nothing happens."""
        found = sign_in.find_session(request)
        if found is not None:
            session, user = found
            with needs.engine.begin() as connection:
                sessions.revoke(connection, session.id)
                request.state.user = user
                note(connection, request, "session.end", session.id)
        response.set_cookie(**sign_in.cookie("", 0))

    @routes.get("/auth/me", operation_id="getMe")
    def me(request: Request) -> MeView:
        """Who is signed in."""
        return me_view(needs, sign_in, request.state.user, request.state.session)

    @routes.patch("/auth/me", operation_id="changeMe")
    def change_me(body: MeInput, request: Request) -> MeView:
        """Change name, language, theme or password."""
        user: User = request.state.user
        if body.password is not None:
            if needs.settings.admin_password is not None and user.login == "admin":
                raise invalid("password", "is set by ADMIN_PASSWORD at every start; change it there")
            # A session that somebody has come by must not be a place to guess the password at.
            names = [f"password:{user.id}"]
            attempts.check(names)
            if sign_in.check_password(user.login, body.password.current) is None:
                attempts.failed(names)
                raise invalid("password.current", "is not the current password", code="wrong_password")
        changes = body.model_dump(exclude_unset=True, exclude={"password"})
        with needs.engine.begin() as connection:
            changed = users.change(connection, user.id, changes) if changes else user
            secret = {}
            if body.password is not None:
                secret = {"password": ""}
                users.set_password_hash(connection, user.id, sign_in.hash_password(body.password.new))
                # Whoever knew the former one may be signed in with it.
                sessions.revoke_all(connection, user.id, but=request.state.session.id)
            before, after = ({name: getattr(of, name) for name in changes} for of in (user, changed or user))
            note(connection, request, "user.change", user.id, before=before, after=after | secret)
        return me_view(needs, sign_in, changed or user, request.state.session)

    @routes.get("/auth/sessions", operation_id="listMySessions", summary="List the own sessions")
    def list_my_sessions(request: Request) -> Page[SignedInView]:
        """Where the caller is signed in, newest first; all in one part."""
        found = sessions.of_user(needs.engine, request.state.user.id)
        return Page(items=[_session(item, request.state.session.id) for item in found], next_cursor=None)

    @routes.delete(
        "/auth/sessions/{session_id}", operation_id="endMySession", summary="End an own session", status_code=204
    )
    def end_my_session(session_id: str, request: Request) -> None:
        """Sign out somewhere else. `POST /users/{id}/sign-out` does it everywhere."""
        user: User = request.state.user
        with needs.engine.begin() as connection:
            if not sessions.revoke(connection, session_id, user_id=user.id):
                raise not_found("session")
            note(connection, request, "session.end", session_id)

    @routes.get("/auth/providers", operation_id="getSignInProviders")
    def providers() -> Page[ProviderView]:
        """The ways to sign in that are open here; a page leads people to `url`, where there is one."""
        return Page(items=_providers(), next_cursor=None)

    @routes.get("/meta", operation_id="getMeta")
    def meta() -> MetaView:
        """What a page must know before anybody signs in."""
        values = site_settings.read(needs.engine).values
        return MetaView(
            version=needs.version,
            sign_in=[provider.id for provider in _providers()],
            public_url=public_url(needs.settings, values["public_url"]),
            setup_open=users.count_admins(needs.engine) == 0,
            time_zone=values["time_zone"],
        )

    def _providers() -> list[ProviderView]:
        found = []
        if users.has_passwords(needs.engine):
            found.append(ProviderView(id="password", name="Password", url=None))
        if needs.settings.github_on:
            found.append(ProviderView(id="github", name="GitHub", url="/api/v1/auth/github"))
        return found

    return routes


def _session(session: Session, current: str) -> SignedInView:
    return SignedInView(
        id=session.id,
        created_at=session.created_at,
        expires_at=session.expires_at,
        user_agent=session.user_agent,
        client_ip=session.client_ip,
        current=session.id == current,
    )
