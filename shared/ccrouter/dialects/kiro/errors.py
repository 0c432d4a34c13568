"""What Kiro's errors mean: one table for HTTP answers and for exceptions in a stream (kiro.md §11)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ccrouter.dialects.anthropic.errors import wait_headers, with_wait
from ccrouter.errors import NO_RETRY, USUAL_STEPS, Consequence, StreamBroken, Trouble, UpstreamRefused, Verdict
from ccrouter.http import Headers, header

SIGNATURE, SCHEMA = "THINKING_SIGNATURE_INVALID", "TOOL_SCHEMA_INVALID"
TOO_LONG_EXCEPTION = "ContentLengthExceededException"
USED_UP = "MONTHLY_REQUEST_COUNT"
IMPROPERLY_FORMED = "improperly formed request"
_PROMPT_TOO_LONG = "prompt is too long"
"""How clients recognise that they must compact (anthropic-messages.md §9.1)."""
_DAILY = "daily_request_count"
_LONGEST_WAIT_S = 31 * 86_400.0
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_SECRET = re.compile(r"ksk_[A-Za-z0-9_-]+|(?<=[Bb]earer )[A-Za-z0-9._~+/-]{20,}=*")

# The modelled exceptions and their statuses: SDK 1.0.45, checked 2026-11-23.
STATUSES = {
    "AccessDeniedException": 403,
    "ConflictException": 409,
    "InternalServerException": 500,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 402,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "ValidationException": 400,
    "error": 500,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of failure. `words` are looked for in message and reason; `statuses` and `names` count as well."""

    status: int
    kind: str
    words: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    verdict: Verdict = Verdict.NEXT_CREDENTIAL
    trouble: Trouble = Trouble.NONE
    on_credential: bool = False
    on_model: bool = False
    repeats: tuple[float, ...] = ()
    renews: str = ""
    lasting: bool = False
    """Whether clients are told not to try again."""
    steps: tuple[float, float] = USUAL_STEPS
    said: str = ""
    """What the client is told in place of the service's words."""


_INVALID = Row(400, "invalid_request_error", statuses=(400, 409), verdict=Verdict.FINAL)
_TOO_LONG = Row(
    400,
    "invalid_request_error",
    ("input is too long", "content_length_exceeds_threshold", "prompt_too_long"),
    (413,),
    (TOO_LONG_EXCEPTION,),
    verdict=Verdict.FINAL,
)
_USED_UP = Row(
    402,
    "billing_error",
    (USED_UP.lower(), "overage_request_limit_exceeded", _DAILY),
    (402,),
    verdict=Verdict.NEXT_TARGET,
    trouble=Trouble.EXHAUSTED,
    on_credential=True,
    lasting=True,
)
_THROTTLED = Row(429, "rate_limit_error", statuses=(429,), trouble=Trouble.THROTTLED, on_model=True, steps=(1.0, 10.0))
_FAULT = Row(500, "api_error", trouble=Trouble.FAULT, on_model=True, repeats=(1.0,))
_TIMEOUT = Row(504, "timeout_error", statuses=(504,), trouble=Trouble.FAULT, on_model=True, repeats=(1.0,))

# In this order, first match wins; the official client looks at the body's words first too, because statuses vary.
ROWS = (
    _TOO_LONG,
    Row(
        529, "overloaded_error", ("insufficient_model_capacity",), trouble=Trouble.THROTTLED, on_model=True,
        repeats=(5.0, 10.0),
    ),
    _USED_UP,
    Row(404, "not_found_error", ("invalid_model_id",), (404,), verdict=Verdict.FINAL),
    Row(400, "invalid_request_error", (SIGNATURE.lower(),), verdict=Verdict.FINAL),
    Row(
        403, "permission_error", ("profilearn is required",), on_credential=True, renews="profile", lasting=True,
        said="The upstream credential needs a Kiro profile; an administrator must set profile_arn.",
    ),
    _INVALID,
    Row(
        401, "authentication_error",
        ("bearer token included in the request is invalid", "token has expired", "token is expired"), (401,),
        trouble=Trouble.UNAUTHORIZED, on_credential=True, renews="token", lasting=True,
        said="Kiro did not accept the upstream credential; an administrator must sign in again.",
    ),
    # The key is good for other operations (kirodotdev/Kiro#7508).
    Row(
        403, "permission_error", ("authentication is not supported for this operation",),
        verdict=Verdict.NEXT_TARGET, on_credential=True, lasting=True,
    ),
    Row(
        403, "permission_error", ("temporarily_suspended", "feature_not_supported", "not authorized"), (403,),
        verdict=Verdict.NEXT_TARGET, trouble=Trouble.REFUSED, on_credential=True, lasting=True,
    ),
    _THROTTLED,
    Row(
        529, "overloaded_error", ("unexpectedly high load", "model_temporarily_unavailable"), (503,),
        ("ServiceUnavailableException",), trouble=Trouble.FAULT, on_model=True, repeats=(1.0, 2.0),
    ),
    _TIMEOUT,
)  # fmt: skip


