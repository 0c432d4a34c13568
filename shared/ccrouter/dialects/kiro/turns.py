"""Messages as turns that alternate: blocks sorted by what they become, neighbours merged (kiro.md §5, step 3)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ccrouter.dialects.kiro.attachments import Attachments
from ccrouter.dialects.kiro.names import ToolNames, sent_id
from ccrouter.errors import InvalidRequest

CONTINUED = "(continued)"
CONTINUE = "Continue"
_NO_OUTPUT = "(no output)"
_LEFT_OUT = ("server_tool_use", "mcp_tool_use")
"""Calls that another platform ran by itself, with their `…_tool_result`: what came of them is told in the texts."""


@dataclass(slots=True)
class Result:
    """A tool's result: `id` as it is sent."""

    id: str
    text: str
    failed: bool


@dataclass(slots=True)
class Turn:
    """What one side said until the other spoke."""

    is_user: bool
    texts: list[str] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    uses: list[dict[str, Any]] = field(default_factory=list)
    thinking: list[dict[str, Any]] = field(default_factory=list)
    """Thinking blocks, redacted ones among them, as the client has sent them."""

    def join(self, other: "Turn") -> None:
        """Takes over what the same side said next."""
        for name in ("texts", "images", "documents", "results", "uses", "thinking"):
            getattr(self, name).extend(getattr(other, name))


def merged(turns: Iterable[Turn]) -> list[Turn]:
    """The turns with neighbours of one side joined."""
    found: list[Turn] = []
    for turn in turns:
        if found and found[-1].is_user == turn.is_user:
            found[-1].join(turn)
        else:
            found.append(turn)
    return found


class TurnReader:
    """Reads messages. Raises InvalidRequest for content that Kiro cannot be sent, naming the block."""

    def __init__(self, names: ToolNames, attachments: Attachments) -> None:
        self._names = names
        self._attachments = attachments

    def read(self, messages: Any) -> list[Turn]:
        """One turn for each message."""
        if not isinstance(messages, list) or not messages:
            raise InvalidRequest("messages: at least one message is required")
        return [self._turn(message, f"messages.{index}") for index, message in enumerate(messages)]

    def _turn(self, message: Any, where: str) -> Turn:
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("user", "assistant", "system"):
            raise InvalidRequest(f"{where}.role: must be user, assistant or system")
        turn = Turn(is_user=role != "assistant")
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(blocks, list):
            raise InvalidRequest(f"{where}.content: must be a string or a list")
        for index, block in enumerate(blocks):
            at = f"{where}.content.{index}"
            if not isinstance(block, dict):
                raise InvalidRequest(f"{at}: must be an object")
            if turn.is_user:
                self._user_block(turn, block, at)
            else:
                self._assistant_block(turn, block, at)
        if role == "system" and turn.texts:
            text = "\n\n".join(turn.texts)
            turn.texts = [f"<system>\n{text}\n</system>"]
        return turn

    def _user_block(self, turn: Turn, block: dict[str, Any], at: str) -> None:
        if block.get("type") == "tool_result":
            content = block.get("content")
            texts = self._attached(turn, content, f"{at}.content")
            text = "\n".join(texts)
            id_ = sent_id(_string(block, "tool_use_id", at))
            turn.results.append(Result(id_, text if text.strip() else _NO_OUTPUT, block.get("is_error") is True))
        else:
            turn.texts += self._shown(turn, block, at)

    def _attached(self, turn: Turn, content: Any, where: str) -> list[str]:
        """The texts of a tool's result; its images and documents become the turn's own."""
        if content is None or isinstance(content, str):
            return [content or ""]
        if not isinstance(content, list):
            raise InvalidRequest(f"{where}: must be a string or a list")
        texts: list[str] = []
        for index, block in enumerate(content):
            at = f"{where}.{index}"
            if not isinstance(block, dict):
                raise InvalidRequest(f"{at}: must be an object")
            if block.get("type") == "tool_reference":
                texts.append(f"Tool found: {block.get('tool_name')}")
            else:
                texts += self._shown(turn, block, at)
        return texts

    def _shown(self, turn: Turn, block: dict[str, Any], at: str) -> list[str]:
        """The texts of a block that shows something; images and documents go to the turn."""
        kind = block.get("type")
        if kind == "text":
            text = _string(block, "text", at)
            return [text] if text else []
        if kind == "image":
            turn.images.append(self._attachments.image(block, at))
            return []
        if kind == "document":
            texts, documents, parts = self._attachments.document(block, at)
            turn.documents += documents
            return [*texts, *self._attached(turn, parts, f"{at}.source.content")]
        if kind == "search_result":
            head = [said for name in ("title", "source") if isinstance(said := block.get(name), str)]
            return ["\n".join([*head, *self._attached(turn, block.get("content"), f"{at}.content")])]
        raise InvalidRequest(f"{at}: blocks of type {kind} are not supported on Kiro.")

    def _assistant_block(self, turn: Turn, block: dict[str, Any], at: str) -> None:
        kind = block.get("type")
        if kind == "text":
            if text := _string(block, "text", at):
                turn.texts.append(text)
        elif kind in ("thinking", "redacted_thinking"):
            turn.thinking.append(block)
        elif kind == "tool_use":
            arguments = block.get("input", {})
            if not isinstance(arguments, dict):
                raise InvalidRequest(f"{at}.input: must be an object")
            id_, name = sent_id(_string(block, "id", at)), self._names.sent(_string(block, "name", at))
            turn.uses.append({"toolUseId": id_, "name": name, "input": arguments})
        elif not isinstance(kind, str) or not (kind in _LEFT_OUT or kind.endswith("_tool_result")):
            raise InvalidRequest(f"{at}: blocks of type {kind} are not supported on Kiro.")


def _string(block: dict[str, Any], name: str, at: str) -> str:
    value = block.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"{at}.{name}: must be a string")
    return value
