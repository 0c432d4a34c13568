"""A Messages request as a Chat Completions request (openai-compatible.md §3, §5)."""

from typing import Any

from ccrouter.dialects.openai.asked import AS_IS, Asked, Mended, without
from ccrouter.dialects.openai.history import read_turns, system_pieces
from ccrouter.dialects.openai.models import marks_cache
from ccrouter.dialects.openai.names import sent_id
from ccrouter.dialects.openai.pieces import Answer, Call, File, Image, Order, Piece, Result, Said, Text
from ccrouter.dialects.openai.reasoning import details_of, text_of
from ccrouter.dialects.openai.tools import output_schema, read_tools
from ccrouter.errors import InvalidRequest

Body = dict[str, Any]

ERROR_PREFIX = "[tool error]\n"
NO_OUTPUT = "(no output)"
NO_RESULT = "(no result was provided)"
_MOST_MARKS = 4


def encode_chat(asked: Asked, mended: Mended = AS_IS) -> Body:
    """The body. Raises InvalidRequest naming what this address cannot be sent."""
    document, vendor = asked.document, asked.vendor
    body: Body = {"model": asked.model, "messages": _Messages(asked, mended).written()}
    tools = read_tools(document.get("tools"), vendor, asked.names)
    if tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    **({} if tool.description is None else {"description": tool.description}),
                    "parameters": tool.parameters,
                    **({"strict": True} if tool.strict else {}),
                },
            }
            for tool in tools
        ]
        choice = asked.choice(mended)
        if choice.mode == "tool":
            body["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
        elif choice.mode is not None:
            body["tool_choice"] = choice.mode
        if choice.parallel is False and vendor.parallel_tool_calls:
            body["parallel_tool_calls"] = False
    _limit(body, asked, mended)
    _sample(body, asked)
    _think(body, asked, mended)
    schema = output_schema(document, vendor)
    if schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "output", "schema": schema, "strict": True},
        }
    _identify(body, asked)
    if vendor.store:
        body["store"] = False
    body["stream"] = asked.stream
    if asked.stream and vendor.stream_usage:
        body["stream_options"] = {"include_usage": True}
    if vendor.prefill == "as_is" and body["messages"][-1]["role"] == "assistant":
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return without(body, mended.dropped)


def _limit(body: Body, asked: Asked, mended: Mended) -> None:
    limit = asked.document.get("max_tokens")
    if limit is None:
        return
    name: str = asked.vendor.max_tokens_field
    if mended.other_limit:
        name = "max_tokens" if name == "max_completion_tokens" else "max_completion_tokens"
    body[name] = limit


def _sample(body: Body, asked: Asked) -> None:
    document, vendor = asked.document, asked.vendor
    if not asked.sampled:
        return
    body |= {name: document[name] for name in ("temperature", "top_p") if document.get(name) is not None}
    if vendor.top_k and document.get("top_k") is not None:
        body["top_k"] = document["top_k"]
    stops = document.get("stop_sequences")
    if isinstance(stops, list) and stops:
        body["stop"] = stops[: vendor.max_stop]


def _think(body: Body, asked: Asked, mended: Mended) -> None:
    thinking, vendor, effort = asked.thinking, asked.vendor, asked.effort
    if mended.no_thinking and vendor.reasoning_in == "thinking":
        body["thinking"] = {"type": "disabled"}
        return
    if thinking.wanted is None or vendor.reasoning_in == "none":
        return
    if vendor.reasoning_in == "effort":
        if effort is not None:
            body["reasoning_effort"] = effort
    elif vendor.reasoning_in == "thinking":
        body["thinking"] = {"type": "enabled" if thinking.wanted else "disabled"}
        if thinking.wanted and effort is not None:
            body["reasoning_effort"] = effort
    elif vendor.reasoning_in == "object":
        if not thinking.wanted:
            body["reasoning"] = {"enabled": False}
        elif thinking.budget is not None:
            body["reasoning"] = {"max_tokens": thinking.budget}
        else:
            body["reasoning"] = {"enabled": True} if effort is None else {"effort": effort}
    else:
        body["chat_template_kwargs"] = {vendor.template_key: thinking.wanted}


def _identify(body: Body, asked: Asked) -> None:
    hashed = asked.user_hash
    if hashed is not None and asked.vendor.openai_ids:
        body |= {"safety_identifier": hashed, "prompt_cache_key": hashed}
    elif hashed is not None and asked.vendor.user:
        body["user"] = hashed
    if asked.fast_tier and asked.document.get("speed") == "fast":
        body["service_tier"] = "priority"


