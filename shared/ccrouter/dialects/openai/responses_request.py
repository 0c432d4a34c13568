"""A Messages request as a request of the Responses API (openai-compatible.md §6)."""

from typing import Any

from ccrouter.dialects.openai.asked import AS_IS, Asked, Mended, without
from ccrouter.dialects.openai.chat_request import ERROR_PREFIX, NO_OUTPUT, NO_RESULT
from ccrouter.dialects.openai.history import read_turns, system_pieces
from ccrouter.dialects.openai.models import marks_cache
from ccrouter.dialects.openai.names import sent_id
from ccrouter.dialects.openai.pieces import Answer, Call, File, Order, Piece, Result, Said, Text
from ccrouter.dialects.openai.reasoning import item_of, items_before
from ccrouter.dialects.openai.tools import output_schema, read_tools
from ccrouter.errors import InvalidRequest

Body = dict[str, Any]

_LEAST_TOKENS = 16
_MOST_MARKS = 4
COUNTED = frozenset(
    {"model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text"}
)
"""Members that `input_tokens` takes (types of openai 3.54.0)."""


def encode_responses(asked: Asked, mended: Mended = AS_IS) -> Body:
    """The body. Raises InvalidRequest naming what cannot be sent."""
    document, vendor = asked.document, asked.vendor
    body: Body = {"model": asked.model}
    system = "\n\n".join(piece.text for piece in system_pieces(document.get("system")))
    if system:
        body["instructions"] = system
    body["input"] = _Items(asked, mended).written()
    tools = read_tools(document.get("tools"), vendor, asked.names)
    if tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                **({} if tool.description is None else {"description": tool.description}),
                "parameters": tool.parameters,
                # Left out it would mean true.
                "strict": tool.strict,
            }
            for tool in tools
        ]
        choice = asked.choice(mended)
        if choice.mode == "tool":
            body["tool_choice"] = {"type": "function", "name": choice.name}
        elif choice.mode is not None:
            body["tool_choice"] = choice.mode
        if choice.parallel is False:
            body["parallel_tool_calls"] = False
    limit = document.get("max_tokens")
    if type(limit) is int:
        body["max_output_tokens"] = max(_LEAST_TOKENS, limit)
    if asked.sampled:
        body |= {name: document[name] for name in ("temperature", "top_p") if document.get(name) is not None}
    if reasoning := _reasoning(asked):
        body["reasoning"] = reasoning
    schema = output_schema(document, vendor)
    if schema is not None:
        body["text"] = {"format": {"type": "json_schema", "name": "output", "schema": schema, "strict": True}}
    if (hashed := asked.user_hash) is not None:
        body |= {"safety_identifier": hashed, "prompt_cache_key": hashed}
    if asked.fast_tier and document.get("speed") == "fast":
        body["service_tier"] = "priority"
    body |= {"include": ["reasoning.encrypted_content"], "store": False, "stream": asked.stream}
    return without(body, mended.dropped)


def _reasoning(asked: Asked) -> Body:
    thinking, effort = asked.thinking, asked.effort
    if thinking.wanted is None:
        return {}
    reasoning: Body = {} if effort is None else {"effort": effort}
    if thinking.wanted and thinking.shows:
        reasoning["summary"] = "auto"
    return reasoning


class _Items:
    """Writes the input, item by item."""

    def __init__(self, asked: Asked, mended: Mended) -> None:
        self._asked = asked
        self._gives_reasoning = not mended.no_reasoning
        self._items: list[Body] = []
        self._marked: list[Body] = []
        self._marks = (
            asked.vendor.cache_mark == "prompt_cache_breakpoint"
            and marks_cache(asked.model)
            and "prompt_cache_breakpoint" not in mended.dropped
        )

    def written(self) -> list[Body]:
        turns = read_turns(self._asked.document.get("messages"), self._asked.pieces)
        for index, turn in enumerate(turns):
            if isinstance(turn, Answer):
                self._answer(turn)
                if turn.calls and index + 1 == len(turns):
                    self._said(Said(), turn.calls)
            else:
                before = turns[index - 1] if index else None
                self._said(turn, before.calls if isinstance(before, Answer) else [])
        if not self._items:
            raise InvalidRequest("messages: nothing in them can be sent to the platform openai")
        if self._items[-1].get("role") == "assistant":
            raise InvalidRequest(
                "messages: the conversation must end with a user message on the platform openai: "
                "an answer that was begun cannot be continued there."
            )
        for part in self._marked[:-_MOST_MARKS]:
            del part["prompt_cache_breakpoint"]
        return self._items

    def _answer(self, answer: Answer) -> None:
        """Reasoning goes before what it led to; at the very end it would be refused."""
        reasoning: list[Body] = []
        texts: list[str] = []
        shown = False

        def say() -> None:
            if texts:
                self._items.append({"type": "message", "role": "assistant", "content": "".join(texts)})
                texts.clear()

        for part in answer.parts:
            if isinstance(part, Text):
                self._items += reasoning
                reasoning = []
                texts.append(part.text)
                continue
            say()
            if isinstance(part, Call):
                if not shown and self._gives_reasoning:
                    reasoning += items_before(part, self._asked.remembered)
                self._items += [*reasoning, self._call(part)]
                reasoning = []
            elif self._gives_reasoning and (item := item_of(part)) is not None:
                shown = True
                reasoning.append(item)
        say()

    def _call(self, call: Call) -> Body:
        return {
            "type": "function_call",
            "call_id": sent_id(call.id),
            "name": self._asked.names.sent(call.name),
            "arguments": call.arguments,
        }

    def _said(self, said: Said, calls: list[Call]) -> None:
        for call in calls:
            output = self._result(said.results.get(call.id))
            self._items.append({"type": "function_call_output", "call_id": sent_id(call.id), "output": output})
        waiting: list[Body] = []
        for part in said.parts:
            if isinstance(part, Order):
                self._message("user", waiting)
                waiting = []
                self._message("developer", [{"type": "input_text", "text": part.text}])
            else:
                waiting.append(self._part(part))
        self._message("user", waiting)

    def _message(self, role: str, content: list[Body]) -> None:
        if content:
            self._items.append({"type": "message", "role": role, "content": content})

    def _result(self, result: Result | None) -> Any:
        """Text as a string; with images or files, a list of parts."""
        if result is None:
            return NO_RESULT
        if all(isinstance(piece, Text) for piece in result.pieces):
            text = "\n".join(piece.text for piece in result.pieces if isinstance(piece, Text)) or NO_OUTPUT
            return f"{ERROR_PREFIX}{text}" if result.is_error else text
        parts = [self._part(piece) for piece in result.pieces]
        return [{"type": "input_text", "text": ERROR_PREFIX}, *parts] if result.is_error else parts

    def _part(self, piece: Piece) -> Body:
        part: Body
        if isinstance(piece, Text):
            part = {"type": "input_text", "text": piece.text}
        elif isinstance(piece, File):
            part = {"type": "input_file", "filename": piece.name, "file_data": piece.data_url}
        else:
            part = {"type": "input_image", "image_url": piece.url, "detail": "auto"}
        if self._marks and piece.mark is not None:
            part["prompt_cache_breakpoint"] = {"mode": "explicit"}
            self._marked.append(part)
        return part
