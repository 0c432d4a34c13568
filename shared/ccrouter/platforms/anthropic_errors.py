"""What refusals of Anthropic's API mean: who is asked next, what cools down, what the client gets (§9, §10)."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from ccrouter.dialects.anthropic.errors import (
    LONGEST_WAIT_S,
    foreign_message,
    kind_of,
    read_error,
    wait_headers,
    with_wait,
)
from ccrouter.errors import Consequence, Trouble, UpstreamRefused, Verdict
from ccrouter.http import Headers, header

_ON_CREDENTIAL = frozenset({401, 402, 403})
_NEXT = _ON_CREDENTIAL | {408, 429}
_LONGEST_S = 31 * 86_400.0
"""A wait beyond a month is nonsense, or as good as for ever."""
_FAMILIES = ("requests", "tokens", "input-tokens", "output-tokens")

# Anthropic answers 400 for accounts that it has closed or that have no credit (claude-code#8327, #68985; 2026-07).
_CLOSED = re.compile(r"(?i)^(?:your|this) (?:organization|account) (?:has been|is|was) (?:disabled|suspended|banned)\b")
_NO_CREDIT = re.compile(r"(?i)^your credit balance is too low")
# In a 403 the words may stand anywhere.
_REFUSED = re.compile(
    r"(?i)\b(?:organization|account|user|key)\b.{0,40}\b(?:disabled|suspended|banned|deactivated|terminated)\b"
    r"|\bviolat\w+\b.{0,60}\b(?:terms|polic\w+)\b|\baccept\b.{0,40}\bterms\b|\bnot allowed for this organization\b"
)
_ABOUT_MODEL = re.compile(r"(?i)\bmodels?\b")
_SPEND_CAP = "enforced_spend_limit_reached"


class _Details(msgspec.Struct):
    error_code: str | None = None


class _Error(msgspec.Struct):
    details: _Details | None = None


class _Document(msgspec.Struct):
    error: _Error | None = None


def read_refusal(
    status: int, headers: Headers, body: bytes, kept: Headers, *, model: str, now: datetime
) -> UpstreamRefused:
    """An answer without success. Errors of Anthropic's shape keep every byte, since clients match their wording.

    `kept` are the headers that go with such an error; others are put into the shape and get their own.
    """
    known = read_error(body)
    wait_s = asked_wait_s(headers, now)
    if status < 400:
        # Clients take a redirect for a failure (§1), and following one would carry the credential elsewhere.
        status, known = 502, None
    if known is not None:
        kind, message = known
    else:
        kind = kind_of(status)
        message = foreign_message(status, header(headers, "content-type") or "", body)
        kept = _told(headers, wait_s)
    verdict, consequence, on_credential = _judged(status, message, body, wait_s, model)
    return UpstreamRefused(
        status,
        kind,
        message if known is not None else with_wait(message, wait_s),
        verdict=verdict,
        headers=kept,
        body=body if known is not None else b"",
        on_credential=on_credential,
        consequence=consequence,
    )


def asked_wait_s(headers: Headers, now: datetime) -> float | None:
    """How long the platform asks to wait: exactly, or until the limits that are used up are filled again."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = header(headers, name)
        if value is not None and re.fullmatch(r"\d+(?:\.\d*)?", value):
            # As a float, since a platform may send more digits than an int may have.
            return min(float(value) * unit_s, _LONGEST_S)
    if (value := header(headers, "retry-after")) is not None and (at := _http_date(value)) is not None:
        return _until(at, now)
    resets = [
        reset
        for family in _FAMILIES
        if header(headers, f"anthropic-ratelimit-{family}-remaining") == "0"
        and (reset := _timestamp(header(headers, f"anthropic-ratelimit-{family}-reset"))) is not None
    ]
    if header(headers, "anthropic-ratelimit-unified-status") == "rejected":
        unified = header(headers, "anthropic-ratelimit-unified-reset") or ""
        if unified.isdecimal() and len(unified) <= 11:
            resets.append(datetime.fromtimestamp(int(unified), UTC))
    return _until(max(resets), now) if resets else None


def _judged(
    status: int, message: str, body: bytes, wait_s: float | None, model: str
) -> tuple[Verdict, Consequence, bool]:
    """What may be tried next, what follows, and whether the credential is at fault."""
    if (status in (400, 401, 403) and _CLOSED.search(message)) or (status == 403 and _REFUSED.search(message)):
        return Verdict.NEXT_TARGET, Consequence(Trouble.REFUSED), True
    if status == 402 or (status == 400 and _NO_CREDIT.search(message)):
        return Verdict.NEXT_CREDENTIAL, Consequence(Trouble.REFUSED), True
    verdict = Verdict.NEXT_CREDENTIAL if status in _NEXT or status >= 500 else Verdict.FINAL
    return verdict, _consequence(status, message, body, wait_s, model), status in _ON_CREDENTIAL


def _consequence(status: int, message: str, body: bytes, wait_s: float | None, model: str) -> Consequence:
    if status == 429 and _error_code(body) == _SPEND_CAP:
        return Consequence(Trouble.EXHAUSTED, wait_s)
    if status in (429, 529):
        return Consequence(Trouble.THROTTLED, wait_s, scope=model)
    if status == 401:
        return Consequence(Trouble.UNAUTHORIZED)
    if status == 403 and _ABOUT_MODEL.search(message):
        return Consequence(Trouble.REFUSED, scope=model)
    if status == 408 or status >= 500:
        return Consequence(Trouble.FAULT, wait_s, scope=model)
    return Consequence()


def _told(headers: Headers, wait_s: float | None) -> Headers:
    # §10: an error that we put into the shape carries whole seconds below 60, or tells clients not to wait at all.
    told = [(name, value) for name, value in headers if name in ("request-id", "x-should-retry")]
    if wait_s is None or (wait_s >= LONGEST_WAIT_S and header(told, "x-should-retry") is not None):
        return told
    return (*told, *wait_headers(wait_s))


def _error_code(body: bytes) -> str | None:
    try:
        error = msgspec.json.decode(body, type=_Document).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return error.details.error_code if error is not None and error.details is not None else None


def _until(at: datetime, now: datetime) -> float:
    return min(max(0.0, (at - now).total_seconds()), _LONGEST_S)


def _timestamp(value: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _http_date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
