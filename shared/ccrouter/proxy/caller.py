"""Who calls: the credential a client shows, its address, and what it says about itself."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from ccrouter.access.keys import looks_like_key
from ccrouter.config import Network
from ccrouter.http import Headers, header

_TEXT_LIMIT = 200


def shown_secrets(headers: Headers) -> list[str]:
    """Values that could be our keys, the Bearer one first: where both are valid, it is the one that counts (§2.1)."""
    found = []
    authorization = header(headers, "authorization") or ""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer" and looks_like_key(token.strip()):
        found.append(token.strip())
    api_key = (header(headers, "x-api-key") or "").strip()
    if looks_like_key(api_key) and api_key not in found:
        found.append(api_key)
    return found


def client_address(scope: dict[str, Any], headers: Headers, trusted: Sequence[Network]) -> str | None:
    """The caller's address: the peer's, or what trusted proxies report, read from the right (`product.md` §5)."""
    peer = scope.get("client")
    address = str(peer[0]) if peer else None
    if address is None or not trusted:
        return address
    reported = [part.strip() for part in (header(headers, "x-forwarded-for") or "").split(",") if part.strip()]
    while reported and _is_in(address, trusted):
        nearest = _without_port(reported.pop())
        if nearest is None:
            break
        address = nearest
    return address


def said(headers: Headers, name: str) -> str | None:
    """What a client says about itself in a header, cut to a length that a row can keep."""
    value = header(headers, name)
    return value[:_TEXT_LIMIT] if value else None


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _without_port(text: str) -> str | None:
    """The address in an `x-forwarded-for` part, which may carry a port; None where it is no address."""
    candidates = [text]
    if text.startswith("["):
        candidates = [text[1:].partition("]")[0]]
    elif text.count(":") == 1:
        candidates = [text.partition(":")[0]]
    for candidate in candidates:
        try:
            return str(ipaddress.ip_address(candidate))
        except ValueError:
            continue
    return None