class KiroRefused(UpstreamRefused):
    """A refusal with the service's own `reason`: what is mended depends on it."""

    reason = ""
    is_throttle = False
    """Whether it is said of short throttling and of used-up plans alike (kirodotdev/Kiro#9193)."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a table alone does not know: the model, the time, and when the plan is filled again, if that is known."""

    model: str
    now: datetime
    renewed_at: datetime | None = None
    can_renew: bool = True
    """Whether the credential's token can be renewed: an API key cannot."""


def read_refusal(status: int, headers: Headers, body: bytes, situation: Situation) -> KiroRefused:
    """An HTTP answer without success; a status below 400 is none that a client may follow."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    members = document if isinstance(document, dict) else {}
    name = header(headers, "x-amzn-errortype") or str(members.get("__type") or "")
    name = name.partition(":")[0].rpartition("#")[2]
    return refusal(name, members, situation, headers=headers, status=502 if status < 400 else status)


def refusal(
    name: str, members: dict[str, Any], situation: Situation, *, headers: Headers = (), status: int | None = None
) -> KiroRefused:
    """The refusal for an exception's name and its `message` and `reason`."""
    status = STATUSES.get(name, 500) if status is None else status
    said = members.get("message", members.get("Message"))
    reason = members.get("reason")
    reason = reason if isinstance(reason, str) else ""
    message = said if isinstance(said, str) and said else f"Kiro upstream answered {status}"
    row = _row_of(f"{message}\n{reason}".lower(), status, name)
    wait_s = _wait_s(row, reason, headers, situation)
    message = masked(message)
    if row is _TOO_LONG and not message.startswith(_PROMPT_TOO_LONG):
        message = f"{_PROMPT_TOO_LONG}: {message}"
    elif row.said:
        message = f"{row.said} ({message})"
    told = NO_RETRY if row.lasting else wait_headers(wait_s)
    sent = [("request-id", found)] if (found := header(headers, "x-amzn-requestid")) is not None else []
    refused = KiroRefused(
        row.status,
        row.kind,
        message if row.lasting else with_wait(message, wait_s),
        verdict=row.verdict,
        headers=(*sent, *told),
        body=b"",
        on_credential=row.on_credential,
        consequence=Consequence(
            row.trouble,
            wait_s,
            scope=situation.model if row.on_model else "",
            repeats=row.repeats,
            renews=row.renews if row.renews != "token" or situation.can_renew else "",
            steps=row.steps,
        ),
    )
    refused.reason, refused.is_throttle = reason, row is _THROTTLED
    return refused


def broken(message: str) -> KiroRefused:
    """An answer that was cut, or is none."""
    failure = KiroRefused(
        _FAULT.status,
        _FAULT.kind,
        masked(message),
        verdict=_FAULT.verdict,
        headers=(),
        body=b"",
        on_credential=False,
        consequence=Consequence(_FAULT.trouble, repeats=_FAULT.repeats),
    )
    failure.outcome = StreamBroken.outcome
    return failure


def _row_of(words: str, status: int, name: str) -> Row:
    for row in ROWS:
        if status in row.statuses or name in row.names or any(word in words for word in row.words):
            return row
    return _FAULT


def _wait_s(row: Row, reason: str, headers: Headers, situation: Situation) -> float | None:
    if row is _USED_UP:
        midnight = (situation.now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        renewed_at = situation.renewed_at
        # Without a known day it is tried again once a day.
        if reason.lower() == _DAILY or renewed_at is None or renewed_at <= situation.now:
            renewed_at = midnight
        return (renewed_at - situation.now).total_seconds()
    asked = header(headers, "retry-after")
    if asked is None or not asked.isascii() or not asked.isdecimal():
        return None
    # As a float, since a platform may send more digits than an int may have.
    return min(float(asked), _LONGEST_WAIT_S)


def masked(message: str) -> str:
    """A message without account numbers and secrets."""
    return _SECRET.sub("***", _ACCOUNT.sub("************", message))
