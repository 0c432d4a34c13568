"""System messages told otherwise, for models and servers that hear none inside `messages` (bedrock.md §4)."""

from typing import Any

import msgspec

from ccrouter.dialects.anthropic.edit import edit_items, with_member
from ccrouter.errors import InvalidRequest


class _Message(msgspec.Struct):
    role: Any = None
    content: msgspec.Raw = msgspec.Raw(b"null")


class _Block(msgspec.Struct):
    type: Any = None
    text: Any = None


def tell_otherwise(messages: bytes, system: bytes | None) -> tuple[bytes, bytes | None]:
    """Messages and system prompt without role `system` inside messages.

    What leads the conversation joins the system prompt, later words are said by the user. A turn of tool results must
    follow its calls at once, so what stands between them waits until after it. Raises InvalidRequest for what is no
    text.
    """
    if not messages.startswith(b"[") or b'"system"' not in messages:
        return messages, system
    teller = _Teller()
    edited = edit_items(messages, teller.message)
    if teller.waiting:
        end = edited.rindex(b"]")
        comma = b"," if edited[:end].rstrip() != b"[" else b""
        edited = edited[:end] + comma + teller.turn() + b"]"
    return edited, _joined(system, teller.leading)


class _Teller:
    def __init__(self) -> None:
        self.leading: list[bytes] = []
        self.waiting: list[bytes] = []
        self._began = False
        self._after_assistant = False

    def message(self, index: int, raw: bytes) -> bytes | None:
        message = msgspec.json.decode(raw, type=_Message) if raw.startswith(b"{") else _Message()
        if message.role == "system":
            return self._told(bytes(message.content), f"messages.{index}")
        if message.role in ("assistant", "user"):
            self._began = True
            self._after_assistant = message.role == "assistant"
            if message.role == "user" and self.waiting:
                return raw + b"," + self.turn()
        return raw

    def turn(self) -> bytes:
        """What has waited, said by the user."""
        blocks, self.waiting = b",".join(self.waiting), []
        return b'{"role":"user","content":[%b]}' % blocks

    def _told(self, content: bytes, path: str) -> bytes | None:
        if content.startswith(b'"'):
            blocks = [b'{"type":"text","text":%b}' % content]
        else:
            blocks = [bytes(block) for block in msgspec.json.decode(content, type=list[msgspec.Raw])]
        if not self._began:
            for index, block in enumerate(blocks):
                _text_of(block, f"{path}.content.{index}")
            self.leading += blocks
            return None
        for index, block in enumerate(blocks):
            text = _text_of(block, f"{path}.content.{index}")
            self.waiting.append(with_member(block, "text", msgspec.json.encode(f"<system>{text}</system>")))
        return None if self._after_assistant or not self.waiting else self.turn()


def _text_of(block: bytes, path: str) -> str:
    found = msgspec.json.decode(block, type=_Block) if block.startswith(b"{") else _Block()
    if found.type != "text" or not isinstance(found.text, str):
        raise InvalidRequest(f"{path}: only text can be told to this model as a system message.")
    return found.text


def _joined(system: bytes | None, leading: list[bytes]) -> bytes | None:
    if not leading:
        return system
    blocks = b",".join(leading)
    if system is None or system.strip(b' \t\r\n"[]') in (b"", b"null"):
        return b"[" + blocks + b"]"
    if system.startswith(b'"'):
        return b'[{"type":"text","text":%b},%b]' % (system, blocks)
    return system[: system.rindex(b"]")] + b"," + blocks + b"]"