class _Messages:
    """Writes the messages: system, then turn by turn."""

    def __init__(self, asked: Asked, mended: Mended) -> None:
        self._asked = asked
        self._vendor = asked.vendor
        self._no_thinking = mended.no_thinking
        self._messages: list[Body] = []
        self._marked: list[Body] = []
        """Parts that carry a breakpoint, oldest first: only the newest four may keep it."""
        self._marks = self._vendor.cache_mark
        if self._marks == "prompt_cache_breakpoint" and (
            not marks_cache(asked.model) or "prompt_cache_breakpoint" in mended.dropped
        ):
            self._marks = "none"

    def written(self) -> list[Body]:
        document = self._asked.document
        system = system_pieces(document.get("system"))
        if system:
            self._messages.append({"role": self._vendor.system_role, "content": self._content([*system])})
        turns = read_turns(document.get("messages"), self._asked.pieces)
        for index, turn in enumerate(turns):
            following = turns[index + 1] if index + 1 < len(turns) else None
            if isinstance(turn, Answer):
                self._answer(turn, following if isinstance(following, Said) else None)
            else:
                before = turns[index - 1] if index else None
                self._said(turn, before.calls if isinstance(before, Answer) else [])
        self._judge_prefill()
        if self._marks == "prompt_cache_breakpoint":
            for part in self._marked[:-_MOST_MARKS]:
                del part["prompt_cache_breakpoint"]
        if not self._messages:
            raise InvalidRequest("messages: nothing in them can be sent to the platform openai")
        return self._messages

    def _judge_prefill(self) -> None:
        """An answer that the client began is continued by few."""
        last = self._messages[-1] if self._messages else {}
        if last.get("role") != "assistant":
            return
        if self._vendor.prefill == "prefix" or self._asked.prefix:
            last["prefix"] = True
        elif self._vendor.prefill == "none":
            raise InvalidRequest(
                "messages: the conversation must end with a user message on the platform openai "
                f"({self._vendor.name}): an answer that was begun cannot be continued there."
            )

    def _answer(self, answer: Answer, following: Said | None) -> None:
        texts = [part.text for part in answer.parts if isinstance(part, Text)]
        calls = answer.calls
        message: Body = {"role": "assistant", "content": "".join(texts) if texts else self._vendor.empty_content}
        if not texts and not calls:
            return
        self._give_reasoning_back(message, answer)
        if calls:
            message["tool_calls"] = [self._call(call) for call in calls]
        self._messages.append(message)
        if calls and following is None:
            # An answer with calls must be followed by exactly their results.
            self._said(Said(), calls)

    def _give_reasoning_back(self, message: Body, answer: Answer) -> None:
        back = self._vendor.reasoning_back
        if back == "details":
            if details := details_of(answer, self._asked.remembered):
                message["reasoning_details"] = details
        elif back != "none" and not self._no_thinking:
            text = text_of(answer, self._asked.remembered)
            if text is None and back == "every" and self._asked.thinking.wanted is not False:
                text = ""
            if text is not None:
                message["reasoning_content"] = text

    def _call(self, call: Call) -> Body:
        name = self._asked.names.sent(call.name)
        return {"id": self._id(call.id), "type": "function", "function": {"name": name, "arguments": call.arguments}}

    def _said(self, said: Said, calls: list[Call]) -> None:
        beside: list[Piece] = []
        for call in calls:
            result = said.results.get(call.id)
            self._messages.append(
                {"role": "tool", "tool_call_id": self._id(call.id), "content": self._result(call.id, result, beside)}
            )
        waiting: list[Piece] = beside
        for part in said.parts:
            if not isinstance(part, Order):
                waiting.append(part)
            elif self._vendor.system_in_place:
                self._user(waiting)
                waiting = []
                self._messages.append({"role": self._vendor.system_role, "content": part.text})
            else:
                waiting.append(Text(f"<system>{part.text}</system>"))
        self._user(waiting)

    def _user(self, pieces: list[Piece]) -> None:
        if pieces:
            self._messages.append({"role": "user", "content": self._content(pieces)})

    def _result(self, call_id: str, result: Result | None, beside: list[Piece]) -> Any:
        """The text of a result; its images go into the next user message."""
        if result is None:
            return NO_RESULT
        lines: list[str] = []
        attached: list[str] = []
        for piece in result.pieces:
            if isinstance(piece, Text):
                lines.append(piece.text)
                continue
            name = f"{'image' if isinstance(piece, Image) else 'file'} {len(attached) + 1}"
            attached.append(f"[{name} attached below]")
            beside += [Text(f"[{name} from tool result {self._id(call_id)}]"), piece]
        text = "\n".join([*lines, *attached]) or NO_OUTPUT
        text = f"{ERROR_PREFIX}{text}" if result.is_error else text
        if self._marks == "cache_control" and result.mark is not None:
            return [{"type": "text", "text": text, "cache_control": result.mark}]
        return text

    def _content(self, pieces: list[Piece]) -> Any:
        """A string for text alone, parts for everything else."""
        marks = self._marks != "none" and any(piece.mark is not None for piece in pieces)
        if not marks and all(isinstance(piece, Text) for piece in pieces):
            return "\n\n".join(piece.text for piece in pieces if isinstance(piece, Text))
        return [self._part(piece) for piece in pieces]

    def _part(self, piece: Piece) -> Body:
        part: Body
        if isinstance(piece, Text):
            part = {"type": "text", "text": piece.text}
        elif isinstance(piece, File):
            part = {"type": "file", "file": {"filename": piece.name, "file_data": piece.data_url}}
        else:
            part = {"type": "image_url", "image_url": {"url": piece.url}}
        if piece.mark is not None and self._marks == "cache_control":
            part["cache_control"] = piece.mark
        elif piece.mark is not None and self._marks == "prompt_cache_breakpoint":
            part["prompt_cache_breakpoint"] = {"mode": "explicit"}
            self._marked.append(part)
        return part

    def _id(self, tool_use_id: str) -> str:
        return sent_id(tool_use_id, short=self._vendor.short_ids)
