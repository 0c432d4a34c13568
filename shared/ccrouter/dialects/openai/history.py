"""Reads the messages of a request into turns: answers of the model, and what was said between them.

Anthropic merges consecutive messages of one role, so turns alternate; results belong to the calls right before.
"""

import logging
from typing import Any

import msgspec

from ccrouter.dialects.openai.media import MediaPieces
from ccrouter.dialects.openai.pieces import (
    Answer,
    Call,
    Order,
    Piece,
    Result,
    Said,
    Text,
    Thought,
    Turn,
    text_in,
    unsupported,
)
from ccrouter.errors import InvalidRequest

_log = logging.getLogger(__name__)

ATTRIBUTION = "x-anthropic-billing-header:"
"""Claude Code's first system block: meaningless here."""
_SERVER_TOOLS = frozenset(
    {
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "mcp_tool_use",
        "mcp_tool_result",
        "mcp_tool_listing",
        "advisor_tool_result",
        "fallback",
    }
)
"""Traces of tools that another platform ran: dropped with a warning (openai-compatible.md §3)."""


def system_pieces(system: Any) -> list[Text]:
    """The system prompt's texts, without the attribution block."""
    if system is None:
        return []
    if isinstance(system, str):
        return [Text(system)] if system else []
    if not isinstance(system, list):
        raise InvalidRequest("system: must be a string or a list")
    found = []
    for index, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise unsupported(f"system.{index}", block.get("type") if isinstance(block, dict) else None)
        text = text_in(block, "text", f"system.{index}")
        if text and not text.startswith(ATTRIBUTION):
            found.append(Text(text, block.get("cache_control")))
    return found


def read_turns(messages: Any, media: MediaPieces) -> list[Turn]:
    """All turns. Raises InvalidRequest naming the member that cannot be sent."""
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("messages: must be a list with at least one message")
    reader = _Reader(media)
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        if not isinstance(message, dict):
            raise InvalidRequest(f"{where}: must be an object")
        reader.read(message, where)
    return reader.turns


class _Reader:
    def __init__(self, media: MediaPieces) -> None:
        self.turns: list[Turn] = []
        self._media = media
        self._open: set[str] = set()
        """Ids of the calls whose results may come now."""
        self._ids: set[str] = set()

    def read(self, message: dict[str, Any], where: str) -> None:
        role, content = message.get("role"), message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(blocks, list):
            raise InvalidRequest(f"{where}.content: must be a string or a list")
        at = f"{where}.content"
        if role == "assistant":
            answer = self._answer()
            for index, block in enumerate(blocks):
                self._read_answer(answer, block, f"{at}.{index}")
        elif role == "user":
            said = self._said()
            for index, block in enumerate(blocks):
                self._read_said(said, block, f"{at}.{index}")
        elif role == "system":
            texts = [piece.text for piece in _texts(blocks, at)]
            if texts:
                self._said().parts.append(Order("\n\n".join(texts)))
        else:
            raise InvalidRequest(f"{where}.role: must be user, assistant or system")

    def _answer(self) -> Answer:
        if not self.turns or not isinstance(turn := self.turns[-1], Answer):
            turn = Answer()
            self.turns.append(turn)
            self._open = set()
        return turn

    def _said(self) -> Said:
        if not self.turns or not isinstance(turn := self.turns[-1], Said):
            turn = Said()
            self.turns.append(turn)
        return turn

    def _read_answer(self, answer: Answer, block: Any, at: str) -> None:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "text":
            if text := text_in(block, "text", at):
                answer.parts.append(Text(text, block.get("cache_control")))
        elif kind == "tool_use":
            call_id, arguments = text_in(block, "id", at), block.get("input", {})
            if not isinstance(arguments, dict):
                raise InvalidRequest(f"{at}.input: must be an object")
            if not call_id or call_id in self._ids:
                raise InvalidRequest(f"{at}.id: `tool_use` ids must be unique")
            self._ids.add(call_id)
            self._open.add(call_id)
            answer.parts.append(Call(call_id, text_in(block, "name", at), msgspec.json.encode(arguments).decode()))
        elif kind == "thinking":
            answer.parts.append(Thought(block))
        elif isinstance(kind, str) and kind in _SERVER_TOOLS:
            _log.warning("%s: %s of another platform is left out of a request to the platform openai", at, kind)
        elif kind != "redacted_thinking":  # always another platform's
            raise unsupported(at, kind)

    def _read_said(self, said: Said, block: Any, at: str) -> None:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "tool_result":
            call_id = text_in(block, "tool_use_id", at)
            if call_id not in self._open:
                raise InvalidRequest(f"{at}.tool_use_id: no `tool_use` block with this id in the answer before")
            self._open.discard(call_id)
            pieces = self._result(block.get("content"), f"{at}.content")
            said.results[call_id] = Result(pieces, block.get("is_error") is True, block.get("cache_control"))
        else:
            said.parts += self._pieces(block, kind, at)

    def _result(self, content: Any, at: str) -> list[Piece]:
        if content is None:
            return []
        if isinstance(content, str):
            return [Text(content)] if content else []
        if not isinstance(content, list):
            raise InvalidRequest(f"{at}: must be a string or a list")
        found: list[Piece] = []
        for index, block in enumerate(content):
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "tool_reference":
                found.append(Text(text_in(block, "tool_name", f"{at}.{index}")))
            else:
                found += self._pieces(block, kind, f"{at}.{index}")
        return found

    def _pieces(self, block: Any, kind: Any, at: str) -> list[Piece]:
        if kind == "text":
            text = text_in(block, "text", at)
            return [Text(text, block.get("cache_control"))] if text else []
        if kind == "image":
            return [self._media.image(block, at)]
        if kind == "document":
            return self._media.document(block, at)
        if kind == "search_result":
            return [self._media.search_result(block, at)]
        raise unsupported(at, kind)


def _texts(blocks: list[Any], where: str) -> list[Text]:
    found = []
    for index, block in enumerate(blocks):
        kind = block.get("type") if isinstance(block, dict) else None
        if kind != "text":
            raise unsupported(f"{where}.{index}", kind)
        if text := text_in(block, "text", f"{where}.{index}"):
            found.append(Text(text))
    return found
