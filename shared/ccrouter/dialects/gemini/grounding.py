"""Web search by grounding: Google's sources as Anthropic's search blocks (gemini.md §3, anthropic-messages.md §4).

Strategy: the sources come with the last piece of an answer, while Claude names them before its text. So the text is
held until the answer's end, and then written piece by piece, each with the sources that support it.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from ccrouter.dialects.gemini.manner import Encoded
from ccrouter.dialects.gemini.models import is_since_3
from ccrouter.messages.writer import MessageWriter

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class _Source:
    url: str
    title: str


class Grounding:
    """Holds the text of one answer and what it is grounded on."""

    def __init__(self, encoded: Encoded) -> None:
        self._encoded = encoded
        self._texts: list[str] = []
        self._queries: list[str] = []
        self._searched = 0
        self._sources: list[_Source | None] = []
        self._supports: list[Any] = []

    @property
    def has_text(self) -> bool:
        """Whether text or sources wait."""
        return bool(self._texts or self._queries)

    def text(self, text: str) -> None:
        """A piece of text."""
        self._texts.append(text)

    def take(self, metadata: Any) -> None:
        """Takes one `groundingMetadata`; its lists are whole, so the last one counts."""
        if not isinstance(metadata, dict):
            return
        queries, chunks = metadata.get("webSearchQueries"), metadata.get("groundingChunks")
        if isinstance(queries, list):
            self._queries = list(dict.fromkeys(query for query in queries if isinstance(query, str) and query))
            self._searched = len(self._queries)
        if isinstance(chunks, list):
            self._sources = [self._source(chunk) for chunk in chunks]
        if isinstance(supports := metadata.get("groundingSupports"), list):
            self._supports = supports

    def usage(self, model: str) -> dict[str, Any]:
        """Searches as they are billed: by query from Gemini 3 on, by prompt before (pricing.md)."""
        if not self._searched:
            return {}
        searches = self._searched if is_since_3(model) else 1
        return {"server_tool_use": {"web_search_requests": searches, "web_fetch_requests": 0}}

    def release(self, write: MessageWriter) -> None:
        """Writes the search, its results, and the text with its citations."""
        if self._queries:
            results = [
                {
                    "type": "web_search_result",
                    "title": source.title,
                    "url": source.url,
                    # The content itself is not told; the member is one that clients require.
                    "encrypted_content": "",
                    "page_age": None,
                }
                for source in self._sources
                if source is not None
            ]
            # It is not told which query found which source: one call stands for all of them.
            query = _encode({"query": "; ".join(self._queries)}).decode()
            write.server_tool("web_search", query, "web_search_tool_result", results)
        for text, citations in self._cited("".join(self._texts)):
            if citations:
                write.cited_text(text, citations)
            else:
                write.text(text)
        self._texts, self._queries, self._sources, self._supports = [], [], [], []

    def _source(self, chunk: Any) -> _Source | None:
        web = chunk.get("web") if isinstance(chunk, dict) else None
        if not isinstance(web, dict) or not isinstance(url := web.get("uri"), str):
            return None
        title, domain = (value if isinstance(value := web.get(name), str) else "" for name in ("title", "domain"))
        # The Gemini API gives addresses of a redirect and the site's name as the title.
        site = (domain or title).lower()
        if self._encoded.allowed_domains and not _within(site, self._encoded.allowed_domains):
            return None
        if _within(site, self._encoded.blocked_domains):
            return None
        return _Source(url, title or domain or url)

    def _cited(self, text: str) -> list[tuple[str, list[dict[str, Any]]]]:
        """The text in pieces, each with its citations. Places are counted in bytes; what does not fit is not cited."""
        data = text.encode("utf-8", "surrogatepass")
        pieces: list[tuple[str, list[dict[str, Any]]]] = []
        done = 0
        for start, end, indices in sorted(self._places(data)):
            citations = [
                {
                    "type": "web_search_result_location",
                    "url": source.url,
                    "title": source.title,
                    "encrypted_index": "",
                    "cited_text": "",
                }
                for index in indices
                if 0 <= index < len(self._sources) and (source := self._sources[index]) is not None
            ]
            if start < done or not citations:
                continue
            pieces += [
                (data[done:start].decode("utf-8", "surrogatepass"), []),
                (data[start:end].decode("utf-8", "surrogatepass"), citations),
            ]
            done = end
        pieces.append((data[done:].decode("utf-8", "surrogatepass"), []))
        return [piece for piece in pieces if piece[0]]

    def _places(self, data: bytes) -> list[tuple[int, int, list[int]]]:
        places = []
        for support in self._supports:
            segment = support.get("segment") if isinstance(support, dict) else None
            indices = support.get("groundingChunkIndices") if isinstance(support, dict) else None
            if not isinstance(segment, dict) or not isinstance(indices, list):
                continue
            said = segment.get("text")
            wanted = said.encode("utf-8", "surrogatepass") if isinstance(said, str) else b""
            start = segment.get("startIndex", 0)
            if not wanted or not isinstance(start, int):
                continue
            if data[start : start + len(wanted)] != wanted:
                start = data.find(wanted)
            if start >= 0:
                places.append((start, start + len(wanted), [index for index in indices if isinstance(index, int)]))
        return places


def _within(site: str, domains: tuple[str, ...]) -> bool:
    """Whether a site is one of the domains or below one; paths behind a domain do not count."""
    return any(
        site == domain or site.endswith(f".{domain}")
        for domain in (listed.lower().partition("/")[0] for listed in domains)
    )
