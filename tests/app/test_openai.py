"""Addresses that speak OpenAI's API through the real router: a strict emulator, the official SDK as the client."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from tests.app.sdk_loop import HI, TOOL, a_client, loop
from tests.emulators.openai import OpenAiEmulator
from tests.grammar import violations
from tests.services import RunningRouter

STREAMED: dict[str, Any] = {"model": "claude-opus-5-5", "max_tokens": 100, "stream": True, "messages": HI}


@pytest.fixture(scope="session")
def _emulator() -> Iterator[OpenAiEmulator]:
    with OpenAiEmulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: OpenAiEmulator) -> Iterator[OpenAiEmulator]:
    """The emulator; whatever reaches it must be flawless."""
    _emulator.reset()
    yield _emulator
    assert _emulator.violations == []


def a_key(
    router: RunningRouter, emulator: OpenAiEmulator, model: str | None = None, vendor: str = "openai", **options: Any
) -> str:
    """A key that leads to a vendor of the emulator."""
    return router.key_for(
        "openai",
        emulator.auth,
        model or emulator.model,
        base_url=emulator.at(vendor),
        options={"vendor": vendor, **options},
    )


def ask_once(router: RunningRouter, secret: str, **more: Any) -> Any:
    """One message, whole."""
    client = a_client(router, secret)
    return client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=HI, **more)


def post(router: RunningRouter, secret: str, body: Any, path: str = "/proxy/v1/messages") -> Any:
    """One request."""
    with router.client() as client:
        return client.post(path, json=body, headers={"x-api-key": secret})


@pytest.mark.parametrize("thinks", [True, False], ids=["thinking", "without"])
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    ("vendor", "model"),
    [("openai", "gpt-6.1-sol"), ("openai", "gpt-4.1"), ("deepseek", "deepseek-v4-pro"), ("vllm", "glm-5.3")],
)
def test_a_tool_loop_runs(
    router: RunningRouter, emulator: OpenAiEmulator, vendor: str, model: str, streams: bool, thinks: bool
) -> None:
    """Call, result, answer; two rows with counts. Reasoning goes back, whether the client is shown it or not."""
    emulator.script("tool_loop")
    emulator.call = ("add", {"a": 40, "b": 2})
    secret = a_key(router, emulator, model, vendor)
    thinking: dict[str, Any] = {"thinking": {"type": "adaptive"}} if thinks else {}
    called, answered = loop(a_client(router, secret), streams=streams, **thinking)
    call = called.content[-1]
    assert (called.stop_reason, call.name, call.input) == ("tool_use", "add", {"a": 40, "b": 2})
    assert "42" in answered.content[-1].text
    if model == "gpt-6.1-sol":
        assert [item for item in emulator.seen[-1].json["input"] if item["type"] == "reasoning"]
        shown = [block.type for block in called.content]
        assert shown == (["thinking", "tool_use"] if thinks else ["tool_use"])
    for row in router.rows(secret, expect=2):
        assert (row["platform"], row["status"], row["stream"], row["usage_state"]) == ("openai", "ok", streams, "final")
        assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == (20, 9)


@pytest.mark.parametrize("model", ["gpt-6.1-sol", "gpt-4.1"])
@pytest.mark.parametrize("scenario", ["text", "thinking", "parallel_tools", "midstream_error"])
def test_a_stream_is_legal(router: RunningRouter, emulator: OpenAiEmulator, scenario: str, model: str) -> None:
    """Also one that breaks: then an error event ends it."""
    emulator.script(scenario)
    secret = a_key(router, emulator, model)
    answer = post(router, secret, STREAMED)
    assert violations(answer.content) == []
    (row,) = router.rows(secret)
    assert ("error" if scenario == "midstream_error" else "ok") == row["status"]
    if scenario == "midstream_error":
        assert json.loads(answer.content.split(b"data: ")[-1])["error"]["type"] == "rate_limit_error"


def test_a_refusal_reaches_the_client_in_its_shape(router: RunningRouter, emulator: OpenAiEmulator) -> None:
    """With the platform's words and its wait."""
    secret = a_key(router, emulator, "gpt-6.1-sol-throttle")
    with pytest.raises(anthropic.RateLimitError) as caught:
        ask_once(router, secret)
    assert "Rate limit reached" in caught.value.message
    assert caught.value.response.headers["retry-after"] == "7"
    (row,) = router.rows(secret)
    assert (row["status"], row["http_status"], row["error"]["type"]) == ("error", 429, "rate_limit_error")
    assert row["upstream_request_id"] == "request-1"


def test_a_fault_is_tried_once_more(router: RunningRouter, emulator: OpenAiEmulator) -> None:
    """On the same credential, after a short pause; the client sees the answer alone."""
    emulator.refusals = [(500, {"error": {"message": "The server had an error", "type": "server_error"}})]
    secret = a_key(router, emulator)
    ask_once(router, secret)
    (row,) = router.rows(secret)
    assert [attempt["status"] for attempt in row["attempts"]] == [500, 200]


