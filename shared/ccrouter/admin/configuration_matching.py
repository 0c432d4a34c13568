"""Finds which object of this installation an item of a configuration means, and what differs between the two."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from ccrouter.admin.configuration_schemas import KeyItem
from ccrouter.admin.problems import FieldError, Problem, invalid


class _Identified(Protocol):
    @property
    def id(self) -> str:
        """Its id here."""


T = TypeVar("T", bound=_Identified)


def take_all(
    section: str,
    items: Sequence[Any],
    here: Sequence[T],
    name_of: Callable[[Any], object],
    take: Callable[[Any, T | None], None],
) -> None:
    """Takes each item with the object that it is here: of the same id, else the first of its name that is left."""
    by_id = {thing.id: thing for thing in here}
    meant = {item.id for item in items if item.id in by_id}
    left: dict[object, list[T]] = {}
    for thing in here:
        if thing.id not in meant:
            left.setdefault(name_of(thing), []).append(thing)
    seen: set[str] = set()
    for index, item in enumerate(items):
        with named(f"configuration.{section}[{index}]"):
            if item.id is not None:
                if item.id in seen:
                    raise invalid("id", "stands there twice")
                seen.add(item.id)
            found = by_id.get(item.id)
            if found is None and (same := left.get(name_of(item))):
                found = same.pop(0)
            take(item, found)


def login_of(thing: Any) -> object:
    """What a user is known by."""
    return thing.login.lower()


def credential_name(thing: Any) -> object:
    """What a credential is known by."""
    return thing.platform, thing.name


def key_name(thing: Any) -> object:
    """What a key is known by."""
    owner = thing.owner if isinstance(thing, KeyItem) else thing.owner_login
    return owner.lower(), thing.name


def webhook_name(thing: Any) -> object:
    """What a webhook is known by."""
    return thing.name


def difference(found: Any, fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of these members those that differ from what is stored, as it is and as it shall be."""
    after = {name: value for name, value in fields.items() if getattr(found, name) != value}
    return {name: getattr(found, name) for name in after}, after


@contextmanager
def named(place: str) -> Iterator[None]:
    """Names the members that a problem speaks of by where they stand in the document."""
    try:
        yield
    except Problem as problem:
        errors = [
            FieldError(field=f"{place}.{error.field}", code=error.code, message=error.message)
            for error in problem.errors
        ]
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors) or f"{place}: {problem.detail}"
        raise Problem(problem.status, detail, code=problem.code, errors=errors) from None
