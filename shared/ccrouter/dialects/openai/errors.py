"""Refusals of these addresses and errors inside answers, as rows (openai-compatible.md §8; checked 2026-11-23)."""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from ccrouter.dialects.anthropic.errors import error_body, wait_headers, with_wait
from ccrouter.errors import NO_RETRY, Consequence, Trouble, UpstreamRefused, Verdict
from ccrouter.http import Headers, header

CONTENT_FILTER = "content_filter"
AGAIN_AFTER_S = 1.0

_TOO_LONG = re.compile(r"maximum context length|too many tokens|context window|prompt is too long", re.IGNORECASE)
_NUMBER = re.compile(r"\d[\d,]*\d{2}|\d{3,}")
_SPLIT = re.compile(r"\((\d+) in the messages?, (\d+) in the completion\)", re.IGNORECASE)
_LIMIT = re.compile(r"(?:maximum context length|context window)\D*?(\d[\d,]*)", re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|h|m|s))")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_USED_UP = re.compile(r"insufficient[_ ](?:quota|balance|credits)", re.IGNORECASE)
_OVERLOADED = re.compile(r"overloaded", re.IGNORECASE)
_LONGEST_MESSAGE = 2_000


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a refusal becomes."""

    status: int
    kind: str
    verdict: Verdict = Verdict.FINAL
    trouble: Trouble = Trouble.NONE
    repeats: tuple[float, ...] = ()
    on_credential: bool = False


_NEXT = Verdict.NEXT_CREDENTIAL
_FAIL = Ruling(400, "invalid_request_error")
_BILLING = Ruling(402, "billing_error", _NEXT, Trouble.REFUSED, on_credential=True)
_TIMEOUT = Ruling(504, "timeout_error", _NEXT, Trouble.FAULT, (AGAIN_AFTER_S,))
_FAULT = Ruling(500, "api_error", _NEXT, Trouble.FAULT, (AGAIN_AFTER_S,))
_OVERLOAD = Ruling(529, "overloaded_error", Verdict.NEXT_TARGET, Trouble.THROTTLED)
_THROTTLE = Ruling(429, "rate_limit_error", _NEXT, Trouble.THROTTLED)

_BY_STATUS: dict[int, Ruling] = {
    401: Ruling(401, "authentication_error", _NEXT, Trouble.UNAUTHORIZED, on_credential=True),
    402: _BILLING,
    403: Ruling(403, "permission_error", _NEXT, on_credential=True),
    404: Ruling(404, "not_found_error", Verdict.NEXT_TARGET),
    408: _TIMEOUT,
    413: Ruling(413, "request_too_large"),
    429: _THROTTLE,
    500: _FAULT,
    502: _FAULT,
    503: _OVERLOAD,
    504: _TIMEOUT,
    524: _TIMEOUT,
    529: _OVERLOAD,
}
_BY_WORD: dict[str, Ruling] = {
    "rate_limit_exceeded": _THROTTLE,
    "server_error": _FAULT,
    "invalid_prompt": _FAIL,
    "bio_policy": _FAIL,
    "misalignment_policy_violation": _FAIL,
    "invalid_request_error": _FAIL,
    "context_length_exceeded": _FAIL,
    "insufficient_quota": _BILLING,
    "server_is_overloaded": _OVERLOAD,
    "slow_down": _OVERLOAD,
    "insufficient_system_resource": _OVERLOAD,
}
"""Codes, else types, of errors inside an answer."""


class Complaint(msgspec.Struct, frozen=True):
    """What an error object says; every member may be missing."""

    message: str = ""
    kind: str = ""
    param: str = ""
    code: str = ""
    number: int | None = None
    """The code where it is a number."""


def read_complaint(document: Any) -> Complaint | None:
    """The error in a document: under `error`, flat as vLLM sends it, or in a list of details; None for none."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, str) and error:
        return Complaint(message=error)
    if not isinstance(error, dict):
        error = document
        if isinstance(detail := _detail_of(document), dict):
            location = [str(part) for part in detail.get("loc") or () if part != "body"]
            path = ".".join(location)
            return Complaint(f"{_text(detail.get('msg'))}: {path}", "", path, _text(detail.get("type")))
        if not any(isinstance(error.get(name), str) for name in ("message", "code", "detail")):
            return None
    code = error.get("code")
    number = code if type(code) is int else int(code) if isinstance(code, str) and code.isdecimal() else None
    return Complaint(
        message=_text(error.get("message")) or _text(error.get("detail")),
        kind=_text(error.get("type")),
        param=_text(error.get("param")),
        code=_text(code),
        number=number,
    )


