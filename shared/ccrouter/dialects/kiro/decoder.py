"""Reads Kiro's event stream: frames become one Anthropic message (kiro.md §8).

Strategy: while a tool call is open, whatever does not belong to it waits and is replayed in order when the call stops.
A failure ends the message where it is; the clean end of the body finishes it.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ccrouter.dialects.kiro.calls import ArrivingCalls, fragment_of, read_object
from ccrouter.dialects.kiro.errors import TOO_LONG_EXCEPTION, Situation, broken, refusal
from ccrouter.dialects.kiro.remarks import Remarks
from ccrouter.dialects.kiro.stops import StopWatch
from ccrouter.dialects.kiro.tags import THINKING, ThinkingTags
from ccrouter.dialects.kiro.thinking import REDACTED_TAG, TAG
from ccrouter.errors import UpstreamError
from ccrouter.framing.eventstream import Frame, FrameCutter
from ccrouter.http import HttpRequest
from ccrouter.messages.carrier import wrap
from ccrouter.messages.estimate import estimate_output
from ccrouter.messages.writer import MessageWriter

Event = tuple[str, dict[str, Any]]
_CONTENT = frozenset({"assistantResponseEvent", "codeEvent", "reasoningContentEvent", "toolUseEvent"})
_CREDITS = "kiro_credits"
"""Where the raw usage of a row says what the request has cost in the plan's own money."""
_WAITING_LIMIT = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the request says about its answer. `names`: the client's tool names by the ones that were sent."""

    names: Mapping[str, str]
    situation: Situation
    shows_thinking: bool = False
    tags: bool = False
    stop_sequences: Sequence[str] = ()
    window: int | None = None


