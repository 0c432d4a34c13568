"""Images and documents of the client as parts of the dialect (gemini.md §3)."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ccrouter.dialects.gemini.manner import Manner
from ccrouter.errors import InvalidRequest

IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
PDF = "application/pdf"

Part = dict[str, Any]


class Bytes(Protocol):
    """What stood behind a URL."""

    @property
    def media_type(self) -> str:
        """Its type, without parameters."""

    @property
    def data(self) -> bytes:
        """Its bytes."""


class MediaParts:
    """Makes parts; `media` is what was found behind the URLs."""

    def __init__(self, manner: Manner, media: Mapping[str, Bytes]) -> None:
        self._manner = manner
        self._media = media

    def image(self, block: dict[str, Any], where: str) -> Part:
        """An image block as one part."""
        return self._source(block.get("source"), f"{where}.source", IMAGE_TYPES, "image")

    def document(self, block: dict[str, Any], where: str) -> list[Part]:
        """A document block as parts: its title and context go before it, or around it where it is text."""
        source = block.get("source")
        kind = source.get("type") if isinstance(source, dict) else None
        title, context = text_of(block, "title", where), text_of(block, "context", where)
        if isinstance(source, dict) and kind == "text":
            return [_enclosed([{"text": _string(source.get("data"), f"{where}.source.data")}], title, context)]
        if isinstance(source, dict) and kind == "content":
            return _wrapped(self._nested(source.get("content"), f"{where}.source.content"), title, context)
        found = self._media.get(str(source.get("url"))) if isinstance(source, dict) and kind == "url" else None
        if found is not None and found.media_type.startswith("text/"):
            return [_enclosed([{"text": found.data.decode("utf-8", "replace")}], title, context)]
        said = [{"text": "\n".join(text for text in (title, context) if text)}] if title or context else []
        return [*said, self._source(source, f"{where}.source", frozenset({PDF}), "document")]

    def search_result(self, block: dict[str, Any], where: str) -> Part:
        """A search result as one text."""
        title, source = text_of(block, "title", where), text_of(block, "source", where)
        content = block.get("content")
        texts = [] if content is None else texts_in(content, f"{where}.content", self._manner)
        return {"text": "\n".join(text for text in (title, source, *texts) if text)}

    def _nested(self, content: Any, where: str) -> list[Part]:
        if isinstance(content, str):
            return [{"text": content}]
        if not isinstance(content, list):
            raise InvalidRequest(f"{where}: must be a string or a list")
        parts: list[Part] = []
        for index, block in enumerate(content):
            at = f"{where}.{index}"
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "text":
                parts.append({"text": _string(block.get("text"), f"{at}.text")})
            elif kind == "image":
                parts.append(self.image(block, at))
            else:
                raise unsupported(at, kind, self._manner)
        return parts

    def _source(self, source: Any, where: str, admitted: frozenset[str], noun: str) -> Part:
        kind = source.get("type") if isinstance(source, dict) else None
        if isinstance(source, dict) and kind == "base64":
            media_type = source.get("media_type")
            self._check(media_type, f"{where}.media_type", admitted, noun)
            return _inline(media_type, _string(source.get("data"), f"{where}.data"))
        if isinstance(source, dict) and kind == "url":
            return self._url(_string(source.get("url"), f"{where}.url"), source, where, admitted, noun)
        if kind == "file":
            raise InvalidRequest(
                f"{where}: the platform {self._manner.platform} does not know files of Anthropic's Files API; "
                f"send the {noun} itself"
            )
        raise unsupported(where, kind, self._manner)

    def _url(self, url: str, source: dict[str, Any], where: str, admitted: frozenset[str], noun: str) -> Part:
        if url.startswith("gs://") and self._manner.reads_gcs:
            media_type = source.get("media_type") or _type_by_name(url) or (PDF if noun == "document" else "image/png")
            return {"fileData": {"fileUri": url, "mimeType": media_type}}
        found = self._media.get(url)
        if found is None:
            raise InvalidRequest(f"{where}.url: the platform {self._manner.platform} cannot read this address")
        self._check(found.media_type, f"{where}.url", admitted, noun)
        return _inline(found.media_type, base64.b64encode(found.data).decode())

    def _check(self, media_type: Any, where: str, admitted: frozenset[str], noun: str) -> None:
        if not isinstance(media_type, str) or media_type not in admitted:
            raise InvalidRequest(
                f"{where}: the platform {self._manner.platform} does not take {media_type} as {noun}; "
                f"it takes {', '.join(sorted(admitted))}"
            )


def urls_in(messages: Any, manner: Manner) -> Iterator[str]:
    """The addresses that must be fetched before the request can be built."""
    for block in _blocks(messages):
        source = block.get("source")
        if block.get("type") in ("image", "document") and isinstance(source, dict) and source.get("type") == "url":
            url = source.get("url")
            if isinstance(url, str) and not (manner.reads_gcs and url.startswith("gs://")):
                yield url


def unsupported(where: str, kind: Any, manner: Manner) -> InvalidRequest:
    """The refusal of content that the platform has no counterpart for."""
    what = f"content of type {kind}" if isinstance(kind, str) else "content without a type"
    return InvalidRequest(f"{where}: {what} is not supported on the platform {manner.platform}")


def texts_in(content: Any, where: str, manner: Manner) -> list[str]:
    """The texts of a member that may hold nothing else: a system prompt."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        raise InvalidRequest(f"{where}: must be a string or a list")
    texts = []
    for index, block in enumerate(content):
        kind = block.get("type") if isinstance(block, dict) else None
        if kind != "text":
            raise unsupported(f"{where}.{index}", kind, manner)
        texts.append(text_of(block, "text", f"{where}.{index}"))
    return texts


def text_of(block: dict[str, Any], name: str, where: str) -> str:
    """An optional text member; empty where it is absent."""
    value = block.get(name)
    return "" if value is None else _string(value, f"{where}.{name}")


def _blocks(messages: Any) -> Iterator[dict[str, Any]]:
    for message in messages if isinstance(messages, list) else ():
        yield from _below(message.get("content") if isinstance(message, dict) else None)


def _below(content: Any) -> Iterator[dict[str, Any]]:
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict):
            yield block
            yield from _below(block.get("content"))
            source = block.get("source")
            yield from _below(source.get("content") if isinstance(source, dict) else None)


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{where}: must be a string")
    return value


def _inline(media_type: Any, data: str) -> Part:
    return {"inlineData": {"mimeType": media_type, "data": data}}


def _type_by_name(url: str) -> str | None:
    ending = url.rpartition(".")[2].lower()
    return {"pdf": PDF, "jpg": "image/jpeg"}.get(ending) or (
        f"image/{ending}" if f"image/{ending}" in IMAGE_TYPES else None
    )


def _wrapped(parts: list[Part], title: str, context: str) -> list[Part]:
    if all("text" in part for part in parts):
        return [_enclosed(parts, title, context)]
    begin, end = _tags(title, context)
    return [{"text": begin}, *parts, {"text": end}]


def _enclosed(parts: list[Part], title: str, context: str) -> Part:
    begin, end = _tags(title, context)
    return {"text": begin + "\n".join(part["text"] for part in parts) + end}


def _tags(title: str, context: str) -> tuple[str, str]:
    attributes = "".join(
        f' {name}="{value.replace(chr(34), "&quot;")}"'
        for name, value in (("title", title), ("context", context))
        if value
    )
    return f"<document{attributes}>", "</document>"
