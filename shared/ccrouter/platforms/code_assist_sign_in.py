"""How Antigravity's tokens are renewed and its project is found: requests and answers, no I/O (antigravity.md §3)."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from ccrouter import __version__
from ccrouter.clock import rfc3339
from ccrouter.credentials.kinds import GOOGLE_TOKEN_URL, Credential
from ccrouter.errors import SignInFailed
from ccrouter.http import HttpRequest
from ccrouter.platforms.antigravity import BASE_URL, PRODUCT

# The enums hold products' names; these values name none (antigravity.md §1.1).
_METADATA = {"ideType": "IDE_UNSPECIFIED", "platform": "PLATFORM_UNSPECIFIED", "pluginType": "PLUGIN_UNSPECIFIED"}


def refresh_request(credential: Credential) -> HttpRequest:
    """Asks for a new access token, in the operator's own client's name."""
    auth = credential.auth
    form = {
        "grant_type": "refresh_token",
        "refresh_token": auth["refresh_token"],
        "client_id": auth["client_id"],
        "client_secret": auth["client_secret"],
    }
    headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
    url = str(credential.options.get("token_url") or GOOGLE_TOKEN_URL)
    return HttpRequest("POST", url, headers, urlencode(form).encode(), credential.open_network)


def read_refresh(credential: Credential, status: int, body: bytes, now: datetime) -> dict[str, Any]:
    """The credential's new `auth`; the refresh token stays where none is given. Raises SignInFailed."""
    members = _members(body)
    token, lifetime = members.get("access_token"), members.get("expires_in")
    if status == 200 and isinstance(token, str) and token:
        lifetime = lifetime if isinstance(lifetime, int) and lifetime > 0 else 3599
        auth = {**credential.auth, "access_token": token, "expires_at": rfc3339(now + timedelta(seconds=lifetime))}
        if isinstance(refresh := members.get("refresh_token"), str) and refresh:
            auth["refresh_token"] = refresh
        return auth
    code, words = members.get("error"), members.get("error_description")
    said = str(words or code or f"status {status}")[:300]
    if code == "invalid_grant":
        raise SignInFailed(
            f"The sign-in to Google has ended ({said}) Sign in again, and give this credential the new refresh token.",
            needs_login=True,
        )
    if code in ("invalid_client", "unauthorized_client"):
        raise SignInFailed(
            f"Google does not know this credential's OAuth client ({said}); correct client_id and client_secret.",
            needs_login=True,
        )
    raise SignInFailed(f"Google gave no token ({said}).", needs_login=False)


def project_request(credential: Credential) -> HttpRequest:
    """Asks which project the account's requests belong to."""
    base = (credential.base_url or BASE_URL).rstrip("/")
    headers = [
        ("authorization", f"Bearer {credential.auth['access_token']}"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("user-agent", f"{PRODUCT}/{__version__}"),
    ]
    body = msgspec.json.encode({"metadata": _METADATA})
    return HttpRequest("POST", f"{base}/v1internal:loadCodeAssist", headers, body, credential.open_network)


def read_project(status: int, body: bytes) -> str:
    """The project. Raises SignInFailed, with what an administrator must do."""
    members = _members(body)
    if status != 200:
        raise SignInFailed(f"Antigravity does not say which project to use (status {status}).", needs_login=False)
    found = members.get("cloudaicompanionProject")
    if isinstance(found, dict):
        found = found.get("id")
    if members.get("currentTier") and isinstance(found, str) and found:
        return found
    if members.get("currentTier"):
        raise SignInFailed(
            "Antigravity names no project for this account; an administrator must set options.project.",
            needs_login=False,
        )
    raise SignInFailed(
        f"This account is not set up for Antigravity yet. {_hindrance(members)}".strip(), needs_login=False
    )


def _hindrance(members: dict[str, Any]) -> str:
    """Why the account cannot be set up, in the service's words, with the address where a person can help."""
    tiers = members.get("ineligibleTiers")
    for tier in tiers if isinstance(tiers, list) else ():
        if isinstance(tier, dict):
            words = (tier.get("reasonMessage") or tier.get("reasonCode"), tier.get("validationUrl"))
            return " ".join(str(word) for word in words if word)
    return "Set it up in the product itself first."


def _members(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
