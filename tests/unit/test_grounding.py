"""Web search on Gemini: what Google found, in Anthropic's blocks."""

import json
from pathlib import Path
from typing import Any

from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter
from tests.grammar import events_of, violations

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.fold import fold
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import MESSAGES, Aim, Ask, CannedAnswer, Exchange, Found
from ccrouter.platforms.gemini import Gemini

SIDE_REQUEST = Path(__file__).parent.parent / "fixtures" / "claude-code" / "04-web-search-side-request.json"
TOOL = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
TEXT = "Käse ist gut. Wein auch."
METADATA = {
    "webSearchQueries": ["cheese", "wine"],
    "groundingChunks": [
        {"web": {"uri": "https://vertexaisearch.cloud.google.com/r/1", "title": "example.com"}},
        {"web": {"uri": "https://vertexaisearch.cloud.google.com/r/2", "title": "Wine", "domain": "wine.example.org"}},
    ],
    "groundingSupports": [
        {"segment": {"startIndex": 15, "endIndex": 24, "text": "Wein auch."}, "groundingChunkIndices": [1]},
        {"segment": {"endIndex": 14, "text": "Käse ist gut."}, "groundingChunkIndices": [0, 1]},
        {"segment": {"endIndex": 3, "text": "not in the text"}, "groundingChunkIndices": [0]},
        {"segment": {"startIndex": 0, "text": "Käse"}, "groundingChunkIndices": [7]},
    ],
}


def opened(*, stream: bool = True, tool: dict[str, Any] = TOOL) -> Exchange:
    """Claude Code's own side request, with the tool that its recording leaves out."""
    recorded = json.loads(SIDE_REQUEST.read_text())["requests"][0]["body"]
    body = recorded | {"tools": [tool], "stream": stream}
    ask = Ask(MESSAGES, MessagesRequest(json.dumps(body).encode()), (), "")
    credential = Credential(id="c", platform="gemini", name="c", auth={"api_key": "k"})
    exchange = Gemini().open(ask, Aim("gemini-3.8-flash"), credential, Found())
    assert not isinstance(exchange, CannedAnswer)
    return exchange


def chunk(text: str, **more: Any) -> dict[str, Any]:
    """A piece of an answer."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}} | more
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 4, "toolUsePromptTokenCount": 100, "totalTokenCount": 114}
    return {"candidates": [candidate], "usageMetadata": usage, "responseId": "r1", "modelVersion": "gemini-3.8-flash"}


CHUNKS = (chunk(TEXT[:7]), chunk(TEXT[7:]), chunk("", finishReason="STOP", groundingMetadata=METADATA))


def streamed(exchange: Exchange, *chunks: dict[str, Any]) -> bytes:
    """The stream that a client sees."""
    stream = exchange.stream()
    out = b"".join(stream.feed(f"data: {json.dumps(piece)}\r\n\r\n".encode()) for piece in chunks)
    assert out == b""
    out += stream.close()
    assert stream.failure is None
    return out + stream.take_held()


def test_sources_come_before_the_text_that_cites_them() -> None:
    """As Claude orders them; the official SDK's types know every event."""
    out = streamed(opened(), *CHUNKS)
    assert violations(out) == []
    for event in events_of(out):
        TypeAdapter(RawMessageStreamEvent).validate_python(event)
    search, results, first, gap, second = fold(out)["content"]
    assert (search["type"], search["name"], search["input"]) == (
        "server_tool_use",
        "web_search",
        {"query": "cheese; wine"},
    )
    assert results["type"] == "web_search_tool_result"
    assert results["tool_use_id"] == search["id"]
    assert [(found["title"], found["url"][-3:]) for found in results["content"]] == [
        ("example.com", "r/1"),
        ("Wine", "r/2"),
    ]
    assert [first["text"], gap["text"], second["text"]] == ["Käse ist gut.", " ", "Wein auch."]
    assert [len(block.get("citations", ())) for block in (first, gap, second)] == [2, 0, 1]


def test_searches_are_counted() -> None:
    """Each query is billed; what the search read is input."""
    usage = events_of(streamed(opened(), *CHUNKS))[-2]["usage"]
    assert usage["server_tool_use"] == {"web_search_requests": 2, "web_fetch_requests": 0}
    assert usage["input_tokens"] == 110


def test_an_answer_without_a_search_is_plain_text() -> None:
    """The model may know by itself."""
    content = fold(streamed(opened(), chunk("Hello"), chunk("", finishReason="STOP")))["content"]
    assert content == [{"type": "text", "text": "Hello"}]


def test_thoughts_before_a_search_are_shown_as_they_come() -> None:
    """They begin the message, with the platform's id; the text still waits for its sources."""
    recorded = json.loads(SIDE_REQUEST.read_text())["requests"][0]["body"]
    body = recorded | {"tools": [TOOL], "thinking": {"type": "adaptive"}}
    ask = Ask(MESSAGES, MessagesRequest(json.dumps(body).encode()), (), "")
    credential = Credential(id="c", platform="gemini", name="c", auth={"api_key": "k"})
    exchange = Gemini().open(ask, Aim("gemini-3.8-flash"), credential, Found())
    assert not isinstance(exchange, CannedAnswer)
    stream = exchange.stream()
    thought = chunk("")
    thought["candidates"][0]["content"]["parts"] = [{"text": "hm", "thought": True}]
    data = [f"data: {json.dumps(piece)}\r\n\r\n".encode() for piece in (thought, *CHUNKS)]
    first = stream.feed(data[0])
    assert events_of(first)[0]["message"]["id"] == "msg_r1"
    out = first + stream.feed(b"".join(data[1:])) + stream.close() + stream.take_held()
    assert violations(out) == []
    kinds = [block["type"] for block in fold(out)["content"]]
    assert kinds == ["thinking", "server_tool_use", "web_search_tool_result", "text", "text", "text"]


def test_an_answer_in_one_piece_has_the_same_blocks() -> None:
    """For clients without streaming."""
    whole = opened(stream=False).read_whole(
        json.dumps(chunk(TEXT, finishReason="STOP", groundingMetadata=METADATA)).encode()
    )
    kinds = [block["type"] for block in json.loads(whole.body)["content"]]
    assert kinds == ["server_tool_use", "web_search_tool_result", "text", "text", "text"]


def test_only_allowed_sites_are_shown() -> None:
    """Whatever else Google found, also below a domain."""
    exchange = opened(tool=TOOL | {"allowed_domains": ["example.org/path"]})
    results = fold(streamed(exchange, *CHUNKS))["content"][1]["content"]
    assert [found["title"] for found in results] == ["Wine"]


def test_a_search_that_breaks_off_is_no_answer() -> None:
    """Nothing of the held text leaves, so that it can be asked for again."""
    stream = opened().stream()
    out = stream.feed(f"data: {json.dumps(CHUNKS[0])}\r\n\r\n".encode()) + stream.close()
    assert out == b""
    assert stream.failure is not None
