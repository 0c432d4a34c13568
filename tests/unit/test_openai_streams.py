"""Answers in OpenAI's two dialects: their odd shapes one by one, and generated streams by the thousand."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.golden.test_openai import opened, play
from tests.grammar import events_of, violations

from ccrouter.dialects.fold import fold
from ccrouter.errors import UpstreamError, UpstreamRefused
from ccrouter.platforms.contract import Exchange

USER = [{"role": "user", "content": "hi"}]
ADAPTIVE = {"type": "adaptive"}


def asking(vendor: str = "generic", model: str = "m", wire: str = "chat", **more: Any) -> Exchange:
    """A try whose client streams."""
    options = {name: more.pop(name) for name in ("inline_think",) if name in more}
    document = {"model": model, "max_tokens": 99, "stream": True, "messages": USER, **more}
    return opened(document, vendor, wire, **options)


def chunk(finish: str | None = None, *, usage: Any = None, choice: Any = None, **delta: Any) -> dict[str, Any]:
    """A chunk of a chat stream."""
    document = {"id": "c", "model": "m", "choices": [{"delta": delta, "finish_reason": finish, **(choice or {})}]}
    return document | ({} if usage is None else {"usage": usage})


def sse(*documents: Any) -> bytes:
    """The documents as an event stream, without its end."""
    return b"".join(b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents)


def told(exchange: Exchange, body: bytes) -> dict[str, Any]:
    """The message that an answer makes; its stream must be legal."""
    out, failure = play(exchange, body)
    assert failure is None, failure
    assert violations(out) == []
    return fold(out)


def failed(exchange: Exchange, body: bytes) -> UpstreamError:
    """The failure that an answer ends with."""
    out, failure = play(exchange, body)
    assert failure is not None
    assert b"message_delta" not in out
    return failure


def calls(*items: Any) -> dict[str, Any]:
    """A chunk with calls: index, id, name and arguments, None for what is missing."""
    made = []
    for index, call_id, name, arguments in items:
        function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
        made.append(
            {key: value for key, value in (("index", index), ("id", call_id)) if value is not None}
            | {"function": function}
        )
    return chunk(tool_calls=made)


DONE = b"data: [DONE]\n\n"
END = sse(chunk("stop")) + DONE


def uses(message: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names and inputs of a message's calls."""
    return [(block["name"], block["input"]) for block in message["content"] if block["type"] == "tool_use"]


@pytest.mark.parametrize(
    "body",
    [
        sse(calls((0, "a", "x", '{"n":1}')), calls((0, "b", "x", '{"n":2}'))),
        sse(calls((None, "a", "x", '{"n":1}')), calls((None, "b", "x", '{"n":2}'))),
        sse(calls((None, None, "x", '{"n":1}'), (None, None, "x", '{"n":2}'))),
        sse(calls((0, "a", "x", None)), calls((0, "a", "x", '{"n":1}')), calls((1, "b", "x", {"n": 2}))),
        sse(calls((0, "a", None, '{"n":')), calls((1, "b", "x", '{"n":2}')), calls((0, None, "x", "1}"))),
        sse(
            calls((0, "a", "x", '{"n"'), (1, "b", "x", '{"n":2')),
            calls((1, None, None, "}")),
            calls((0, None, None, ":1}")),
        ),
    ],
    ids=["one index", "no index", "no index and no id", "repeated id, object", "late name", "interleaved"],
)
def test_calls_are_told_apart_however_they_are_counted(body: bytes) -> None:
    """Ollama's one index for all, servers without ids, names that come late, fragments in turns."""
    assert uses(told(asking(), body + END)) == [("x", {"n": 1}), ("x", {"n": 2})]


def test_calls_of_one_name_without_ids_or_places_are_two() -> None:
    """A different name on a complete call begins another; ids are made up and unique."""
    body = sse(calls((0, None, "x", '{"n":1}')), calls((0, None, "y", '{"n":2}')))
    message = told(asking(), body + END)
    assert uses(message) == [("x", {"n": 1}), ("y", {"n": 2})]
    assert len({block["id"] for block in message["content"]}) == 2
    assert message["stop_reason"] == "tool_use"


