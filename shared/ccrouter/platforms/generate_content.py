"""`generateContent` as the Gemini API and Vertex serve it: one exchange over the Gemini dialect (gemini.md)."""

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import GenerateOptions
from ccrouter.dialects.fold import fold
from ccrouter.dialects.gemini.errors import refusal, status_of
from ccrouter.dialects.gemini.finish import is_unsigned
from ccrouter.dialects.gemini.google_error import GoogleError, decode_body, read_google_error
from ccrouter.dialects.gemini.manner import AS_IS, Manner, Mended, Tuning
from ccrouter.dialects.gemini.media import urls_in
from ccrouter.dialects.gemini.models import is_since_3, row_of
from ccrouter.dialects.gemini.request import Asked, encode, max_tokens
from ccrouter.dialects.gemini.signatures import unsigned_calls
from ccrouter.dialects.gemini.stream import GeminiDecoder
from ccrouter.dialects.translated import TranslatedStream
from ccrouter.errors import StreamBroken, Trouble, UpstreamError, UpstreamRefused
from ccrouter.http import Headers, HttpRequest
from ccrouter.messages.estimate import estimate_input
from ccrouter.messages.facts import StreamFacts
from ccrouter.messages.writer import MessageWriter
from ccrouter.platforms.contract import (
    COUNT_TOKENS,
    NOTHING,
    Aim,
    Ask,
    CannedAnswer,
    Exchange,
    Found,
    Needs,
    Whole,
)
from ccrouter.platforms.counting import COUNT_WITHIN_S, estimated_count
from ccrouter.platforms.empty_message import empty_message

_log = logging.getLogger(__name__)

EVENT_STREAM = frozenset({"text/event-stream"})
_UNKNOWN_NAME = ("Unknown name", "function_declarations")


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go: the model's address without its verb, and what stands on each request.

    `count_body` makes the body of a count from the members of a generation. `renews` names what a sign-in can get anew;
    `region` decides the price, where there are several. `steps` are those of a cool-down after a throttle, where the
    platform has its own.
    """

    address: str
    headers: Headers
    count_body: Callable[[dict[str, Any]], dict[str, Any]]
    open_network: bool
    renews: tuple[str, ...] = ()
    steps: tuple[float, float] | None = None
    region: str | None = None


def gemini_model(name: str) -> str:
    """A model's name as the path has it."""
    return name.removeprefix("publishers/").removeprefix("google/").removeprefix("models/")


def gemini_needs(ask: Ask, model: str, manner: Manner) -> Needs:
    """Signatures that are not in the history, and media that the platform does not fetch."""
    body = ask.request.body
    asks_memory = b'"tool_use"' in body and (manner.claude or is_since_3(model)) and ask.operation != COUNT_TOKENS
    asks_media = b'"url"' in body
    if not asks_memory and not asks_media:
        return NOTHING
    messages = ask.request.document.get("messages")
    return Needs(
        tuple(dict.fromkeys(unsigned_calls(messages, manner))) if asks_memory else (),
        tuple(dict.fromkeys(urls_in(messages, manner))) if asks_media else (),
    )


def tuning_of(options: GenerateOptions) -> Tuning:
    """The dialect's view of a credential's options."""
    return Tuning(
        head_room=options.head_room,
        drop_sampling=options.drop_sampling,
        validated_calls=options.validated_calls,
        grounding=options.web_search == "grounding",
        safety=tuple(msgspec.to_builtins(setting) for setting in options.safety),
    )


def open_generate(
    ask: Ask, aim: Aim, place: Place, manner: Manner, options: GenerateOptions, found: Found
) -> Exchange | CannedAnswer:
    """A try; `max_tokens: 0` needs no network."""
    document = ask.request.document
    counts = ask.operation == COUNT_TOKENS
    if not counts and max_tokens(document) == 0:
        return empty_message(ask.request.model, stream=ask.request.stream)
    asked = Asked(
        document, gemini_model(aim.model), aim.effort, manner, tuning_of(options), found.remembered, found.media
    )
    return GenerateExchange(ask, asked, place, options.most_hops)


