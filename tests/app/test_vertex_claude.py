"""Claude on Vertex through the real router: a strict emulator, the official SDK as the client."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from tests.emulators.vertex_claude import VertexClaudeEmulator
from tests.grammar import violations
from tests.services import RunningRouter

TOOL: Any = {"name": "add", "description": "adds", "input_schema": {"type": "object"}}
HI: Any = [{"role": "user", "content": "What is 40 + 2?"}]


@pytest.fixture(scope="session")
def _vertex() -> Iterator[VertexClaudeEmulator]:
    with VertexClaudeEmulator() as emulator:
        yield emulator


@pytest.fixture
def vertex(_vertex: VertexClaudeEmulator) -> Iterator[VertexClaudeEmulator]:
    """The emulator; whatever reaches it must be flawless."""
    _vertex.reset()
    yield _vertex
    assert _vertex.violations == []


def a_key(router: RunningRouter, vertex: VertexClaudeEmulator, model: str | None = None, **options: str) -> str:
    """A key that leads to the emulator."""
    return router.key_for("vertex", vertex.auth, model or vertex.model, base_url=vertex.url, options=options)


def a_client(router: RunningRouter, secret: str) -> anthropic.Anthropic:
    """The official SDK, set up as its documentation says."""
    return anthropic.Anthropic(base_url=router.base_url, api_key=secret, max_retries=0)


@pytest.mark.parametrize(("streams", "region"), [(True, "global"), (False, "eu")])
def test_a_tool_loop_runs(router: RunningRouter, vertex: VertexClaudeEmulator, streams: bool, region: str) -> None:
    """Call, result, answer; rows with counts and the place's price."""
    vertex.script("tool_loop")
    vertex.call = ("add", {"a": 40, "b": 2})
    secret = a_key(router, vertex, region=region)
    client = a_client(router, secret)
    messages = list(HI)
    for _ in range(2):
        wanted: Any = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": messages, "tools": [TOOL]}
        if streams:
            with client.messages.stream(**wanted) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(**wanted)
        messages.append({"role": "assistant", "content": [block.to_dict() for block in message.content]})
        if message.stop_reason == "tool_use":
            (call,) = message.content
            assert call.type == "tool_use"
            assert call.input == {"a": 40, "b": 2}
            result = {"type": "tool_result", "tool_use_id": call.id, "content": "42"}
            messages.append({"role": "user", "content": [result]})
    assert message.content[0].type == "text"
    for row in router.rows(secret, expect=2):
        assert (row["platform"], row["status"], row["stream"], row["usage_state"], row["cost_state"]) == (
            "vertex", "ok", streams, "final", "priced",
        )  # fmt: skip
        assert row["cost"]["total"].rstrip("0") == ("0.0001308" if region == "global" else "0.00014388")


@pytest.mark.parametrize("scenario", ["text", "thinking", "parallel_tools", "midstream_error"])
def test_a_stream_is_legal(router: RunningRouter, vertex: VertexClaudeEmulator, scenario: str) -> None:
    """Without the events that only Google knows."""
    vertex.script(scenario)
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "stream": True, "messages": HI}
    secret = a_key(router, vertex)
    with router.client() as client:
        answer = client.post("/proxy/v1/messages", json=body, headers={"x-api-key": secret})
    # Claude's last counts may leave out those of the start.
    assert [found for found in violations(answer.content) if not found.endswith("is None")] == []
    (row,) = router.rows(secret)
    assert ("error" if scenario == "midstream_error" else "ok") == row["status"]


def test_a_missing_model_is_not_found(router: RunningRouter, vertex: VertexClaudeEmulator) -> None:
    """Google's error in Anthropic's shape."""
    secret = a_key(router, vertex, "claude-opus-5-5-missing")
    with pytest.raises(anthropic.NotFoundError, match="was not found"):
        a_client(router, secret).messages.create(model="claude-opus-5-5", max_tokens=9, messages=HI)
    (row,) = router.rows(secret)
    assert (row["status"], row["http_status"], row["error"]["type"]) == ("error", 404, "not_found_error")


def test_a_client_that_leaves_ends_the_call(router: RunningRouter, vertex: VertexClaudeEmulator) -> None:
    """Google sees the connection close."""
    vertex.script("slow")
    secret = a_key(router, vertex)
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "stream": True, "messages": HI}
    with (
        router.client() as client,
        client.stream("POST", "/proxy/v1/messages", json=body, headers={"x-api-key": secret}) as answer,
    ):
        assert next(answer.iter_raw())
    assert vertex.seen[-1].client_left.wait(5)
    (row,) = router.rows(secret)
    assert row["status"] == "aborted"


def test_tokens_are_counted_where_that_is_possible(router: RunningRouter, vertex: VertexClaudeEmulator) -> None:
    """At the location, elsewhere, or by the estimate."""
    client = a_client(router, a_key(router, vertex, region="europe-west1"))
    assert client.messages.count_tokens(model="claude-opus-5-5", messages=HI).input_tokens == 77
    assert [seen.path.split("/")[5] for seen in vertex.seen] == ["europe-west1", "us-east5"]
    vertex.counting_places = set()
    client = a_client(router, a_key(router, vertex, region="europe-west1"))
    assert 0 < client.messages.count_tokens(model="claude-opus-5-5", messages=HI).input_tokens < 77
