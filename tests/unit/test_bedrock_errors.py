"""What follows from Bedrock's errors: who is asked next, what cools down, what the client is told."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.emulators.bedrock import chunk_frame
from tests.golden.test_bedrock import exchange, play
from tests.unit.test_bedrock_requests import USER

from ccrouter.errors import Consequence, Trouble, UpstreamRefused, Verdict
from ccrouter.framing.eventstream import encode_frame
from ccrouter.http import header
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.bedrock import Bedrock, BedrockExchange
from ccrouter.platforms.bedrock_errors import read_refusal, refusal
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, CannedAnswer, Found

NOW = datetime(2026, 11, 23, 20, 30, tzinfo=UTC)
BODY = {"model": "claude-sonnet-5-5", "messages": USER}


def refused(name: str, message: str = "m", status: int = 400) -> UpstreamRefused:
    """The refusal of an HTTP answer."""
    headers = [("x-amzn-errortype", f"{name}:http://x")] if name else []
    body = json.dumps({"message": message}).encode()
    return read_refusal(status, headers, body, model="the-model", now=NOW)


@pytest.mark.parametrize(
    ("name", "verdict", "consequence"),
    [
        ("ValidationException", Verdict.FINAL, Consequence()),
        (
            "ThrottlingException",
            Verdict.NEXT_CREDENTIAL,
            Consequence(Trouble.THROTTLED, scope="the-model", steps=(1.0, 30.0)),
        ),
        ("AccessDeniedException", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.REFUSED, scope="the-model")),
        ("UnrecognizedClientException", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.UNAUTHORIZED)),
        ("ExpiredTokenException", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.UNAUTHORIZED, renews="token")),
        ("ResourceNotFoundException", Verdict.NEXT_TARGET, Consequence()),
        ("InternalServerException", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.FAULT, None, "the-model", (0.5,))),
        ("ModelNotReadyException", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.THROTTLED, 5.0, "the-model")),
        ("ServiceUnavailableException", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.THROTTLED, scope="the-model")),
    ],
)
def test_a_row_decides_what_is_tried_next(name: str, verdict: Verdict, consequence: Consequence) -> None:
    """The table of bedrock.md §7."""
    found = refused(name)
    assert (verdict, consequence) == (found.verdict, found.consequence)


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (400, "invalid_request_error", Verdict.FINAL), (403, "permission_error", Verdict.NEXT_CREDENTIAL),
        (413, "request_too_large", Verdict.FINAL), (429, "rate_limit_error", Verdict.NEXT_CREDENTIAL),
        (502, "api_error", Verdict.NEXT_CREDENTIAL), (302, "api_error", Verdict.NEXT_CREDENTIAL),
    ],
)  # fmt: skip
def test_an_unknown_exception_goes_by_its_status(status: int, kind: str, verdict: Verdict) -> None:
    """A redirect is a failure."""
    found = refused("SomethingNew", status=status)
    assert (502 if status == 302 else status, kind, verdict) == (found.status, found.kind, found.verdict)


def test_the_name_may_be_in_the_body() -> None:
    """As `__type`, with the service before it."""
    body = b'{"__type":"com.amazon.coral#ThrottlingException","Message":"slow"}'
    found = read_refusal(400, (), body, model="m", now=NOW)
    assert (found.status, found.message) == (429, "slow")


def test_a_page_of_another_server_says_its_status() -> None:
    """A proxy on the way answers in HTML."""
    found = read_refusal(503, [("content-type", "text/html")], b"<html>", model="m", now=NOW)
    assert (found.status, found.kind) == (503, "api_error")
    assert "status 503" in found.message


def test_a_profile_that_is_missing_is_for_another_platform() -> None:
    """The same id never works there."""
    found = refused("ValidationException", "Invocation of model ID x with on-demand throughput isn't supported.")
    assert (found.status, found.verdict) == (400, Verdict.NEXT_TARGET)


def test_tokens_of_a_day_come_back_at_midnight() -> None:
    """The credential rests for this model; the client is not told to wait for hours."""
    found = refusal("throttlingException", "Too many tokens per day, please wait.", (), model="m", now=NOW)
    assert found.consequence == Consequence(Trouble.EXHAUSTED, 3.5 * 3600, scope="m")
    assert header(found.headers, "x-should-retry") == "false"
    assert found.message.endswith("(Try again in 3 h 30 min.)")


def test_a_short_wait_is_told() -> None:
    """A model that warms up."""
    assert header(refused("ModelNotReadyException", status=429).headers, "retry-after") == "5"


def test_a_wrong_clock_is_no_fault_of_the_key() -> None:
    """It is not blocked for it."""
    found = refused("InvalidSignatureException", "Signature expired: 20261123T0000Z is now earlier than", 403)
    assert found.consequence == Consequence()
    assert found.on_credential


def ask(operation: str = MESSAGES, *, moved: bool = False) -> Ask:
    """A request for the exchange's body."""
    return Ask(operation, MessagesRequest(json.dumps(BODY).encode()), (), "", moved=moved)