class GenerateExchange:
    """See `platforms.contract.Exchange`."""

    stream_types = EVENT_STREAM

    def __init__(self, ask: Ask, asked: Asked, place: Place, most_hops: int, mended: Mended = AS_IS) -> None:
        self._ask = ask
        self._asked = asked
        self._place = place
        self._model = asked.model
        self._most_hops = most_hops
        self._mended = mended
        self._counts = ask.operation == COUNT_TOKENS
        self._encoded = encode(asked, mended, counting=self._counts)
        for warning in self._encoded.warnings:
            _log.debug("%s: %s", asked.manner.platform, warning)
        self._tries = 0
        # An answer that goes on in further responses can only be read as a stream; the relay folds it.
        self._streams = ask.request.stream or row_of(asked.model).continues

    def request(self) -> HttpRequest:
        """The request: a count, a stream, or an answer in one piece."""
        self._tries += 1
        body = self._encoded.body
        if self._counts:
            request = self._send("countTokens", self._place.count_body(body))
            return dataclasses.replace(request, head_within_s=COUNT_WITHIN_S, silence_within_s=COUNT_WITHIN_S)
        return self._send("streamGenerateContent?alt=sse" if self._streams else "generateContent", body)

    def stream(self) -> TranslatedStream:
        """A decoder over a fresh writer."""
        writer = self._writer()
        return TranslatedStream(self._decoder(writer), writer)

    def read_whole(self, body: bytes) -> Whole:
        """A message, or a count."""
        document = decode_body(body)
        if document is None:
            raise StreamBroken("The platform's answer is not JSON.")
        if self._counts:
            return self._read_count(document)
        writer = self._writer()
        decoder = self._decoder(writer)
        decoder.read(document)
        decoder.close()
        writer.facts.stopped = writer.finished
        return Whole(msgspec.json.encode(fold(writer.take())), writer.facts, decoder.remembered)

    def read_refusal(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        """Google's error in Anthropic's shape."""
        return self._judged(status, read_google_error(decode_body(body)), headers, body)

    def answer_headers(self, headers: Headers) -> Headers:
        """None: what Google sends belongs to its own connection."""
        return ()

    def mend(self, refusal: UpstreamRefused) -> Exchange | None:
        """Tools described the older way, or signatures replaced by the stand-in; each once."""
        mended = self._mended_for(refusal)
        return None if mended is None else self._once_more(mended)

    def count_instead(self, failure: UpstreamError) -> CannedAnswer | None:
        """The estimate."""
        return estimated_count(self._ask.request)

    def _refusal(self, status: int, error: GoogleError | None, headers: Headers, body: bytes) -> UpstreamRefused:
        return refusal(status, error, headers, body, model=self._model, now=utc_now())

    def _refuse(self, error: GoogleError) -> UpstreamRefused:
        """The refusal of an error inside an answer of success."""
        return self._judged(status_of(error), error, (), b"")

    def _judged(self, status: int, error: GoogleError | None, headers: Headers, body: bytes) -> UpstreamRefused:
        refused = self._refusal(status, error, headers, body)
        consequence = refused.consequence
        # A key cannot be renewed, only what was signed in for can; and a count is sooner estimated than repeated.
        renews = consequence.renews if consequence.renews in self._place.renews else ""
        repeats = () if self._counts else consequence.repeats
        steps = self._place.steps if consequence.trouble is Trouble.THROTTLED else consequence.steps
        refused.consequence = dataclasses.replace(
            consequence, renews=renews, repeats=repeats, steps=steps or consequence.steps
        )
        return refused

    def _mended_for(self, refusal: UpstreamRefused) -> Mended | None:
        if is_unsigned(refusal.message) and not self._mended.stand_ins:
            return dataclasses.replace(self._mended, stand_ins=True)
        unknown = refusal.status == 400 and any(said in refusal.message for said in _UNKNOWN_NAME)
        if unknown and "tools" in self._encoded.body and not self._mended.plain_parameters:
            return dataclasses.replace(self._mended, plain_parameters=True)
        return None

    def _once_more(self, mended: Mended) -> Exchange:
        return GenerateExchange(self._ask, self._asked, self._place, self._most_hops, mended)

    def _shown_model(self) -> str | None:
        """The model's name in the answer; None: the one that the platform gives."""
        return None

    def _send(self, verb: str, body: dict[str, Any]) -> HttpRequest:
        place = self._place
        return HttpRequest(
            "POST",
            f"{place.address}:{verb}",
            (*place.headers, ("content-type", "application/json"), ("accept-encoding", "identity")),
            msgspec.json.encode(body),
            open_network=place.open_network,
        )

    def _writer(self) -> MessageWriter:
        writer = MessageWriter(
            model=self._model,
            input_tokens=estimate_input(self._ask.request.document),
            tag=self._asked.manner.carrier,
        )
        writer.facts.place = self._place.region
        return writer

    def _decoder(self, writer: MessageWriter) -> GeminiDecoder:
        return GeminiDecoder(
            writer,
            self._asked.manner,
            self._encoded,
            model=self._model,
            refuse=self._refuse,
            go_on=self._go_on if self._streams else None,
            most_tokens=max_tokens(self._asked.document),
            most_hops=self._most_hops,
            shown_model=self._shown_model(),
            retries_empty=self._tries < 2 and not _ends_with_results(self._asked.document.get("messages")),
        )

    def _go_on(self, token: str) -> HttpRequest:
        return self._send("streamGenerateContent?alt=sse", {**self._encoded.body, "continuationToken": token})

    def _read_count(self, document: Any) -> Whole:
        if (error := read_google_error(document)) is not None:
            raise self._refuse(error)
        total = document.get("totalTokens") if isinstance(document, dict) else None
        if not isinstance(total, int) or isinstance(total, bool):
            raise StreamBroken("The platform's answer has no totalTokens.")
        return Whole(msgspec.json.encode({"input_tokens": total}), StreamFacts())


def _ends_with_results(messages: Any) -> bool:
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else None
    return isinstance(content, list) and any(
        isinstance(block, dict) and block.get("type") == "tool_result" for block in content
    )
