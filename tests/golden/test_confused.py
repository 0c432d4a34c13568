"""Answers whose members have lost, changed or doubled their values: they fail as a platform's fault, never as ours."""

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.grammar import violations

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import CcrError, UpstreamError
from ccrouter.framing.eventstream import FrameCutter, encode_frame
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import MESSAGES, Aim, Ask, CannedAnswer, Exchange, Found
from ccrouter.platforms.registry import platform_named

FIXTURES = Path(__file__).parent.parent / "fixtures"
JUNK: list[Any] = [
    None, True, 0, -1, 1e308, 10**40, "", "x", "\0", "\ud83d", [], [None], [1], {}, {"a": 1}, "9" * 50, 3.7, [[]], [{}],
]  # fmt: skip
TRIES = 60
BODY = {
    "model": "claude-opus-5-5",
    "max_tokens": 900,
    "stream": True,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [{"name": "ls", "input_schema": {"type": "object", "properties": {"p": {"type": "string"}}}}],
    "messages": [{"role": "user", "content": "Hi"}],
}
ADMITTED = ("the stream ends without", "the input of block")
"""A failure ends a stream with the gateway's event; arguments go on as the platform wrote them (openai-compatible.md
§4, kiro.md §8.2)."""

# Platform, model, auth, options, and where its fixtures lie.
CASES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], str]] = {
    "kiro": ("kiro", "claude-opus-4-5", {"auth_method": "api_key", "api_key": "ksk_1"}, {}, "kiro"),
    "antigravity": ("antigravity", "gemini-3-flash", {"access_token": "t"}, {"acknowledged": True}, "antigravity"),
    "antigravity, Claude": (
        "antigravity", "claude-opus-4-5-thinking", {"access_token": "t"}, {"acknowledged": True}, "antigravity",
    ),
    "gemini": ("gemini", "gemini-3.8-flash", {"api_key": "k"}, {}, "gemini"),
    "chat": ("openai", "gpt-4.1", {"api_key": "k"}, {}, "openai"),
    "deepseek": ("openai", "deepseek-v4-pro", {"api_key": "k"}, {"vendor": "deepseek"}, "openai"),
    "responses": ("openai", "gpt-6.1-sol", {"api_key": "k"}, {}, "openai"),
    "bedrock": ("bedrock", "claude-sonnet-5-5", {"api_key": "k"}, {"region": "us-east-1"}, "bedrock"),
    "vertex": ("vertex", "claude-sonnet-5-5", {"access_token": "t", "project": "p-1"}, {}, "anthropic-sse"),
}  # fmt: skip


class Confusion:
    """Changes documents, the same way each time."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def of(self, value: Any, share: float) -> Any:
        """A value with some of what is in it changed."""
        pick = self.random
        if pick.random() < share:
            return pick.choice(JUNK)
        if isinstance(value, dict):
            return {name: self.of(item, share) for name, item in value.items() if pick.random() >= share / 2}
        if isinstance(value, list):
            items = [self.of(item, share) for item in value]
            return items + ([pick.choice(items)] if items and pick.random() < share else [])
        return value

    def stream(self, folder: Path) -> bytes:
        """The bytes of a fixture, confused."""
        share, confused = self.random.choice((0.01, 0.03, 0.1)), b""
        if frames := sorted(folder.glob("*.bin")):
            for frame in _frames(self.random.choice(frames)):
                confused += encode_frame(frame.headers, self._payload(frame.payload, share))
            return confused
        for event in self.random.choice(sorted(folder.rglob("*.sse"))).read_bytes().replace(b"\r", b"").split(b"\n\n"):
            head, data, text = event.partition(b"data: ")
            confused += head + data + _changed(text, lambda document: self.of(document, share)) + b"\n\n"
        return confused

    def _payload(self, payload: bytes, share: float) -> bytes:
        def change(document: Any) -> Any:
            if isinstance(document, dict) and isinstance(document.get("bytes"), str):
                inner = _changed(base64.b64decode(document["bytes"]), lambda event: self.of(event, share))
                return {**document, "bytes": base64.b64encode(inner).decode()}
            return self.of(document, share)

        return _changed(payload, change)


def _changed(text: bytes, change: Callable[[Any], Any]) -> bytes:
    """A JSON text changed; anything else as it is."""
    try:
        return json.dumps(change(json.loads(text))).encode()
    except ValueError:
        return text


def _frames(path: Path) -> Any:
    cutter = FrameCutter()
    try:
        return cutter.feed(path.read_bytes())
    except ValueError:
        return []


def opened(case: str) -> Exchange:
    """A try of a case."""
    platform, model, auth, options, _ = CASES[case]
    credential = Credential(id="c", platform=platform, name="c", auth=auth, options=options)
    ask = Ask(MESSAGES, MessagesRequest(json.dumps(BODY).encode()), (), "", key_id="k")
    found = platform_named(platform).open(ask, Aim(model), credential, Found())
    assert not isinstance(found, CannedAnswer)
    return found


@pytest.mark.parametrize("case", CASES)
def test_confused_streams_end_as_faults_of_the_platform(case: str) -> None:
    """Whatever comes: what is written stays legal, and nothing but a platform's failure is raised."""
    for number in range(TRIES):
        confusion = Confusion(f"{case} {number}")
        data, stream, out = confusion.stream(FIXTURES / CASES[case][4]), opened(case).stream(), b""
        size = confusion.random.choice((len(data) or 1, 37, 200))
        try:
            for at in range(0, len(data), size):
                out += stream.feed(data[at : at + size])
                if stream.failure is not None or stream.ended:
                    break
            if stream.failure is None:
                out += stream.close() + stream.take_held()
        except UpstreamError:
            continue
        # Claude's own events go through as they came.
        if stream.translated and case != "bedrock":
            found = [text for text in violations(out, relayed=True) if not text.startswith(ADMITTED)]
            assert found == [], (number, found)