def test_a_legacy_call_is_a_call() -> None:
    """`function_call`, in pieces."""
    body = sse(chunk(function_call={"name": "x", "arguments": '{"n"'}), chunk(function_call={"arguments": ":1}"}))
    assert uses(told(asking(), body + sse(chunk("function_call")))) == [("x", {"n": 1})]


def test_text_inside_a_call_comes_after_the_calls() -> None:
    """A closed block takes no more, so an open one is not closed before it is whole."""
    body = sse(
        calls((0, "a", "x", '{"n"')), chunk(content="Wait. "), calls((0, None, None, ":1}")), chunk(content="Done.")
    )
    message = told(asking(), body + END)
    assert [block["type"] for block in message["content"]] == ["tool_use", "text"]
    assert message["content"][1]["text"] == "Wait. Done."
    assert uses(message) == [("x", {"n": 1})]


def test_a_call_without_a_name_is_left_out() -> None:
    """Nobody could run it."""
    assert told(asking(), sse(calls((0, "a", None, "{}"))) + END)["content"] == []


def test_a_cut_call_is_kept_with_the_token_limit() -> None:
    """The client is told why it is not whole."""
    out, failure = play(asking(), sse(calls((0, "a", "x", '{"n":')), chunk("length")))
    assert failure is None
    assert events_of(out)[-2]["delta"]["stop_reason"] == "max_tokens"
    assert [event["content_block"]["type"] for event in events_of(out) if event["type"] == "content_block_start"] == [
        "tool_use"
    ]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"), ("length", "max_tokens"), ("repetition_truncation", "max_tokens"),
        ("sensitive", "refusal"), ("content_filter", "refusal"), ("something_new", "end_turn"),
    ],
)  # fmt: skip
def test_an_answer_ends_for_a_known_reason(finish: str, reason: str) -> None:
    """Vendors' words for it; an unknown one ends a turn."""
    message = told(asking(), sse(chunk(content="a"), chunk(finish)))
    assert reason == message["stop_reason"]
    if reason == "refusal":
        assert message["stop_details"]["explanation"] == finish


@pytest.mark.parametrize(
    ("document", "status", "kind"),
    [
        (chunk("insufficient_system_resource"), 529, "overloaded_error"),
        (chunk("network_error"), 500, "api_error"),
        (chunk("error"), 500, "api_error"),
        ({"error": {"message": "x", "code": 429}}, 429, "rate_limit_error"),
        ({"error": {"message": "x", "code": "429"}}, 429, "rate_limit_error"),
        ({"error": {"message": "x", "code": "insufficient_quota"}}, 402, "billing_error"),
        ({"error": {"message": "x", "type": "server_error"}}, 500, "api_error"),
        ({"error": {"message": "x", "code": "who_knows"}}, 500, "api_error"),
        ({"error": "just words"}, 500, "api_error"),
        ({"object": "error", "message": "flat", "code": 400}, 400, "invalid_request_error"),
    ],
)
def test_an_error_inside_an_answer_has_the_tables_status(document: Any, status: int, kind: str) -> None:
    """So that it stays an HTTP error where nothing was said before it."""
    failure = failed(asking(), sse(document))
    assert isinstance(failure, UpstreamRefused)
    assert (status, kind) == (failure.status, failure.kind)


@pytest.mark.parametrize(
    "body", [b"data: {not json}\n\n", b"data: [1]\n\n", b"\xff\xfe\n\n" + sse(chunk(content="a"))[:-8]]
)
def test_what_is_no_event_is_a_failure(body: bytes) -> None:
    """Never a part of an answer."""
    assert failed(asking(), body).kind == "api_error"


def test_framing_is_read_as_servers_send_it() -> None:
    """CRLF, no space after the colon, comments, no blank line at the end, nothing after the end mark."""
    body = b": hello\r\n\r\ndata:" + json.dumps(chunk(content="a")).encode() + b"\r\n\r\n" + sse(chunk("stop"))[:-2]
    assert told(asking(), body)["content"][0]["text"] == "a"
    assert told(asking(), sse(chunk(content="a")) + DONE + b"rubbish")["stop_reason"] == "end_turn"


