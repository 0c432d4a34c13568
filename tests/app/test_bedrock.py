"""Bedrock through the real router: an emulator as strict as the service, the official SDK as the client."""

import json
from collections.abc import Iterator

import anthropic
import pytest
from tests.app.sdk_loop import HI, a_client, loop
from tests.emulators.bedrock import BedrockEmulator
from tests.grammar import violations
from tests.services import RunningRouter


@pytest.fixture(scope="session")
def _bedrock() -> Iterator[BedrockEmulator]:
    with BedrockEmulator() as emulator:
        yield emulator


@pytest.fixture
def bedrock(_bedrock: BedrockEmulator) -> Iterator[BedrockEmulator]:
    """The emulator; whatever reaches it must be flawless."""
    _bedrock.reset()
    yield _bedrock
    assert _bedrock.violations == []


def a_key(router: RunningRouter, bedrock: BedrockEmulator, model: str | None = None, **auth: str) -> str:
    """A key that leads to the emulator."""
    return router.key_for(
        "bedrock",
        auth or bedrock.auth,
        model or bedrock.model,
        base_url=bedrock.url,
        options=dict(bedrock.options),
    )


@pytest.mark.parametrize("streams", [True, False])
def test_a_tool_loop_runs(router: RunningRouter, bedrock: BedrockEmulator, streams: bool) -> None:
    """Call, result, answer; two rows with counts and a price."""
    bedrock.script("tool_loop")
    bedrock.call = ("add", {"a": 40, "b": 2})
    secret = a_key(router, bedrock)
    called, answered = loop(a_client(router, secret), streams=streams)
    (call,) = called.content
    assert (called.stop_reason, call.name, call.input) == ("tool_use", "add", {"a": 40, "b": 2})
    assert "42" in answered.content[0].text
    for row in router.rows(secret, expect=2):
        assert (row["platform"], row["status"], row["stream"], row["usage_state"], row["cost_state"]) == (
            "bedrock", "ok", streams, "final", "priced",
        )  # fmt: skip
        assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == (20, 9)
        # 20 × 2, 8 × 0.10 and 9 × 10 USD a million, a tenth more in a geography.
        assert row["cost"]["total"].rstrip("0") == "0.00014388"
        assert row["cost"]["rates"]["inference_geo"] == "us × 1.10"


def test_a_bedrock_key_is_sent_as_it_is(router: RunningRouter, bedrock: BedrockEmulator) -> None:
    """Without a signature."""
    secret = a_key(router, bedrock, "global.anthropic.claude-opus-5-5", api_key="test-key")
    a_client(router, secret).messages.create(model="claude-opus-5-5", max_tokens=9, messages=HI)
    assert bedrock.seen[-1].headers["authorization"] == "Bearer test-key"
    (row,) = router.rows(secret)
    assert row["cost"]["rates"].get("inference_geo") is None
    assert row["upstream_request_id"] == "request-1"


@pytest.mark.parametrize("scenario", ["text", "thinking", "parallel_tools", "midstream_error"])
def test_a_stream_is_legal(router: RunningRouter, bedrock: BedrockEmulator, scenario: str) -> None:
    """Also one that breaks: then an error event ends it."""
    bedrock.script(scenario)
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "stream": True, "messages": HI}
    secret = a_key(router, bedrock)
    with router.client() as client:
        answer = client.post("/proxy/v1/messages", json=body, headers={"x-api-key": secret})
    assert violations(answer.content) == []
    (row,) = router.rows(secret)
    assert ("error" if scenario == "midstream_error" else "ok") == row["status"]
    if scenario == "midstream_error":
        error = json.loads(answer.content.split(b"data: ")[-1])["error"]
        assert error == {"type": "rate_limit_error", "message": "Too many tokens, please wait before trying again."}


def test_a_refusal_reaches_the_client_in_its_shape(router: RunningRouter, bedrock: BedrockEmulator) -> None:
    """With Bedrock's words and id."""
    secret = a_key(router, bedrock, "claude-sonnet-5-5-throttle")
    with pytest.raises(anthropic.RateLimitError) as caught:
        a_client(router, secret).messages.create(model="claude-opus-5-5", max_tokens=9, messages=HI)
    assert caught.value.request_id == "request-1"
    assert "Too many requests" in caught.value.message
    (row,) = router.rows(secret)
    assert (row["status"], row["http_status"], row["error"]["type"]) == ("error", 429, "rate_limit_error")


