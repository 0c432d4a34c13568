"""Cloud Code Assist beside messages: how its operations are called and their answers are opened (antigravity.md §2)."""

from typing import Any

import msgspec

from ccrouter import __version__
from ccrouter.credentials.kinds import Credential
from ccrouter.http import HttpRequest
from ccrouter.platforms.antigravity import BASE_URL, PRODUCT


def call(credential: Credential, operation: str, members: dict[str, Any]) -> HttpRequest:
    """One operation, in the account's name and under our own."""
    return _request(credential, "POST", f"/v1internal:{operation}", msgspec.json.encode(members))


def look_up(credential: Credential, name: str) -> HttpRequest:
    """How a long operation of this name stands."""
    return _request(credential, "GET", f"/v1internal/{name}", b"")


def members_of(body: bytes) -> dict[str, Any]:
    """An answer's members; none where it is no object."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _request(credential: Credential, method: str, path: str, body: bytes) -> HttpRequest:
    headers = [
        ("authorization", f"Bearer {credential.auth.get('access_token', '')}"),
        ("accept", "application/json"),
        ("user-agent", f"{PRODUCT}/{__version__}"),
    ]
    if body:
        headers.append(("content-type", "application/json"))
    base = (credential.base_url or BASE_URL).rstrip("/")
    return HttpRequest(method, f"{base}{path}", headers, body, credential.open_network)
