"""How Kiro's tokens are got and renewed: requests and how their answers are read, no I/O (kiro.md §3.3, §3.4, §3.7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ccrouter.clock import rfc3339
from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.platforms.kiro_account import BUILDER_ID_START, DEFAULT_REGION, PRODUCT, USER_AGENT, KiroAccount

_SCOPES = ("codewhisperer:completions", "codewhisperer:analysis", "codewhisperer:conversations")
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER_BY_S = 5.0
_DEAD = ("invalidgrant", "expiredtoken", "invalidtoken", "invalidclient", "expiredclient", "client is expired")
"""What an answer says whose sign-in only a person can renew; underscores and case do not count."""


def refresh_request(credential: Credential) -> HttpRequest:
    """Asks for a new access token."""
    auth, account = credential.auth, KiroAccount(credential)
    if account.method == "social":
        body = {"refreshToken": auth["refresh_token"]}
        return _post(f"{account.token_url}/refreshToken", body, credential.open_network)
    body = {
        "clientId": auth.get("client_id"),
        "clientSecret": auth.get("client_secret"),
        "grantType": "refresh_token",
        "refreshToken": auth["refresh_token"],
    }
    return _post(f"{account.token_url}/token", body, credential.open_network)


def read_refresh(credential: Credential, status: int, headers: Headers, body: bytes, now: datetime) -> dict[str, Any]:
    """The credential's new `auth`; what the answer leaves out stays as it was. Raises SignInFailed."""
    members = _members(body)
    if status == 200 and isinstance(members.get("accessToken"), str) and members["accessToken"]:
        return {**credential.auth, **_tokens(members, now)}
    code, words = _code(headers, members), _words(members)
    social_refusal = KiroAccount(credential).method == "social" and status in (401, 403)
    if social_refusal or (400 <= status < 500 and _is_dead(code, words)):
        raise SignInFailed(
            f"The sign-in to Kiro has ended ({words or code or f'status {status}'}). "
            "Sign in again, and give this credential the new tokens.",
            needs_login=True,
        )
    raise SignInFailed(
        f"Kiro's sign-in service gave no token (status {status}{f', {words}' if words else ''}).", needs_login=False
    )


@dataclass(frozen=True, slots=True)
class Registration:
    """This product as a client of AWS's sign-in service, good until `expires_at`."""

    client_id: str
    client_secret: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a person must do: open `url`, compare `user_code`. `interval_s` is how often may be asked."""

    device_code: str
    user_code: str
    url: str
    expires_in_s: float
    interval_s: float


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer to a question for tokens: the members of `auth`, or how long to wait before asking again."""

    auth: dict[str, Any] | None
    interval_s: float


def oidc_url(region: str = DEFAULT_REGION) -> str:
    """AWS's sign-in service."""
    return f"https://oidc.{region}.amazonaws.com"


def register_request(base_url: str) -> HttpRequest:
    """Registers this product, under its own name."""
    body = {
        "clientName": PRODUCT,
        "clientType": "public",
        "scopes": list(_SCOPES),
        "grantTypes": [_DEVICE_GRANT, "refresh_token"],
    }
    return _post(f"{base_url}/client/register", body)


def read_registration(status: int, headers: Headers, body: bytes) -> Registration:
    """Raises SignInFailed."""
    members = _answered(status, headers, body, "clientId", "clientSecret")
    expires_at = members.get("clientSecretExpiresAt")
    return Registration(members["clientId"], members["clientSecret"], expires_at if isinstance(expires_at, int) else 0)


def device_request(base_url: str, registration: Registration, start_url: str = BUILDER_ID_START) -> HttpRequest:
    """Begins a sign-in on another device."""
    body = {
        "clientId": registration.client_id,
        "clientSecret": registration.client_secret,
        "startUrl": start_url,
    }
    return _post(f"{base_url}/device_authorization", body)


def read_device(status: int, headers: Headers, body: bytes) -> DeviceCode:
    """Raises SignInFailed."""
    members = _answered(status, headers, body, "deviceCode", "userCode")
    url = members.get("verificationUriComplete") or members.get("verificationUri")
    return DeviceCode(
        members["deviceCode"],
        members["userCode"],
        url if isinstance(url, str) else "",
        _seconds(members.get("expiresIn"), 600.0),
        _seconds(members.get("interval"), 5.0),
    )


def token_request(base_url: str, registration: Registration, code: DeviceCode) -> HttpRequest:
    """Asks whether the person has finished."""
    body = {
        "clientId": registration.client_id,
        "clientSecret": registration.client_secret,
        "grantType": _DEVICE_GRANT,
        "deviceCode": code.device_code,
    }
    return _post(f"{base_url}/token", body)


def read_token(
    registration: Registration, interval_s: float, status: int, headers: Headers, body: bytes, now: datetime
) -> Asked:
    """What came of it. Raises SignInFailed where it came to an end without tokens."""
    members = _members(body)
    if status == 200 and isinstance(members.get("accessToken"), str):
        auth = {
            "auth_method": "idc",
            "client_id": registration.client_id,
            "client_secret": registration.client_secret,
            **_tokens(members, now),
        }
        if registration.expires_at:
            auth["client_secret_expires_at"] = registration.expires_at
        return Asked(auth, interval_s)
    code = _plain(_code(headers, members))
    if code.startswith("authorizationpending"):
        return Asked(None, interval_s)
    if code.startswith("slowdown"):
        return Asked(None, interval_s + _SLOWER_BY_S)
    said = {"expiredtoken": "It was not confirmed in time.", "accessdenied": "It was declined."}
    words = next((text for name, text in said.items() if code.startswith(name)), _words(members) or f"Status {status}.")
    raise SignInFailed(f"The sign-in to Kiro did not succeed. {words}", needs_login=True)


def _tokens(members: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {
        "access_token": members["accessToken"],
        "expires_at": rfc3339(now + timedelta(seconds=_seconds(members.get("expiresIn"), 3600.0))),
    }
    for theirs, ours in (("refreshToken", "refresh_token"), ("profileArn", "profile_arn")):
        if isinstance(value := members.get(theirs), str) and value:
            found[ours] = value
    return found


def _answered(status: int, headers: Headers, body: bytes, *needed: str) -> dict[str, Any]:
    members = _members(body)
    if status != 200 or not all(isinstance(members.get(name), str) for name in needed):
        words = _words(members) or _code(headers, members) or f"status {status}"
        raise SignInFailed(f"AWS's sign-in service answered: {words}", needs_login=False)
    return members


def _is_dead(code: str, words: str) -> bool:
    said = f"{_plain(code)} {words.lower()}"
    return any(mark in said for mark in _DEAD)


def _code(headers: Headers, members: Mapping[str, Any]) -> str:
    """The error's name, wherever it stands."""
    for value in (members.get("error"), header(headers, "x-amzn-errortype"), members.get("__type")):
        if isinstance(value, str) and value:
            return value.partition(":")[0].rpartition("#")[2]
    return ""


def _plain(code: str) -> str:
    return code.replace("_", "").lower()


def _words(members: Mapping[str, Any]) -> str:
    for name in ("error_description", "message", "Message"):
        if isinstance(value := members.get(name), str) and value:
            return value[:300]
    return ""


def _seconds(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 else otherwise


def _members(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _post(url: str, body: dict[str, Any], open_network: bool = False) -> HttpRequest:
    headers = [("content-type", "application/json"), ("accept", "application/json"), ("user-agent", USER_AGENT)]
    return HttpRequest("POST", url, headers, msgspec.json.encode(body), open_network)
