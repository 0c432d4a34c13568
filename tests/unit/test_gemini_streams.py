"""Generated streams of the Gemini dialect: whatever comes, what leaves is legal, and a cut answer never ends well."""

import json
import random
from typing import Any

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.emulators.gemini_model import SCENARIOS, Answers, signature_of
from tests.grammar import events_of, violations

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.fold import fold
from ccrouter.errors import UpstreamError
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.antigravity import Antigravity
from ccrouter.platforms.contract import MESSAGES, Aim, Ask, CannedAnswer, Exchange, Found
from ccrouter.platforms.gemini import Gemini

MODELS = ("gemini-3.8-flash", "gemini-4-argon", "antigravity/gemini-3-flash", "antigravity/claude-sonnet-4-5-thinking")
LETTERS = 'aé☁\n"\\ '
REASONS = (
    "STOP", "STOP", "STOP", "MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL", "OTHER", "CONTINUATION", "NEW_ONE",
)  # fmt: skip
COUNTS = (
    "promptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "cachedContentTokenCount",
    "totalTokenCount",
)
GROWING: tuple[dict[str, Any], ...] = (
    {"name": "ls", "willContinue": True},
    {"partialArgs": [{"jsonPath": "$.a", "stringValue": "x", "willContinue": True}], "willContinue": True},
    {"partialArgs": [{"jsonPath": "$.b[1].c", "numberValue": 4}], "willContinue": True},
    {"partialArgs": [{"jsonPath": "nonsense", "boolValue": True}], "willContinue": True},
    {},
    {},
)
OTHER_PARTS: tuple[dict[str, Any], ...] = (
    {"inlineData": {"mimeType": "image/png", "data": "QQ=="}},
    {"executableCode": {"language": "PYTHON", "code": "1+1"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
    {"futurePart": {}},
    {},
)


def words(source: random.Random) -> str:
    """A short text, possibly empty."""
    return "".join(source.choices(LETTERS, k=source.randrange(6)))


def value(source: random.Random, depth: int = 2) -> Any:
    """Some JSON."""
    kind = source.randrange(6 if depth else 4)
    if kind == 4:
        return [value(source, depth - 1) for _ in range(source.randrange(3))]
    if kind == 5:
        return {words(source): value(source, depth - 1) for _ in range(source.randrange(3))}
    return (None, source.random() < 0.5, source.randrange(-5, 5), words(source))[kind]


def part(source: random.Random) -> dict[str, Any]:
    """A part, with or without a signature."""
    kind = source.choices(("text", "thought", "call", "growing", "other"), (4, 3, 4, 1, 1))[0]
    if kind == "other":
        return source.choice(OTHER_PARTS)
    signed = {"thoughtSignature": source.choice(("QUFB", "QkJC"))} if source.random() < 0.4 else {}
    if kind == "text":
        return {"text": words(source), **signed}
    if kind == "thought":
        return {"text": words(source), "thought": True, **signed}
    if kind == "growing":
        return {"functionCall": source.choice(GROWING), **signed}
    known = {"id": f"fc-{source.randrange(10**9)}"} if source.random() < 0.5 else {}
    call = {"name": source.choice(("ls", "add_up")), "args": {words(source): value(source)}}
    return {"functionCall": call | known, **signed}


def usage(source: random.Random) -> dict[str, Any]:
    """Counts, some of them missing, some as text."""
    return {name: source.choice((3, "4")) for name in COUNTS if source.random() < 0.5}


def chunks(source: random.Random) -> list[dict[str, Any]]:
    """The chunks of an answer that is legal, more or less."""
    found: list[dict[str, Any]] = []
    for _ in range(source.randrange(6)):
        parts = [part(source) for _ in range(source.randrange(4))]
        candidate = {"content": {"role": "model", "parts": parts}}
        found.append({"candidates": [candidate], "usageMetadata": usage(source), "responseId": "r"})
    ending = source.randrange(10)
    if ending == 0:
        found.append({"error": {"code": 503, "message": "away", "status": "UNAVAILABLE"}})
    elif ending == 1:
        found.append({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage(source)})
    elif ending > 2:
        last = {"finishReason": source.choice(REASONS), "continuationToken": "dA=="}
        found.append({"candidates": [last], "usageMetadata": usage(source)})
    return found


def opened(model: str, *, thinking: bool, searches: bool) -> Exchange:
    """A try on one of the platforms."""
    platform, _, name = model.rpartition("/")
    document: dict[str, Any] = {
        "model": name,
        "max_tokens": 8000,
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "ls", "input_schema": {}}, {"name": "add up", "input_schema": {}}],
    }
    if searches and not platform:
        document["tools"] = [{"type": "web_search_20250305", "name": "web_search"}]
    if thinking:
        document["thinking"] = {"type": "enabled", "budget_tokens": 2000}
    ask = Ask(MESSAGES, MessagesRequest(json.dumps(document).encode()), (), "")
    auth = {"api_key": "k", "access_token": "t", "project": "p-test"}
    credential = Credential(id="c", platform=platform, name="c", auth=auth, options={})
    exchange = (Antigravity() if platform else Gemini()).open(ask, Aim(name), credential, Found())
    assert not isinstance(exchange, CannedAnswer)
    return exchange


