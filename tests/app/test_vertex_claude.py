"""Claude on Vertex through the real router: a strict emulator, the official SDK as the client."""

from collections.abc import Iterator

import anthropic
import pytest
from tests.app.sdk_loop import HI, a_client, loop
from tests.emulators.vertex_claude import VertexClaudeEmulator
from tests.grammar import violations
from tests.services import RunningRouter


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


@pytest.mark.parametrize(("streams", "region"), [(True, "global"), (False, "eu")])
def test_a_tool_loop_runs(router: RunningRouter, vertex: VertexClaudeEmulator, streams: bool, region: str) -> None:
    """Call, result, answer; rows with counts and the place's price."""
    vertex.script("tool_loop")
    vertex.call = ("add", {"a": 40, "b": 2})
    secret = a_key(router, vertex, region=region)
    called, answered = loop(a_client(router, secret), streams=streams)
    assert [(block.type, block.input) for block in called.content] == [("tool_use", {"a": 40, "b": 2})]
    assert "42" in answered.content[0].text
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
