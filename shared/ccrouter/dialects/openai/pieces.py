"""What a conversation is made of, between Anthropic's blocks and the messages or items of these APIs."""

from dataclasses import dataclass, field
from typing import Any

from ccrouter.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Text:
    """A text; `mark` is its cache_control."""

    text: str
    mark: Any = None


@dataclass(frozen=True, slots=True)
class Image:
    """An image behind a URL, which may be a data URL."""

    url: str
    mark: Any = None


@dataclass(frozen=True, slots=True)
class File:
    """A file as a data URL."""

    name: str
    data_url: str
    mark: Any = None


Piece = Text | Image | File


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of the model; `arguments` is its JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A thinking block."""

    block: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool call gave."""

    pieces: list[Piece]
    is_error: bool
    mark: Any = None


@dataclass(frozen=True, slots=True)
class Order:
    """A system message in the middle of a conversation."""

    text: str


@dataclass(slots=True)
class Answer:
    """What the model said in one turn, in order."""

    parts: list[Text | Call | Thought] = field(default_factory=list)

    @property
    def calls(self) -> list[Call]:
        """Its tool calls."""
        return [part for part in self.parts if isinstance(part, Call)]


@dataclass(slots=True)
class Said:
    """What came between two answers: results by call id, then everything else in order."""

    results: dict[str, Result] = field(default_factory=dict)
    parts: list[Piece | Order] = field(default_factory=list)


Turn = Answer | Said


def text_in(holder: dict[str, Any], name: str, where: str) -> str:
    """A member that must be a string."""
    value = holder.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"{where}.{name}: must be a string")
    return value


def unsupported(where: str, kind: Any) -> InvalidRequest:
    """What this platform cannot be sent."""
    shown = kind if isinstance(kind, str) else "this"
    return InvalidRequest(f"{where}: {shown} cannot be sent to the platform openai")
