"""What a platform is to the gateway: it builds requests, reads answers and explains refusals; it does no I/O itself."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.stream import StreamFacts
from ccrouter.errors import UpstreamRefused
from ccrouter.http import Headers, HttpRequest
from ccrouter.messages.request import MessagesRequest

MESSAGES = "messages"
COUNT_TOKENS = "count_tokens"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client asks, as a platform needs it. `operation` is MESSAGES or COUNT_TOKENS; `query` keeps its bytes."""

    operation: str
    request: MessagesRequest
    headers: Headers
    query: str


class AnswerStream(Protocol):
    """A streamed answer: bytes in, the bytes that may leave out."""

    facts: StreamFacts
    first_event: str | None
    """The name of the first event that decides anything, None until it is complete."""

    def feed(self, chunk: bytes) -> bytes:
        """What may leave now; `message_stop` is held back."""

    def take_held(self) -> bytes:
        """What was held back."""

    @property
    def between_events(self) -> bool:
        """Whether a ping may be inserted here."""


class Platform(Protocol):
    """A place where models answer."""

    name: str

    def build_request(self, ask: Ask, model: str, credential: Credential) -> HttpRequest:
        """The request to send, with the platform's own credential on it."""

    def stream(self) -> AnswerStream:
        """Fresh state for one streamed answer."""

    def read_refusal(self, status: int, headers: Headers, body: bytes, credential: Credential) -> UpstreamRefused:
        """An answer without success as the client shall get it, with what may be tried next."""

    def answer_headers(self, headers: Headers, credential: Credential) -> Headers:
        """Those headers of an answer that a client may see."""


@dataclass(frozen=True, slots=True)
class CannedAnswer:
    """An answer that a platform gives by itself."""

    status: int
    headers: Headers
    pieces: AsyncIterator[bytes]


class SelfAnswering(Protocol):
    """A platform that needs neither a credential nor a network."""

    name: str

    def answer(self, ask: Ask, model: str) -> CannedAnswer:
        """The whole exchange."""

    def stream(self) -> AnswerStream:
        """Fresh state for one streamed answer."""
