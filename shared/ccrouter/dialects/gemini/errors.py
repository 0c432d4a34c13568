"""Refusals of the Gemini API and of Vertex, as rows (gemini.md §9; checked 2026-11-23 with google-genai 3.4.0)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ccrouter.dialects.anthropic.errors import foreign_message, kind_of, wait_headers, with_wait
from ccrouter.dialects.gemini.google_error import GoogleError
from ccrouter.errors import NO_RETRY, USUAL_STEPS, Consequence, Trouble, UpstreamRefused, Verdict
from ccrouter.http import Headers, header

_TOO_LONG = re.compile(
    r"input token count \((\d+)\) exceeds the maximum number of tokens allowed \((\d+)\)", re.IGNORECASE
)
_TOO_LONG_OTHERWISE = re.compile(r"input token count.*exceeds|prompt is too long", re.IGNORECASE)
# Ordinary limits say "check your plan and billing details", too; that is no lack of money.
_BILLING = re.compile(r"prepa(?:y|id)|billing account|enable billing|credits are depleted", re.IGNORECASE)
_BAD_KEY = re.compile(r"API key (?:not valid|expired)", re.IGNORECASE)
_LEAKED = re.compile(r"reported as leaked|suspended", re.IGNORECASE)
_SUSPENDED = frozenset({"CONSUMER_SUSPENDED", "USER_SUSPENDED"})
_TELLS_TIME = re.compile(r"\d(?:\.\d+)?[hms]\b")
"""Google often says itself how long to wait."""
_AGAIN_AFTER_S = 1.0

# The HTTP status of a google.rpc status, for errors inside a stream that carry no code.
_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a refusal becomes: status and type for the client, and what follows."""

    status: int
    kind: str
    verdict: Verdict = Verdict.FINAL
    trouble: Trouble = Trouble.NONE
    repeats: tuple[float, ...] = ()
    on_credential: bool = False
    renews: str = ""
    steps: tuple[float, float] = USUAL_STEPS
    should_retry: bool = True


_FAIL_400 = Ruling(400, "invalid_request_error")
_FAULT_500 = Ruling(500, "api_error", Verdict.NEXT_CREDENTIAL, Trouble.FAULT, (_AGAIN_AFTER_S,))
_ON_CREDENTIAL = Verdict.NEXT_CREDENTIAL

ROWS: dict[int, Ruling] = {
    400: _FAIL_400,
    401: Ruling(401, "authentication_error", _ON_CREDENTIAL, Trouble.UNAUTHORIZED, on_credential=True, renews="token"),
    402: Ruling(402, "billing_error", _ON_CREDENTIAL, Trouble.REFUSED, on_credential=True),
    403: Ruling(403, "permission_error", _ON_CREDENTIAL, on_credential=True),
    404: Ruling(404, "not_found_error", Verdict.NEXT_TARGET),
    408: Ruling(504, "timeout_error", Verdict.NEXT_CREDENTIAL, Trouble.FAULT, (_AGAIN_AFTER_S,)),
    413: Ruling(413, "request_too_large"),
    429: Ruling(429, "rate_limit_error", Verdict.NEXT_CREDENTIAL, Trouble.THROTTLED),
    499: _FAULT_500,
    500: _FAULT_500,
    502: _FAULT_500,
    503: Ruling(529, "overloaded_error", Verdict.NEXT_TARGET, Trouble.THROTTLED, (_AGAIN_AFTER_S,)),
    504: Ruling(504, "timeout_error", Verdict.NEXT_CREDENTIAL, Trouble.FAULT, (_AGAIN_AFTER_S,)),
    529: Ruling(529, "overloaded_error", Verdict.NEXT_TARGET, Trouble.THROTTLED, (_AGAIN_AFTER_S,)),
}
_LOCATION = Ruling(403, "permission_error", Verdict.NEXT_TARGET, on_credential=True)
_SUSPENSION = Ruling(403, "permission_error", Verdict.NEXT_TARGET, Trouble.REFUSED, on_credential=True)
_LEAKED_KEY = Ruling(403, "permission_error", _ON_CREDENTIAL, Trouble.REFUSED, on_credential=True)
_USED_UP = Ruling(429, "rate_limit_error", Verdict.NEXT_CREDENTIAL, Trouble.EXHAUSTED)


