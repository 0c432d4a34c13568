"""Lists and edits as all objects have them: cursors, ETags, and a change that nobody overwrites unseen."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Header, Query
from pydantic import AfterValidator

from ccrouter.admin.problems import Problem
from ccrouter.admin.schemas import AwareMoment

Cursor = Annotated[
    str | None,
    # What does not look so is a cursor of no list all the same, and answered as one.
    Query(description="next_cursor of the part before", json_schema_extra={"pattern": "^[A-Za-z0-9_-]{22}$"}),
]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most")]


_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def _fits_an_id(moment: datetime) -> datetime:
    # Lists by time compare ids, which carry milliseconds since 1970; nothing is older.
    return max(moment, _FIRST)


SearchedMoment = Annotated[AwareMoment, AfterValidator(_fits_an_id)]
"""A moment that bounds a list."""
Since = Annotated[
    SearchedMoment | None,
    Query(alias="from", description="Not before this moment", examples=["2026-11-01T00:00:00Z"]),
]
Until = Annotated[
    SearchedMoment | None,
    Query(alias="to", description="Before this moment", examples=["2026-12-01T00:00:00Z"]),
]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="ETag of the object as you know it: 412 if it has changed")
]


def bad_cursor(error: ValueError) -> Problem:
    """The problem of a cursor that no list gave out."""
    return Problem(400, f"cursor: {error}.", code="bad_cursor")


def not_found(what: str) -> Problem:
    """The problem of an object that is not there, or not for this user."""
    return Problem(404, f"There is no such {what}.")


def etag(updated_at: datetime) -> str:
    """An object's version."""
    return f'"{int(updated_at.timestamp() * 1_000_000):x}"'


def check_version(if_match: str | None, updated_at: datetime) -> datetime | None:
    """The version an edit is for, None where the caller does not care. Raises Problem 412 for an older one."""
    if if_match is None or if_match.strip() == "*":
        return None
    if etag(updated_at) not in [tag.strip().removeprefix("W/") for tag in if_match.split(",")]:
        raise changed_meanwhile()
    return updated_at


def changed_meanwhile() -> Problem:
    """The problem of an edit of an older version."""
    return Problem(412, "It has changed since you read it. Read it again and repeat your change.")


def month_start(now: datetime) -> datetime:
    """The beginning of the calendar month in UTC."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
