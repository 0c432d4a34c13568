"""Tool calls as their pieces arrive, several at a time: judged at once, though they are written one by one."""

from typing import Any

import msgspec

from ccrouter.dialects.kiro.errors import broken


class ArrivingCalls:
    """All calls of one answer."""

    def __init__(self) -> None:
        self.whole: set[str] = set()
        """Ids of the calls that have arrived whole."""
        self._arguments: dict[str, list[str]] = {}

    def check(self, members: dict[str, Any]) -> bool:
        """Takes a piece of a call. False for one without an id, and for more of a call that is whole.

        Raises UpstreamError for a call that cannot be read: it must not look whole, since clients run what is closed.
        """
        id_ = members.get("toolUseId")
        if not isinstance(id_, str) or not id_ or id_ in self.whole:
            return False
        if id_ not in self._arguments and not (isinstance(name := members.get("name"), str) and name):
            raise broken("A tool call of Kiro has no name.")
        pieces = self._arguments.setdefault(id_, [])
        if fragment := fragment_of(members):
            pieces.append(fragment)
        if members.get("stop") is True:
            self.whole.add(id_)
            arguments = "".join(self._arguments.pop(id_))
            if arguments and read_object(arguments.encode()) is None:
                raise broken("The arguments of a tool call of Kiro are no JSON object.")
        return True


def fragment_of(members: dict[str, Any]) -> str:
    """The JSON in a piece of a call; some servers send it as an object."""
    piece = members.get("input")
    if piece is None or isinstance(piece, str):
        return piece or ""
    return msgspec.json.encode(piece).decode()


def read_object(payload: bytes) -> dict[str, Any] | None:
    """A JSON object; None for everything else."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