def _detail_of(document: dict[str, Any]) -> Any:
    """The first of the details that servers made with Pydantic list (Mistral, many of one's own)."""
    message = document.get("message")
    detail = document.get("detail", message.get("detail") if isinstance(message, dict) else None)
    return detail[0] if isinstance(detail, list) and detail else None


def complaint_in(body: bytes) -> Complaint | None:
    """The error in an answer's body; None where it is none."""
    try:
        return read_complaint(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def refusal(status: int, headers: Headers, body: bytes, *, model: str) -> UpstreamRefused:
    """An answer without success. What is no JSON says less than its status."""
    complaint = complaint_in(body)
    if status < 400:
        status, complaint = 502, None  # a redirect would carry the credential elsewhere
    complaint = complaint or Complaint()
    message = complaint.message[:_LONGEST_MESSAGE] or f"upstream returned HTTP {status}"
    return _refused(_ruling(status, complaint), complaint, message, headers, model)


def refusal_inside(document: Any, *, model: str) -> UpstreamRefused:
    """An error inside an answer of success: by its number, else its words."""
    complaint = read_complaint(document) or Complaint()
    message = complaint.message[:_LONGEST_MESSAGE] or "The platform reported an error."
    if complaint.number is not None and 400 <= complaint.number < 600:
        ruling = _ruling(complaint.number, complaint)
    else:
        word = complaint.code or complaint.kind
        ruling = _FAIL if word.startswith("image_") else _BY_WORD.get(word, _FAULT)
    return _refused(ruling, complaint, message, (), model)


def fault_inside(message: str, *, model: str, overloaded: bool = False) -> UpstreamRefused:
    """An answer that ends by saying that the platform failed."""
    return _refused(_OVERLOAD if overloaded else _FAULT, Complaint(), message, (), model)


def _ruling(status: int, complaint: Complaint) -> Ruling:
    if status in (402, 429) and (
        complaint.code == "insufficient_quota" or _USED_UP.search(f"{complaint.kind} {complaint.message}")
    ):
        return _BILLING
    if status >= 500 and _OVERLOADED.search(complaint.message):
        return _OVERLOAD
    return _BY_STATUS.get(status) or (_FAULT if status >= 500 else _FAIL)


def _refused(ruling: Ruling, complaint: Complaint, message: str, headers: Headers, model: str) -> UpstreamRefused:
    if ruling.status == 400:
        message = _too_long(complaint, message)
    wait_s = _wait(headers) if ruling.status in (429, 503, 529) else None
    told = list(NO_RETRY if ruling is _BILLING else wait_headers(wait_s))
    said = with_wait(message, wait_s)
    return UpstreamRefused(
        ruling.status,
        ruling.kind,
        message,
        verdict=ruling.verdict,
        headers=told,
        body=error_body(ruling.kind, said, "") if said != message else b"",
        on_credential=ruling.on_credential,
        consequence=Consequence(
            ruling.trouble, wait_s, scope="" if ruling.on_credential else model, repeats=ruling.repeats
        ),
    )


def _too_long(complaint: Complaint, message: str) -> str:
    """A prompt that is too long, in the words that clients compact a conversation on."""
    if complaint.code != "context_length_exceeded" and not _TOO_LONG.search(message):
        return message
    split, limit = _SPLIT.search(message), _LIMIT.search(message)
    most = int(limit[1].replace(",", "")) if limit else None
    if split and most is not None and int(split[1]) < most:
        return (
            f"input length and `max_tokens` exceed context limit: {split[1]} + {split[2]} > {most}, "
            "decrease input length or `max_tokens` and try again"
        )
    numbers = sorted({int(found.replace(",", "")) for found in _NUMBER.findall(message)})
    if len(numbers) >= 2:
        least = most if most in numbers[:-1] else numbers[-2]
        return f"prompt is too long: {numbers[-1]} tokens > {least} maximum"
    return message if message.startswith("prompt is too long") else f"prompt is too long: {message}"


def _wait(headers: Headers) -> float | None:
    """The wait that headers ask for, exact: the first that is present."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = header(headers, name)
        if value is not None and re.fullmatch(r"\d+(?:\.\d+)?", value.strip()):
            return float(value) * unit
    resets = [
        seconds
        for name in ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
        if (value := header(headers, name)) is not None and (seconds := _seconds(value)) is not None
    ]
    return max(resets) if resets else None


def _seconds(duration: str) -> float | None:
    """A duration such as "6.8s" or "1m30s"."""
    parts = _DURATION.findall(duration)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != duration.strip():
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
