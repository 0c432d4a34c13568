"""Reads a Chat Completions answer, streamed or whole, and tells a MessageWriter what it says (openai-compatible.md §4).

Strategy: every chunk is read in one order (error, usage, reasoning, text, refusal, calls, end), and the message ends
when the body does, since usage may follow the finish_reason.
"""

import logging
from typing import Any

from ccrouter.dialects.openai.asked import Asked
from ccrouter.dialects.openai.calls import ChatCalls
from ccrouter.dialects.openai.errors import fault_inside, refusal_inside
from ccrouter.dialects.openai.frames import Documents
from ccrouter.dialects.openai.inline_think import ThinkSplitter
from ccrouter.dialects.openai.reasoning import details_payload, remembered_details, remembered_text
from ccrouter.dialects.openai.repair import repaired
from ccrouter.dialects.openai.thinking import DETAILS
from ccrouter.dialects.openai.usage import billed_usd, chat_usage
from ccrouter.errors import StreamBroken
from ccrouter.http import HttpRequest
from ccrouter.messages.estimate import estimate_output
from ccrouter.messages.writer import MessageWriter, message_id

_log = logging.getLogger(__name__)

_REFUSALS = frozenset({"content_filter", "sensitive"})
_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "repetition_truncation": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
}
_FAULTS = {"error": False, "network_error": False, "insufficient_system_resource": True}
"""A finish_reason that is a failure (zhipu, deepseek, openrouter), and whether of capacity."""