def test_foreign_thinking_is_left_out_once_after_a_move() -> None:
    """Only where the conversation came from elsewhere, and only for words about signatures."""
    messages = [
        *USER,
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "EpA="}, {"type": "text", "text": "x"}]},
        *USER,
    ]  # fmt: skip
    body = BODY | {"messages": messages}
    credential = exchange(body)._credential
    said = refused("ValidationException", "messages.1.content.0: Invalid `signature` in `thinking` block")
    for moved in (False, True):
        moving = Ask(MESSAGES, MessagesRequest(json.dumps(body).encode()), (), "", moved=moved)
        opened = Bedrock().open(moving, Aim("claude-sonnet-5-5"), credential, Found())
        assert isinstance(opened, BedrockExchange)
        assert opened.mend(refused("ValidationException", "tools.0: bad")) is None
        mended = opened.mend(said)
        assert (mended is not None) is moved
        if mended is not None:
            assert json.loads(mended.request().body)["messages"][1]["content"] == [{"type": "text", "text": "x"}]
            assert mended.mend(said) is None


def test_what_cannot_be_counted_is_estimated_and_not_asked_again() -> None:
    """For this credential and model; an ARN hides what Bedrock would count, so it is never asked."""
    platform = Bedrock()
    credential = exchange(BODY)._credential
    counting = ask(COUNT_TOKENS)
    opened = platform.open(counting, Aim("claude-sonnet-5-5"), credential, Found())
    assert isinstance(opened, BedrockExchange)
    assert opened.count_instead(refused("ThrottlingException", status=429)) is not None
    assert isinstance(platform.open(counting, Aim("claude-sonnet-5-5"), credential, Found()), BedrockExchange)
    assert opened.count_instead(refused("AccessDeniedException", status=403)) is not None
    assert isinstance(platform.open(counting, Aim("claude-sonnet-5-5"), credential, Found()), CannedAnswer)
    assert isinstance(platform.open(counting, Aim("claude-opus-5-5"), credential, Found()), BedrockExchange)
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    assert isinstance(platform.open(counting, Aim(arn), credential, Found()), CannedAnswer)


BLOCK = st.sampled_from(["text", "thinking", "tool_use"])
COUNTS = st.dictionaries(st.sampled_from(["input_tokens", "cache_read_input_tokens"]), st.integers(0, 99) | st.none())
PIECES = st.lists(st.text(max_size=6), max_size=3)


@settings(max_examples=1000, deadline=None)
@given(
    blocks=st.lists(st.tuples(BLOCK, PIECES), max_size=4),
    usage=st.lists(COUNTS, min_size=3, max_size=3),
    deltas=st.integers(1, 2),
    ending=st.sampled_from(["stop", "cut", "throttlingException", "error"]),
    cut=st.integers(1, 200),
    unknown=st.booleans(),
)  # fmt: skip
def test_whatever_claude_streams_keeps_the_grammar(
    blocks: list[tuple[str, list[str]]],
    usage: list[dict[str, int | None]],
    deltas: int,
    ending: str,
    cut: int,
    unknown: bool,
) -> None:
    """Blocks, counts and endings of all kinds, in chunks of all sizes: legal events with complete counts."""
    counts_at_start: dict[str, int | None] = {
        "input_tokens": 1,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "output_tokens": 1,
        **usage[0],
    }
    message: dict[str, Any] = {
        "id": "m",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "usage": counts_at_start,
    }
    frames = [chunk_frame({"type": "message_start", "message": message})]
    if unknown:
        frames.append(encode_frame({":message-type": "event", ":event-type": "initial-response"}, b"{}"))
    for index, (kind, pieces) in enumerate(blocks):
        start = {"type": kind, "text": "", "thinking": "", "signature": "", "id": "t", "name": "n", "input": {}}
        frames.append(chunk_frame({"type": "content_block_start", "index": index, "content_block": start}))
        name = {"text": "text_delta", "thinking": "thinking_delta", "tool_use": "input_json_delta"}[kind]
        said = pieces if kind != "tool_use" else ["", "{}"]
        made = [
            {"type": name, "text": piece, "thinking": piece, "partial_json": piece if kind == "tool_use" else ""}
            for piece in said
        ]
        if kind == "thinking":
            made.append({"type": "signature_delta", "signature": "EpA="})
        frames += [chunk_frame({"type": "content_block_delta", "index": index, "delta": delta}) for delta in made]
        frames.append(chunk_frame({"type": "content_block_stop", "index": index}))
    if ending == "stop":
        counts = {"output_tokens": 5} | usage[1]
        frames += [
            chunk_frame({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": counts})
        ] * deltas
        frames.append(chunk_frame({"type": "message_stop", "usage": usage[2]}))
    elif ending == "error":
        frames.append(encode_frame({":message-type": "error", ":error-code": "internalServerException"}, b""))
    elif ending != "cut":
        frames.append(encode_frame({":message-type": "exception", ":exception-type": ending}, b'{"message":"x"}'))
    data = b"".join(frames)
    stream = exchange(BODY | {"stream": True}).stream()
    events = play(stream, [data[at : at + cut] for at in range(0, len(data), cut)])
    assert events[0]["type"] == "message_start"
    if ending == "stop":
        assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
        last = events[-2]["usage"]
        for name in ("input_tokens", "cache_read_input_tokens"):
            offers = (usage[2].get(name), usage[1].get(name), 20 if name == "input_tokens" else None)
            first = next((offer for offer in (*offers, counts_at_start.get(name)) if offer is not None), None)
            assert first == last.get(name)
        assert "usage" not in events[-1]
        assert not any("amazon-bedrock-invocationMetrics" in event for event in events)
    else:
        assert events[-1]["type"] == "error"
