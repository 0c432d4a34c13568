"""Reads answers of the dialect, streamed or whole, and tells a MessageWriter what they say (gemini.md §4 to §7).

Strategy: the message starts with the first part that a person could see something of, so that failures before stay
answers of their own. What the answer amounts to is decided at the end of the body, since usage may follow the finish
reason. An answer that is continued in another response keeps its open block.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ccrouter.dialects.gemini import finish
from ccrouter.dialects.gemini.code_assist_schema import PLACEHOLDER
from ccrouter.dialects.gemini.errors import Ruling, refused
from ccrouter.dialects.gemini.google_error import GoogleError, read_google_error
from ccrouter.dialects.gemini.grounding import Grounding
from ccrouter.dialects.gemini.manner import Encoded, Manner
from ccrouter.dialects.gemini.partial_args import PartialArgs
from ccrouter.dialects.gemini.pieces import CUT, Pieces
from ccrouter.dialects.gemini.signatures import Remembered, remember
from ccrouter.dialects.gemini.usage import Hops
from ccrouter.errors import StreamBroken, Trouble, UpstreamError, UpstreamRefused, Verdict
from ccrouter.http import HttpRequest
from ccrouter.messages.estimate import estimate_output
from ccrouter.messages.writer import MessageWriter, message_id, new_tool_id

_encode = msgspec.json.encode
_FAILED = Ruling(500, "api_error", Verdict.NEXT_CREDENTIAL, Trouble.NONE, (0.0,))
"""A model that failed is asked once more; the credential is not to blame."""
_LIMITED = Ruling(403, "permission_error", Verdict.NEXT_CREDENTIAL, on_credential=True)
_NOTHING = Ruling(500, "api_error", Verdict.NEXT_CREDENTIAL, Trouble.FAULT, (0.0,))


@dataclass(slots=True)
class _Growing:
    """A call whose arguments come piece by piece."""

    name: str
    id: str | None
    signature: str | None
    arguments: PartialArgs = field(default_factory=PartialArgs)


class GeminiDecoder:
    """See `dialects.translated.Decoder`.

    `go_on` makes the request for the next part of an answer from its token; None where answers are not continued.
    `most_tokens` and `most_hops` end it. `retries_empty`: an answer without anything is taken for a failure.
    `refuse` says what an error inside the stream means.
    """

    def __init__(
        self,
        writer: MessageWriter,
        manner: Manner,
        encoded: Encoded,
        *,
        model: str,
        refuse: Callable[[GoogleError], UpstreamRefused],
        go_on: Callable[[str], HttpRequest] | None = None,
        most_tokens: int = 0,
        most_hops: int = 16,
        retries_empty: bool = False,
        shown_model: str | None = None,
    ) -> None:
        self.ended = False
        self.further: HttpRequest | None = None
        self.remembered: dict[str, bytes] = {}
        self._write = writer
        self._manner = manner
        self._encoded = encoded
        self._model = model
        self._refuse = refuse
        self._go_on = go_on
        self._most_tokens = most_tokens
        self._hops_left = most_hops
        self._retries_empty = retries_empty
        self._shown_model = shown_model
        self._grounding = Grounding(encoded) if encoded.searches else None
        self._pieces = Pieces()
        self._used = Hops(claude=manner.claude)
        self._finish: str | None = None
        self._finish_message: Any = None
        self._token: str | None = None
        self._blocked: str | None = None
        self._id: str | None = None
        self._version: str | None = None
        self._pending: str | None = None
        self._thought: list[str] = []
        self._thought_signature: str | None = None
        """What the newest thoughts are signed with; Claude wants both back together."""
        self._ids: set[str] = set()
        self._saw_tool = False
        self._partial: _Growing | None = None
        self._credits: Any = None
        """Paid credits that the answer has cost (antigravity.md §10); for the record alone."""

    def feed(self, chunk: bytes) -> None:
        """Takes bytes, cut anywhere. Raises UpstreamError where they say that the platform failed."""
        for document in self._pieces.feed(chunk):
            self.read(document)

    def read(self, document: Any) -> None:
        """Takes one decoded answer, or one piece of it."""
        if isinstance(document, list):
            for piece in document:
                self.read(piece)
            return
        if (error := read_google_error(document)) is not None:
            raise self._refuse(error)
        if not isinstance(document, dict):
            raise StreamBroken("A piece of the platform's answer is not a JSON object.")
        if self._manner.code_assist and (spent := document.get("consumedCredits")):
            self._credits = spent
        inner = document.get("response")
        self._chunk(inner if isinstance(inner, dict) else document)

    def close(self) -> None:
        """The body has ended: finishes the message, or sets `further`. Raises UpstreamError."""
        pieces, self._pieces = self._pieces, Pieces()
        self.further = None
        for document in pieces.rest():
            self.read(document)
        reason = self._finish
        if reason is None and self._blocked is None:
            raise self._cut()
        if self._blocked is not None and (reason is None or not self._write.started):
            self._end("refusal", finish.refusal(f"prompt_blocked:{self._blocked}"))
            return
        assert reason is not None  # noqa: S101 - one of the two is set, see above
        if self._fails(reason):
            raise self._failure(reason)
        if self._partial is not None and reason != finish.MAX_TOKENS:
            raise StreamBroken("The platform's answer ends inside a call.", consequence=CUT)
        if reason == finish.CONTINUATION and self._continue():
            return
        if not self._write.started and reason == finish.STOP and not self._holds_text() and self._retries_empty:
            raise refused(_FAILED, "gemini finished with STOP, but without any content", (), self._model, None)
        if reason in finish.REFUSALS:
            self._end("refusal", finish.refusal(reason))
        elif reason in (finish.MAX_TOKENS, finish.CONTINUATION):
            self._end("max_tokens")
        else:
            self._end("tool_use" if self._saw_tool else "end_turn")

    def _chunk(self, chunk: dict[str, Any]) -> None:
        self._used.take(chunk.get("usageMetadata"))
        self._id = self._id or _text(chunk.get("responseId"))
        self._version = self._version or _text(chunk.get("modelVersion"))
        feedback = chunk.get("promptFeedback")
        if isinstance(feedback, dict) and (blocked := _text(feedback.get("blockReason"))) is not None:
            self._blocked = blocked
        candidates = chunk.get("candidates")
        candidate = candidates[0] if isinstance(candidates, list) and candidates else None
        if isinstance(candidate, dict):
            self._candidate(candidate)
        if self._used:
            # A row shows what an answer that breaks off has cost until then.
            self._write.facts.usage |= self._used.whole()

    def _candidate(self, candidate: dict[str, Any]) -> None:
        if (reason := _text(candidate.get("finishReason"))) is not None:
            self._finish, self._finish_message = reason, candidate.get("finishMessage")
            self._token = _text(candidate.get("continuationToken"))
        if self._grounding is not None:
            self._grounding.take(candidate.get("groundingMetadata"))
        failed = reason is not None and self._fails(reason)
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            # A failure before anything was sent stays an answer of its own, and its calls are never whole.
            if isinstance(part, dict) and not (failed and ("functionCall" in part or not self._write.started)):
                self._part(part)

    def _part(self, part: dict[str, Any]) -> None:
        signature = _text(part.get("thoughtSignature")) or None
        text = part.get("text")
        if part.get("thought") is True:
            self._thought_part(text if isinstance(text, str) else "", signature)
        elif isinstance(call := part.get("functionCall"), dict):
            self._call_part(call, signature)
        elif isinstance(text, str):
            self._text_part(text, signature)
        elif isinstance(data := part.get("inlineData"), dict):
            self._plain(f"[The model made {_text(data.get('mimeType')) or 'data'}, which cannot be shown here.]")
        elif self._manner.code_assist:
            self._code_part(part)

    def _thought_part(self, text: str, signature: str | None) -> None:
        if text:
            self._start()
            if self._thought_signature is not None:
                self._thought, self._thought_signature = [], None
            self._thought.append(text)
            if self._encoded.shows_thinking:
                self._write.thinking(text)
        if signature is not None:
            self._pending = self._thought_signature = signature

    def _text_part(self, text: str, signature: str | None) -> None:
        thinking_open = self._write.open == "thinking"
        if not text:
            if signature is not None and self._manner.claude and thinking_open:
                self._pending = signature
            return
        if signature is not None and thinking_open and not (self._manner.code_assist and self._pending):
            self._pending = signature
        self._plain(text)

    def _plain(self, text: str) -> None:
        if self._grounding is not None:
            self._grounding.text(text)
            return
        self._start()
        self._sign_open()
        # A signature belongs to the part right after it.
        self._pending = None
        self._write.text(text)

    def _code_part(self, part: dict[str, Any]) -> None:
        for name, member in (("executableCode", "code"), ("codeExecutionResult", "output")):
            value = part.get(name)
            if isinstance(value, dict) and (text := _text(value.get(member))):
                self._plain(text)

    def _call_part(self, call: dict[str, Any], signature: str | None) -> None:
        name, arguments = _text(call.get("name")), call.get("args")
        if name and self._partial is None and not call.get("willContinue"):
            self._call(name, _text(call.get("id")), signature, arguments if isinstance(arguments, dict) else {})
            return
        if name and self._partial is None:
            self._start()
            self._partial = _Growing(name, _text(call.get("id")), signature)
        growing = self._partial
        if growing is None or name not in (None, "", growing.name):
            raise StreamBroken("A call of the platform's answer has no name, or begins inside another.")
        try:
            growing.arguments.take(call.get("partialArgs"))
        except ValueError as error:
            raise StreamBroken(f"The arguments of a call cannot be put together: {error}") from None
        if not call.get("willContinue"):
            self._partial = None
            self._call(growing.name, growing.id, growing.signature or signature, growing.arguments.value)

    def _call(self, name: str, upstream_id: str | None, signature: str | None, arguments: dict[str, Any]) -> None:
        self._start()
        self._release_grounding()
        tool_use_id = upstream_id if upstream_id and upstream_id not in self._ids else new_tool_id()
        self._ids.add(tool_use_id)
        remembered = self._sign_call(signature)
        if remembered is not None:
            self.remembered[tool_use_id] = remember(remembered)
        if PLACEHOLDER in arguments and self._manner.claude:
            arguments = {key: value for key, value in arguments.items() if key != PLACEHOLDER}
        self._write.tool_use(tool_use_id, self._encoded.names.get(name, name), _encode(arguments).decode())
        self._saw_tool = True

    def _sign_call(self, signature: str | None) -> Remembered | None:
        """Puts a call's signature into the thinking block before it; returns what the memory must keep of the call."""
        write = self._write
        if self._manner.claude:
            self._sign_open()
            raw = self._thought_signature
            return None if raw is None else Remembered("claude", self._model, raw, "".join(self._thought))
        if signature is not None and write.open == "thinking" and self._pending is None:
            self._pending = signature
        of_thought, self._pending = self._pending, None
        if write.open == "thinking" and of_thought is not None:
            write.sign(self._manner.carrier, of_thought)
        if signature is not None and signature != of_thought and self._encoded.shows_thinking:
            write.close_block()
            write.thinking("")
            write.sign(self._manner.carrier, signature)
            write.close_block()
        raw = signature or of_thought
        return None if raw is None else Remembered("gemini", self._model, raw)

    def _sign_open(self) -> None:
        """The open thinking block takes the pending signature."""
        if self._write.open == "thinking" and self._pending is not None:
            self._write.sign(self._manner.carrier, self._pending)
            self._pending = None

    def _start(self) -> None:
        if not self._write.started:
            self._write.start(
                id=message_id(self._id), model=self._shown_model or self._version, usage=self._used.input()
            )

    def _holds_text(self) -> bool:
        return self._grounding is not None and self._grounding.has_text

    def _release_grounding(self) -> None:
        if self._grounding is not None and self._grounding.has_text:
            self._start()
            self._sign_open()
            self._grounding.release(self._write)

    def _fails(self, reason: str) -> bool:
        return finish.is_failure(
            reason,
            claude=self._manner.claude,
            code_assist=self._manner.code_assist,
            has_content=self._write.facts.content_began,
        )

    def _failure(self, reason: str) -> UpstreamRefused:
        ruling = _LIMITED if reason == finish.LIMITED else _FAILED
        return refused(ruling, finish.message_of(reason, self._finish_message), (), self._model, None)

    def _cut(self) -> UpstreamError:
        """The failure of an answer without its end; before its first part it is an answer of its own."""
        message = "upstream stream ended before finishReason"
        if self._write.started:
            return StreamBroken(message, consequence=CUT)
        return refused(_NOTHING, message, (), self._model, None)

    def _continue(self) -> bool:
        """Asks for the next part, if there is to be one."""
        self._hops_left -= 1
        may_go_on = self._hops_left > 0 and self._used.spent() < self._most_tokens
        if self._go_on is None or self._token is None or not may_go_on:
            return False
        self.further = self._go_on(self._token)
        self._finish = self._token = None
        self._used.next()
        return True

    def _end(self, stop_reason: str, details: dict[str, Any] | None = None) -> None:
        write = self._write
        self._start()
        self._release_grounding()
        self._sign_open()
        estimated = not self._used
        usage = {"output_tokens": estimate_output(write.written)} if estimated else self._used.whole()
        if self._grounding is not None:
            usage |= self._grounding.usage(self._model)
        write.finish(stop_reason, usage, stop_details=details, estimated=estimated)
        if billed := self._used.billed():
            # The record keeps every response; the client sees the message's own counts.
            write.facts.usage["iterations"] = billed
        if self._credits is not None:
            write.facts.usage["consumed_credits"] = self._credits


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