def test_reasoning_is_taken_once_and_shown_on_demand() -> None:
    """Servers send it twice under two names; who did not ask does not see it, but gets it back."""
    doubled = sse(chunk(reasoning="Hm.", reasoning_content="Hm."), calls((0, "a", "x", "{}")))
    shown = told(asking("deepseek", thinking=ADAPTIVE), doubled + END)
    assert shown["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": "px1:oaic:"}
    for hidden in (asking("deepseek"), asking("deepseek", thinking={"type": "adaptive", "display": "omitted"})):
        stream = hidden.stream()
        out = stream.feed(doubled + END) + stream.close() + stream.take_held()
        assert [block["type"] for block in fold(out)["content"]] == ["tool_use"]
        assert dict(stream.remembered) == {"a": b'{"oaic":"Hm."}'}


def test_details_are_merged_by_index_and_belong_to_their_block() -> None:
    """A second block carries only what is new."""

    def detail(**members: Any) -> dict[str, Any]:
        return chunk(reasoning_details=[members])

    body = sse(
        detail(type="reasoning.text", text="A", index=0),
        detail(type="reasoning.encrypted", data="xy", index=1),
        detail(type="reasoning.encrypted", data="z", index=1),
        chunk(content="mid"),
        detail(type="reasoning.summary", summary="B", index=2),
        calls((0, "a", "x", "{}")),
    )
    blocks = told(asking("openrouter", thinking=ADAPTIVE), body + END)["content"]
    assert [block["type"] for block in blocks] == ["thinking", "text", "thinking", "tool_use"]
    messages = [*USER, {"role": "assistant", "content": blocks}]
    sent = json.loads(opened({"model": "x/y", "max_tokens": 9, "messages": messages}, "openrouter").request().body)
    assert sent["messages"][1]["reasoning_details"] == [
        {"type": "reasoning.text", "text": "A", "index": 0},
        {"type": "reasoning.encrypted", "data": "xyz", "index": 1},
        {"type": "reasoning.summary", "summary": "B", "index": 2},
    ]


def test_content_in_parts_is_read_too() -> None:
    """As Mistral sends it."""
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Hi"}]
    blocks = told(asking("mistral", thinking=ADAPTIVE), sse(chunk(content=parts)) + END)["content"]
    assert [block["type"] for block in blocks] == ["thinking", "text"]


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("said", "thought", "text"),
    [
        ("<think>a < b</think>\n\nYes", "a < b", "Yes"),
        ("\n<think>x", "x", ""),
        ("<b>bold</b>", "", "<b>bold</b>"),
        ("<thi", "", "<thi"),
        ("No <think>tag</think>", "", "No <think>tag</think>"),
    ],
)
def test_thinking_in_the_text_is_split_off(said: str, thought: str, text: str, size: int) -> None:
    """Only at the beginning, across the borders of chunks, and only where the credential says so."""
    body = sse(*(chunk(content=said[at : at + size]) for at in range(0, len(said), size))) + END
    blocks = told(asking("vllm", thinking=ADAPTIVE, inline_think=True), body)["content"]
    assert thought == "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    assert text == "".join(block["text"] for block in blocks if block["type"] == "text")


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}, (6, 4, 0, 5)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4}, (6, 4, 0, 5)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 22}, (10, 0, 0, 12)),
        ({"prompt_tokens": 3, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}, (0, 4, 0, 5)),
        ({"prompt_tokens": None, "completion_tokens": True}, (0, 0, 0, 0)),
    ],
)
def test_counts_are_read_from_wherever_vendors_put_them(usage: Any, counts: tuple[int, ...]) -> None:
    """The last that comes counts, and nonsense counts as nothing."""
    body = sse(chunk(content="a", usage={"prompt_tokens": 99}), chunk("stop", usage=usage))
    got = told(asking(), body)["usage"]
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    assert counts == tuple(got[name] for name in names)