@pytest.mark.parametrize("case", CASES)
def test_confused_refusals_are_refusals(case: str) -> None:
    """With waits of any length and words of any kind."""
    info: dict[str, Any] = {
        "reason": "R",
        "metadata": {"quotaResetTimeStamp": "2026-01-01T00:00:00Z", "quotaResetDelay": "9h"},
    }
    rpc = "type.googleapis.com/google.rpc."
    details: list[Any] = [
        {"@type": f"{rpc}RetryInfo", "retryDelay": "5s"},
        {"@type": f"{rpc}ErrorInfo", **info},
        {"@type": f"{rpc}QuotaFailure", "violations": [{"quotaId": "x"}]},
    ]
    body: dict[str, Any] = {
        "error": {"code": 400, "message": "m", "status": "X", "details": details, "type": "t", "param": "p"}
    }
    body |= {"message": "m", "reason": "MONTHLY_REQUEST_COUNT", "__type": "a#b"}
    for number in range(TRIES):
        confusion = Confusion(f"{case} refuses {number}")
        status = confusion.random.choice((200, 302, 400, 401, 402, 403, 404, 408, 429, 500, 503, 529, 599))
        wait = confusion.random.choice(("1", "x", "9" * 400, "-1", "1e5", "0"))
        headers = (("content-type", "application/json"), ("retry-after", wait))
        refused = opened(case).read_refusal(status, headers, json.dumps(confusion.of(body, 0.1)).encode())
        assert 400 <= refused.status < 600
        assert isinstance(refused.message, str)


@pytest.mark.parametrize("case", CASES)
def test_confused_whole_answers_are_answers_or_faults(case: str) -> None:
    """The same pieces, as answers without a stream."""
    for number in range(TRIES):
        confusion = Confusion(f"{case} whole {number}")
        for event in confusion.stream(FIXTURES / CASES[case][4]).split(b"data: ")[1:4]:
            try:
                opened(case).read_whole(event.partition(b"\n")[0])
            except CcrError:
                continue


def test_an_event_whose_type_is_no_word_is_passed_over() -> None:
    """The answer goes on with the next one."""
    answer = (FIXTURES / "openai" / "22_responses_text.sse").read_bytes()
    stream = opened("responses").stream()
    out = stream.feed(b'event: x\ndata: {"type": ["response.created"]}\n\n' + answer) + stream.close()
    assert stream.failure is None
    assert violations(out + stream.take_held()) == []


def test_a_share_of_the_window_beyond_all_of_it_is_all_of_it() -> None:
    """Tokens are counted from it."""
    stream = opened("kiro").stream()
    told = {"assistantResponseEvent": {"content": "Hi"}, "contextUsageEvent": {"contextUsagePercentage": 1e308}}
    for name, payload in told.items():
        headers = {":message-type": "event", ":event-type": name}
        stream.feed(encode_frame(headers, json.dumps(payload).encode()))
    stream.close()
    assert stream.failure is None
    assert (stream.facts.stop_reason, stream.facts.usage["input_tokens"] <= 200_000) == (
        "model_context_window_exceeded", True,
    )  # fmt: skip
