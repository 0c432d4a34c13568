"""Around every request of the admin door: a limit for its body, headers that browsers heed, and no fault unanswered."""

from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ccrouter.admin.problems import Problem, answer_of, answer_to_fault

BODY_LIMIT = 1024 * 1024
"""Nothing that this API takes is larger."""

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_TOO_LARGE = f"The body is larger than {BODY_LIMIT} bytes."


class Hull:
    """A middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if _announced(scope) > BODY_LIMIT:
            await answer_of(Problem(413, _TOO_LARGE))(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, _limited(receive), send_with_headers)
        except Exception as error:
            if started:
                raise
            await answer_to_fault(scope["method"], scope["path"], error)(scope, receive, send_with_headers)


def _announced(scope: Scope) -> int:
    """The length that the request's head gives, 0 where it gives none."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _limited(receive: Receive) -> Receive:
    """Reads no further than the limit, for bodies that announce no length."""
    size = 0

    async def read() -> dict[str, Any]:
        nonlocal size
        message = dict(await receive())
        size += len(message.get("body", b""))
        if size > BODY_LIMIT:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return read
