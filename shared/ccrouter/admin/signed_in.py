"""What somebody gets who has just signed in, and who asks for the own account."""

from fastapi import Request, Response

from ccrouter.admin.account_schemas import KeyRulesView, MeView, TokenView
from ccrouter.admin.member_rules import read_rules
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN, permissions_of
from ccrouter.admin.sign_in import SESSION, SignIn
from ccrouter.admin.user_views import user_view
from ccrouter.storage import audit, users
from ccrouter.storage.sessions import Session
from ccrouter.storage.users import User


def signed_in(needs: Needs, sign_in: SignIn, user: User, request: Request, response: Response) -> TokenView:
    """Opens a session: its token, also as a cookie."""
    with needs.engine.begin() as connection:
        token, session = sign_in.start_session(user, request, within=connection)
        users.touch(connection, user.id)
        audit.note(
            connection,
            actor=user,
            action="session.start",
            kind="session",
            object_id=session.id,
            after={"by": "password"},
            client_ip=request.state.client_ip,
        )
    lasts_s = int(SESSION.total_seconds())
    response.set_cookie(**sign_in.cookie(token, lasts_s))
    return TokenView(access_token=token, expires_in=lasts_s, user=me_view(needs, sign_in, user, session))


def me_view(needs: Needs, sign_in: SignIn, user: User, session: Session) -> MeView:
    """A user as shown to that user."""
    shown = user_view(needs.engine, user).model_dump()
    return MeView(
        **shown,
        key_rules=None if user.role == ADMIN else _key_rules(needs),
        permissions=permissions_of(user.role),
        csrf_token=sign_in.csrf_token(session),
    )


def _key_rules(needs: Needs) -> KeyRulesView:
    rules = read_rules(needs.engine)
    return KeyRulesView(
        may_create_keys=rules.may_create_keys,
        max_keys=rules.max_keys,
        allowed_platforms=rules.allowed_platforms,
        own_mapping=rules.mapping is None,
    )
