"""Results of tool calls as `functionResponse` parts (gemini.md §3, antigravity.md §5 step 6)."""

from typing import Any

from ccrouter.dialects.gemini.manner import Manner
from ccrouter.dialects.gemini.media import MediaParts, Part, text_of, unsupported
from ccrouter.errors import InvalidRequest


class ResultParts:
    """Makes the parts of results. `in_response`: images stand inside the response (Gemini 3 and later)."""

    def __init__(self, manner: Manner, media: MediaParts, *, in_response: bool) -> None:
        self._manner = manner
        self._media = media
        self._in_response = in_response

    def as_response(self, block: dict[str, Any], tool_use_id: str, name: str, at: str) -> tuple[Part, list[Part]]:
        """The response to a call, and the parts that must stand beside it."""
        text, media = self._read(block.get("content"), f"{at}.content")
        answer = self._answer(tool_use_id, name, text, is_error=bool(block.get("is_error")))
        if not media or not self._in_response:
            return answer, media
        answer["functionResponse"]["parts"] = media
        return answer, []

    def missing(self, tool_use_id: str, name: str, text: str) -> Part:
        """The response to a call that the client left without one: each call needs exactly one."""
        return self._answer(tool_use_id, name, text, is_error=True)

    def as_text(self, block: dict[str, Any], at: str) -> list[Part]:
        """A result whose call is not in the turn before it."""
        text, media = self._read(block.get("content"), f"{at}.content")
        said = "tool_error" if block.get("is_error") else "tool_result"
        return [{"text": f"<{said}>\n{text}\n</{said}>"}, *media]

    def _answer(self, tool_use_id: str, name: str, text: str, *, is_error: bool) -> Part:
        if self._manner.claude:
            response = {"result": f"Error: {text}" if is_error else text or "(no output)"}
        else:
            response = {"error" if is_error else "output": text}
        call_id = {"id": tool_use_id} if self._manner.call_ids else {}
        return {"functionResponse": {**call_id, "name": name, "response": response}}

    def _read(self, content: Any, where: str) -> tuple[str, list[Part]]:
        """The text of a result, and its images and documents. JSON stays text: its keys would have meaning."""
        if content is None or isinstance(content, str):
            return content or "", []
        if not isinstance(content, list):
            raise InvalidRequest(f"{where}: must be a string or a list")
        texts: list[str] = []
        media: list[Part] = []
        for index, block in enumerate(content):
            at = f"{where}.{index}"
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "text":
                texts.append(text_of(block, "text", at))
            elif kind == "image":
                media.append(self._media.image(block, at))
            elif kind == "document":
                for part in self._media.document(block, at):
                    if "text" in part:
                        texts.append(part["text"])
                    else:
                        media.append(part)
            elif kind == "search_result":
                texts.append(self._media.search_result(block, at)["text"])
            elif kind == "tool_reference":
                texts.append(text_of(block, "tool_name", at))
            else:
                raise unsupported(at, kind, self._manner)
        return "\n".join(texts), media
