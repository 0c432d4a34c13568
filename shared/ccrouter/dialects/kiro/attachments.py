"""Images and documents as the service takes them: bytes inside the request (kiro.md §5.5)."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Protocol

from ccrouter.errors import InvalidRequest

_FORMATS = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_MOST_IMAGES = 10
"""What the official client sends at most."""
_REFUSED_IN_NAME = re.compile(r"[^A-Za-z0-9 \-()\[\]]+")


class Fetched(Protocol):
    """What stood behind a URL."""

    @property
    def media_type(self) -> str:
        """Its kind."""

    @property
    def data(self) -> bytes:
        """Its bytes."""


class Attachments:
    """Reads blocks of images and documents; `media` is what their URLs led to."""

    def __init__(self, media: Mapping[str, Fetched]) -> None:
        self._media = media
        self._names: set[str] = set()

    def image(self, block: dict[str, Any], where: str) -> dict[str, Any]:
        """An image block. Raises InvalidRequest for what Kiro does not take."""
        media_type, data = self._inline(block, where)
        format_ = _FORMATS.get(media_type)
        if format_ is None:
            raise InvalidRequest(f"{where}.source: Kiro takes PNG, JPEG, GIF and WebP images, not {media_type}.")
        return {"format": format_, "source": {"bytes": data}}

    def document(self, block: dict[str, Any], where: str) -> tuple[list[str], list[dict[str, Any]], list[Any]]:
        """A document: its texts, its document block or none, and the blocks that it is made of, if it is."""
        source = block.get("source")
        kind = source.get("type") if isinstance(source, dict) else None
        head = [text for name in ("title", "context") if isinstance(text := block.get(name), str) and text]
        if isinstance(source, dict) and kind == "text":
            return ["\n".join([*head, _string(source.get("data"), f"{where}.source.data")])], [], []
        if isinstance(source, dict) and kind == "content":
            content = source.get("content")
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            return head, [], parts if isinstance(parts, list) else []
        media_type, data = self._inline(block, where)
        if media_type.startswith("text/"):
            return ["\n".join([*head, _decoded(data, where)])], [], []
        if media_type != "application/pdf":
            raise InvalidRequest(f"{where}.source: Kiro takes PDF and plain text documents, not {media_type}.")
        named = {"name": self._name(block.get("title")), "format": "pdf", "source": {"bytes": data}}
        context = block.get("context")
        return [context] if isinstance(context, str) and context else [], [named], []

    def _inline(self, block: dict[str, Any], where: str) -> tuple[str, str]:
        """Kind and base64 of what a block holds or points to."""
        source = block.get("source")
        if not isinstance(source, dict):
            raise InvalidRequest(f"{where}.source: must be an object")
        kind = source.get("type")
        if kind == "base64":
            data = _string(source.get("data"), f"{where}.source.data")
            if data.startswith("data:"):
                data = data.partition(",")[2]
            return _string(source.get("media_type"), f"{where}.source.media_type").lower(), data
        if kind == "url" and (found := self._media.get(str(source.get("url")))) is not None:
            return found.media_type.partition(";")[0].strip().lower(), base64.b64encode(found.data).decode()
        raise InvalidRequest(f"{where}.source: sources of type {kind} are not supported on Kiro.")

    def _name(self, title: Any) -> str:
        base = _REFUSED_IN_NAME.sub(" ", title).strip() if isinstance(title, str) else ""
        number = len(self._names) + 1
        name = base or f"document-{number}"
        while name in self._names:
            name, number = f"{base or 'document'} ({number})", number + 1
        self._names.add(name)
        return name


def newest_images(images: list[dict[str, Any]], texts: list[str]) -> list[dict[str, Any]]:
    """As many images of a turn as the service takes; the texts say how many were left out."""
    left_out = len(images) - _MOST_IMAGES
    if left_out <= 0:
        return images
    texts.append(f"[{left_out} image(s) omitted]")
    return images[left_out:]


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{where}: must be a string")
    return value


def _decoded(data: str, where: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode("utf-8", "replace").replace("\0", "")
    except binascii.Error:
        raise InvalidRequest(f"{where}.source.data: must be base64") from None
