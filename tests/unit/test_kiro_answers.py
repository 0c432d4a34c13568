"""Kiro's answers: the rules of its stream that no fixture shows, and whatever else may come."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.emulators.kiro import event
from tests.grammar import events_of, violations

from ccrouter.clock import utc_now
from ccrouter.dialects.kiro.decoder import Expected, KiroDecoder
from ccrouter.dialects.kiro.errors import Situation
from ccrouter.dialects.kiro.stops import StopWatch
from ccrouter.dialects.kiro.tags import ThinkingTags
from ccrouter.dialects.translated import TranslatedStream
from ccrouter.framing.eventstream import encode_frame
from ccrouter.messages.writer import MessageWriter


def a_stream(**expected: Any) -> TranslatedStream:
    """Fresh state; thinking is shown unless said otherwise."""
    writer = MessageWriter(model="claude-sonnet-4-5", input_tokens=10, tag="kiro")
    values: dict[str, Any] = {
        "names": {},
        "situation": Situation("claude-sonnet-4.5", utc_now()),
        "shows_thinking": True,
        "window": 200_000,
    }
    return TranslatedStream(KiroDecoder(writer, Expected(**(values | expected))), writer)


def text(content: str) -> bytes:
    """A piece of text."""
    return event("assistantResponseEvent", content=content)


def reasoning(**members: str) -> bytes:
    """Native reasoning."""
    return event("reasoningContentEvent", **members)


def tool(id_: str, piece: Any = None, *, stop: bool = False, name: str = "run") -> bytes:
    """A fragment of a call."""
    members = {"toolUseId": id_, "name": name}
    return event(
        "toolUseEvent", **members, **({} if piece is None else {"input": piece}), **({"stop": True} if stop else {})
    )


def exception(name: str, **members: Any) -> bytes:
    """A frame that says that the service failed."""
    return encode_frame({":message-type": "exception", ":exception-type": name}, json.dumps(members).encode())


def play(*frames: bytes, **expected: Any) -> tuple[TranslatedStream, list[dict[str, Any]]]:
    """The stream after these frames and the end of the body, and its events."""
    stream = a_stream(**expected)
    out = b"".join(stream.feed(frame) for frame in frames) + stream.close()
    out += stream.take_held()
    assert stream.failure is not None or flaws(out) == []
    return stream, events_of(out)


def flaws(out: bytes, *, whole: bool = True) -> list[str]:
    """What is wrong with a stream; a call that was cut is closed by the table's own rule (kiro.md §8.3)."""
    found = violations(out, whole=whole)
    if whole and ending(events_of(out)) == "max_tokens":
        found = [violation for violation in found if "is no JSON" not in violation]
    return found


def blocks(events: list[dict[str, Any]]) -> list[Any]:
    """What came, shortened: texts, thinking with its signature, calls with their JSON."""
    found: list[list[Any]] = []
    for one in events:
        if one["type"] == "content_block_start":
            found.append([one["content_block"]["type"], ""])
        elif one["type"] == "content_block_delta":
            for name in ("text", "thinking", "partial_json"):
                found[-1][1] += one["delta"].get(name, "")
            if one["delta"]["type"] == "signature_delta":
                found[-1].append(one["delta"]["signature"])
    return [tuple(block) for block in found]


def ending(events: list[dict[str, Any]]) -> Any:
    """The stop reason."""
    return events[-2]["delta"]["stop_reason"]


def test_calls_that_mix_come_one_after_the_other() -> None:
    """What arrives inside a call waits, in its order, and may wait again."""
    _, events = play(
        tool("a", "{"), text("one"), tool("b", '{"x"'), reasoning(text="hm"), tool("a", "}"), tool("b", ":1}"),
        text("two"), tool("a", stop=True), text("three"), tool("b", stop=True), text("four"),
    )  # fmt: skip
    assert blocks(events) == [
        ("tool_use", "{}"), ("text", "one"), ("tool_use", '{"x":1}'), ("thinking", "hm", "px1:kiro:"),
        ("text", "twothreefour"),
    ]  # fmt: skip
    assert ending(events) == "tool_use"


def test_a_call_that_is_complete_does_not_come_again() -> None:
    """Some servers repeat it."""
    _, events = play(tool("a", "{}", stop=True), tool("a", "{}", stop=True), tool("a"))
    assert blocks(events) == [("tool_use", "{}")]


