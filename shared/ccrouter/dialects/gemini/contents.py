"""A conversation as `contents` of the dialect (gemini.md §3, antigravity.md §5).

Strategy: neighbours of one role are merged into one content while the messages are read, block by block. Calls and
their results must pair up between a model content and the user content right after it, so results are collected apart
and put before everything else of their content when it is closed.
"""

from collections.abc import Mapping
from typing import Any

from ccrouter.dialects.gemini.manner import STAND_IN, Manner, Mended
from ccrouter.dialects.gemini.media import MediaParts, Part, text_of, texts_in, unsupported
from ccrouter.dialects.gemini.models import is_since_3
from ccrouter.dialects.gemini.names import Names
from ccrouter.dialects.gemini.results import ResultParts
from ccrouter.dialects.gemini.signatures import recalled
from ccrouter.errors import InvalidRequest
from ccrouter.messages.carrier import unwrap

NO_RESULT = "no result was provided"
_LEFT_OUT = ("redacted_thinking", "server_tool_use", "mcp_tool_use")


class Contents:
    """Reads messages into contents; `finish` hands them out."""

    def __init__(
        self,
        manner: Manner,
        model: str,
        names: Names,
        media: MediaParts,
        remembered: Mapping[str, bytes],
        mended: Mended,
        *,
        thinks: bool,
    ) -> None:
        self.warnings: list[str] = []
        self._manner = manner
        self._names = names
        self._media = media
        self._remembered = remembered
        self._mended = mended
        self._signs = not manner.claude and is_since_3(model)
        self._results = ResultParts(manner, media, in_response=not manner.claude and is_since_3(model))
        self._thinks = thinks
        self._contents: list[dict[str, Any]] = []
        self._role: str | None = None
        self._parts: list[Part] = []
        self._answers: list[Part] = []
        self._beside: list[Part] = []
        self._calls: dict[str, str] = {}
        """Calls of this model content by id: the name that was sent."""
        self._open_calls: dict[str, str] = {}
        """Calls of the model content before that have no result yet."""
        self._carried: str | None = None

    def read(self, messages: Any) -> None:
        """Reads all messages."""
        if not isinstance(messages, list) or not messages:
            raise InvalidRequest("messages: at least one message is required")
        for index, message in enumerate(messages):
            where = f"messages.{index}"
            role = message.get("role") if isinstance(message, dict) else None
            if role not in ("user", "assistant", "system"):
                raise InvalidRequest(f"{where}.role: must be user, assistant or system")
            self._turn_to("model" if role == "assistant" else "user")
            self._message(role, message.get("content"), where)

    def finish(self, *, counting: bool = False) -> list[dict[str, Any]]:
        """The contents. The user begins; and unless it is counted, the conversation does not end with the model."""
        self._close()
        contents = self._contents
        if contents and contents[0]["role"] == "model":
            contents.insert(0, {"role": "user", "parts": [{"text": "(continued)" if self._manner.claude else " "}]})
        if not contents:
            raise InvalidRequest("messages: there is no content in them")
        takes_prefill = counting or (self._manner.claude and not self._thinks)
        if contents[-1]["role"] == "model" and not takes_prefill:
            raise InvalidRequest("prefill is not supported by this model")
        return contents

    def _message(self, role: str, content: Any, where: str) -> None:
        if role == "system":
            text = "\n".join(texts_in(content, f"{where}.content", self._manner))
            if text:
                self._parts.append({"text": f"<system>\n{text}\n</system>"})
            return
        if isinstance(content, str):
            self._text(content, model=role == "assistant")
            return
        if not isinstance(content, list):
            raise InvalidRequest(f"{where}.content: must be a string or a list")
        for index, block in enumerate(content):
            at = f"{where}.content.{index}"
            if not isinstance(block, dict):
                raise InvalidRequest(f"{at}: must be an object")
            if role == "assistant":
                self._model_block(block, at)
            else:
                self._user_block(block, at)
        self._carried = None

    def _user_block(self, block: dict[str, Any], at: str) -> None:
        kind = block.get("type")
        if kind == "text":
            self._text(text_of(block, "text", at), model=False)
        elif kind == "image":
            self._parts.append(self._media.image(block, at))
        elif kind == "document":
            self._parts += self._media.document(block, at)
        elif kind == "search_result":
            self._parts.append(self._media.search_result(block, at))
        elif kind == "tool_result":
            self._tool_result(block, at)
        else:
            raise unsupported(at, kind, self._manner)

    def _model_block(self, block: dict[str, Any], at: str) -> None:
        kind = block.get("type")
        if kind == "text":
            self._text(text_of(block, "text", at), model=True)
        elif kind == "thinking":
            self._thinking(block)
        elif kind == "tool_use":
            self._call(block, at)
        elif isinstance(kind, str) and (kind in _LEFT_OUT or kind.endswith("_tool_result")):
            self.warnings.append(f"{at}: {kind} dropped")
        else:
            raise unsupported(at, kind, self._manner)

    def _text(self, text: str, *, model: bool) -> None:
        blank = not text.strip() if model and self._manner.code_assist else not text
        if blank:
            return
        part: Part = {"text": text}
        if model:
            self._sign(part)
        self._parts.append(part)

    def _thinking(self, block: dict[str, Any]) -> None:
        raw = unwrap(block.get("signature"), self._manner.carrier)
        if raw is None:
            self.warnings.append("foreign thinking block dropped")
        self._carried = None
        if not raw or self._mended.stand_ins or self._mended.without_thinking:
            return
        if not self._manner.claude:
            self._carried = raw
        elif self._thinks:
            self._parts.append({"thought": True, "text": block.get("thinking") or "", "thoughtSignature": raw})

    def _call(self, block: dict[str, Any], at: str) -> None:
        tool_use_id, arguments = text_of(block, "id", at), block.get("input", {})
        if not isinstance(arguments, dict):
            raise InvalidRequest(f"{at}.input: must be an object")
        if not tool_use_id or tool_use_id in self._calls:
            raise InvalidRequest(f"{at}.id: tool_use ids must be unique")
        name = self._names.sent(text_of(block, "name", at))
        self._calls[tool_use_id] = name
        call: dict[str, Any] = {"id": tool_use_id} if self._manner.call_ids else {}
        part: Part = {"functionCall": {**call, "name": name, "args": arguments}}
        first = not any("functionCall" in known for known in self._parts)
        self._sign(part)
        if first and self._signs and "thoughtSignature" not in part:
            state = None if self._mended.stand_ins else recalled(self._remembered, tool_use_id, "gemini")
            part["thoughtSignature"] = STAND_IN if state is None else state.signature
        elif first and self._manner.claude and self._thinks and not any("thought" in known for known in self._parts):
            state = recalled(self._remembered, tool_use_id, "claude")
            if state is not None:
                thought = {"thought": True, "text": state.thinking, "thoughtSignature": state.signature}
                self._parts.insert(0, thought)
        self._parts.append(part)

    def _sign(self, part: Part) -> None:
        if self._carried is not None:
            part["thoughtSignature"] = self._carried
            self._carried = None

    def _tool_result(self, block: dict[str, Any], at: str) -> None:
        tool_use_id = text_of(block, "tool_use_id", at)
        name = self._open_calls.pop(tool_use_id, None)
        if name is None:
            self.warnings.append(f"{at}: a result without a call becomes text")
            self._parts += self._results.as_text(block, at)
            return
        answer, beside = self._results.as_response(block, tool_use_id, name, at)
        self._answers.append(answer)
        self._beside += beside

    def _turn_to(self, role: str) -> None:
        if role != self._role:
            self._close()
            self._role = role

    def _close(self) -> None:
        """Puts what was read of a content in place; what turns out empty is left out and its neighbours merge."""
        role, parts = self._role, self._parts
        self._parts, self._carried = [], None
        if role == "user":
            for tool_use_id, name in self._open_calls.items():
                self._answers.append(self._results.missing(tool_use_id, name, NO_RESULT))
            self._open_calls = {}
            parts = [*self._answers, *self._beside, *parts]
            self._answers, self._beside = [], []
            if parts and not self._manner.claude and all("inlineData" in p or "fileData" in p for p in parts):
                # "must have a text parameter" (litellm#5515).
                parts.append({"text": " "})
        elif self._manner.claude:
            parts.sort(key=_claude_order)
        if role is None or not parts:
            return
        if self._contents and self._contents[-1]["role"] == role:
            self._contents[-1]["parts"] += parts
        else:
            self._contents.append({"role": role, "parts": parts})
        if role == "model":
            self._open_calls, self._calls = self._calls, {}


def _claude_order(part: Part) -> int:
    """Claude wants thoughts first, then text, then calls; the order among equals stays."""
    return 0 if "thought" in part else 2 if "functionCall" in part else 1
