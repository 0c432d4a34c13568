"""Errors of the admin API: RFC 9457 problem documents, whatever went wrong."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from ccrouter.admin.problem_codes import CODES, FIELD_CODES, listed
from ccrouter.errors import StorageAway
from ccrouter.ids import request_id_of, uuid7
from ccrouter.storage.crossing import is_away, sqlstate

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_CANNOT_BE_STORED = ("22021", "22P05")
"""SQLSTATEs: the character U+0000 in a text and in JSON."""
_TITLES = {
    400: ("bad_request", "Bad request"),
    401: ("not_signed_in", "Not signed in"),
    403: ("forbidden", "Not allowed"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    409: ("conflict", "Conflict"),
    410: ("gone", "Gone"),
    412: ("changed_meanwhile", "Changed meanwhile"),
    413: ("too_large", "Too large"),
    415: ("unsupported_media_type", "Unsupported media type"),
    422: ("invalid", "Invalid input"),
    429: ("too_many_attempts", "Too many attempts"),
    500: ("internal_error", "Internal error"),
    503: ("storage_away", "Database not available"),
}


class FieldError(BaseModel):
    """One member of the input that cannot be accepted."""

    field: str = Field(description="Path of the member, such as mapping.opus[0].model", examples=["name"])
    code: str = Field(description=f"One of:\n\n{listed(FIELD_CODES)}", examples=["invalid"])
    message: str = Field(description="What is wrong and what would be right")


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str = Field(description=f"A name that stays; one of:\n\n{listed(CODES)}", examples=["invalid"])
    request_id: str = Field(description="Names this request in the server's log")
    errors: list[FieldError] = []


class Problem(Exception):
    """Ends a request with an error; `errors` names members of the input."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.code, self.errors, self.headers = status, detail, code, list(errors), headers


def invalid(field: str, message: str, *, code: str = "invalid") -> Problem:
    """The problem of one member of the input."""
    return Problem(422, f"{field}: {message}", errors=[FieldError(field=field, code=code, message=message)])


def install(app: FastAPI) -> None:
    """Gives every error of an application this form."""

    @app.exception_handler(Problem)
    def _of_problem(request: Request, problem: Problem) -> JSONResponse:
        return answer_of(problem)

    @app.exception_handler(HTTPException)
    def _of_http(request: Request, error: HTTPException) -> JSONResponse:
        detail = f"{request.method} {request.url.path}: {error.detail}"
        headers = error.headers
        if error.status_code == 405 and (methods := _methods_at(app, request.url.path)):
            # Each route knows of its own method alone.
            headers = {**(headers or {}), "Allow": ", ".join(methods)}
        return answer_of(Problem(error.status_code, detail, headers=headers))

    @app.exception_handler(RequestValidationError)
    def _of_validation(request: Request, error: RequestValidationError) -> JSONResponse:
        found = [_field_error(item) for item in error.errors()]
        if any(item["type"] == "json_invalid" for item in error.errors()):
            return answer_of(Problem(400, "The body is not JSON.", code="malformed_json", errors=found))
        return answer_of(Problem(422, "; ".join(f"{item.field}: {item.message}" for item in found), errors=found))

    @app.exception_handler(StorageAway)
    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeout)
    @app.exception_handler(TimeoutError)  # The driver's own, for a server that does not answer.
    def _of_database(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, StorageAway) or is_away(error):
            return answer_of(
                Problem(503, "The database does not answer. Try again shortly.", headers={"Retry-After": "5"})
            )
        if isinstance(error, DBAPIError) and sqlstate(error) in _CANNOT_BE_STORED:
            return answer_of(Problem(422, "The input holds the character U+0000, which cannot be stored."))
        return answer_to_fault(request.method, request.url.path, error)


def _methods_at(app: FastAPI, path: str) -> list[str]:
    """The methods that an address has: those of the template that names the most of it."""
    templates: dict[str, Any] = app.openapi()["paths"]
    fitting = [
        template
        for template in templates
        if re.fullmatch("[^/]+".join(map(re.escape, re.split(r"\{\w+\}", template))), path)
    ]
    return [method.upper() for method in templates[min(fitting, key=lambda it: it.count("{"))]] if fitting else []


def answer_to_fault(method: str, path: str, error: Exception) -> JSONResponse:
    """The answer when something happened that nobody foresaw; its cause goes to the log."""
    request_id = request_id_of(uuid7())
    _log.error("%s %s failed (%s)", method, path, request_id, exc_info=error)
    return answer_of(Problem(500, "The router failed to handle this request; its log names the reason."), request_id)


def answer_of(problem: Problem, request_id: str | None = None) -> JSONResponse:
    """A problem as an answer."""
    code, title = _TITLES.get(problem.status, ("error", "Error"))
    document = ProblemDocument(
        title=title,
        status=problem.status,
        detail=problem.detail,
        code=problem.code or code,
        request_id=request_id or request_id_of(uuid7()),
        errors=problem.errors,
    )
    return JSONResponse(
        document.model_dump(), problem.status, headers=dict(problem.headers or {}), media_type=MEDIA_TYPE
    )


def _field_error(item: dict[str, Any]) -> FieldError:
    path = ""
    for part in item["loc"]:
        if part in ("body", "query", "path") and not path:
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    message = str(item["msg"]).removeprefix("Value error, ")
    return FieldError(field=path or "body", code=str(item["type"]), message=message)
