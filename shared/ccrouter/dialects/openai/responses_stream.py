"""Reads an answer of the Responses API and tells a MessageWriter what it says (openai-compatible.md §6).

Strategy: one output item is open at a time; events of others wait until its `output_item.done` and are then played in
the order in which their items first appeared.
"""

import logging
from typing import Any

from ccrouter.dialects.openai.asked import Asked
from ccrouter.dialects.openai.chat_stream import refusal_details
from ccrouter.dialects.openai.errors import refusal_inside
from ccrouter.dialects.openai.frames import Documents
from ccrouter.dialects.openai.names import sent_id
from ccrouter.dialects.openai.reasoning import remembered_items
from ccrouter.dialects.openai.thinking import ITEM
from ccrouter.dialects.openai.usage import responses_usage
from ccrouter.errors import StreamBroken
from ccrouter.http import HttpRequest
from ccrouter.messages.estimate import estimate_output
from ccrouter.messages.writer import MessageWriter, message_id, new_tool_id

_log = logging.getLogger(__name__)

_ENDS = frozenset({"response.completed", "response.incomplete"})
_FAILURES = frozenset({"response.failed", "error"})
_HEADS = frozenset({"response.created", "response.in_progress", "response.queued"})
_TEXTS = frozenset({"response.output_text.delta", "response.refusal.delta"})
_THOUGHTS = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_ADDED, _DONE = "response.output_item.added", "response.output_item.done"
_ARGUMENTS = "response.function_call_arguments.delta"
_PLAYED = frozenset({_ADDED, _DONE, _ARGUMENTS}) | _TEXTS | _THOUGHTS

Event = dict[str, Any]


