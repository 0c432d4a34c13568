"""Google's code flow for the operator's own OAuth client: address, request, answer, no I/O (antigravity.md §3.1)."""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from ccrouter.clock import rfc3339
from ccrouter.credentials.kinds import GOOGLE_TOKEN_URL
from ccrouter.errors import SignInFailed
from ccrouter.http import HttpRequest

AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth"
_SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/userinfo.profile",
)


def authorize_url(client_id: str, redirect_uri: str, state: str, verifier: str) -> str:
    """What a person opens. `verifier` is the secret of PKCE, of which Google is shown the hash."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(_SCOPES),
        # A refresh token is given for `offline`, and to those who have agreed before only where they are asked anew.
        "access_type": "offline",
        "prompt": "consent",
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{AUTHORIZE_URL}?{urlencode(query)}"


def code_request(
    client_id: str, client_secret: str, redirect_uri: str, code: str, verifier: str, token_url: str | None
) -> HttpRequest:
    """Asks for the tokens that a code stands for."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": client_id,
        "client_secret": client_secret,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
    return HttpRequest("POST", token_url or GOOGLE_TOKEN_URL, headers, urlencode(form).encode())


def read_code(status: int, body: bytes, now: datetime) -> dict[str, Any]:
    """The tokens as members of `auth`. Raises SignInFailed."""
    try:
        members = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        members = None
    if not isinstance(members, dict):
        members = {}
    refresh, access = members.get("refresh_token"), members.get("access_token")
    if status == 200 and isinstance(refresh, str) and refresh and isinstance(access, str) and access:
        lifetime = members.get("expires_in")
        lifetime = lifetime if isinstance(lifetime, int) and lifetime > 0 else 3599
        expires_at = rfc3339(now + timedelta(seconds=lifetime))
        return {"refresh_token": refresh, "access_token": access, "expires_at": expires_at}
    if status == 200:
        raise SignInFailed("Google gave no refresh token; sign in anew and agree to every question.", needs_login=True)
    said = str(members.get("error_description") or members.get("error") or f"status {status}")[:300]
    raise SignInFailed(f"Google did not take the code ({said}).", needs_login=True)