def refusal(
    status: int, error: GoogleError | None, headers: Headers, body: bytes, *, model: str, now: datetime
) -> UpstreamRefused:
    """The refusal of an answer, read; `error` is what its body says, `model` what a limit holds for."""
    if status < 400:
        status = 502
    if error is None:
        message = foreign_message(status, header(headers, "content-type") or "", body)
        return refused(_row(status), message, headers, model, None)
    message = error.message or f"The platform answered with status {status} and no message."
    ruling, message = _ruled(status, error, message)
    wait = error.retry_delay_s
    if ruling is _USED_UP:
        wait = max(wait or 0.0, _until_midnight_pacific_s(now))
    return refused(ruling, message, headers, model, wait)


def status_of(error: GoogleError) -> int:
    """The HTTP status of an error that says itself what it is."""
    if error.code is not None and 400 <= error.code < 600:
        return error.code
    return _STATUS.get(error.status, 500)


def refused(ruling: Ruling, message: str, headers: Headers, scope: str, wait_s: float | None) -> UpstreamRefused:
    """The refusal that a ruling makes, with what a client is told of the wait (anthropic-messages.md §10).

    `scope` is what it holds for, unless the whole credential is meant.
    """
    request_id = header(headers, "x-cloudaicompanion-trace-id")
    sent = [("request-id", request_id)] if request_id else []
    holds_for_all = ruling.trouble in (Trouble.UNAUTHORIZED, Trouble.REFUSED)
    return UpstreamRefused(
        ruling.status,
        ruling.kind,
        message if _TELLS_TIME.search(message) else with_wait(message, wait_s),
        verdict=ruling.verdict,
        headers=(*sent, *(wait_headers(wait_s) if ruling.should_retry else NO_RETRY)),
        body=b"",
        on_credential=ruling.on_credential,
        consequence=Consequence(
            ruling.trouble,
            wait_s,
            scope="" if holds_for_all else scope,
            repeats=ruling.repeats,
            renews=ruling.renews,
            steps=ruling.steps,
        ),
    )


def too_long(message: str) -> str | None:
    """The message of a prompt that is too long, in the words that clients compact a conversation on."""
    match = _TOO_LONG.search(message)
    if match:
        return f"prompt is too long: {match[1]} tokens > {match[2]} maximum"
    if not _TOO_LONG_OTHERWISE.search(message):
        return None
    return message if message.startswith("prompt is too long") else f"prompt is too long: {message}"


def _row(status: int) -> Ruling:
    known = ROWS.get(status)
    if known is not None:
        return known
    return _FAULT_500 if status >= 500 else Ruling(400, kind_of(400))


def _ruled(status: int, error: GoogleError, message: str) -> tuple[Ruling, str]:
    if status == 400:
        if (said := too_long(message)) is not None:
            return _FAIL_400, said
        if error.reason.startswith("API_KEY_") or _BAD_KEY.search(message):
            return ROWS[401], message
        if error.status == "FAILED_PRECONDITION":
            return _LOCATION, message
    if status == 403:
        if error.reason in _SUSPENDED:
            return _SUSPENSION, message
        if _LEAKED.search(message):
            return _LEAKED_KEY, message
    if status == 429:
        if _BILLING.search(message):
            return ROWS[402], message
        if any("PerDay" in quota for quota in error.quota_ids):
            return _USED_UP, message
    return _row(status), message


def _until_midnight_pacific_s(now: datetime) -> float:
    """Daily quotas are filled again at midnight, Pacific time."""
    try:
        pacific: ZoneInfo | timezone = ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        # An image without time zones: an hour late in summer is better than to guess the rule.
        pacific = timezone(timedelta(hours=-8))
    here = now.astimezone(pacific)
    midnight = datetime(here.year, here.month, here.day, tzinfo=pacific) + timedelta(days=1)
    return (midnight - here).total_seconds()
