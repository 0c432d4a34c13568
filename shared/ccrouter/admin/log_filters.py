"""The filters of the request log as query parameters, the same for its rows, its sums, its sessions and its export."""

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from pydantic import Field, WithJsonSchema

from ccrouter.admin.editing import Since, Until
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import FieldError, Problem, invalid
from ccrouter.storage.log_filters import LogFilters, has_words
from ccrouter.storage.rows import uuid_of
from ccrouter.storage.users import User

_MOST_VALUES = 50
_Usd = Annotated[
    Decimal,
    Field(ge=0, allow_inf_nan=False),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,10})?$"}),
]


def _several(what: str) -> object:
    return Query(max_length=_MOST_VALUES, description=f"{what}; give it repeatedly for any of several")


def _read_filters(
    request: Request,
    since: Since = None,
    until: Until = None,
    key_id: Annotated[list[str] | None, _several("Id of the API key")] = None,
    user_id: Annotated[
        list[str] | None, _several("Id of the key's owner; for members every id but their own finds nothing")
    ] = None,
    platform: Annotated[list[str] | None, _several("The platform that was asked last")] = None,
    model: Annotated[list[str] | None, _several("The model that was asked last, as that platform names it")] = None,
    credential_id: Annotated[
        list[str] | None, _several("Id of the credential that was used last; for administrators")
    ] = None,
    status: Annotated[
        list[Literal["running", "ok", "error", "aborted", "limited"]] | None,
        _several("How the request ended, or that it is under way"),
    ] = None,
    kind: Annotated[list[Literal["messages", "count_tokens", "test"]] | None, _several("What was asked for")] = None,
    session_id: Annotated[list[str] | None, _several("Id of the conversation")] = None,
    q: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Words: each must be a word of the row's model names, key name, login, client, error, session, "
            "agent or upstream request id, or begin the row's id or request id; the last may also begin a word",
            examples=["claude-opus overloaded"],
        ),
    ] = None,
    min_cost: Annotated[_Usd | None, Query(description="USD", examples=["0.25"])] = None,
    min_duration_ms: Annotated[int | None, Query(ge=0, le=10**9, description="From arrival to the last byte")] = None,
    stream: Annotated[bool | None, Query(description="Whether the answer was asked for as a stream")] = None,
    retried: Annotated[bool | None, Query(description="Whether it took more than one attempt")] = None,
) -> LogFilters:
    if q is not None and not has_words(q):
        raise invalid("q", "must hold a letter or a digit")
    user: User = request.state.user
    if user.role != ADMIN and credential_id is not None:
        # Which credential answered is not told to members, neither by trying.
        message = "is for administrators"
        raise Problem(
            403,
            f"credential_id: {message}",
            errors=[FieldError(field="credential_id", code="forbidden", message=message)],
        )
    return LogFilters(
        since=since,
        until=until,
        key_id=tuple(key_id or ()),
        user_id=tuple(user_id or ()) if user.role == ADMIN else _own(user, user_id),
        credential_id=tuple(credential_id or ()),
        platform=tuple(platform or ()),
        model=tuple(model or ()),
        status=tuple(status or ()),
        kind=tuple(kind or ()),
        session_id=tuple(session_id or ()),
        stream=stream,
        retried=retried,
        min_cost=min_cost,
        min_duration_ms=min_duration_ms,
        q=q,
    )


Filters = Annotated[LogFilters, Depends(_read_filters)]
"""The rows a call is about: those that its parameters ask for and its user may see."""


def _own(user: User, asked: list[str] | None) -> tuple[str, ...]:
    """The member's own id, or one that no row has where others' are asked for."""
    wanted = asked is None or uuid_of(user.id) in [uuid_of(value) for value in asked]
    return (user.id,) if wanted else ("",)
