"""Signing in: passwords, tokens, cookies, and the check that every request passes."""

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy import Connection

from ccrouter.access.cookies import cookie, cookie_name
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN, ANYONE, PERMISSIONS
from ccrouter.admin.problems import Problem
from ccrouter.clock import utc_now
from ccrouter.networks import client_address
from ccrouter.storage import sessions, users
from ccrouter.storage.sessions import Session
from ccrouter.storage.users import User

SESSION = timedelta(hours=12)
_COOKIE = "ccr_session"
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class SignIn:
    """Checks passwords and tokens for one installation."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        secret = needs.settings.jwt_secret or ""
        self._key = OctKey.import_key(secret)
        self._csrf_key = hashlib.sha256(b"csrf:" + secret.encode()).digest()
        self._hasher = PasswordHasher()
        self._nobodys_hash = self._hasher.hash(base64.b64encode(self._csrf_key).decode())
        self._secure = needs.settings.secure_cookies
        self.cookie_name = cookie_name(_COOKIE, secure=self._secure)

    def check_password(self, login: str, password: str) -> User | None:
        """The user, None where login or password is wrong; both take the same time."""
        found = users.by_login(self._needs.engine, login)
        user, known = (None, None) if found is None else found
        try:
            self._hasher.verify(known or self._nobodys_hash, password)
        except (VerificationError, InvalidHashError):
            return None
        return user if user is not None and known is not None and user.may_sign_in else None

    def hash_password(self, password: str) -> str:
        """What is stored in place of a password (Argon2id)."""
        return self._hasher.hash(password)

    def start_session(
        self, user: User, request: Request, *, session_id: str | None = None, within: Connection | None = None
    ) -> tuple[str, Session]:
        """Opens a session; returns the token that stands for it. Raises IntegrityError for an id that was used."""
        session = sessions.start(
            within or self._needs.engine,
            user.id,
            utc_now() + SESSION,
            user_agent=request.headers.get("user-agent", "")[:200],
            client_ip=self.client_address(request),
            session_id=session_id,
        )
        claims = {"sub": user.id, "sid": session.id, "exp": int(session.expires_at.timestamp())}
        return jwt.encode({"alg": "HS256"}, claims, self._key), session

    def cookie(self, token: str, max_age: int) -> dict[str, Any]:
        """The arguments for setting the session's cookie."""
        return cookie(_COOKIE, token, max_age, secure=self._secure)

    def csrf_token(self, session: Session) -> str:
        """What a page must send in `X-CSRF-Token`: another site can make a browser send the cookie, but not this."""
        return hmac.new(self._csrf_key, session.id.encode(), hashlib.sha256).hexdigest()

    def client_address(self, request: Request) -> str:
        """Whose call this is."""
        peer = request.client.host if request.client else None
        forwarded = request.headers.get("x-forwarded-for", "")
        return client_address(peer, forwarded, self._needs.settings.trusted_proxies) or "unknown"

    def find_session(self, request: Request) -> tuple[Session, User] | None:
        """Who is signed in, None where nobody is. Raises Problem 403 for a changing call without its CSRF token."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        by_cookie = scheme.lower() != "bearer"
        token = request.cookies.get(self.cookie_name, "") if by_cookie else bearer.strip()
        session_id = self._session_id(token)
        if session_id is None:
            return None
        found = sessions.find_active(self._needs.engine, session_id)
        if found is not None and by_cookie and request.method in _CHANGING:
            shown = request.headers.get("x-csrf-token", "")
            if not hmac.compare_digest(shown.encode(), self.csrf_token(found[0]).encode()):
                raise Problem(
                    403,
                    "With the session cookie a changing call needs the header X-CSRF-Token: csrf_token of "
                    "GET /api/v1/auth/me.",
                    code="csrf",
                )
        return found

    def authorize(self, request: Request) -> None:
        """The dependency of every operation; leaves `user`, `session` and `client_ip` in `request.state`.

        Raises Problem 401 where nobody is signed in, 403 where the user may not do this.
        """
        request.state.client_ip = self.client_address(request)
        who = PERMISSIONS[request.scope["route"].operation_id]
        if who == ANYONE:
            return
        found = self.find_session(request)
        if found is None:
            raise Problem(
                401, "Sign in first: POST /api/v1/auth/login.", headers={"WWW-Authenticate": 'Bearer realm="ccrouter"'}
            )
        request.state.session, request.state.user = found
        if who == ADMIN and found[1].role != ADMIN:
            raise Problem(403, "Only an administrator may do this.")

    def _session_id(self, token: str) -> str | None:
        if not token:
            return None
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"]).claims
            jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
        except (JoseError, ValueError):
            return None
        session_id = claims.get("sid")
        return session_id if isinstance(session_id, str) else None