class KiroDecoder:
    """See `dialects.translated.Decoder`."""

    further: HttpRequest | None = None

    def __init__(self, writer: MessageWriter, expected: Expected) -> None:
        self.ended = False
        self.remembered: dict[str, bytes] = {}
        self._write = writer
        self._expected = expected
        self._frames = FrameCutter()
        self._tags = ThinkingTags() if expected.tags else None
        self._stops = StopWatch(expected.stop_sequences)
        self._tool: str | None = None
        """Id of the open call."""
        self._has_arguments = False
        self._calls = ArrivingCalls()
        self._waiting: deque[Event] = deque()
        self._waiting_size = 0
        self._signature = ""
        self._reasoning_index = -1
        self._began = False
        self._dropped = False
        self._remarks = Remarks()
        self._cut_short = False
        self._unread = 0
        """Events whose payload is no JSON object."""

    def feed(self, chunk: bytes) -> None:
        """See `Decoder.feed`."""
        try:
            for frame in self._frames.feed(chunk):
                if self.ended:
                    return
                self._frame(frame)
            if self._frames.damage is not None and not self.ended:
                raise broken(f"The answer of Kiro is damaged: {self._frames.damage}.")
        except UpstreamError:
            self._count()
            raise

    def close(self) -> None:
        """See `Decoder.close`."""
        if not self.ended and (self._frames.tail or self._frames.damage is not None):
            self._count()
            raise broken("The answer of Kiro was cut.")
        self._finish()

    def _frame(self, frame: Frame) -> None:
        kind = frame.headers.get(":message-type", "event")
        if kind == "error":
            raise self._refused(frame.headers.get(":error-code", ""), {"message": frame.headers.get(":error-message")})
        members = read_object(frame.payload)
        if kind == "exception":
            name = frame.headers.get(":exception-type", "error")
            if name == TOO_LONG_EXCEPTION and self._write.blocks:
                self._cut_short = self.ended = True
                return
            raise self._refused(name, members or {})
        if members is None:
            self._unread += 1
        else:
            self._event(frame.headers.get(":event-type", ""), members)

    def _refused(self, name: str, members: dict[str, Any]) -> UpstreamError:
        return refusal(name, members, self._expected.situation)

    def _event(self, kind: str, members: dict[str, Any]) -> None:
        if kind in _CONTENT:
            self._content(kind, members)
        else:
            self._remarks.note(kind, members)

    def _content(self, kind: str, members: dict[str, Any]) -> None:
        """An event that may have content: at once, or when the open call has stopped."""
        if kind == "toolUseEvent" and not self._calls.check(members):
            return
        if _bears_content(kind, members):
            self._remarks.invalid_state = None
        if self._waits(kind, members):
            self._waiting_size += sum(len(value) for value in members.values() if isinstance(value, str))
            if self._waiting_size > _WAITING_LIMIT:
                raise broken("A tool call of Kiro did not end, and too much came after it.")
            self._waiting.append((kind, members))
            return
        self._take(kind, members)
        self._replay()
        if not self._waiting:
            self._waiting_size = 0

    def _replay(self) -> None:
        """What has waited for a call to stop, in its order; where that opens another call, the rest goes on waiting."""
        while self._waiting and not self._in_call() and self._stops.hit is None:
            self._take(*self._waiting.popleft())
            if self._in_call():
                self._continue_call()

    def _continue_call(self) -> None:
        """Takes what belongs to the open call out of what waits."""
        rest: deque[Event] = deque()
        while self._waiting:
            event = self._waiting.popleft()
            if self._in_call() and not self._waits(*event):
                self._take(*event)
            else:
                rest.append(event)
        self._waiting = rest

    def _in_call(self) -> bool:
        """Whether a call is open."""
        return self._tool is not None

    def _waits(self, kind: str, members: dict[str, Any]) -> bool:
        return self._tool is not None and not (kind == "toolUseEvent" and members.get("toolUseId") == self._tool)

    def _take(self, kind: str, members: dict[str, Any]) -> None:
        if self._stops.hit is not None:
            return
        if kind == "toolUseEvent":
            self._tool_use(members)
        elif kind == "reasoningContentEvent":
            self._reasoning(members)
        elif "followupPrompt" not in members and isinstance(text := members.get("content"), str) and text:
            self._begin()
            for piece, part in self._tags.feed(text) if self._tags else (("text", text),):
                self._piece(piece, part)

    def _piece(self, kind: str, text: str) -> None:
        if kind == THINKING:
            self._write.thinking(text)
            return
        self._write.text(self._stops.feed(text))
        if self._stops.hit is not None:
            self.ended = True

    def _reasoning(self, members: dict[str, Any]) -> None:
        text, signature, redacted = (members.get(name) for name in ("text", "signature", "redactedContent"))
        has_text = isinstance(text, str) and text != ""
        has_redacted = isinstance(redacted, str) and redacted != ""
        if not self._expected.shows_thinking:
            self._dropped = self._dropped or has_text or has_redacted
            return
        if has_text or has_redacted:
            self._begin()
            if not self._settle_text():
                return
        if isinstance(text, str) and text:
            if not self._reasons_in_open_block or self._write.signed:
                self._write.close_block()
                self._signature = ""
            self._write.thinking(text)
            self._reasoning_index = self._write.index
        if isinstance(signature, str) and signature and self._reasons_in_open_block:
            self._signature += signature
            self._write.sign(TAG, self._signature)
        if isinstance(redacted, str) and redacted:
            self._write.redacted_thinking(wrap(REDACTED_TAG, redacted))

    @property
    def _reasons_in_open_block(self) -> bool:
        """Whether the open block holds native reasoning: emulated thinking must not be mixed with it."""
        return self._write.open == "thinking" and self._write.index == self._reasoning_index

    def _tool_use(self, members: dict[str, Any]) -> None:
        if self._tool is None:
            self._begin()
            if not self._settle_text():
                return
            name = members["name"]
            self._tool, self._has_arguments = members["toolUseId"], False
            self._write.open_tool(members["toolUseId"], self._expected.names.get(name, name))
        if fragment := fragment_of(members):
            self._has_arguments = True
            self._write.tool_json(fragment)
        if members.get("stop") is True:
            if not self._has_arguments:
                self._write.tool_json("{}")
            self._write.close_block()
            self._tool = None

    def _begin(self) -> None:
        self._began = True
        self._write.start()

    def _settle_text(self) -> bool:
        """Hands out what was held back of the text; False where a stop sequence ends the answer there."""
        if self._tags is not None:
            for kind, text in self._tags.settle():
                self._piece(kind, text)
        if self._stops.hit is None:
            self._write.text(self._stops.settle())
        return self._stops.hit is None

    def _finish(self) -> None:
        if self._unread:
            _log.warning("Kiro sent %d events that could not be read", self._unread)
        remarks = self._remarks
        if remarks.invalid_state is not None:
            raise self._refused("error", {"message": remarks.invalid_state})
        if not self._began and remarks.stop_reason is None and not remarks.is_full and not self._dropped:
            raise broken("Kiro ended its answer before it began.")
        cut_call = False
        while self._tool is not None or (self._waiting and self._stops.hit is None):
            if self._tool is not None:
                cut_call, self._tool = True, None
                self._write.close_block()
            self._replay()
        self._settle_text()
        reason, details = remarks.stopped_for(
            has_calls=bool(self._calls.whole), cut_call=cut_call, cut_short=self._cut_short
        )
        usage, is_estimate = self._usage()
        # A call that was cut must be known as one.
        hit = None if cut_call else self._stops.hit
        self._write.finish(
            "stop_sequence" if hit is not None else reason,
            usage,
            stop_sequence=hit,
            stop_details=None if hit is not None else details,
            estimated=is_estimate,
        )
        self._note_credits()

    def _usage(self) -> tuple[dict[str, Any], bool]:
        return self._remarks.usage(estimate_output(self._write.written), self._expected.window)

    def _count(self) -> None:
        """What a broken answer is billed by."""
        if self._write.started:
            usage, self._write.facts.usage_estimated = self._usage()
            self._write.facts.usage |= usage
        self._note_credits()

    def _note_credits(self) -> None:
        if self._remarks.credits is not None and self._write.facts.usage:
            self._write.facts.usage = {**self._write.facts.usage, _CREDITS: self._remarks.credits}


def _bears_content(kind: str, members: dict[str, Any]) -> bool:
    names = {"reasoningContentEvent": ("text", "redactedContent"), "toolUseEvent": ("toolUseId",)}
    return any(members.get(name) for name in names.get(kind, ("content",)))
