"""A translated answer on its way to the client: a dialect's decoder over one writer, as the relay wants to see it."""

from typing import Protocol

from ccrouter.errors import UpstreamError
from ccrouter.http import HttpRequest
from ccrouter.messages.writer import MESSAGE_STOP, MessageWriter


class Decoder(Protocol):
    """Reads a platform's bytes and tells a MessageWriter what they say. Fresh for each answer."""

    ended: bool
    """Whether nothing more needs to be read: the dialect's own end mark was seen."""
    further: HttpRequest | None
    """Set by `close` where the same message goes on in another response: what to send for it."""
    remembered: dict[str, bytes]
    """Reasoning state by tool_use id, for clients that strip thinking blocks; kept for 24 h (gemini.md §6)."""

    def feed(self, chunk: bytes) -> None:
        """Takes bytes, cut anywhere. Raises UpstreamError where they say that the platform failed."""

    def close(self) -> None:
        """The body has ended: finishes the message, or sets `further`. Raises UpstreamError (StreamBroken: cut)."""


class TranslatedStream:
    """See `platforms.contract.AnswerStream`. What was written before a failure still comes out before it."""

    translated = True

    def __init__(self, decoder: Decoder, writer: MessageWriter) -> None:
        self._decoder = decoder
        self._writer = writer
        self.facts = writer.facts
        self.failure: UpstreamError | None = None

    @property
    def first_event(self) -> str | None:
        """`message_start` as soon as it is written."""
        return "message_start" if self._writer.started else None

    @property
    def between_events(self) -> bool:
        """Always: only whole events are written."""
        return True

    @property
    def ended(self) -> bool:
        """Whether nothing more needs to be read."""
        return self._decoder.ended

    @property
    def further(self) -> HttpRequest | None:
        """What to send for the rest of the message."""
        return self._decoder.further

    @property
    def remembered(self) -> dict[str, bytes]:
        """Reasoning state by tool_use id."""
        return self._decoder.remembered

    def feed(self, chunk: bytes) -> bytes:
        """The events these bytes complete; sets `failure` where they say that the platform failed."""
        try:
            self._decoder.feed(chunk)
        except UpstreamError as failure:
            self.failure = failure
        return self._writer.take()

    def begin(self) -> bytes:
        """`message_start` although nothing has come: the client has waited long enough."""
        self._writer.start()
        return self._writer.take()

    def close(self) -> bytes:
        """The events that end the message, but for `message_stop`; sets `failure` where the answer was cut."""
        if self.failure is None:
            try:
                self._decoder.close()
            except UpstreamError as failure:
                self.failure = failure
        self.facts.stopped = self.failure is None and self._writer.finished
        return self._writer.take()

    def take_held(self) -> bytes:
        """`message_stop`."""
        return MESSAGE_STOP if self.facts.stopped else b""
