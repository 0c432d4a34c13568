"""Refusals of Cloud Code Assist, as rows (antigravity.md §11, checked autumn 2026).

Limits are never met with another account: what is refused or used up moves to the next target (§1.1).
"""

import random
import re
from dataclasses import replace
from datetime import datetime

from ccrouter.dialects.anthropic.errors import foreign_message
from ccrouter.dialects.gemini.errors import Ruling, refused, too_long
from ccrouter.dialects.gemini.google_error import GoogleError
from ccrouter.errors import Trouble, UpstreamRefused, Verdict
from ccrouter.http import Headers, header

_NEXT = Verdict.NEXT_TARGET
_LONGEST_WAIT_S = 10.0
"""A limit that ends within this time is waited for once."""
_UNKNOWN_QUOTA_S = 3600.0
_QUOTA_REASONS = frozenset({"QUOTA_EXHAUSTED", "INSUFFICIENT_G1_CREDITS_BALANCE"})
_RATE_REASON = "RATE_LIMIT_EXCEEDED"
_CAPACITY_REASON = "MODEL_CAPACITY_EXHAUSTED"
_CAPACITY = re.compile(r"No capacity available|overloaded", re.IGNORECASE)
_DAILY = re.compile(r"PerDay|Daily", re.IGNORECASE)
_NO_LIMIT = re.compile(r"\blimit: 0\b")
_VERIFY = re.compile(r"verify your account", re.IGNORECASE)
_PROJECT_REASONS = frozenset({"CONSUMER_INVALID", "USER_PROJECT_DENIED", "RESOURCE_PROJECT_INVALID"})
_PROJECT = re.compile(r"\bproject\b", re.IGNORECASE)
_BY_TERMS = re.compile(r"violat|terms of service|licen[sc]e", re.IGNORECASE)

ROWS: dict[int, Ruling] = {
    400: Ruling(400, "invalid_request_error"),
    401: Ruling(
        401,
        "authentication_error",
        Verdict.NEXT_CREDENTIAL,
        Trouble.UNAUTHORIZED,
        on_credential=True,
        renews="token",
    ),
    403: Ruling(403, "permission_error", _NEXT, Trouble.REFUSED, on_credential=True, should_retry=False),
    404: Ruling(404, "not_found_error", _NEXT),
    408: Ruling(504, "timeout_error", _NEXT, Trouble.FAULT, (1.0,)),
    413: Ruling(413, "request_too_large"),
    429: Ruling(429, "rate_limit_error", _NEXT, Trouble.THROTTLED, (1.0, 2.0), steps=(1.0, 60.0)),
    499: Ruling(500, "api_error", _NEXT),
    500: Ruling(500, "api_error", _NEXT, Trouble.FAULT, (1.0,)),
    503: Ruling(529, "overloaded_error", _NEXT, Trouble.THROTTLED, (1.0, 2.0)),
    504: Ruling(504, "timeout_error", _NEXT, Trouble.FAULT, (1.0,)),
    529: Ruling(529, "overloaded_error", _NEXT, Trouble.THROTTLED, (1.0, 2.0)),
}
_QUOTA = Ruling(429, "rate_limit_error", _NEXT, Trouble.EXHAUSTED, should_retry=False)
_RATE = Ruling(429, "rate_limit_error", _NEXT, Trouble.THROTTLED)
_FULL = Ruling(529, "overloaded_error", _NEXT, Trouble.THROTTLED, (5.0, 10.0))


def quota_group(model: str) -> str:
    """The models that share one quota: Claude's, Gemini Pro's, Gemini Flash's (§11)."""
    if "claude" in model:
        return "claude"
    return "gemini-flash" if "flash" in model else "gemini-pro"


def refusal(
    status: int, error: GoogleError | None, headers: Headers, body: bytes, *, model: str, now: datetime
) -> UpstreamRefused:
    """The refusal of an answer, read."""
    if status < 400:
        status = 502
    scope = quota_group(model)
    if error is None:
        message = foreign_message(status, header(headers, "content-type") or "", body)
        return refused(_row(status), message, headers, scope, None)
    message = error.message or f"The platform antigravity answered with status {status} and no message."
    ruling = _row(status)
    if status == 400:
        message = too_long(message) or message
    elif status == 401:
        message = f"The platform antigravity: {message}"
    elif status == 403 and (error.reason == "VALIDATION_REQUIRED" or _VERIFY.search(message)) and error.link:
        message = f"{message} ({error.link})"
    elif status == 403 and _is_about_project(error, message):
        # The account may have another by now (§3.2); where it has not, the refusal stands.
        ruling = replace(ruling, renews="project")
    elif error.reason == _CAPACITY_REASON or (status in (429, 503, 529) and _CAPACITY.search(message)):
        ruling = replace(_FULL, repeats=tuple(wait + random.random() for wait in _FULL.repeats))  # noqa: S311 - jitter
    elif status == 429:
        ruling, wait_s = _limit(error, message, now)
        return refused(ruling, message, headers, scope, wait_s)
    if error.inner_kind and status == 400:
        ruling = replace(ruling, kind=error.inner_kind)
    return refused(ruling, message, headers, scope, error.retry_delay_s)


def _is_about_project(error: GoogleError, message: str) -> bool:
    about = error.reason in _PROJECT_REASONS or _PROJECT.search(message) is not None
    return about and _BY_TERMS.search(message) is None


def _row(status: int) -> Ruling:
    known = ROWS.get(status)
    if known is not None:
        return known
    return ROWS[500] if status >= 500 else ROWS[400]


def _limit(error: GoogleError, message: str, now: datetime) -> tuple[Ruling, float | None]:
    wait_s, resets_at = error.retry_delay_s, error.resets_at
    until_s = None if resets_at is None else max(0.0, (resets_at - now).total_seconds())
    wait_s = until_s if wait_s is None else wait_s
    used_up = any(_DAILY.search(quota) for quota in error.quota_ids) or _NO_LIMIT.search(message)
    if error.reason in _QUOTA_REASONS or used_up:
        return _QUOTA, until_s or (_UNKNOWN_QUOTA_S if wait_s is None else wait_s)
    if error.reason == _RATE_REASON:
        return (_RATE if wait_s is None or wait_s > _LONGEST_WAIT_S else replace(_RATE, repeats=(wait_s,))), wait_s
    return ROWS[429], wait_s
