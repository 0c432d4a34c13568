"""How the router tells others of something: signed requests in the form of Standard Webhooks.

Checked 2026-11-25 against version 1.0.0 of the specification (standard-webhooks/standard-webhooks, spec/): the headers
`webhook-id`, `webhook-timestamp` and `webhook-signature`, the signature of `id.timestamp.body` by HMAC-SHA256 in base64
after `v1,`, secrets in base64 after `whsec_`, and which answers mean what.
"""

import base64
import hashlib
import hmac
import os
from email.utils import parsedate_to_datetime
from uuid import UUID

import msgspec

from ccrouter import __version__
from ccrouter.clock import epoch_s, monotonic_s
from ccrouter.errors import CcrError
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.ports import SendUpstream

SECRET_PREFIX = "whsec_"  # noqa: S105 - how each begins
_SECRET_BYTES = 32
_HEAD_WITHIN_S = 15.0
_BODY_WITHIN_S = 5.0
_BODY_LIMIT = 64 * 1024
_EXCERPT = 1000
_LATEST_S = 86_400.0
GONE = 410
"""Whoever answers so wants nothing any more."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a request went: with an answer, or with an `error`. `retry_after_s` is what the answer asks for."""

    status: int | None = None
    response: str | None = None
    error: str | None = None
    duration_ms: int = 0
    retry_after_s: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether it was accepted: a redirect is none, since it is not followed."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


def new_secret() -> str:
    """A secret as it is shown."""
    return SECRET_PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


async def send(upstream: SendUpstream, url: str, secret: str, event_id: UUID, body: str) -> Outcome:
    """Sends one event once. Never raises for what the other side does."""
    data, message_id, timestamp = body.encode(), f"msg_{event_id.hex}", int(epoch_s())
    headers: Headers = (
        ("content-type", "application/json"),
        ("user-agent", f"ccrouter/{__version__}"),
        ("webhook-id", message_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", sign(secret, message_id, timestamp, data)),
    )
    began = monotonic_s()

    def since() -> int:
        return round((monotonic_s() - began) * 1000)

    try:
        response = await upstream.send(HttpRequest("POST", url, headers, data, head_within_s=_HEAD_WITHIN_S))
    except CcrError as error:
        return Outcome(error=str(error), duration_ms=since())
    try:
        answer = await response.read_all(_BODY_LIMIT, _BODY_WITHIN_S)
    except CcrError as error:
        # The status is what counts; what else it says is only shown.
        answer = f"({error})".encode()
    finally:
        response.close()
    text = answer.decode("utf-8", "replace").replace("\0", "")[:_EXCERPT]
    return Outcome(
        status=response.status, response=text, duration_ms=since(), retry_after_s=_retry_after_s(response.headers)
    )


def _retry_after_s(headers: Headers) -> float | None:
    value = header(headers, "retry-after")
    if value is None:
        return None
    try:
        seconds = float(value) if value.isdigit() else parsedate_to_datetime(value).timestamp() - epoch_s()
    except ValueError:
        return None
    return min(max(0.0, seconds), _LATEST_S)
