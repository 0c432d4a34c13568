"""How Antigravity's tokens are renewed, its project is found and an account is set up: no I/O (antigravity.md §3)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from ccrouter.clock import rfc3339
from ccrouter.credentials.kinds import GOOGLE_TOKEN_URL, Credential
from ccrouter.errors import SignInFailed
from ccrouter.http import HttpRequest
from ccrouter.platforms.code_assist_calls import call, look_up, members_of

# The enums hold products' names; these values name none (antigravity.md §1.1).
_METADATA = {"ideType": "IDE_UNSPECIFIED", "platform": "PLATFORM_UNSPECIFIED", "pluginType": "PLUGIN_UNSPECIFIED"}
_FREE_TIER, _OTHER_TIER = "free-tier", "legacy-tier"
_OPERATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_/-]{0,200}")
USUAL_LIFETIME_S = 3599
"""Of a token that does not say when it ends."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the service says of an account: its tier, None where it is not set up yet, and the project it has.

    `hindrance` is why it cannot be set up; `offered` the tier it would get.
    """

    tier: str | None
    project: str | None
    offered: str = _OTHER_TIER
    hindrance: str = ""


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
    members = members_of(body)
    if status == 200 and (found := read_token(members, now)) is not None:
        auth = {**credential.auth, **found}
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


def read_token(members: dict[str, Any], now: datetime) -> dict[str, Any] | None:
    """The members of `auth` for an access token, with the moment at which it ends; None where there is none."""
    token, lifetime = members.get("access_token"), members.get("expires_in")
    if not isinstance(token, str) or not token:
        return None
    seconds = lifetime if type(lifetime) is int and 0 < lifetime < 10**9 else USUAL_LIFETIME_S
    return {"access_token": token, "expires_at": rfc3339(now + timedelta(seconds=seconds))}


def account_request(credential: Credential) -> HttpRequest:
    """Asks for the account's tier and project."""
    chosen = credential.options.get("project")
    named = {"cloudaicompanionProject": chosen} if chosen else {}
    return call(credential, "loadCodeAssist", {**named, "metadata": _METADATA})


def read_account(status: int, body: bytes) -> Account:
    """What it says. Raises SignInFailed where it says nothing."""
    members = members_of(body)
    if status != 200:
        raise SignInFailed(f"Antigravity does not say which project to use (status {status}).", needs_login=False)
    current, allowed = members.get("currentTier"), members.get("allowedTiers")
    tiers = [tier for tier in allowed if isinstance(tier, dict)] if isinstance(allowed, list) else []
    offered = next((tier["id"] for tier in tiers if tier.get("isDefault") and isinstance(tier.get("id"), str)), None)
    return Account(
        tier=str(current.get("name") or current.get("id") or "") if isinstance(current, dict) and current else None,
        project=_project_of(members),
        offered=offered or _OTHER_TIER,
        hindrance="" if tiers else _hindrance(members),
    )


def project_of(account: Account) -> str:
    """The account's project. Raises SignInFailed, with what an administrator must do."""
    if account.tier is None:
        advice = account.hindrance or "Set it up here (which changes the account), or in the product itself."
        raise SignInFailed(f"This account is not set up for Antigravity yet. {advice}", needs_login=False)
    if account.project is None:
        raise SignInFailed(
            "Antigravity names no project for this account; an administrator must set options.project.",
            needs_login=False,
        )
    return account.project


def set_up_request(credential: Credential, account: Account) -> HttpRequest:
    """Asks for the account to be set up. Raises SignInFailed where the service says that it cannot be."""
    if account.hindrance:
        raise SignInFailed(f"Antigravity does not let this account be set up. {account.hindrance}", needs_login=False)
    chosen = credential.options.get("project")
    # With a project the free tier is refused (Precondition Failed).
    named = {"cloudaicompanionProject": chosen} if chosen and account.offered != _FREE_TIER else {}
    return call(credential, "onboardUser", {"tierId": account.offered, **named, "metadata": _METADATA})


def read_set_up(status: int, body: bytes) -> tuple[str | None, bool, str | None]:
    """The operation's name, whether it is done, and the project it has made. Raises SignInFailed."""
    members = members_of(body)
    failed = members.get("error")
    if status != 200 or failed:
        said = failed.get("message") if isinstance(failed, dict) else None
        raise SignInFailed(
            f"Antigravity did not set the account up (status {status}: {str(said or 'no reason')[:300]}).",
            needs_login=False,
        )
    name, response = members.get("name"), members.get("response")
    known = name if isinstance(name, str) and _OPERATION.fullmatch(name) else None
    return known, members.get("done") is True, _project_of(response if isinstance(response, dict) else {})


def progress_request(credential: Credential, operation: str) -> HttpRequest:
    """Asks how far the setting up is."""
    return look_up(credential, operation)


def _project_of(members: dict[str, Any]) -> str | None:
    found = members.get("cloudaicompanionProject")
    if isinstance(found, dict):
        found = found.get("id")
    return found if isinstance(found, str) and found else None


def _hindrance(members: dict[str, Any]) -> str:
    """Why the account cannot be set up, in the service's words, with the address where a person can help."""
    tiers = members.get("ineligibleTiers")
    for tier in tiers if isinstance(tiers, list) else ():
        if isinstance(tier, dict):
            words = (tier.get("reasonMessage") or tier.get("reasonCode"), tier.get("validationUrl"))
            return " ".join(str(word) for word in words if word)
    return ""
