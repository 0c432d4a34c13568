"""The token estimate that all platforms share where they cannot count themselves (kiro.md §10).

One token per 4 ASCII characters and per 1.5 others, 4 per message, images by their size, a tenth on top: meant to be
near, since clients compact a conversation by it. How near it comes is measured in docs/platforms.md.
"""

import base64
import binascii
import math
import re
import struct
from typing import Any

import msgspec

_FACTOR = 1.1
_PER_MESSAGE = 4
_SMALLEST_IMAGE = 256
_UNKNOWN_IMAGE = 1_600
"""What Claude counts for an image at its largest useful size; for images whose size cannot be read."""
_TOKENS_PER_PAGE = 2_000
"""A page of a PDF has some 1,500 to 3,000 tokens."""
_BYTES_PER_PAGE = 68_000
"""Files of text have roughly 50 kB a page, in base64 a third more."""


def estimate_text(text: str) -> float:
    """Tokens of a text, not rounded and without the tenth on top."""
    ascii_count = len(text) if text.isascii() else sum(character < "\x80" for character in text)
    return ascii_count / 4 + (len(text) - ascii_count) / 1.5


def estimate_output(characters_of: list[str]) -> int:
    """Tokens of an answer from its texts, at least 1 where there is any text."""
    return math.ceil(sum(map(estimate_text, characters_of)) * _FACTOR)


def estimate_input(document: dict[str, Any]) -> int:
    """Tokens of a Messages request: system, messages and tools; never 0."""
    total = estimate_text(_text_of(document.get("system")))
    messages = document.get("messages")
    for message in messages if isinstance(messages, list) else ():
        total += _PER_MESSAGE
        if isinstance(message, dict):
            total += _content(message.get("content"))
    tools = document.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        total += estimate_text(msgspec.json.encode(tool).decode())
    return max(1, math.ceil(total * _FACTOR))


def _content(content: Any) -> float:
    if isinstance(content, str):
        return estimate_text(content)
    if not isinstance(content, list):
        return 0
    return sum(_block(block) for block in content if isinstance(block, dict))


def _block(block: dict[str, Any]) -> float:
    kind = block.get("type")
    if kind == "text":
        return estimate_text(_text_of(block.get("text")))
    if kind == "image":
        return _image(block.get("source"))
    if kind == "tool_use":
        return estimate_text(_text_of(block.get("name"))) + estimate_text(
            msgspec.json.encode(block.get("input")).decode()
        )
    if kind == "tool_result":
        return _content(block.get("content"))
    if kind == "thinking":
        return estimate_text(_text_of(block.get("thinking")))
    if kind == "document":
        return _document(block)
    return 0


def _document(block: dict[str, Any]) -> float:
    source = block.get("source")
    if not isinstance(source, dict):
        return 0
    head = estimate_text(_text_of(block.get("title"))) + estimate_text(_text_of(block.get("context")))
    if source.get("type") == "text":
        return head + estimate_text(_text_of(source.get("data")))
    if source.get("type") == "content":
        return head + _content(source.get("content"))
    data = source.get("data")
    return head + _TOKENS_PER_PAGE * max(1, (len(data) if isinstance(data, str) else 0) // _BYTES_PER_PAGE)


def _image(source: Any) -> float:
    size = _size_of(source.get("data")) if isinstance(source, dict) and source.get("type") == "base64" else None
    if size is None:
        return _UNKNOWN_IMAGE
    return max(_SMALLEST_IMAGE, size[0] * size[1] / 750)


def _size_of(data: Any) -> tuple[int, int] | None:
    """Width and height from the head of a PNG, GIF or JPEG in base64."""
    if not isinstance(data, str):
        return None
    try:
        head = base64.b64decode(data[: 64 * 1024 // 3 * 4])
    except (binascii.Error, ValueError):
        return None
    if head.startswith(b"\x89PNG") and len(head) >= 24:
        width, height = struct.unpack_from(">II", head, 16)
        return int(width), int(height)
    if head[:4] == b"GIF8" and len(head) >= 10:
        width, height = struct.unpack_from("<HH", head, 6)
        return int(width), int(height)
    if head.startswith(b"\xff\xd8"):
        return _jpeg_size(head)
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, at + 5)
            return int(width), int(height)
        at += 2 + length
    return None


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(_text_of(block.get("text")) for block in value if isinstance(block, dict))
    return ""


_BYTES_PER_TOKEN = 4
_MEDIA = re.compile(rb'"data"\s*:\s*"')
_BASE64 = re.compile(rb"[A-Za-z0-9+/\\]{512}")
_PDF = b"JVBER"


def roughly(body: bytes) -> int:
    """About how many tokens a request's bytes have, without reading them as JSON.

    For reservations: what was used takes its place at the end. Text counts by its length, media by their kind: their
    base64 would count many times what they are.
    """
    text, media, at = len(body), 0, 0
    while found := _MEDIA.search(body, at):
        begin = found.end()
        at = begin
        if _BASE64.match(body, begin):
            # What is base64 for so long is so to its end.
            at = max(begin, body.find(b'"', begin))
            text -= at - begin
            pages = max(1, (at - begin) // _BYTES_PER_PAGE)
            media += _TOKENS_PER_PAGE * pages if body.startswith(_PDF, begin) else _UNKNOWN_IMAGE
    return text // _BYTES_PER_TOKEN + media
