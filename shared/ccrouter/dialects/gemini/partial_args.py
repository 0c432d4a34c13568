"""Arguments of a call that come piece by piece, each with its JSON path (Vertex, gemini.md §4 step 5)."""

import re
from itertools import pairwise
from typing import Any

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\[\"((?:[^\"\\]|\\.)*)\"\]")
_MOST_INDEX = 10_000


class PartialArgs:
    """Puts the values in their places."""

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self._growing: set[str] = set()

    def take(self, pieces: Any) -> None:
        """Takes one `partialArgs`. Raises ValueError where a path cannot be followed."""
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict) and isinstance(path := piece.get("jsonPath"), str):
                self._put(path, piece)

    def _put(self, path: str, piece: dict[str, Any]) -> None:
        steps = _steps(path)
        place: Any = self.value
        for step, following in pairwise(steps):
            place = _enter(place, step, [] if isinstance(following, int) else {})
        last = steps[-1]
        value = _value_of(piece)
        if isinstance(value, str) and path in self._growing:
            value = _enter(place, last, "") + value
        if isinstance(place, list):
            _lengthen(place, last)
        elif not isinstance(place, dict) or not isinstance(last, str):
            raise ValueError(f"{path} leads into a value")
        place[last] = value
        if piece.get("willContinue"):
            self._growing.add(path)
        else:
            self._growing.discard(path)


def _steps(path: str) -> list[str | int]:
    if not path.startswith("$"):
        raise ValueError(f"{path} is no path")
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(f"{path} is no path")
        name, index, *quoted = match.groups()
        steps.append(int(index) if index is not None else name if name is not None else quoted[0] or quoted[1] or "")
        at = match.end()
    if not steps:
        raise ValueError(f"{path} names no value")
    return steps


def _enter(place: Any, step: str | int, fresh: Any) -> Any:
    if isinstance(place, list):
        _lengthen(place, step)
        if place[step] is None:  # type: ignore[index] # _lengthen has checked that it is a number
            place[step] = fresh  # type: ignore[index]
        return place[step]  # type: ignore[index]
    if isinstance(place, dict) and isinstance(step, str):
        return place.setdefault(step, fresh)
    raise ValueError("a path leads into a value")


def _lengthen(place: list[Any], step: str | int) -> None:
    if not isinstance(step, int) or step > _MOST_INDEX:
        raise ValueError("a path leads nowhere in a list")
    place.extend([None] * (step + 1 - len(place)))


def _value_of(piece: dict[str, Any]) -> Any:
    for name in ("stringValue", "numberValue", "boolValue"):
        if name in piece:
            return piece[name]
    return None