class ChatDecoder:
    """See `dialects.translated.Decoder`."""

    further: HttpRequest | None = None

    def __init__(self, writer: MessageWriter, asked: Asked, *, inline_think: bool = False) -> None:
        self.ended = False
        self.remembered: dict[str, bytes] = {}
        self._writer = writer
        self._asked = asked
        self._documents = Documents()
        self._calls = ChatCalls(writer, asked.names)
        self._usage: dict[str, Any] = {}
        self._tier = ""
        self._finish: str | None = None
        self._stop_sequence: str | None = None
        self._refusal: list[str] = []
        self._reasoning: list[str] = []
        self._details: list[dict[str, Any]] = []
        self._fresh: list[dict[str, Any]] = []
        """Those of the thinking block that is open."""
        self._splitter = ThinkSplitter(self._reason, self._text) if inline_think else None
        self._head: dict[str, str | None] = {"id": None, "model": None}

    def feed(self, chunk: bytes) -> None:
        """Takes bytes of an event stream."""
        for document in self._documents.feed(chunk):
            self.read(document)
        self.ended = self._documents.done

    def close(self) -> None:
        """Finishes the message. Raises StreamBroken where the body ended before the answer did."""
        for document in self._documents.close():
            self.read(document)
        if self._finish is None and not self._documents.done:
            raise StreamBroken("upstream stream ended before finish_reason")
        self._end()

    def read_whole(self, document: dict[str, Any]) -> None:
        """An answer in one piece: its message is read like one large delta."""
        choices = document.get("choices")
        first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
        if first is None and "error" not in document:
            raise StreamBroken("The platform's answer has no choices.")
        if first is not None:
            document = {**document, "choices": [{**first, "delta": self._mended(first)}]}
        self.read(document)
        self._end()

    def _mended(self, choice: dict[str, Any]) -> Any:
        """The message, the JSON of its calls repaired. Raises UpstreamRefused where that is not possible."""
        message = choice.get("message")
        calls = message.get("tool_calls") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(calls, list) or choice.get("finish_reason") == "length":
            return message
        mended = []
        for call in calls:
            function = call.get("function") if isinstance(call, dict) else None
            arguments = function.get("arguments") if isinstance(function, dict) else None
            if isinstance(call, dict) and isinstance(function, dict) and isinstance(arguments, str):
                whole = repaired(arguments)
                if whole is None:
                    raise fault_inside(
                        "The model's tool call has arguments that are not JSON.", model=self._asked.model
                    )
                call = {**call, "function": {**function, "arguments": whole}}
            mended.append(call)
        return {**message, "tool_calls": mended}

    def read(self, document: dict[str, Any]) -> None:
        """One chunk. Raises UpstreamRefused where it says that the platform failed."""
        if document.get("error") is not None or document.get("object") == "error":
            raise refusal_inside(document, model=self._asked.model)
        for name in self._head:
            if isinstance(value := document.get(name), str) and value:
                self._head[name] = value
        if isinstance(tier := document.get("service_tier"), str):
            self._tier = tier
        if isinstance(usage := document.get("usage"), dict):
            self._usage = usage
        choices = document.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish in _FAULTS:
            raise fault_inside(
                f"The platform ended its answer with {finish}.", model=self._asked.model, overloaded=_FAULTS[finish]
            )
        if isinstance(delta := choice.get("delta"), dict):
            self._read_delta(delta)
        if isinstance(finish, str) and finish:
            self._start()
            self._finish = finish
            if isinstance(stop := choice.get("stop_reason"), str) and finish == "stop":
                self._stop_sequence = stop

    def _read_delta(self, delta: dict[str, Any]) -> None:
        if isinstance(details := delta.get("reasoning_details"), list) and details:
            self._read_details(details)
        else:
            for name in ("reasoning", "reasoning_content"):
                if isinstance(text := delta.get(name), str) and text:
                    self._reason(text)
                    break
        content = delta.get("content")
        if isinstance(content, str) and content:
            self._content(content)
        elif isinstance(content, list):
            self._read_parts(content)
        if isinstance(refusal := delta.get("refusal"), str) and refusal:
            self._refusal.append(refusal)
            self._text(refusal)
        if isinstance(calls := delta.get("tool_calls"), list) and calls:
            self._start()
            self._flush_splitter()
            self._sign()
            self._calls.take(calls)
        elif isinstance(function := delta.get("function_call"), dict):
            self._start()
            self._flush_splitter()
            self._sign()
            self._calls.take_legacy(function)

    def _read_parts(self, parts: list[Any]) -> None:
        """Content as a list, as Mistral sends it."""
        for part in parts:
            if not isinstance(part, dict):
                continue
            if part.get("type") == "thinking":
                inner = part.get("thinking")
                for item in inner if isinstance(inner, list) else [{"text": inner}]:
                    if isinstance(item, dict) and isinstance(text := item.get("text"), str) and text:
                        self._reason(text)
            elif isinstance(text := part.get("text"), str) and text:
                self._content(text)

    def _read_details(self, details: list[Any]) -> None:
        for detail in details:
            if not isinstance(detail, dict):
                continue
            _merge(self._details, detail)
            _merge(self._fresh, detail)
            text = detail.get("text") or detail.get("summary")
            self._reason(text if isinstance(text, str) else "", plain=False)

    def _reason(self, text: str, *, plain: bool = True) -> None:
        self._start()
        if plain:
            self._reasoning.append(text)
        if not self._asked.thinking.shows:
            return
        self._calls.other(lambda: self._writer.thinking(text))

    def _content(self, text: str) -> None:
        if self._splitter is not None:
            self._splitter.feed(text)
        else:
            self._text(text)

    def _text(self, text: str) -> None:
        self._start()
        self._calls.other(lambda: self._write_text(text))

    def _write_text(self, text: str) -> None:
        self._sign()
        self._writer.text(text)

    def _sign(self) -> None:
        """Before a thinking block closes: puts its details into its signature."""
        if self._fresh and self._writer.open == "thinking":
            self._writer.sign(DETAILS, details_payload(self._fresh))
            self._fresh = []

    def _flush_splitter(self) -> None:
        if self._splitter is not None:
            self._splitter.flush()

    def _start(self) -> None:
        if not self._writer.started:
            self._writer.facts.answered_as = self._head["model"]
            self._writer.start(id=message_id(self._head["id"]), model=self._head["model"])

    def _end(self) -> None:
        self._flush_splitter()
        self._start()
        self._sign()
        self._calls.end()
        self._sign()
        self._writer.close_block()
        self._remember()
        reason, details = self._stop()
        usage, estimated = chat_usage(self._usage), False
        if self._tier == "priority":
            usage["speed"] = "fast"
        self._writer.facts.billed_usd = billed_usd(self._usage) if self._asked.vendor.says_cost else None
        if not self._usage:
            usage, estimated = {"output_tokens": estimate_output(self._writer.written)}, True
        self._writer.finish(
            reason,
            usage,
            stop_sequence=self._stop_sequence if reason == "stop_sequence" else None,
            stop_details=details,
            estimated=estimated,
        )

    def _remember(self) -> None:
        """Reasoning that the client is not shown is kept under the first call, which comes back with its result."""
        call_id = self._calls.first_id
        if call_id is None or self._asked.thinking.shows:
            return
        if self._details:
            self.remembered[call_id] = remembered_details(self._details)
        elif self._reasoning:
            self.remembered[call_id] = remembered_text("".join(self._reasoning))

    def _stop(self) -> tuple[str, dict[str, Any] | None]:
        """The first that applies: the token limit, a refusal, a call, the rest."""
        finish = self._finish or "stop"
        known = _STOPS.get(finish)
        if known == "max_tokens":
            return known, None
        if self._refusal or finish in _REFUSALS:
            return "refusal", refusal_details("".join(self._refusal) or finish)
        if "tool_use" in self._writer.blocks:
            return "tool_use", None
        if self._stop_sequence is not None:
            return "stop_sequence", None
        if known is None:
            _log.warning("the platform openai ended an answer with the unknown finish_reason %.100r", finish)
        return "end_turn", None


def refusal_details(explanation: str) -> dict[str, Any]:
    """`stop_details` of an answer that the platform cut or the model declined."""
    return {"type": "refusal", "category": None, "explanation": explanation}


def _merge(into: list[dict[str, Any]], detail: dict[str, Any]) -> None:
    """Adds a detail to the one with the same index: texts are joined, the last of anything else stays."""
    index = detail.get("index")
    known = next((item for item in into if index is not None and item.get("index") == index), None)
    if known is None:
        into.append(dict(detail))
        return
    for name, value in detail.items():
        if value is None:
            continue
        before = known.get(name)
        joined = name in ("text", "summary", "data") and isinstance(before, str) and isinstance(value, str)
        known[name] = f"{before}{value}" if joined else value