def test_what_openrouter_bills_and_which_tier_answered_is_noted() -> None:
    """Cost only from a vendor that says it."""
    stream = asking("openrouter").stream()
    body = chunk("stop", usage={"prompt_tokens": 1, "cost": 0.00071})
    stream.feed(sse(body | {"service_tier": "priority"}) + DONE)
    stream.close()
    assert (str(stream.facts.billed_usd), stream.facts.vendor) == ("0.00071", "openrouter")
    assert stream.facts.usage["speed"] == "fast"
    other = asking("vllm").stream()
    other.feed(sse(body) + DONE)
    other.close()
    assert other.facts.billed_usd is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [('{"a":1,}', {"a": 1}), ('```json\n{"a": [1,2,],}\n```', {"a": [1, 2]}), ("", {}), ('{"a":",}"}', {"a": ",}"})],
)
def test_whole_answers_have_their_calls_repaired(arguments: str, expected: Any) -> None:
    """What cannot be repaired is an error, not a call."""

    def whole(arguments: str) -> bytes:
        call = {"id": "a", "function": {"name": "x", "arguments": arguments}}
        return json.dumps({"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}).encode()

    message = json.loads(asking().read_whole(whole(arguments)).body)
    assert uses(message) == [("x", expected)]
    with pytest.raises(UpstreamRefused, match="not JSON"):
        asking().read_whole(whole("{nonsense"))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"choices":[]}', b'{"error":{"message":"x"}}'])
def test_what_is_no_whole_answer_is_a_failure(body: bytes) -> None:
    """In both dialects."""
    for exchange in (asking(), asking("openai", "gpt-6.1-sol", "responses")):
        with pytest.raises(UpstreamError):
            exchange.read_whole(body)


def responses(**more: Any) -> Exchange:
    """A try on the Responses API."""
    return asking("openai", "gpt-6.1-sol", "responses", **more)


def item(kind: str, index: int, event: str, **members: Any) -> dict[str, Any]:
    """The begin or the end of an item."""
    return {"type": f"response.output_item.{event}", "output_index": index, "item": {"type": kind, **members}}


def failure_event(code: str, message: str) -> dict[str, Any]:
    """A response that failed."""
    return {"type": "response.failed", "response": {"error": {"code": code, "message": message}}}


def error_event(code: str | None, message: str) -> dict[str, Any]:
    """An error beside a response."""
    return {"type": "error", "code": code, "message": message}


COMPLETED = {
    "type": "response.completed",
    "response": {"id": "r", "model": "m", "usage": {"input_tokens": 5, "output_tokens": 2}},
}


def test_items_that_come_in_turns_are_played_one_after_the_other() -> None:
    """In the order in which they began."""
    body = sse(
        item("function_call", 0, "added", call_id="a", name="x"),
        item("function_call", 1, "added", call_id="b", name="y"),
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"n":2}'},
        item("message", 2, "added"),
        {"type": "response.output_text.delta", "output_index": 2, "delta": "Hi"},
        item("function_call", 1, "done", call_id="b", name="y", arguments='{"n":2}'),
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"n":1}'},
        item("function_call", 0, "done", call_id="a", name="x", arguments='{"n":1}'),
        item("message", 2, "done"),
        COMPLETED,
    )
    message = told(responses(), body)
    assert uses(message) == [("x", {"n": 1}), ("y", {"n": 2})]
    assert message["content"][2]["text"] == "Hi"


def test_items_that_are_only_ended_are_said_whole() -> None:
    """Servers that stream little."""
    part = {"type": "output_text", "text": "Hi"}
    body = sse(
        item("reasoning", 0, "done", id="rs", summary=[{"text": "A"}, {"text": "B"}], encrypted_content="e"),
        item("message", 1, "done", content=[part]),
        item("function_call", 2, "done", call_id="a", name="x", arguments='{"n":1}'),
        COMPLETED,
    )
    blocks = told(responses(thinking=ADAPTIVE), body)["content"]
    assert blocks[0] == {"type": "thinking", "thinking": "A\n\nB", "signature": "px1:oair:rs:e"}
    assert blocks[1]["text"] == "Hi"
    assert blocks[2]["input"] == {"n": 1}


