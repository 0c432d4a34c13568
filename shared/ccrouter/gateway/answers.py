"""The router's own answers: errors in Anthropic's shape with the headers that belong to them."""

from ccrouter.dialects.anthropic.errors import error_body
from ccrouter.errors import (
    NO_RETRY,
    ApiError,
    BadGateway,
    GatewayTimeout,
    InternalFault,
    SignInFailed,
    Unavailable,
    UpstreamError,
    UpstreamForbidden,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from ccrouter.http import Headers, header


def storage_away() -> Unavailable:
    """What a client gets while PostgreSQL is away and its key is not known."""
    return Unavailable(
        "This router cannot reach its database right now; please try again in a moment.", extra=(("retry-after", "5"),)
    )


def router_fault() -> InternalFault:
    """What a client gets when something happened that nobody foresaw."""
    return InternalFault("The router failed to handle this request; its log names the reason.")


def stopping() -> Unavailable:
    """What a client gets whose answer had not begun when the router was told to stop at once."""
    return Unavailable("This router is stopping; please send the request again.", extra=(("retry-after", "1"),))


def error_answer(error: ApiError, request_id: str) -> tuple[Headers, bytes]:
    """Headers and body of one of our own errors."""
    body = error_body(error.kind, error.message, request_id, error.error_code)
    return (*answer_headers((), request_id, len(body)), *error.extra), body


def refusal_answer(refusal: UpstreamRefused, request_id: str) -> tuple[Headers, bytes]:
    """Headers and body of a platform's error: its own bytes where it has the shape."""
    body = refusal.body or error_body(refusal.kind, refusal.message, request_id)
    headers = [line for line in refusal.headers if line[0] != "content-type"]
    return answer_headers(headers, request_id, len(body)), body


def answer_headers(headers: Headers, request_id: str, length: int | None = None) -> Headers:
    """The platform's headers with ours beside them; `length` for a body that is known whole.

    The platform's `request-id` is kept; ours is always in `x-proxy-request-id` (anthropic-messages.md §10).
    """
    lines = list(headers)
    if header(lines, "request-id") is None:
        lines.append(("request-id", request_id))
    lines.append(("x-proxy-request-id", request_id))
    if length is not None:
        if header(lines, "content-type") is None:
            lines.append(("content-type", "application/json"))
        lines.append(("content-length", str(length)))
    return lines


def own_error(failure: UpstreamError, platform: str) -> ApiError:
    """The answer to a client when the last attempt failed in a way that is no answer of the platform's."""
    if isinstance(failure, UpstreamRefused):
        return Unavailable(
            f"The platform {platform} refused this router's credential (status {failure.status}). "
            "Your own key is fine; an administrator must renew or replace the credential.",
            extra=NO_RETRY,
        )
    if isinstance(failure, SignInFailed):
        # The reason is in the row's attempts and with the credential.
        if failure.needs_login:
            return Unavailable(
                f"This router's sign-in to the platform {platform} has ended. "
                "Your own key is fine; an administrator must sign it in again.",
                extra=NO_RETRY,
            )
        return Unavailable(f"This router could not sign in to the platform {platform}; its log names the reason.")
    # Addresses and reasons of the operator's network are in the row's attempts, not in what clients are told.
    if isinstance(failure, UpstreamForbidden):
        return Unavailable(
            f"The address set for the platform {platform} is not allowed here; an administrator must act.",
            extra=NO_RETRY,
        )
    if isinstance(failure, UpstreamTimeout):
        return GatewayTimeout(f"The platform {platform} did not answer in time.")
    if isinstance(failure, UpstreamUnreachable):
        return BadGateway(f"The platform {platform} could not be reached.")
    return BadGateway(failure.message)
