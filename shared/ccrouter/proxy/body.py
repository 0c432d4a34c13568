"""Reads a request's body, once, within the limits of the API (anthropic-messages.md §11.1)."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from ccrouter.errors import InvalidRequest, RequestSlow, RequestTooLarge
from ccrouter.http import Headers, header

BODY_LIMIT = 32 * 1024 * 1024
"""33 554 432 bytes are accepted, one more is 413; for an encoded body the limit holds after decoding too."""

BODY_WITHIN_S = 300.0
"""Long enough for the largest body at 1 Mbit/s; a client that sends a byte now and then holds its place no longer."""

Receive = Callable[[], Awaitable[dict[str, Any]]]


class ClientGone(Exception):
    """The client left before its request was complete."""


def check_content_type(headers: Headers) -> None:
    """Raises InvalidRequest for a body that says it is something else than JSON; saying nothing is fine."""
    value = header(headers, "content-type")
    if value is None:
        return
    kind = value.partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise InvalidRequest(f"content-type: must be application/json, not {value[:100]}")


async def read_body(receive: Receive, headers: Headers) -> bytes:
    """The decoded body. Raises RequestTooLarge, RequestSlow, InvalidRequest (encoding) or ClientGone."""
    length = header(headers, "content-length")
    if length is not None and length.isdecimal() and int(length) > BODY_LIMIT:
        raise _too_large()
    body = await _receive_in_time(receive)
    encoding = (header(headers, "content-encoding") or "identity").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding in ("gzip", "x-gzip"):
        return _gunzip(body)
    raise InvalidRequest(f"content-encoding: {encoding[:50]} is not supported; send gzip or no encoding")


async def _receive_in_time(receive: Receive) -> bytes:
    # As `asyncio.timeout` does it, without what makes that one three times as dear: each request passes here.
    task, is_late = asyncio.current_task(), False
    if task is None:
        raise RuntimeError("a body is read by the task that answers")

    def give_up() -> None:
        nonlocal is_late
        is_late = True
        task.cancel()

    before = task.cancelling()
    timer = asyncio.get_running_loop().call_later(BODY_WITHIN_S, give_up)
    try:
        return await _receive_whole(receive)
    except asyncio.CancelledError:
        if not is_late or task.uncancel() > before:
            raise
        raise RequestSlow(f"The request did not arrive whole within {BODY_WITHIN_S:g} s.") from None
    finally:
        timer.cancel()


async def _receive_whole(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        size += len(piece)
        if size > BODY_LIMIT:
            raise _too_large()
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _gunzip(body: bytes) -> bytes:
    decoder = zlib.decompressobj(wbits=31)
    try:
        decoded = decoder.decompress(body, BODY_LIMIT + 1)
    except zlib.error as error:
        raise InvalidRequest(f"content-encoding: the body is not valid gzip ({error})") from None
    if len(decoded) > BODY_LIMIT:
        raise _too_large()
    if not decoder.eof:
        raise InvalidRequest("content-encoding: the gzip body ends too early")
    if decoder.unused_data:
        # Further members would be legal (RFC 1952 §2.2), but no client sends them; leaving them out would cut the body.
        raise InvalidRequest("content-encoding: something follows the gzip body's one member")
    return decoded


def _too_large() -> RequestTooLarge:
    return RequestTooLarge(f"Request exceeds the maximum size of {BODY_LIMIT} bytes (32 MB).")