def test_a_fault_is_tried_once_more(router: RunningRouter, bedrock: BedrockEmulator) -> None:
    """On the same credential, after a short pause; the client sees the answer alone."""
    bedrock.refusals = [("InternalServerException", 500, "An internal server error occurred.")]
    secret = a_key(router, bedrock)
    a_client(router, secret).messages.create(model="claude-opus-5-5", max_tokens=9, messages=HI)
    (row,) = router.rows(secret)
    assert [attempt["status"] for attempt in row["attempts"]] == [500, 200]


def test_a_cut_stream_ends_with_an_error(router: RunningRouter, bedrock: BedrockEmulator) -> None:
    """No end is made up, and the row says what is known."""
    secret = a_key(router, bedrock, "claude-sonnet-5-5-cut")
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "stream": True, "messages": HI}
    with router.client() as client:
        answer = client.post("/proxy/v1/messages", json=body, headers={"x-api-key": secret})
    assert violations(answer.content) == []
    assert b"message_stop" not in answer.content
    (row,) = router.rows(secret)
    assert (row["status"], row["usage_state"]) == ("error", "partial")


def test_a_client_that_leaves_ends_the_call(router: RunningRouter, bedrock: BedrockEmulator) -> None:
    """Bedrock sees the connection close."""
    bedrock.script("slow")
    secret = a_key(router, bedrock)
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "stream": True, "messages": HI}
    with (
        router.client() as client,
        client.stream("POST", "/proxy/v1/messages", json=body, headers={"x-api-key": secret}) as answer,
    ):
        assert next(answer.iter_raw()).startswith(b"event: message_start")
    assert bedrock.seen[-1].client_left.wait(5)
    (row,) = router.rows(secret)
    assert (row["status"], row["usage_state"]) == ("aborted", "partial")


@pytest.mark.parametrize("auth", [{}, {"api_key": "test-key"}], ids=["keys", "Bedrock key"])
def test_the_native_door_takes_the_bytes_as_they_are(
    router: RunningRouter, bedrock: BedrockEmulator, auth: dict[str, str]
) -> None:
    """Signed with the query, or with a key of Bedrock's; a price with the profile's place."""
    options = {**bedrock.options, "door": "messages"}
    secret = router.key_for("bedrock", auth or bedrock.auth, bedrock.model, base_url=bedrock.url, options=options)
    body = b'{"model":"claude-sonnet-5-5","max_tokens":9,"messages":[{ "role":"user","content":"\\u00e4"}]}'
    headers = {"x-api-key": secret, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    with router.client() as client:
        answer = client.post("/proxy/v1/messages?beta=true", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["request-id"] == "req_bdrk_1"
    seen = bedrock.seen[-1]
    assert seen.body == body.replace(b"claude-sonnet-5-5", b"us.anthropic.claude-sonnet-5-5")
    assert (seen.path, seen.query) == ("/anthropic/v1/messages", {"beta": "true"})
    assert seen.headers["authorization"].startswith("Bearer test-key" if auth else "AWS4-HMAC-SHA256 ")
    (row,) = router.rows(secret)
    assert row["cost"]["rates"]["inference_geo"] == "us × 1.10"


def test_the_native_doors_errors_are_of_both_kinds(router: RunningRouter, bedrock: BedrockEmulator) -> None:
    """Anthropic's go through byte for byte; AWS's get its shape."""
    options = {**bedrock.options, "door": "messages"}
    secret = router.key_for("bedrock", bedrock.auth, bedrock.model, base_url=bedrock.url, options=options)
    with pytest.raises(anthropic.BadRequestError) as caught:
        a_client(router, secret).messages.create(
            model="claude-opus-5-5",
            max_tokens=9,
            messages=HI,
            tools=[{"type": "code_execution_20250522", "name": "code_execution"}],
        )
    assert "code_execution" in caught.value.message
    assert caught.value.request_id == "req_bdrk_1"
    bedrock.refusals = [("ThrottlingException", 429, "Too many requests, please wait before trying again.")]
    with pytest.raises(anthropic.RateLimitError) as throttled:
        a_client(router, secret).messages.create(model="claude-opus-5-5", max_tokens=9, messages=HI)
    assert "Too many requests" in throttled.value.message


def test_tokens_are_counted_or_estimated(router: RunningRouter, bedrock: BedrockEmulator) -> None:
    """By Bedrock where it can."""
    client = a_client(router, a_key(router, bedrock))
    assert client.messages.count_tokens(model="claude-opus-5-5", messages=HI).input_tokens == 321
    bedrock.counts = False
    asked = len(bedrock.seen)
    client = a_client(router, a_key(router, bedrock))
    for _ in range(2):
        assert 0 < client.messages.count_tokens(model="claude-opus-5-5", messages=HI).input_tokens < 100
    assert len(bedrock.seen) == asked + 1