def test_a_reasoning_item_that_is_not_shown_is_kept_for_its_call() -> None:
    """Under the call that follows; with display omitted it travels in an empty block."""
    body = sse(
        item("reasoning", 0, "done", id="rs", summary=[], encrypted_content="e"),
        item("function_call", 1, "done", call_id="a", name="x", arguments="{}"),
        COMPLETED,
    )
    stream = responses().stream()
    out = stream.feed(body) + stream.close() + stream.take_held()
    assert [block["type"] for block in fold(out)["content"]] == ["tool_use"]
    assert json.loads(stream.remembered["a"])["oair"][0]["encrypted_content"] == "e"
    omitted = told(responses(thinking={"type": "adaptive", "display": "omitted"}), body)["content"][0]
    assert omitted == {"type": "thinking", "thinking": "", "signature": "px1:oair:rs:e"}


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        (failure_event("image_too_large", "x"), "invalid_request_error", "x"),
        (failure_event("invalid_prompt", "x"), "invalid_request_error", "x"),
        (error_event("context_length_exceeded", "too much"), "invalid_request_error", "prompt is too long: too much"),
        (error_event(None, "x"), "api_error", "x"),
        ({"type": "response.failed", "response": {"error": None}}, "api_error", "The platform reported an error."),
    ],
)
def test_a_failed_response_says_why(event: Any, kind: str, words: str) -> None:
    """A context that is too long is an error, never the end of a turn."""
    failure = failed(responses(), sse(event))
    assert (kind, words) == (failure.kind, failure.message)


def test_a_refusal_and_an_unknown_end_are_told() -> None:
    """In words where there are any."""
    refusal = {"type": "response.refusal.delta", "output_index": 0, "delta": "No."}
    message = told(responses(), sse(refusal, item("message", 0, "done"), COMPLETED))
    assert (message["stop_reason"], message["stop_details"]["explanation"]) == ("refusal", "No.")
    end = {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "tired"}}}
    assert told(responses(), sse(end))["stop_reason"] == "end_turn"


# Generated streams. One source of randomness, seeded by hypothesis: its own strategies would spend most of the time.
LETTERS = 'aé☁\n"\\ <think>'
FINISHES = ("stop", "stop", "length", "tool_calls", "content_filter", "new_one", "error", None)


def words(source: random.Random) -> str:
    """A short text, possibly empty."""
    return "".join(source.choices(LETTERS, k=source.randrange(6)))


def fragments(source: random.Random) -> list[str]:
    """A call's JSON in pieces."""
    data = json.dumps({words(source): source.randrange(9) for _ in range(source.randrange(3))})
    cuts = sorted(source.choices(range(len(data) + 1), k=source.randrange(4)))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def chat_chunks(source: random.Random) -> list[Any]:
    """A legal-ish chat stream: kinds mixed, calls interleaved, each call's fragments in order."""
    lanes: list[list[dict[str, Any]]] = []
    for index in range(source.randrange(4)):
        pieces = fragments(source)
        name, call_id = source.choice(("x", "y")), source.choice((f"id{index}", "id0", None))
        counted = source.choice((index, index, 0, None))
        head = {"index": counted, "id": call_id, "function": {"name": name, "arguments": pieces[0]}}
        lanes.append([chunk(tool_calls=[head])])
        lanes[-1] += [chunk(tool_calls=[{"index": counted, "function": {"arguments": piece}}]) for piece in pieces[1:]]
    others: list[dict[str, Any]] = [
        source.choice(
            (
                chunk(content=words(source)),
                chunk(reasoning_content=words(source)),
                chunk(refusal=words(source)),
                chunk(
                    reasoning_details=[{"type": "reasoning.text", "text": words(source), "index": source.randrange(2)}]
                ),
                chunk(content=[{"type": "thinking", "thinking": words(source)}, {"text": words(source)}]),
                chunk(role="assistant", content=None, tool_calls=None),
                chunk(function_call={"name": "z", "arguments": "{}"}),
                {"choices": [], "usage": {"prompt_tokens": source.randrange(99)}},
                {"choices": None, "id": 7, "model": None},
            )
        )
        for _ in range(source.randrange(6))
    ]
    lanes.append(others)
    made: list[Any] = []
    while lanes := [lane for lane in lanes if lane]:
        made.append(source.choice(lanes).pop(0))
    finish = source.choice(FINISHES)
    return made if finish is None else [*made, chunk(finish), {"choices": [], "usage": {"completion_tokens": 3}}]


