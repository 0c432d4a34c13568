"""One try on an address that speaks OpenAI's API."""

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ccrouter.dialects.fold import fold
from ccrouter.dialects.openai.asked import AS_IS, Asked, Mended
from ccrouter.dialects.openai.chat_request import encode_chat
from ccrouter.dialects.openai.chat_stream import ChatDecoder, refusal_details
from ccrouter.dialects.openai.errors import CONTENT_FILTER, Complaint, complaint_in, refusal
from ccrouter.dialects.openai.mending import Learned, mended
from ccrouter.dialects.openai.responses_request import COUNTED, encode_responses
from ccrouter.dialects.openai.responses_stream import ResponsesDecoder
from ccrouter.dialects.openai.thinking import ITEM, TEXT
from ccrouter.dialects.translated import TranslatedStream
from ccrouter.errors import Consequence, StreamBroken, UpstreamError, UpstreamRefused
from ccrouter.http import Headers, HttpRequest
from ccrouter.messages.estimate import estimate_input
from ccrouter.messages.facts import StreamFacts
from ccrouter.messages.writer import MESSAGE_STOP, MessageWriter
from ccrouter.platforms.contract import COUNT_TOKENS, Ask, CannedAnswer, Exchange, Whole, canned_json
from ccrouter.platforms.counting import COUNT_WITHIN_S, Uncountable, estimated_count

_CANNOT_COUNT = frozenset({400, 403, 404, 405, 422, 501})


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go: the address with its version, a query that stays, and what stands on each request."""

    address: str
    query: str
    headers: Headers
    open_network: bool

    def to(self, path: str) -> str:
        """The address of an operation."""
        return f"{self.address}{path}{f'?{self.query}' if self.query else ''}"


class OpenAiExchange:
    """See `platforms.contract.Exchange`."""

    stream_types = frozenset({"text/event-stream"})

    def __init__(
        self,
        ask: Ask,
        asked: Asked,
        place: Place,
        learned: Learned,
        uncountable: Uncountable,
        changes: Mended = AS_IS,
        *,
        responses: bool,
        splits: bool,
    ) -> None:
        self._ask = ask
        self._asked = asked
        self._place = place
        self._learned = learned
        self._uncountable = uncountable
        self._changes = changes
        self._responses = responses
        self._splits = splits
        self._counts = ask.operation == COUNT_TOKENS
        self._complaint = Complaint()
        encode = encode_responses if responses else encode_chat
        self._body = encode(asked, changes)

    @property
    def can_count(self) -> bool:
        """Whether the address counts tokens for this model."""
        way = self._asked.vendor.tokenize
        if (self._place.address, self._asked.model) in self._uncountable:
            return False
        return way == "input_tokens" if self._responses else way in ("tokenize", "estimate")

    def request(self) -> HttpRequest:
        """The request: a message, or a count."""
        if self._counts:
            return dataclasses.replace(self._count(), head_within_s=COUNT_WITHIN_S)
        return self._post(self._place.to("/responses" if self._responses else "/chat/completions"), self._body)

    def stream(self) -> TranslatedStream:
        """A decoder over a fresh writer."""
        writer = self._writer()
        return TranslatedStream(self._decoder(writer), writer)

    def read_whole(self, body: bytes) -> Whole:
        """A message, or a count."""
        try:
            document = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise StreamBroken("The platform's answer is not a JSON object.")
        if self._counts:
            return self._read_count(document)
        writer = self._writer()
        decoder = self._decoder(writer)
        decoder.read_whole(document)
        writer.facts.stopped = writer.finished
        return Whole(msgspec.json.encode(fold(writer.take())), writer.facts, decoder.remembered)

    def read_refusal(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        """The error in Anthropic's shape."""
        self._complaint = complaint_in(body) or Complaint()
        refused = refusal(status, headers, body, model=self._asked.model)
        if self._counts:
            # A count is sooner estimated than repeated.
            before = refused.consequence
            refused.consequence = Consequence(before.trouble, before.retry_after_s, before.scope)
            if status in _CANNOT_COUNT:
                self._uncountable.note(self._place.address, self._asked.model)
        return refused

    def answer_headers(self, headers: Headers) -> Headers:
        """None: what these servers send belongs to their own connection."""
        return ()

    def mend(self, refusal: UpstreamRefused) -> Exchange | CannedAnswer | None:
        """Without the member that was refused, through the other API, or, for a filtered prompt, a refusal."""
        if refusal.status != 400 or self._counts:
            return None
        if self._complaint.code == CONTENT_FILTER:
            return self._filtered(self._complaint.message)
        changes = mended(self._changes, self._complaint, self._body, responses=self._responses)
        if changes is None:
            return None
        self._learned.note(self._place.address, self._asked.model, changes)
        return OpenAiExchange(
            self._ask,
            self._asked,
            self._place,
            self._learned,
            self._uncountable,
            changes,
            responses=self._responses or changes.responses,
            splits=self._splits,
        )

    def count_instead(self, failure: UpstreamError) -> CannedAnswer | None:
        """The estimate."""
        return estimated_count(self._ask.request)

    def _post(self, url: str, body: Any) -> HttpRequest:
        return HttpRequest(
            "POST",
            url,
            (*self._place.headers, ("content-type", "application/json"), ("accept-encoding", "identity")),
            msgspec.json.encode(body),
            open_network=self._place.open_network,
        )

    def _writer(self) -> MessageWriter:
        vendor = self._asked.vendor
        writer = MessageWriter(
            model=self._asked.model,
            input_tokens=estimate_input(self._ask.request.document),
            tag=ITEM if self._responses else TEXT,
        )
        writer.facts.vendor = vendor.prices or vendor.name
        return writer

    def _decoder(self, writer: MessageWriter) -> ChatDecoder | ResponsesDecoder:
        if self._responses:
            return ResponsesDecoder(writer, self._asked)
        return ChatDecoder(writer, self._asked, inline_think=self._splits)

    def _filtered(self, explanation: str) -> CannedAnswer:
        """A prompt that Azure's filter stopped: an empty message. Azure bills what it has read."""
        writer = self._writer()
        writer.finish("refusal", {"output_tokens": 0}, stop_details=refusal_details(explanation or CONTENT_FILTER))
        events = writer.take() + MESSAGE_STOP
        if not self._ask.request.stream:
            return canned_json(fold(events))

        async def pieces() -> AsyncIterator[bytes]:
            yield events

        return CannedAnswer(200, (("content-type", "text/event-stream; charset=utf-8"),), pieces())

    def _count(self) -> HttpRequest:
        """A count, in the way of the vendor (openai-compatible.md §9)."""
        way, body = self._asked.vendor.tokenize, self._body
        if way == "input_tokens":
            counted = {name: value for name, value in body.items() if name in COUNTED}
            return self._post(self._place.to("/responses/input_tokens"), counted)
        if way == "tokenize":
            parts = urlsplit(self._place.address)
            counted = {name: body[name] for name in ("model", "messages", "tools") if name in body}
            return self._post(f"{parts.scheme}://{parts.netloc}/tokenize", counted)
        counted = {name: body[name] for name in ("model", "messages")}
        return self._post(self._place.to("/tokenizers/estimate-token-count"), counted)

    def _read_count(self, document: dict[str, Any]) -> Whole:
        data = document.get("data")
        total = document.get("input_tokens", document.get("count"))
        if total is None and isinstance(data, dict):
            total = data.get("total_tokens")
        if type(total) is not int or total < 0:
            raise StreamBroken("The platform's answer has no count.")
        return Whole(msgspec.json.encode({"input_tokens": total}), StreamFacts())
