"""What Bedrock's errors mean: a table by exception name, for HTTP answers and for frames alike (bedrock.md §7)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from ccrouter.dialects.anthropic.errors import foreign_message, kind_of, wait_headers, with_wait
from ccrouter.errors import NO_RETRY, USUAL_STEPS, Consequence, Trouble, UpstreamRefused, Verdict
from ccrouter.http import Headers, header

_REQUEST_ID = "x-amzn-requestid"
_PROMPT_TOO_LONG = "prompt is too long"
"""How clients recognise that they must compact (anthropic-messages.md §9.1)."""
_TOO_LONG = re.compile(r"(?i)\b(?:input|prompt) is too long")
_ON_DEMAND = "with on-demand throughput isn"
_PER_DAY = "too many tokens per day"
_SKEWED = "signature expired"


@dataclass(frozen=True, slots=True)
class Row:
    """One exception. `on_model`: what follows holds for this model alone, not for the whole credential."""

    status: int
    kind: str
    verdict: Verdict = Verdict.NEXT_CREDENTIAL
    trouble: Trouble = Trouble.NONE
    on_model: bool = False
    on_credential: bool = False
    repeats: tuple[float, ...] = ()
    renews: str = ""
    wait_s: float | None = None
    steps: tuple[float, float] = USUAL_STEPS
    lasting: bool = False
    """Whether clients are told not to try again."""


_UNKNOWN_KEYS = Row(401, "authentication_error", trouble=Trouble.UNAUTHORIZED, on_credential=True)
_EXPIRED = Row(401, "authentication_error", trouble=Trouble.UNAUTHORIZED, on_credential=True, renews="token")
_FAULT = Row(500, "api_error", trouble=Trouble.FAULT, on_model=True, repeats=(0.5,))
_INVALID = Row(400, "invalid_request_error", Verdict.FINAL)

# Statuses and verdicts of bedrock.md §7, checked 2026-11-23 (botocore 1.44.5, service model 2023-09-30).
ROWS: dict[str, Row] = {
    "ValidationException": _INVALID,
    "ServiceQuotaExceededException": Row(
        429, "rate_limit_error", trouble=Trouble.THROTTLED, on_model=True, lasting=True
    ),
    "AccessDeniedException": Row(403, "permission_error", trouble=Trouble.REFUSED, on_model=True, on_credential=True),
    "UnrecognizedClientException": _UNKNOWN_KEYS,
    "InvalidSignatureException": _UNKNOWN_KEYS,
    "MissingAuthenticationToken": _UNKNOWN_KEYS,
    "MissingAuthenticationTokenException": _UNKNOWN_KEYS,
    "ExpiredTokenException": _EXPIRED,
    "ExpiredToken": _EXPIRED,
    "ResourceNotFoundException": Row(404, "not_found_error", Verdict.NEXT_TARGET),
    "ModelTimeoutException": Row(504, "timeout_error", trouble=Trouble.FAULT, on_model=True, repeats=(0.5,)),
    "ModelErrorException": _FAULT,
    "ModelStreamErrorException": _FAULT,
    # Bedrock names no wait.
    "ThrottlingException": Row(429, "rate_limit_error", trouble=Trouble.THROTTLED, on_model=True, steps=(1.0, 30.0)),
    # Imported models warm up for 5 to 30 s.
    "ModelNotReadyException": Row(529, "overloaded_error", trouble=Trouble.THROTTLED, on_model=True, wait_s=5.0),
    "InternalServerException": _FAULT,
    "ServiceUnavailableException": Row(529, "overloaded_error", trouble=Trouble.THROTTLED, on_model=True),
}


def read_refusal(status: int, headers: Headers, body: bytes, *, model: str, now: datetime) -> UpstreamRefused:
    """An HTTP answer without success; a status below 400 is none that a client may follow."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    members = document if isinstance(document, dict) else {}
    name = (header(headers, "x-amzn-errortype") or str(members.get("__type") or "")).partition(":")[0]
    said = members.get("message") or members.get("Message")
    message = said if isinstance(said, str) else foreign_message(status, header(headers, "content-type") or "", body)
    return refusal(name.rpartition("#")[2], message, headers, model=model, now=now, status=status)


def refusal(
    name: str, message: str, headers: Headers, *, model: str, now: datetime, status: int = 500
) -> UpstreamRefused:
    """The error of an exception's name (frames write it with a small first letter) and its message."""
    row = ROWS.get(name[:1].upper() + name[1:]) or _row_of(status)
    wait_s = row.wait_s
    if row is _INVALID:
        if _ON_DEMAND in message:
            row = Row(400, "invalid_request_error", Verdict.NEXT_TARGET)
        elif _TOO_LONG.search(message) and not message.startswith(_PROMPT_TOO_LONG):
            message = f"{_PROMPT_TOO_LONG}: {message}"
    elif row is _UNKNOWN_KEYS and _SKEWED in message.lower():
        # The clock of this machine is wrong, not the key.
        row = Row(401, "authentication_error", on_credential=True)
    elif row.kind == "rate_limit_error" and _PER_DAY in message.lower():
        wait_s = _until_midnight_s(now)
        row = Row(429, "rate_limit_error", trouble=Trouble.EXHAUSTED, on_model=True)
    sent = [("request-id", request_id)] if (request_id := header(headers, _REQUEST_ID)) is not None else []
    return UpstreamRefused(
        row.status,
        row.kind,
        with_wait(message, wait_s),
        verdict=row.verdict,
        headers=(*sent, *(NO_RETRY if row.lasting else wait_headers(wait_s))),
        body=b"",
        on_credential=row.on_credential,
        consequence=Consequence(
            row.trouble,
            wait_s,
            scope=model if row.on_model else "",
            repeats=row.repeats,
            renews=row.renews,
            steps=row.steps,
        ),
    )


def _row_of(status: int) -> Row:
    """For exceptions that the table does not have."""
    if status < 400:
        return Row(502, "api_error", trouble=Trouble.FAULT, on_model=True)
    if status in (401, 403):
        return Row(status, kind_of(status), on_credential=True)
    if status == 429:
        return ROWS["ThrottlingException"]
    if status == 408 or status >= 500:
        return Row(status, kind_of(status), trouble=Trouble.FAULT, on_model=True)
    return Row(status, kind_of(status), Verdict.FINAL)


def _until_midnight_s(now: datetime) -> float:
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - now).total_seconds()
