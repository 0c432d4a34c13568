"""What is asked of every platform, each as a conversation through the real router that says what came of it."""

import base64
import json
import re
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
from tests.emulators.server import Emulator
from tests.grammar import events_of, violations
from tests.services import RunningRouter

THINKING = {"type": "enabled", "budget_tokens": 2048}
TOOLS = [
    {"name": name, "description": name, "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    for name in ("first", "second")
]
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


def _png() -> str:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 9 * 8))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")).decode()


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _png()}}
PDF = base64.b64encode(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF").decode()
DOCUMENTS = [
    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "a.pdf"},
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "notes"}, "title": "notes"},
]


@dataclass
class Talk:
    """One key that leads to one platform."""

    router: RunningRouter
    emulator: Emulator
    secret: str

    def ask(self, *, path: str = "/v1/messages", **members: Any) -> httpx2.Response:
        """One request, read to its end."""
        wanted = {"model": "claude-opus-5-5", "max_tokens": 8000, "messages": said("Hello?")} | members
        with self.router.client() as client:
            return client.post(f"/proxy{path}", json=wanted, headers={"x-api-key": self.secret})

    def stream(self, **members: Any) -> list[dict[str, Any]]:
        """The events of a streamed answer, which must be legal."""
        answer = self.ask(stream=True, **members)
        assert answer.status_code == 200, answer.text
        assert violations(answer.content, relayed=True) == []
        return events_of(answer.content)

    def row(self) -> dict[str, Any]:
        """The newest row of the key."""
        return self.router.rows(self.secret)[0]


def said(text: str, *blocks: dict[str, Any]) -> list[dict[str, Any]]:
    """What a user says."""
    return [{"role": "user", "content": [*blocks, {"type": "text", "text": text}]}]


def message_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a stream makes, folded here once more and by other means."""
    blocks: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append(event["content_block"] | {"parts": ""})
        elif event["type"] == "content_block_delta":
            delta, block = event["delta"], blocks[-1]
            if delta["type"] == "signature_delta":
                block["signature"] = delta["signature"]
            else:
                block["parts"] += next(delta[name] for name in ("text", "thinking", "partial_json") if name in delta)
    for block in blocks:
        parts = block.pop("parts")
        if block["type"] == "tool_use":
            block["input"] = json.loads(parts or "{}")
        elif block["type"] in ("text", "thinking"):
            block[block["type"]] = parts
    ends = [event["delta"] for event in events if event["type"] == "message_delta"]
    return {"role": "assistant", "content": blocks, "stop_reason": ends[-1]["stop_reason"]}


def results_for(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The history behind a message that called tools."""
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "done"}
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    return [{"role": "assistant", "content": message["content"]}, {"role": "user", "content": results}]


def text(talk: Talk) -> str:
    """Streamed and whole, with a row that counts."""
    talk.emulator.script("text", "text")
    message = message_of(talk.stream())
    assert message["content"][-1]["text"]
    assert message["stop_reason"] == "end_turn"
    whole = talk.ask()
    assert whole.status_code == 200, whole.text
    assert whole.json()["content"][-1]["text"]
    row = talk.row()
    assert (row["status"], row["usage_state"] in ("final", "estimated")) == ("ok", True)
    return "yes"


def parallel_tools(talk: Talk) -> str:
    """Two calls in one answer, both answered."""
    talk.emulator.script("parallel_tools", "text")
    message = message_of(talk.stream(tools=TOOLS))
    calls = [block for block in message["content"] if block["type"] == "tool_use"]
    assert len({call["id"] for call in calls}) == 2
    assert message["stop_reason"] == "tool_use"
    again = message_of(talk.stream(tools=TOOLS, messages=[*said("Hello?"), *results_for(message)]))
    assert again["stop_reason"] == "end_turn"
    return "yes"


def images(talk: Talk) -> str:
    """A picture in the message, and one in a tool's result."""
    talk.emulator.script("text", "parallel_tools", "text")
    answer = talk.ask(messages=said("What is this?", IMAGE))
    assert answer.status_code == 200, answer.text
    message = message_of(talk.stream(tools=TOOLS))
    history = results_for(message)
    history[-1]["content"][0]["content"] = [IMAGE]
    answer = talk.ask(tools=TOOLS, messages=[*said("Hello?"), *history])
    assert answer.status_code == 200, answer.text
    return "yes"


