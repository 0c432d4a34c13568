"""Puts the tool calls of a Chat Completions stream one after the other, however they are interleaved.

Strategy: only one call is open at a time, and its fragments pass through; fragments of later calls wait. The open call
ends when another has started, or something else comes, and its JSON is complete; text that comes while it is not
waits until all calls are over, since a closed block takes no more (openai-compatible.md §4, step 4).
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from ccrouter.dialects.openai.names import ToolNames, sent_id
from ccrouter.messages.writer import MessageWriter, new_tool_id

_log = logging.getLogger(__name__)


class _Call:
    def __init__(self, key: Any, upstream_id: str) -> None:
        self.key = key
        self.upstream_id = upstream_id
        self.id = sent_id(upstream_id) if upstream_id else new_tool_id()
        self.name = ""
        self.json = ""
        self.waiting: list[str] = []
        self.state = "new"

    @property
    def complete(self) -> bool:
        """Whether its JSON is a whole object; an empty one is not."""
        if not self.json.rstrip().endswith("}"):
            return False
        try:
            return isinstance(msgspec.json.decode(self.json), dict)
        except (msgspec.DecodeError, RecursionError):
            return False


class ChatCalls:
    """All calls of one answer."""

    def __init__(self, writer: MessageWriter, names: ToolNames) -> None:
        self._writer = writer
        self._names = names
        self._calls: list[_Call] = []
        self._current: dict[Any, _Call] = {}
        """The newest call at each key."""
        self._open: _Call | None = None
        self._deferred: list[Callable[[], None]] = []
        self._taken: set[str] = set()

    @property
    def first_id(self) -> str | None:
        """The id of the first call that reached the client."""
        return next((call.id for call in self._calls if call.state in ("open", "closed")), None)

    def take(self, items: list[Any]) -> None:
        """The `tool_calls` of a chunk."""
        for position, item in enumerate(items):
            if isinstance(item, dict):
                function = item.get("function")
                self._take(item, function if isinstance(function, dict) else {}, position)
        self._advance()

    def take_legacy(self, function: dict[str, Any]) -> None:
        """A `function_call` of older servers."""
        self._take({"index": 0}, function, 0)
        self._advance()

    def other(self, say: Callable[[], None]) -> None:
        """Text or reasoning came: says it now, or when the calls are over."""
        if self._open is not None and self._open.complete and not self._pending():
            self._close_open()
            self._say_deferred()
        if self._open is not None or self._deferred:
            self._deferred.append(say)
        else:
            say()

    def end(self) -> None:
        """The answer is over: what waits is written."""
        self._close_open()
        for call in self._calls:
            if call.state != "new":
                continue
            if call.name:
                self._start(call)
                self._close_open()
            else:
                _log.warning("a tool call without a name is left out of an answer of the platform openai")
        self._say_deferred()

    def _take(self, item: dict[str, Any], function: dict[str, Any], position: int) -> None:
        upstream_id, name = _text(item.get("id")), _text(function.get("name"))
        call = self._find(item, upstream_id, name, position)
        if name and not call.name:
            call.name = name
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        if not isinstance(arguments, str) or not arguments or call.state == "closed":
            return
        call.json += arguments
        if call is self._open:
            self._writer.tool_json(arguments)
        else:
            call.waiting.append(arguments)
        if call is self._open and self._pending() and call.complete:
            self._advance()

    def _find(self, item: dict[str, Any], upstream_id: str, name: str, position: int) -> _Call:
        index = item.get("index")
        if type(index) is int:
            key: Any = index
        elif upstream_id:
            key = next((call.key for call in self._calls if call.upstream_id == upstream_id), f"id:{upstream_id}")
        else:
            # Whoever counts neither by number nor by id, by place.
            key = position if position in self._current else self._last_key(position)
        call = self._current.get(key)
        if call is not None:
            another = upstream_id and call.upstream_id and upstream_id != call.upstream_id
            renamed = not upstream_id and name and call.name and name != call.name and call.complete
            if not another and not renamed:
                return call
            known = next((old for old in self._calls if upstream_id and old.upstream_id == upstream_id), None)
            if known is not None:
                self._current[key] = known
                return known
        call = _Call(key, upstream_id)
        while call.id in self._taken:
            call.id = new_tool_id()
        self._taken.add(call.id)
        self._calls.append(call)
        self._current[key] = call
        return call

    def _last_key(self, position: int) -> Any:
        return self._calls[-1].key if self._calls and position == 0 else position

    def _pending(self) -> bool:
        """Whether another call has started."""
        return any(call.state == "new" for call in self._calls)

    def _advance(self) -> None:
        """Ends the open call where the next has started, and opens the first whose name is known."""
        while True:
            if self._open is not None:
                if not self._pending() or not self._open.complete:
                    return
                self._close_open()
            following = next((call for call in self._calls if call.state == "new"), None)
            if following is None or not following.name:
                return
            self._start(following)

    def _start(self, call: _Call) -> None:
        self._writer.open_tool(call.id, self._names.client(call.name))
        self._writer.tool_json("".join(call.waiting))
        call.waiting = []
        call.state = "open"
        self._open = call

    def _close_open(self) -> None:
        if self._open is not None:
            self._writer.close_block()
            self._open.state = "closed"
            self._open = None

    def _say_deferred(self) -> None:
        waiting, self._deferred = self._deferred, []
        for say in waiting:
            say()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
