"""Google's errors, read: message, status and the details that say what may be done (gemini.md §9)."""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from ccrouter.dialects.anthropic.errors import read_error

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_RPC = "google.rpc."


@dataclass(frozen=True, slots=True)
class GoogleError:
    """An error. `retry_delay_s` is the wait it asks for, `resets_at` the moment a quota is filled again.

    `inner_kind` is the type of an error of Anthropic's that stood in the message (Claude behind Google).
    """

    code: int | None
    status: str
    message: str
    reason: str = ""
    retry_delay_s: float | None = None
    resets_at: datetime | None = None
    quota_ids: tuple[str, ...] = ()
    link: str = ""
    inner_kind: str = ""


def read_google_error(document: Any) -> GoogleError | None:
    """The error in a decoded body, which may be wrapped in a list; None where there is none."""
    if isinstance(document, list):
        document = document[0] if document else None
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return None
    code, status, message = error.get("code"), error.get("status"), error.get("message")
    text = message if isinstance(message, str) else ""
    inner = read_error(text.encode()) if text.startswith("{") else None
    details = error.get("details")
    found = _Details()
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            found.take(detail)
    return GoogleError(
        code if isinstance(code, int) else None,
        status if isinstance(status, str) else "",
        inner[1] if inner else text,
        found.reason,
        found.delay_s,
        found.resets_at,
        tuple(found.quota_ids),
        found.link,
        inner[0] if inner else "",
    )


def decode_body(body: bytes) -> Any:
    """A body's JSON; None for anything else."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def seconds_of(duration: Any) -> float | None:
    """Seconds of a duration: `37s`, `0.5s`, `900ms`, or Go's `25h20m26.1s`; None for anything else."""
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) and duration else None
    if match is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    return total if math.isfinite(total) else None


class _Details:
    def __init__(self) -> None:
        self.reason = ""
        self.delay_s: float | None = None
        self.resets_at: datetime | None = None
        self.quota_ids: list[str] = []
        self.link = ""

    def take(self, detail: dict[str, Any]) -> None:
        kind = str(detail.get("@type", "")).rpartition(_RPC)[2]
        if kind == "ErrorInfo":
            self._info(detail)
        elif kind == "RetryInfo":
            self.delay_s = seconds_of(detail.get("retryDelay"))
        elif kind == "QuotaFailure":
            violations = detail.get("violations")
            self.quota_ids += [
                str(violation.get("quotaId", ""))
                for violation in (violations if isinstance(violations, list) else ())
                if isinstance(violation, dict)
            ]
        elif kind == "Help":
            links = detail.get("links")
            first = links[0] if isinstance(links, list) and links else None
            if isinstance(first, dict) and isinstance(url := first.get("url"), str):
                self.link = url

    def _info(self, detail: dict[str, Any]) -> None:
        if isinstance(reason := detail.get("reason"), str):
            self.reason = reason
        metadata = detail.get("metadata")
        if not isinstance(metadata, dict):
            return
        if isinstance(url := metadata.get("validation_link"), str):
            self.link = self.link or url
        if self.delay_s is None:
            self.delay_s = seconds_of(metadata.get("quotaResetDelay"))
        self.resets_at = _moment(metadata.get("quotaResetTimeStamp"))


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