def test_input_that_is_an_object_is_written_as_json() -> None:
    """As some servers send it."""
    _, events = play(tool("a", {"x": 1}, stop=True))
    assert blocks(events) == [("tool_use", '{"x":1}')]


def test_the_client_gets_its_own_tool_names() -> None:
    """Not the ones that were sent."""
    _, events = play(tool("a", "{}", stop=True, name="mcp_x"), names={"mcp_x": "mcp.x"})
    assert events[1]["content_block"]["name"] == "mcp.x"


@pytest.mark.parametrize("frames", [(tool("a", '{"x":'), tool("a", stop=True)), (tool("a", "[]", stop=True),)])
def test_a_call_whose_arguments_are_no_object_never_looks_whole(frames: tuple[bytes, ...]) -> None:
    """Clients run what is closed."""
    stream, events = play(*frames)
    assert stream.failure is not None
    assert "content_block_stop" not in [one["type"] for one in events]


def test_a_second_cut_call_is_closed_too() -> None:
    """Each is, and the answer ends as one that was cut."""
    _, events = play(tool("a", "{"), tool("b", "{"), text("t"))
    assert blocks(events) == [("tool_use", "{"), ("tool_use", "{"), ("text", "t")]
    assert ending(events) == "max_tokens"


def test_a_signature_belongs_to_one_block() -> None:
    """Text after it begins another; a signature without thinking is nothing."""
    _, events = play(
        reasoning(signature="lost"), reasoning(text="a", signature="s1"), reasoning(text="b"), text("c"),
        reasoning(signature="late"), reasoning(text="d"), reasoning(redactedContent="QUJD"),
    )  # fmt: skip
    assert blocks(events) == [
        ("thinking", "a", "px1:kiro:s1"), ("thinking", "b", "px1:kiro:"), ("text", "c"), ("thinking", "d", "px1:kiro:"),
        ("redacted_thinking", ""),
    ]  # fmt: skip


def test_thinking_that_nobody_asked_for_is_dropped() -> None:
    """An answer of nothing else is an empty answer."""
    _, events = play(reasoning(text="a", signature="s"), text("b"), shows_thinking=False)
    assert blocks(events) == [("text", "b")]
    _, events = play(reasoning(text="a"), shows_thinking=False)
    assert [one["type"] for one in events] == ["message_start", "message_delta", "message_stop"]


def test_emulated_thinking_is_not_mixed_with_the_models_own() -> None:
    """They have different signatures."""
    _, events = play(text("<thinking>a"), reasoning(text="b", signature="s"), text("</thinking>c"), tags=True)
    assert blocks(events) == [("thinking", "a", "px1:kiro:"), ("thinking", "b", "px1:kiro:s"), ("text", "</thinking>c")]


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ((text("a"), event("metadataEvent", stopReason="max_tokens")), "max_tokens"),
        ((text("a"), event("metadataEvent", stopReason="MODEL_CONTEXT_WINDOW_EXCEEDED")),
         "model_context_window_exceeded"),
        ((text("a"), event("metadataEvent", stopReason="Guardrail_Intervened")), "refusal"),
        ((tool("a", stop=True), event("contextUsageEvent", contextUsagePercentage=100)), "tool_use"),
        ((event("metadataEvent", contextUsagePercentage=100.0),), "model_context_window_exceeded"),
        ((event("metadataEvent", tokenUsage={"contextUsagePercentage": 101}),), "model_context_window_exceeded"),
        ((text("a"), event("metadataEvent", stopReason="MALFORMED_TOOL_USE")), "end_turn"),
        ((text("a"), exception("ContentLengthExceededException", message="m")), "max_tokens"),
        ((tool("a", "{"), exception("ContentLengthExceededException", message="m")), "max_tokens"),
        ((event("codeEvent", content="x = 1"), event("followupPromptEvent", content="more?")), "end_turn"),
    ],
)  # fmt: skip
def test_an_answer_ends_for_a_reason(frames: tuple[bytes, ...], reason: str) -> None:
    """The table of kiro.md §8.3."""
    _, events = play(*frames)
    assert ending(events) == reason


