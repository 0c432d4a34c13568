"""Cookies of this installation: out of reach of scripts, and over TLS bound to the one host that sets them."""

from typing import Any


def cookie_name(name: str, *, secure: bool) -> str:
    """The name as a browser keeps it: with `__Host-` it refuses one that another host or path has set."""
    return f"__Host-{name}" if secure else name


def cookie(name: str, value: str, max_age_s: int, *, secure: bool) -> dict[str, Any]:
    """The arguments for setting a cookie; an empty one of no age takes it away.

    Lax, not Strict: the way back from GitHub begins on another site.
    """
    return {
        "key": cookie_name(name, secure=secure),
        "value": value,
        "max_age": max_age_s,
        "path": "/",
        "secure": secure,
        "httponly": True,
        "samesite": "lax",
    }
