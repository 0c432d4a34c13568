"""Who calls: the credential a client shows, and what it says about itself."""

from ccrouter.access.keys import looks_like_key
from ccrouter.http import Headers, header

_TEXT_LIMIT = 200
"""What a row, and the index over sessions, can hold; longer texts are nobody's name."""


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


def said(headers: Headers, name: str) -> str | None:
    """What a client says about itself in a header, cut to a length that a row can keep."""
    return cut(header(headers, name))


def cut(text: str | None) -> str | None:
    """A text of the client's, cut to that length; None for an empty one."""
    return text[:_TEXT_LIMIT] if text else None
