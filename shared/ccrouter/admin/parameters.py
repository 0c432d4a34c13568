"""The query parameters of an operation: those it has, and no others."""

from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import ParamTypes

from ccrouter.admin.problems import FieldError, Problem


def refuse_unknown_parameters(request: Request) -> None:
    """A dependency of every operation. Raises Problem 422 that names each parameter which would be ignored: one that
    the operation does not have, and one given several times where it takes one value.

    A misspelt filter that is silently left out shows everything, and that looks like an answer.
    """
    given = [name for name, _ in request.query_params.multi_items()]
    if not given:
        return
    known = {
        field.alias: _is_list(field.field_info.annotation)
        for field in get_flat_params(request.scope["route"].dependant)
        if field.field_info.in_ == ParamTypes.query  # type: ignore[attr-defined]  # Of what the function returns.
    }
    errors = []
    for name in dict.fromkeys(given):
        if name not in known:
            message = f"is none of this call's parameters ({', '.join(known) or 'it has none'})"
            errors.append(FieldError(field=name, code="unknown_parameter", message=message))
        elif given.count(name) > 1 and not known[name]:
            errors.append(FieldError(field=name, code="given_twice", message="takes one value"))
    if errors:
        raise Problem(422, "; ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_is_list(part) for part in get_args(annotation))
