"""The one writer of Anthropic's grammar, and the fold that undoes it."""

import json
from typing import Any

import pytest

from ccrouter.dialects.fold import fold
from ccrouter.framing.sse import EventCutter, read_event
from ccrouter.messages.writer import MESSAGE_STOP, MessageWriter, message_id


def a_writer() -> MessageWriter:
    """A writer as a dialect makes it."""
    return MessageWriter(model="some-model", input_tokens=42, tag="test")


def events_of(data: bytes) -> list[dict[str, Any]]:
    """The data of all events."""
    return [json.loads(read_event(raw)[1]) for raw in EventCutter().feed(data)]


def test_blocks_are_opened_numbered_and_closed_by_themselves() -> None:
    """Text, thinking, text, call: four blocks one after another, each closed before the next."""
    write = a_writer()
    write.text("a")
    write.thinking("b")
    write.text("c")
    write.tool_use("t1", "ls", "{}")
    write.finish("tool_use", {"output_tokens": 3})
    kinds = [(event["type"], event.get("index")) for event in events_of(write.take())]
    blocks = [
        (kind, index)
        for index in range(4)
        for kind in (
            ["content_block_start", "content_block_delta"]
            + (["content_block_delta"] if index == 1 else [])
            + ["content_block_stop"]
        )
    ]
    assert [("message_start", None), *blocks, ("message_delta", None)] == kinds


def test_a_thinking_block_always_closes_with_one_carrier() -> None:
    """The one that was set last, or the bare carrier of the dialect."""
    write = a_writer()
    write.thinking("x")
    write.sign("test", "one")
    write.sign("test", "two")
    write.text("y")
    write.thinking("z")
    write.close_block()
    signatures = [
        event["delta"]["signature"]
        for event in events_of(write.take())
        if event.get("delta", {}).get("type") == "signature_delta"
    ]
    assert signatures == ["px1:test:two", "px1:test:"]


def test_empty_pieces_write_nothing() -> None:
    """No block is opened for an empty text."""
    write = a_writer()
    write.text("")
    assert write.take() == b""
    assert not write.started


def test_nothing_follows_the_end() -> None:
    """A dialect that goes on after it has a fault."""
    write = a_writer()
    write.finish("end_turn", {})
    with pytest.raises(RuntimeError, match="after message_delta"):
        write.text("more")
    with pytest.raises(RuntimeError, match="without an open tool call"):
        write.tool_json("{}")


def test_the_usage_of_the_end_completes_the_one_of_the_start() -> None:
    """What the platform does not name keeps its estimate."""
    write = a_writer()
    write.start(id="msg_1", model="real", usage={"cache_read_input_tokens": 7})
    write.finish("end_turn", {"output_tokens": 5})
    start, delta = events_of(write.take())
    assert start["message"]["usage"] == {
        "input_tokens": 42,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 7,
        "output_tokens": 0,
    }
    assert delta["usage"] == start["message"]["usage"] | {"output_tokens": 5}
    assert write.facts.usage == delta["usage"]


def test_a_folded_stream_is_the_message() -> None:
    """All kinds of blocks; a call whose JSON was cut is left out."""
    write = a_writer()
    write.start(id="msg_1", model="real")
    write.thinking("deep")
    write.sign("test", "s")
    write.redacted_thinking("px1:kiror:abc")
    write.text("Hel")
    write.text("lo")
    write.tool_use("t1", "ls", '{"path":"."}')
    write.tool_use("t2", "pwd", "")
    write.open_tool("t3", "cut")
    write.tool_json('{"half')
    write.finish("max_tokens", {"output_tokens": 9})
    message = fold(write.take() + MESSAGE_STOP)
    assert message["content"] == [
        {"type": "thinking", "thinking": "deep", "signature": "px1:test:s"},
        {"type": "redacted_thinking", "data": "px1:kiror:abc"},
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "t1", "name": "ls", "input": {"path": "."}},
        {"type": "tool_use", "id": "t2", "name": "pwd", "input": {}},
    ]
    assert (message["id"], message["stop_reason"], message["usage"]["output_tokens"]) == ("msg_1", "max_tokens", 9)


@pytest.mark.parametrize(
    ("given", "expected"), [("abc", "msg_abc"), ("msg_vrtx_1", "msg_vrtx_1"), ("chat:cmpl/é-1", "msg_chatcmpl-1")]
)
def test_message_ids_keep_what_clients_accept(given: str, expected: str) -> None:
    """The platform's id stays recognisable."""
    assert expected == message_id(given)