def response_events(source: random.Random) -> list[Any]:
    """A legal-ish stream of the Responses API with interleaved items."""
    lanes: list[list[Any]] = []
    for index in range(source.randrange(4)):
        kind = source.choice(("message", "reasoning", "function_call", "web_search_call"))
        members: dict[str, Any] = {"id": f"i{index}"}
        lane: list[Any] = []
        if kind == "function_call":
            pieces = fragments(source)
            members |= {"call_id": f"c{index}", "name": "x", "arguments": "".join(pieces)}
            delta = "response.function_call_arguments.delta"
            lane += [{"type": delta, "output_index": index, "delta": piece} for piece in pieces]
        elif kind == "message":
            name = source.choice(("output_text", "refusal"))
            delta = f"response.{name}.delta"
            lane += [{"type": delta, "output_index": index, "delta": words(source)} for _ in range(source.randrange(3))]
        elif kind == "reasoning":
            members |= {"summary": [{"text": words(source)}], "encrypted_content": source.choice(("e", None))}
            delta = "response.reasoning_summary_text.delta"
            lane += [
                {"type": delta, "output_index": index, "summary_index": part, "delta": words(source)}
                for part in range(source.randrange(3))
            ]
        lane.insert(0, item(kind, index, "added", **members))
        if source.randrange(4):
            lane.append(item(kind, index, "done", **members))
        lanes.append(lane)
    made: list[Any] = [{"type": "response.created", "response": {"id": "r", "model": "m"}}]
    while lanes := [lane for lane in lanes if lane]:
        made.append(source.choice(lanes).pop(0))
    incomplete = {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}}
    return [*made, *source.choice(([COMPLETED], [incomplete], [{"type": "error", "code": "x"}], []))]


@settings(max_examples=2500, deadline=None, database=None)
@given(st.integers(0, 2**32))
def test_whatever_comes_what_leaves_is_legal(seed: int) -> None:
    """Both dialects, whole or cut anywhere, with thinking shown or not; a stream without its end never ends well."""
    source = random.Random(seed)
    chat = source.random() < 0.6
    documents = chat_chunks(source) if chat else response_events(source)
    thinking = source.choice((None, ADAPTIVE, {"type": "adaptive", "display": "omitted"}))
    exchange = _EXCHANGES[chat, json.dumps(thinking)]
    body = sse(*documents) + (DONE if chat and source.randrange(2) else b"")
    ended = (chat and (body.endswith(DONE) or _finishes(documents))) or (
        not chat and documents[-1]["type"] in ("response.completed", "response.incomplete")
    )
    cut_at = source.choice((None, source.randrange(len(body) + 1)))
    out, failure = play(exchange, body if cut_at is None else body[:cut_at], source.choice(("whole", "7 bytes")))
    # What a model wrote as a call's arguments was streamed before anybody could know that it is no JSON.
    found = [what for what in violations(out, whole=failure is None) if "is no JSON" not in what]
    assert found == []
    if not ended:
        assert failure is not None


def _finishes(documents: list[Any]) -> bool:
    return any(
        isinstance(document.get("choices"), list)
        and document["choices"]
        and document["choices"][0].get("finish_reason")
        for document in documents
    )


_EXCHANGES = {
    (chat, json.dumps(thinking)): asking("openrouter", thinking=thinking, inline_think=True)
    if chat
    else responses(thinking=thinking)
    for chat in (True, False)
    for thinking in (None, ADAPTIVE, {"type": "adaptive", "display": "omitted"})
}
