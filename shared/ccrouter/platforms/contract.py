"""What a platform is to the gateway: it builds requests, reads answers and explains refusals; it does no I/O itself.

A platform opens an *exchange* for each try: it knows both the request it built and how to read the answer to it.
What must be looked up before (remembered reasoning, media behind URLs) it names in `needs`; the gateway brings it.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import UpstreamError, UpstreamRefused
from ccrouter.http import Headers, HttpRequest
from ccrouter.messages.facts import StreamFacts
from ccrouter.messages.request import MessagesRequest

MESSAGES = "messages"
COUNT_TOKENS = "count_tokens"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client asks, as a platform needs it. `operation` is MESSAGES or COUNT_TOKENS; `query` keeps its bytes.

    `key_id` is the API key's id and `conversation` tells conversations apart; both only ever leave as hashes.
    `moved` says that this conversation has been answered elsewhere too, by another platform or credential than the
    one that is asked now: signatures in its history may be foreign here (`product.md` §4).
    """

    operation: str
    request: MessagesRequest
    headers: Headers
    query: str
    key_id: str = ""
    conversation: str = ""
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Aim:
    """Where one try goes: the model's name there, and the effort that the mapping sets (None: the client's own)."""

    model: str
    effort: str | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be looked up before a request can be built.

    `tool_use_ids`: calls in the history whose reasoning state the client did not send back. `urls`: images and
    documents that the platform does not fetch by itself.
    """

    tool_use_ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


NOTHING = Needs()


@dataclass(frozen=True, slots=True)
class Media:
    """What stood behind a URL."""

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of the needs; what is missing here was not to be had."""

    remembered: Mapping[str, bytes] = field(default_factory=dict)
    media: Mapping[str, Media] = field(default_factory=dict)


class AnswerStream(Protocol):
    """A streamed answer: bytes in, the bytes that may leave out."""

    facts: StreamFacts
    translated: bool
    """Whether the bytes that leave are ours: then a failure ends them with an error event, not with a cut."""
    failure: UpstreamError | None
    """Set when what was fed says that the platform failed; what came before is still handed out."""

    @property
    def first_event(self) -> str | None:
        """The name of the first event that decides anything, None until it is complete."""

    @property
    def between_events(self) -> bool:
        """Whether a ping may be inserted here."""

    @property
    def ended(self) -> bool:
        """Whether the answer is complete, so that nothing more needs to be read."""

    @property
    def further(self) -> HttpRequest | None:
        """After `close`: the request whose answer goes on with the same message."""

    @property
    def remembered(self) -> Mapping[str, bytes]:
        """Reasoning state by tool_use id that the platform wants back later."""

    def feed(self, chunk: bytes) -> bytes:
        """What may leave now; `message_stop` is held back."""

    def begin(self) -> bytes:
        """What begins the answer now although nothing has come yet (`product.md` §4, Keep-alive)."""

    def close(self) -> bytes:
        """The body has ended: what may leave now. Sets `failure` where a translated answer was cut."""

    def take_held(self) -> bytes:
        """What was held back."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A JSON answer, read: what the client gets, and what was read from it."""

    body: bytes
    facts: StreamFacts
    remembered: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CannedAnswer:
    """An answer that needs no network."""

    status: int
    headers: Headers
    pieces: AsyncIterator[bytes]


def canned_json(document: dict[str, Any]) -> CannedAnswer:
    """A JSON document as a canned answer."""

    async def pieces() -> AsyncIterator[bytes]:
        yield msgspec.json.encode(document)

    return CannedAnswer(200, (("content-type", "application/json"),), pieces())


class Exchange(Protocol):
    """One try: a request, and how its answer is read."""

    stream_types: frozenset[str]
    """Content types of an answer that is read with `stream`."""

    def request(self) -> HttpRequest:
        """The request to send, with the platform's own credential on it."""

    def stream(self) -> AnswerStream:
        """Fresh state for one streamed answer. A client that wants no stream gets it folded."""

    def read_whole(self, body: bytes) -> Whole:
        """An answer in one piece. Raises UpstreamError where it is none, or where it says that the platform failed."""

    def read_refusal(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        """An answer without success as the client shall get it, with what may be tried next."""

    def answer_headers(self, headers: Headers) -> Headers:
        """Those headers of an answer that a client may see; no content-type where the body is translated."""

    def mend(self, refusal: UpstreamRefused) -> "Exchange | CannedAnswer | None":
        """A try without what the platform objected to, on the same target and credential; None: there is none.

        A canned answer is given where the refusal itself is one.

        Asked for after each refusal, at most twice in a row.
        """

    def count_instead(self, failure: UpstreamError) -> CannedAnswer | None:
        """The answer to `count_tokens` where the platform cannot count; None lets the failure stand."""


class Platform(Protocol):
    """A place where models answer."""

    name: str

    def needs(self, ask: Ask, aim: Aim, credential: Credential) -> Needs:
        """What must be looked up first; NOTHING for most. Deviations of an address are in the credential's options."""

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> Exchange | CannedAnswer:
        """A try with a credential whose `auth` is complete (signed in). A canned answer needs no network.

        Raises InvalidRequest for what the platform cannot be asked, naming the member and the platform.
        """


class SelfAnswering(Protocol):
    """A platform that needs neither a credential nor a network."""

    name: str

    def answer(self, ask: Ask, model: str) -> CannedAnswer:
        """The whole exchange."""

    def stream(self) -> AnswerStream:
        """Fresh state for one streamed answer."""
