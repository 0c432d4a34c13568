"""Images and documents of the client, as pieces that both APIs can say (openai-compatible.md §3)."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ccrouter.dialects.openai.pieces import File, Image, Piece, Text, text_in, unsupported
from ccrouter.dialects.openai.vendors import Vendor
from ccrouter.errors import InvalidRequest

PDF = "application/pdf"
NO_VISION = "[image omitted: model has no vision]"


class Bytes(Protocol):
    """What stood behind a URL."""

    @property
    def media_type(self) -> str:
        """Its type, perhaps with parameters."""

    @property
    def data(self) -> bytes:
        """Its bytes."""


def urls_in(messages: Any, vendor: Vendor) -> Iterator[str]:
    """URLs that must be fetched: of documents always, of images where the server fetches none."""
    for block in _blocks(messages):
        source = block.get("source")
        url = source.get("url") if isinstance(source, dict) and source.get("type") == "url" else None
        if isinstance(url, str) and (block.get("type") == "document" or not vendor.fetches_urls):
            yield url


def _blocks(messages: Any) -> Iterator[dict[str, Any]]:
    for item in messages if isinstance(messages, list) else ():
        if isinstance(item, dict):
            yield item
            yield from _blocks(item.get("content"))
            source = item.get("source")
            if isinstance(source, dict):
                yield from _blocks(source.get("content"))


class MediaPieces:
    """Makes pieces; `found` is what stood behind the URLs."""

    def __init__(self, vendor: Vendor, found: Mapping[str, Bytes], *, vision: bool) -> None:
        self._vendor = vendor
        self._found = found
        self._vision = vision

    def image(self, block: dict[str, Any], where: str) -> Piece:
        """An image block."""
        mark = block.get("cache_control")
        if not self._vision:
            return Text(NO_VISION, mark)
        source = block.get("source")
        kind = source.get("type") if isinstance(source, dict) else None
        if isinstance(source, dict) and kind == "base64":
            media_type = text_in(source, "media_type", f"{where}.source")
            return Image(f"data:{media_type};base64,{text_in(source, 'data', f'{where}.source')}", mark)
        if isinstance(source, dict) and kind == "url":
            url = text_in(source, "url", f"{where}.source")
            if self._vendor.fetches_urls:
                return Image(url, mark)
            media = self._fetched(url, where)
            return Image(_data_url(_bare(media.media_type), media.data), mark)
        raise unsupported(f"{where}.source", kind)

    def document(self, block: dict[str, Any], where: str) -> list[Piece]:
        """A document block: text in an element of its own, a PDF as a file."""
        source, mark = block.get("source"), block.get("cache_control")
        kind = source.get("type") if isinstance(source, dict) else None
        at = f"{where}.source"
        if isinstance(source, dict) and kind == "text":
            return [Text(_element(block, text_in(source, "data", at)), mark)]
        if isinstance(source, dict) and kind == "content":
            return self._nested(block, source.get("content"), f"{at}.content", mark)
        if isinstance(source, dict) and kind == "base64":
            return [self._file(block, text_in(source, "media_type", at), text_in(source, "data", at), at, mark)]
        if isinstance(source, dict) and kind == "url":
            media = self._fetched(text_in(source, "url", at), where)
            bare = _bare(media.media_type)
            if bare.startswith("text/"):
                return [Text(_element(block, media.data.decode("utf-8", "replace")), mark)]
            return [self._file(block, bare, base64.b64encode(media.data).decode(), at, mark)]
        raise unsupported(at, kind)

    def search_result(self, block: dict[str, Any], where: str) -> Piece:
        """A search result as one text."""
        content = block.get("content")
        texts = [
            text_in(nested, "text", f"{where}.content.{index}")
            for index, nested in enumerate(content if isinstance(content, list) else ())
            if isinstance(nested, dict)
        ]
        return Text(_element(block, "\n".join(texts), "source"), block.get("cache_control"))

    def _nested(self, block: dict[str, Any], content: Any, where: str, mark: Any) -> list[Piece]:
        if isinstance(content, str):
            return [Text(_element(block, content), mark)]
        if not isinstance(content, list):
            raise InvalidRequest(f"{where}: must be a string or a list")
        pieces: list[Piece] = []
        for index, nested in enumerate(content):
            kind = nested.get("type") if isinstance(nested, dict) else None
            if kind == "text":
                pieces.append(Text(text_in(nested, "text", f"{where}.{index}")))
            elif kind == "image":
                pieces.append(self.image(nested, f"{where}.{index}"))
            else:
                raise unsupported(f"{where}.{index}", kind)
        if all(isinstance(piece, Text) for piece in pieces):
            return [Text(_element(block, "\n".join(piece.text for piece in pieces if isinstance(piece, Text))), mark)]
        opening, _, closing = _element(block, "\0").partition("\0")
        return [Text(opening), *pieces, Text(closing, mark)]

    def _file(self, block: dict[str, Any], media_type: str, data: str, where: str, mark: Any) -> Piece:
        if media_type != PDF:
            raise unsupported(where, media_type)
        if not self._vendor.files:
            raise InvalidRequest(
                f"{where}: PDF documents cannot be sent to the platform openai ({self._vendor.name}); send their text."
            )
        title = block.get("title")
        name = title if isinstance(title, str) and title else "document"
        return File(name if name.lower().endswith(".pdf") else f"{name}.pdf", f"data:{PDF};base64,{data}", mark)

    def _fetched(self, url: str, where: str) -> Bytes:
        media = self._found.get(url)
        if media is None:
            raise InvalidRequest(f"{where}.source.url: could not be fetched")
        return media


def _element(block: dict[str, Any], text: str, *further: str) -> str:
    said = "".join(
        f' {name}="{value}"'
        for name in ("title", *further)
        if isinstance(value := block.get(name), str) and value and (value := value.replace('"', "&quot;"))
    )
    context = block.get("context")
    within = f"{context}\n\n{text}" if isinstance(context, str) and context else text
    return f"<document{said}>\n{within}\n</document>"


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()
