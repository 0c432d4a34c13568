"""The legs of a request while they pass: method, address, headers and the beginning of a body, held as they are."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from ccrouter.http import Headers

CLIENT_REQUEST, CLIENT_RESPONSE = "client_request", "client_response"
UPSTREAM_REQUEST, UPSTREAM_RESPONSE = "upstream_request", "upstream_response"
CLIENT_LEGS = frozenset({CLIENT_REQUEST, CLIENT_RESPONSE})

Mode = Literal["none", "errors", "all"]
"""Of which requests of a key the legs are kept."""
NO_CAPTURE: Mode = "none"
OF_ERRORS: Mode = "errors"
_NO_ERRORS = ("ok", "limited")
"""Outcomes of which nothing is kept for `errors`: a reached limit says all in its row, and can come by the thousand."""


def is_wanted(mode: str | None, status: str) -> bool:
    """Whether a key that captures in this way wants requests that ended so."""
    return mode not in (None, NO_CAPTURE) and not (mode == OF_ERRORS and status in _NO_ERRORS)


@dataclass(slots=True)
class OpenLeg:
    """A leg while it passes. `attempt` counts the tries of the record from 0; a client's legs belong to none."""

    name: str
    attempt: int | None = None
    method: str | None = None
    url: str | None = None
    status: int | None = None
    headers: Headers = ()
    pieces: list[bytes] = field(default_factory=list)
    kept: int = 0
    size: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Captured:
    """All legs of a request that has ended. `held` is what they take of the memory for captures."""

    id: UUID
    at: datetime
    legs: list[OpenLeg]
    held: int