def documents(talk: Talk) -> str:
    """A PDF and a text; what a platform does not take is refused by name."""
    talk.emulator.script("text", "text")
    taken = []
    for name, block in zip(("PDF", "text"), DOCUMENTS, strict=True):
        answer = talk.ask(messages=said("What does it say?", block))
        if answer.status_code == 200:
            taken.append(name)
        else:
            assert answer.status_code == 400, answer.text
            assert "messages.0" in answer.json()["error"]["message"]
    return " and ".join(taken) or "refused by name"


def thinking(talk: Talk) -> str:
    """A thinking block with a signature, before the text."""
    talk.emulator.script("thinking")
    message = message_of(talk.stream(thinking=THINKING))
    first, last = message["content"][0], message["content"][-1]
    assert (first["type"], last["type"]) == ("thinking", "text")
    assert first["thinking"]
    assert first["signature"]
    return "yes"


def signature_round_trip(talk: Talk) -> str:
    """The thinking of a tool call comes back to the platform as its own; the emulator would refuse another."""
    talk.emulator.script("tool_loop")
    talk.emulator.call = ("first", {"n": 1})
    message = message_of(talk.stream(tools=TOOLS, thinking=THINKING))
    history = [*said("Hello?"), *results_for(message)]
    assert message_of(talk.stream(tools=TOOLS, thinking=THINKING, messages=history))["stop_reason"] == "end_turn"
    (carried,) = [block["signature"] for block in message["content"] if block["type"] == "thinking"]
    assert carried.rpartition(":")[2].encode() in talk.emulator.seen[-1].body
    return "yes"


def caching(talk: Talk) -> str:
    """Whether tokens read from a cache are told apart."""
    talk.emulator.script("tool_call")
    talk.stream(tools=TOOLS)
    return "counted" if talk.row()["usage"]["cache_read_tokens"] else "not told"


def count_tokens(talk: Talk) -> str:
    """A number, from the platform or estimated."""
    answer = talk.ask(path="/v1/messages/count_tokens")
    assert answer.status_code == 200, answer.text
    assert answer.json()["input_tokens"] > 0
    # Others may be asked as well, for tokens or for what an account may use.
    asked = any(re.search(r"count-?tokens|/input_tokens", seen.path, re.IGNORECASE) for seen in talk.emulator.seen)
    return "native" if asked else "estimate"


def web_search(talk: Talk) -> str:
    """Results as Claude's own search gives them, or a clear refusal."""
    talk.emulator.script("text")
    answer = talk.ask(tools=[SEARCH], stream=True, messages=said("Search for the news."))
    if answer.status_code == 200:
        kinds = {event["content_block"]["type"] for event in events_of(answer.content) if "content_block" in event}
        # The emulators of Claude's clouds run the tool without searching: what counts is that they were asked to.
        return "yes" if "web_search_tool_result" in kinds or "web_search" in str(talk.emulator.seen[-1].body) else "no"
    assert answer.status_code == 400, answer.text
    assert "web_search" in answer.json()["error"]["message"]
    return "refused by name"


def midstream_error(talk: Talk) -> str:
    """An error event at the end of what came, and a row that says so."""
    talk.emulator.script("midstream_error")
    events = talk.stream()
    assert events[-1]["type"] == "error"
    assert any(event["type"] == "content_block_delta" for event in events)
    assert talk.row()["status"] == "error"
    return "yes"


def cancel(talk: Talk) -> str:
    """A client that leaves ends the platform's work within a second."""
    talk.emulator.script("slow")
    wanted = {"model": "claude-opus-5-5", "max_tokens": 100, "stream": True, "messages": said("Hello?")}
    with (
        talk.router.client() as client,
        client.stream("POST", "/proxy/v1/messages", json=wanted, headers={"x-api-key": talk.secret}) as answer,
    ):
        assert answer.status_code == 200
        next(answer.iter_raw())
    left_at = time.monotonic()
    while not any(seen.client_left.is_set() for seen in talk.emulator.seen):
        assert time.monotonic() - left_at < 2
        time.sleep(0.01)
    assert talk.row()["status"] == "aborted"
    return "yes"


ABILITIES: dict[str, Callable[[Talk], str]] = {
    "text": text,
    "parallel tools": parallel_tools,
    "images": images,
    "documents": documents,
    "thinking": thinking,
    "signature round trip": signature_round_trip,
    "cache reads": caching,
    "count_tokens": count_tokens,
    "web search": web_search,
    "mid-stream error": midstream_error,
    "cancel": cancel,
}