class ResponsesDecoder:
    """See `dialects.translated.Decoder`."""

    further: HttpRequest | None = None

    def __init__(self, writer: MessageWriter, asked: Asked) -> None:
        self.ended = False
        self.remembered: dict[str, bytes] = {}
        self._writer = writer
        self._asked = asked
        self._documents = Documents()
        self._head: dict[str, str | None] = {"id": None, "model": None}
        self._open: int | None = None
        self._waiting: dict[int, list[Event]] = {}
        self._over: set[int] = set()
        self._item = _Item()
        self._refusal: list[str] = []
        self._hidden: list[dict[str, Any]] = []
        """Reasoning items that the client is not shown, until the call they led to."""
        self._end: Event | None = None

    def feed(self, chunk: bytes) -> None:
        """Takes bytes of an event stream."""
        for document in self._documents.feed(chunk):
            self.read(document)

    def close(self) -> None:
        """Finishes the message. Raises StreamBroken where the body ended before the answer did."""
        for document in self._documents.close():
            self.read(document)
        if self._end is None:
            raise StreamBroken("The platform's answer ended before it was complete.")
        self._finish(self._end)

    def read_whole(self, document: dict[str, Any]) -> None:
        """An answer in one piece: its items, then its end."""
        status = document.get("status")
        if status == "failed" or (document.get("error") is not None and status != "completed"):
            raise refusal_inside(document, model=self._asked.model)
        output = document.get("output")
        if not isinstance(output, list):
            raise StreamBroken("The platform's answer has no output.")
        self._remember_head(document)
        for index, item in enumerate(output):
            if isinstance(item, dict):
                self._play({"type": _DONE, "output_index": index, "item": item})
        kind = "response.incomplete" if status == "incomplete" else "response.completed"
        self._finish({"type": kind, "response": document})

    def read(self, event: Event) -> None:
        """One event. Raises UpstreamRefused where it says that the platform failed."""
        kind = event.get("type")
        if self._end is not None or not (kind is None or isinstance(kind, str)):
            return
        if kind in _FAILURES or (kind is None and "error" in event):
            response = event.get("response")
            raise refusal_inside(response if isinstance(response, dict) else event, model=self._asked.model)
        if kind in _HEADS or kind in _ENDS:
            self._remember_head(event.get("response"))
        if kind in _ENDS:
            self._end, self.ended = event, True
        elif kind in _PLAYED:
            self._take(event)

    def _remember_head(self, response: Any) -> None:
        for name in self._head:
            if isinstance(response, dict) and isinstance(value := response.get(name), str) and value:
                self._head[name] = value

    def _take(self, event: Event) -> None:
        """Plays an event of the open item; another's waits."""
        index = event.get("output_index")
        if type(index) is not int or index in self._over:
            return
        if self._open is None:
            self._open = index
        if index != self._open:
            self._waiting.setdefault(index, []).append(event)
            return
        over = self._play(event)
        while over and self._waiting:
            index = next(iter(self._waiting))
            self._open, over = index, False
            for waiting in self._waiting.pop(index):
                over = over or self._play(waiting)

    def _play(self, event: Event) -> bool:
        """Says what an event says; tells whether its item is over."""
        kind, item = event["type"], event.get("item")
        item = item if isinstance(item, dict) else {}
        delta = event.get("delta")
        if kind == _ADDED:
            if item.get("type") == "function_call":
                self._open_call(item)
        elif kind == _DONE:
            self._close_item(item)
            self._over.add(event["output_index"])
            self._open, self._item = None, _Item()
            return True
        elif not isinstance(delta, str) or not delta:
            return False
        elif kind in _TEXTS:
            self._text(delta, refused=kind == "response.refusal.delta")
        elif kind in _THOUGHTS:
            self._think(delta, event.get("summary_index", event.get("content_index")))
        elif self._writer.open == "tool_use":
            self._item.said = True
            self._writer.tool_json(delta)
        return False

    def _start(self) -> None:
        if not self._writer.started:
            self._writer.facts.answered_as = self._head["model"]
            self._writer.start(id=message_id(self._head["id"]), model=self._head["model"])

    def _text(self, text: str, *, refused: bool) -> None:
        self._start()
        self._item.said = True
        if refused:
            self._refusal.append(text)
        self._writer.text(text)

    def _think(self, text: str, part: Any) -> None:
        self._start()
        if not self._asked.thinking.shows:
            return
        item = self._item
        if item.said and part != item.part:
            text = f"\n\n{text}"
        item.said, item.part = True, part
        self._writer.thinking(text)

    def _open_call(self, item: dict[str, Any]) -> None:
        self._start()
        call_id = item.get("call_id")
        call_id = sent_id(call_id) if isinstance(call_id, str) and call_id else new_tool_id()
        name = item.get("name")
        self._writer.open_tool(call_id, self._asked.names.client(name if isinstance(name, str) else ""))
        self._item.is_call = True
        if self._hidden:
            self.remembered[call_id] = remembered_items(self._hidden)
            self._hidden = []

    def _close_item(self, item: dict[str, Any]) -> None:
        """The end of an item: what was not streamed of it is said now."""
        kind = item.get("type")
        if kind == "reasoning":
            self._close_reasoning(item)
        elif kind == "message":
            if not self._item.said:
                self._say_message(item)
        elif kind == "function_call":
            if not self._item.is_call:
                self._open_call(item)
            if not self._item.said and isinstance(arguments := item.get("arguments"), str):
                self._writer.tool_json(arguments)
        self._writer.close_block()

    def _say_message(self, item: dict[str, Any]) -> None:
        content = item.get("content")
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, dict):
                continue
            refused = part.get("type") == "refusal"
            text = part.get("refusal" if refused else "text")
            if isinstance(text, str) and text:
                self._text(text, refused=refused)

    def _close_reasoning(self, item: dict[str, Any]) -> None:
        item_id, encrypted = item.get("id"), item.get("encrypted_content")
        item_id = item_id if isinstance(item_id, str) else ""
        encrypted = encrypted if isinstance(encrypted, str) else ""
        self._start()
        if not self._item.said:
            summary = item.get("summary")
            for index, part in enumerate(summary if isinstance(summary, list) else ()):
                if isinstance(part, dict) and isinstance(text := part.get("text"), str) and text:
                    self._think(text, index)
        if self._asked.thinking.carries:
            if self._writer.open != "thinking":
                self._writer.thinking("")
            self._writer.sign(ITEM, f"{item_id}:{encrypted}")
        elif item_id and encrypted:
            self._hidden.append(
                {
                    "type": "reasoning",
                    "id": item_id,
                    "summary": item.get("summary") or [],
                    "encrypted_content": encrypted,
                }
            )

    def _finish(self, end: Event) -> None:
        self._start()
        self._writer.close_block()
        for events in self._waiting.values():
            self._item = _Item()
            for event in events:
                self._play(event)
            self._writer.close_block()
        response = end.get("response")
        response = response if isinstance(response, dict) else {}
        reason, details = self._stop(end, response)
        usage, estimated = response.get("usage"), False
        if isinstance(usage, dict):
            counts = responses_usage(usage)
        else:
            counts, estimated = {"output_tokens": estimate_output(self._writer.written)}, True
        if response.get("service_tier") == "priority":
            counts["speed"] = "fast"
        self._writer.finish(reason, counts, stop_details=details, estimated=estimated)

    def _stop(self, end: Event, response: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
        if end.get("type") == "response.incomplete":
            incomplete = response.get("incomplete_details")
            why = incomplete.get("reason") if isinstance(incomplete, dict) else None
            if why == "max_output_tokens":
                return "max_tokens", None
            if why == "content_filter":
                return "refusal", refusal_details("content_filter")
            _log.warning("the platform openai left an answer incomplete for the unknown reason %.100r", why)
            return "end_turn", None
        if self._refusal:
            return "refusal", refusal_details("".join(self._refusal))
        return ("tool_use" if "tool_use" in self._writer.blocks else "end_turn"), None


class _Item:
    """What was said of the item that is open."""

    def __init__(self) -> None:
        self.said = False
        self.is_call = False
        self.part: Any = None