def test_a_model_that_wants_responses_is_asked_there_from_then_on(
    router: RunningRouter, emulator: OpenAiEmulator
) -> None:
    """Also where nobody knew: the refusal of Chat Completions teaches it."""
    message = "Function tools with reasoning_effort are not supported for it. Use /v1/responses."
    emulator.refusals = [(400, {"error": {"message": message, "param": "reasoning_effort"}})]
    secret = a_key(router, emulator, "my-deployment", "azure")
    for _ in range(2):
        ask_once(router, secret, tools=[TOOL])
    paths = [seen.path.rpartition("/v1")[2] for seen in emulator.seen]
    assert paths == ["/chat/completions", "/responses", "/responses"]
    assert all("api-key" in seen.headers for seen in emulator.seen)


def test_a_member_that_is_refused_is_left_out_from_then_on(router: RunningRouter, emulator: OpenAiEmulator) -> None:
    """One further request the first time, none later."""
    body = {"error": {"message": "Unsupported parameter: 'top_k'", "param": "top_k", "code": "unsupported_parameter"}}
    emulator.refusals = [(400, body)]
    secret = a_key(router, emulator, "glm-5.3", "vllm")
    for _ in range(2):
        post(router, secret, STREAMED | {"top_k": 5})
    assert [("top_k" in seen.json) for seen in emulator.seen] == [True, False, False]
    assert [len(row["attempts"]) for row in router.rows(secret, expect=2)] == [1, 2]


def test_a_filtered_prompt_is_a_refusal(router: RunningRouter, emulator: OpenAiEmulator) -> None:
    """Azure's 400 is an empty answer, streamed as asked; the row shows both."""
    body = {"error": {"message": "The response was filtered", "code": "content_filter", "param": "prompt"}}
    for streams in (True, False):
        emulator.refusals = [(400, body)]
        secret = a_key(router, emulator, "gpt-4.1", "azure")
        answer = post(router, secret, STREAMED | {"stream": streams})
        assert answer.status_code == 200
        if streams:
            assert violations(answer.content) == []
            assert b'"stop_reason":"refusal"' in answer.content
        else:
            assert answer.json()["stop_reason"] == "refusal"
        (row,) = router.rows(secret)
        assert [attempt["status"] for attempt in row["attempts"]] == [400, 200]
        assert row["stop_reason"] == "refusal"


@pytest.mark.parametrize("model", ["gpt-6.1-sol-cut", "gpt-4.1-cut"])
def test_a_cut_stream_ends_with_an_error(router: RunningRouter, emulator: OpenAiEmulator, model: str) -> None:
    """No end is made up, and the row says what is known."""
    emulator.script("tool_loop")
    secret = a_key(router, emulator, model)
    answer = post(router, secret, STREAMED)
    assert violations(answer.content) == [] or answer.status_code == 502
    assert b"message_stop" not in answer.content
    (row,) = router.rows(secret)
    assert row["status"] == "error"


def test_a_client_that_leaves_ends_the_call(router: RunningRouter, emulator: OpenAiEmulator) -> None:
    """The platform sees the connection close."""
    emulator.script("slow")
    secret = a_key(router, emulator, "gpt-4.1")
    with (
        router.client() as client,
        client.stream("POST", "/proxy/v1/messages", json=STREAMED, headers={"x-api-key": secret}) as answer,
    ):
        next(answer.iter_bytes())
    assert emulator.seen[-1].client_left.wait(5)
    (row,) = router.rows(secret)
    assert row["status"] == "aborted"


@pytest.mark.parametrize(
    ("vendor", "model", "tokens"),
    [("openai", "gpt-6.1-sol", 321), ("vllm", "glm-5.3", 322), ("moonshot", "kimi-k3", 323)],
)
def test_tokens_are_counted_by_the_platform_or_estimated(
    router: RunningRouter, emulator: OpenAiEmulator, vendor: str, model: str, tokens: int
) -> None:
    """Native where the vendor counts; where it refuses once, it is not asked again."""
    body = {"model": "claude-opus-5-5", "messages": HI, "tools": [TOOL]}
    path = "/proxy/v1/messages/count_tokens"
    secret = a_key(router, emulator, model, vendor)
    assert post(router, secret, body, path).json() == {"input_tokens": tokens}
    emulator.counts = False
    model = f"{model}-uncounted" if model.startswith("gpt") else f"other-{model}"
    secret = a_key(router, emulator, model, vendor)
    counted = len(emulator.seen)
    for _ in range(2):
        assert 0 < post(router, secret, body, path).json()["input_tokens"] < 100
    assert len(emulator.seen) == counted + 1


def test_vendors_that_cannot_count_are_not_asked(router: RunningRouter, emulator: OpenAiEmulator) -> None:
    """The estimate needs no network."""
    secret = a_key(router, emulator, "deepseek-v4-pro", "deepseek")
    body = {"model": "claude-opus-5-5", "messages": HI}
    assert post(router, secret, body, "/proxy/v1/messages/count_tokens").json()["input_tokens"] > 0
    assert emulator.seen == []
