"""Errors in Anthropic's shape: how they are written, recognised, and made from what other servers say."""

import math
from typing import Any

import msgspec

from ccrouter.errors import NO_RETRY
from ccrouter.http import Headers

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The error type that belongs to a status (anthropic-messages.md §9)."""

MOST_WAIT_S = 31 * 86_400.0
"""A wait of more than a month is not believed; quotas are filled each month at the latest."""
LONGEST_WAIT_S = 60
"""From here on a wait is not told as `retry-after` in errors that we make."""

_MESSAGE_LIMIT = 2_000


def kind_of(status: int) -> str:
    """The error type for a status; `invalid_request_error` for other 4xx, `api_error` for everything else."""
    return KINDS.get(status, "invalid_request_error" if 400 <= status < 500 else "api_error")


def error_body(kind: str, message: str, request_id: str, error_code: str | None = None) -> bytes:
    """An error as JSON: `{"type":"error","error":{"type","message"},"request_id"}`."""
    error: dict[str, Any] = {"type": kind, "message": message}
    if error_code is not None:
        error["details"] = {"error_code": error_code}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


def error_event(kind: str, message: str, request_id: str) -> bytes:
    """The same as an SSE event: it ends a stream, nothing may follow."""
    return b"event: error\ndata: " + error_body(kind, message, request_id) + b"\n\n"


def wait_headers(wait_s: float | None) -> Headers:
    """How a client is told to wait in an error that we put into the shape (anthropic-messages.md §10).

    A wait of a minute or more stops clients instead: SDKs would sleep that long, and Claude Code would give up.
    """
    if wait_s is None:
        return ()
    return (("retry-after", str(max(1, math.ceil(wait_s)))),) if wait_s < LONGEST_WAIT_S else NO_RETRY


def with_wait(message: str, wait_s: float | None) -> str:
    """A message that says how long to wait, where `wait_headers` does not."""
    if wait_s is None or wait_s < LONGEST_WAIT_S:
        return message
    # Some servers name waits of more digits than a number may have.
    hours, minutes = divmod(math.ceil(min(wait_s, MOST_WAIT_S) / 60), 60)
    words = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    return f"{message} (Try again in {words}.)"


def read_error(body: bytes) -> tuple[str, str] | None:
    """Type and message of an error in Anthropic's shape; None for anything else."""
    document = _json(body)
    if not isinstance(document, dict) or document.get("type") != "error":
        return None
    error = document.get("error")
    if not isinstance(error, dict):
        return None
    kind, message = error.get("type"), error.get("message")
    if not isinstance(kind, str) or not isinstance(message, str):
        return None
    return kind, message


def foreign_message(status: int, content_type: str, body: bytes) -> str:
    """What a server of another kind wanted to say, for a person: its JSON's message, its text, or just the status.

    Markup is not shown: an error page says less than its status.
    """
    found = _message_in(_json(body))
    if found is None and content_type.startswith("text/plain"):
        found = body[:_MESSAGE_LIMIT].decode("utf-8", "replace").strip() or None
    if found is None:
        kind = content_type or "no content type"
        return f"The platform answered with status {status} and no message that could be read ({kind})."
    return found[:_MESSAGE_LIMIT]


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _message_in(document: Any) -> str | None:
    if isinstance(document, str):
        return document or None
    if not isinstance(document, dict):
        return None
    for name in ("error", "message", "detail", "error_description", "msg"):
        if name in document and (found := _message_in(document[name])) is not None:
            return found
    return None