@pytest.mark.parametrize(
    ("frames", "kind", "message"),
    [
        ((), "api_error", "Kiro ended its answer before it began."),
        ((event("meteringEvent", usage=1),), "api_error", "Kiro ended its answer before it began."),
        ((event("invalidStateEvent", reason="R", message="No state."),), "api_error", "No state."),
        ((text("a"), event("invalidStateEvent", reason="R")), "api_error", "R"),
        ((exception("ContentLengthExceededException", message="m"),), "invalid_request_error", "prompt is too long: m"),
        ((exception("ServiceUnavailableException"),), "overloaded_error", "Kiro upstream answered 503"),
        ((exception("Unheard", message="x", reason="MONTHLY_REQUEST_COUNT"),), "billing_error", "x"),
        ((encode_frame({":message-type": "exception", ":exception-type": "X"}, b"no json"),), "api_error",
         "Kiro upstream answered 500"),
        ((encode_frame({":message-type": "error", ":error-code": "ThrottlingException"}, b""),), "rate_limit_error",
         "Kiro upstream answered 429"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_a_failure(frames: tuple[bytes, ...], kind: str, message: str) -> None:
    """By the same table as an HTTP error."""
    stream, _ = play(*frames)
    assert stream.failure is not None
    assert (stream.failure.kind, stream.failure.message) == (kind, message)


def test_an_invalid_state_that_is_overcome_is_no_failure() -> None:
    """Content follows."""
    _, events = play(event("invalidStateEvent", message="m"), text("a"))
    assert ending(events) == "end_turn"


def test_events_that_cannot_be_read_or_are_not_known_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """And counted in the log."""
    headers = {":event-type": "assistantResponseEvent", ":message-type": "event"}
    unread = [encode_frame(headers, payload) for payload in (b"", b"[1]", b"\xff")]
    _, events = play(*unread, event("initial-response"), encode_frame({}, b"{}"), text("a"))
    assert blocks(events) == [("text", "a")]
    assert "3 events that could not be read" in caplog.text


def test_usage_is_told_or_estimated() -> None:
    """The service's counts, else the share of the window, else our estimate; credits stay in the row."""
    counts = {"uncachedInputTokens": 5, "outputTokens": 7, "cacheReadInputTokens": 11, "cacheWriteInputTokens": 13}
    stream, events = play(text("a"), event("metadataEvent", tokenUsage=counts), event("meteringEvent", usage=0.25))
    assert events[-2]["usage"] == {
        "input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 11, "cache_creation_input_tokens": 13,
    }  # fmt: skip
    assert not stream.facts.usage_estimated
    assert stream.facts.usage["kiro_credits"] == 0.25
    stream, events = play(text("a" * 40), event("contextUsageEvent", contextUsagePercentage=1.0))
    assert (events[-2]["usage"]["input_tokens"], events[-2]["usage"]["output_tokens"]) == (2000 - 11, 11)
    assert stream.facts.usage_estimated
    _, events = play(text("a"), event("contextUsageEvent", contextUsagePercentage=1.0), window=None)
    assert events[-2]["usage"]["input_tokens"] == 10


def test_a_broken_answer_is_counted_as_far_as_it_came() -> None:
    """What was written, and the credits."""
    stream, _ = play(text("a" * 40), event("meteringEvent", usage=1), exception("InternalServerException", message="m"))
    assert (stream.facts.usage["output_tokens"], stream.facts.usage["kiro_credits"]) == (11, 1)
    assert not stream.facts.stopped


def test_a_stop_sequence_ends_the_text() -> None:
    """Wherever it is cut; nothing of it is shown and nothing more is read."""
    stream, events = play(text("one ST"), text("OP two"), text("three"), stop_sequences=["STOP", "never"])
    assert blocks(events) == [("text", "one ")]
    assert events[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "STOP"}
    assert stream.ended


def test_text_that_only_looks_like_a_stop_sequence_comes_out() -> None:
    """Before a call, and at the end."""
    _, events = play(text("STO"), tool("a", stop=True), text("ST"), stop_sequences=["STOP"])
    assert blocks(events) == [("text", "STO"), ("tool_use", "{}"), ("text", "ST")]


@settings(max_examples=300, deadline=None)
@given(st.text("abST", max_size=20), st.lists(st.text("abST", min_size=1, max_size=4), max_size=3), st.integers(1, 5))
def test_stop_sequences_are_found_however_the_text_is_cut(whole: str, sequences: list[str], size: int) -> None:
    """The same as in one piece."""
    watch = StopWatch(sequences)
    shown = "".join(watch.feed(whole[at : at + size]) for at in range(0, len(whole), size)) + watch.settle()
    ends = [(whole.find(sequence) + len(sequence), -len(sequence)) for sequence in sequences if sequence in whole]
    if not ends:
        assert (shown, watch.hit) == (whole, None)
    else:
        assert watch.hit in sequences
        assert whole.startswith(shown + watch.hit)
        assert not any(sequence in shown for sequence in sequences)


@pytest.mark.parametrize(
    ("whole", "thinking", "shown"),
    [
        ("plain", "", "plain"),
        ("<think", "", "<think"),
        ("  <thinking>\n\na", "a", ""),
        ("<thinking>a</thinking>\n\nb", "a", "b"),
        ("<thinking>say `</thinking>` now</thinking>\nb", "say `</thinking>` now", "b"),
        ("<thinking>a</thinking>", "a", ""),
        ("<thinking>a</thinking", "a</thinking", ""),
        ("<thinking></thinking> b <thinking>", "", " b <thinking>"),
        ("\n x <thinking>a</thinking>", "", "\n x <thinking>a</thinking>"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_marks_of_thinking_are_found_however_they_are_cut(whole: str, thinking: str, shown: str, size: int) -> None:
    """At the start only; closed only before white space or the end."""
    tags = ThinkingTags()
    pieces = [piece for at in range(0, len(whole), size) for piece in tags.feed(whole[at : at + size])] + tags.settle()
    assert "".join(piece for kind, piece in pieces if kind == "thinking") == thinking
    assert "".join(piece for kind, piece in pieces if kind == "text") == shown
    assert all(piece for _, piece in pieces)


_TEXTS = st.text("<thinkg>/\n x`世", max_size=12) | st.sampled_from(["<thinking>", "</thinking>\n", "STOP", ""])
_IDS = st.sampled_from(["a", "b", "c", ""])
_FRAMES = st.one_of(
    st.builds(text, _TEXTS),
    st.builds(text, _TEXTS),
    st.builds(lambda part, signature: reasoning(text=part, signature=signature), _TEXTS, _TEXTS),
    st.builds(lambda data: reasoning(redactedContent=data), st.sampled_from(["QUJD", ""])),
    st.builds(lambda id_, piece, stop: tool(id_, piece, stop=stop), _IDS,
              st.sampled_from([None, "{}", '{"x":', "1}", "", {"x": 2}]), st.booleans()),
    st.builds(lambda id_: tool(id_, '{"y":1}', stop=True), _IDS),
    st.builds(lambda share: event("contextUsageEvent", contextUsagePercentage=share),
              st.sampled_from([0, 50.5, 100, "x"])),
    st.builds(lambda reason: event("metadataEvent", stopReason=reason), st.sampled_from(["END_TURN", "MAX_TOKENS", 1])),
    st.sampled_from([
        event("meteringEvent", usage=0.5), event("invalidStateEvent", message="m"), event("unknownEvent", x=1),
        event("assistantResponseEvent", content="f", followupPrompt={}),
        event("toolUseEvent", toolUseId="n", input="{}"),
        encode_frame({":event-type": "assistantResponseEvent"}, b"{"),
    ]),
    st.builds(exception, st.sampled_from(["ThrottlingException", "ContentLengthExceededException", "error", "X"])),
)  # fmt: skip


@settings(max_examples=2500, deadline=None)
@given(
    st.lists(_FRAMES, max_size=12),
    st.booleans(),
    st.booleans(),
    st.sampled_from([(), ("STOP",), ("x", "<")]),
    st.integers(0, 40),
)
def test_whatever_comes_the_stream_is_legal(
    frames: list[bytes], shows: bool, tags: bool, stops: tuple[str, ...], cut_off: int
) -> None:
    """Also where it is cut; an answer that does not end well has no end."""
    stream = a_stream(shows_thinking=shows, tags=tags and shows, stop_sequences=stops)
    data = b"".join(frames)
    data = data[: max(0, len(data) - cut_off)] if cut_off % 3 == 0 else data
    out = b""
    for at in range(0, len(data), 97):
        out += stream.feed(data[at : at + 97])
        if stream.failure is not None or stream.ended:
            break
    out += stream.close()
    whole = stream.failure is None
    out += stream.take_held()
    assert flaws(out, whole=whole) == []
    assert whole == stream.facts.stopped