def play(exchange: Exchange, data: bytes, source: random.Random) -> tuple[bytes, UpstreamError | None]:
    """What leaves while the bytes come in pieces."""
    stream, out = exchange.stream(), b""
    while data and stream.failure is None:
        size = source.choice((1, 3, 40, 400))
        out += stream.feed(data[:size])
        data = data[size:]
    out += stream.close()
    return (out, stream.failure) if stream.failure is not None else (out + stream.take_held(), None)


def as_bytes(found: list[dict[str, Any]], model: str, line_end: str) -> bytes:
    """Chunks as a platform sends them."""
    wrap = "/" in model
    return "".join(
        f"data: {json.dumps({'response': chunk} if wrap and 'error' not in chunk else chunk)}{line_end}{line_end}"
        for chunk in found
    ).encode()


@settings(max_examples=4000, deadline=None, database=None)
@given(st.randoms(use_true_random=True))
def test_whatever_comes_what_leaves_is_legal(source: random.Random) -> None:
    """By the grammar, with names and input of the client's tools, and its end only where there is one."""
    found, model, thinking = chunks(source), source.choice(MODELS), source.random() < 0.5
    exchange = opened(model, thinking=thinking, searches=source.random() < 0.3)
    out, failure = play(exchange, as_bytes(found, model, source.choice(("\n", "\r\n"))), source)
    assert violations(out, whole=False) == []
    events = events_of(out)
    ended = bool(events) and events[-1]["type"] == "message_stop"
    going_on = failure is None and not ended
    reasons = [chunk["candidates"][0].get("finishReason") for chunk in found if "candidates" in chunk]
    assert ended == (failure is None) or (going_on and "CONTINUATION" in reasons)
    if ended:
        message = fold(out)
        calls = [block for block in message["content"] if block["type"] == "tool_use"]
        assert {call["name"] for call in calls} <= {"ls", "add up", "add_up"}
        assert message["stop_reason"] in ("end_turn", "tool_use", "max_tokens", "refusal")
        if not thinking:
            assert all(block["type"] != "thinking" for block in message["content"])


@settings(max_examples=300, deadline=None, database=None)
@given(
    noise=st.lists(
        st.sampled_from([b"data: ", b"{", b"}", b'{"error":', b"[]", b"\n", b"\r\n", b": x\n", b"null", b'"a"']),
        max_size=12,
    )
)
def test_noise_ends_in_a_failure_of_the_platform(noise: list[bytes]) -> None:
    """Never in a fault of the router, and never in an answer."""
    out, failure = play(opened("gemini-3.8-flash", thinking=False, searches=False), b"".join(noise), random.Random(1))
    assert out == b""
    assert failure is not None


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-4-argon"])
def test_the_emulators_answers_are_googles(model: str, scenario: str) -> None:
    """By the official library's types, which know every member."""
    body = {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "ls"}]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
    }
    for chunk in Answers(model, body, None).chunks(scenario):
        if "error" not in chunk:
            types.GenerateContentResponse.model_validate(chunk)
    assert signature_of("a") != signature_of("b")
