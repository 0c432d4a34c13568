"""Gemini, Vertex and Antigravity through the real router: strict emulators, the official SDK as the client."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from tests.app.sdk_loop import HI, TOOL, loop
from tests.emulators.antigravity import PROJECT, AntigravityEmulator
from tests.emulators.gemini import GeminiEmulator, google_error
from tests.grammar import events_of, violations
from tests.services import RunningRouter

THINKING: Any = {"type": "enabled", "budget_tokens": 2048}
SIDE_REQUEST = Path(__file__).parent.parent / "fixtures" / "claude-code" / "04-web-search-side-request.json"

CASES = [
    ("gemini", "gemini-3.8-flash"),
    ("gemini", "gemini-4-argon"),
    ("gemini", "gemini-2.5-pro"),
    ("vertex", "gemini-3.8-flash"),
    ("antigravity", "gemini-3-flash"),
    ("antigravity", "claude-sonnet-4-5-thinking"),
]


@pytest.fixture(scope="session")
def _emulators() -> Iterator[tuple[GeminiEmulator, AntigravityEmulator]]:
    with GeminiEmulator() as gemini, AntigravityEmulator() as antigravity:
        yield gemini, antigravity


@pytest.fixture
def gemini(_emulators: tuple[GeminiEmulator, AntigravityEmulator]) -> Iterator[GeminiEmulator]:
    """The Gemini API and Vertex; whatever reaches them must be flawless."""
    _emulators[0].reset()
    yield _emulators[0]
    assert _emulators[0].violations == []


@pytest.fixture
def antigravity(_emulators: tuple[GeminiEmulator, AntigravityEmulator]) -> Iterator[AntigravityEmulator]:
    """Cloud Code Assist; whatever reaches it must be flawless."""
    _emulators[1].reset()
    yield _emulators[1]
    assert _emulators[1].violations == []


class Google:
    """All three platforms over both emulators."""

    def __init__(
        self,
        router: RunningRouter,
        gemini: GeminiEmulator,
        antigravity: AntigravityEmulator,
        sdk: anthropic.Anthropic,
    ) -> None:
        self.router = router
        self._sdk = sdk
        self.gemini = gemini
        self.antigravity = antigravity

    def emulator(self, platform: str) -> GeminiEmulator | AntigravityEmulator:
        """The one that serves a platform."""
        return self.antigravity if platform == "antigravity" else self.gemini

    def key(self, platform: str, model: str) -> str:
        """A key that leads to a model there."""
        emulator = self.emulator(platform)
        auth = dict(emulator.auth)
        if isinstance(emulator, AntigravityEmulator):
            # What signing in makes of the refresh token.
            auth |= {"access_token": emulator.token(), "project": PROJECT}
        return self.router.key_for(platform, auth, model, base_url=emulator.url, options=dict(emulator.options))

    def client(self, secret: str) -> anthropic.Anthropic:
        """The official SDK with this key."""
        return self._sdk.with_options(api_key=secret)

    def stream(self, secret: str, **members: Any) -> bytes:
        """The bytes of a streamed answer."""
        body = {"model": "claude-opus-5-5", "max_tokens": 4000, "stream": True, "messages": HI} | members
        with self.router.client() as client:
            answer = client.post("/proxy/v1/messages", json=body, headers={"x-api-key": secret})
        assert answer.status_code == 200, answer.text
        return answer.content


@pytest.fixture(scope="session")
def _sdk(_shared_router: RunningRouter) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=_shared_router.base_url, api_key="none", max_retries=0) as sdk:
        yield sdk


@pytest.fixture
def google(
    router: RunningRouter, gemini: GeminiEmulator, antigravity: AntigravityEmulator, _sdk: anthropic.Anthropic
) -> Google:
    """The router between the official SDK and the emulators."""
    return Google(router, gemini, antigravity, _sdk)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(("platform", "model"), CASES)
def test_a_tool_loop_runs(google: Google, platform: str, model: str, streams: bool) -> None:
    """With thinking, whose signatures come back in their place; rows with counts, and prices where there are any."""
    emulator = google.emulator(platform)
    emulator.script("tool_loop")
    emulator.call = ("add", {"a": 40, "b": 2})
    secret = google.key(platform, model)
    called, answered = loop(google.client(secret), streams=streams, thinking=THINKING)
    assert [block.type for block in called.content] == ["thinking", "tool_use"]
    assert (called.stop_reason, called.content[1].input) == ("tool_use", {"a": 40, "b": 2})
    assert "42" in answered.content[-1].text
    for row in google.router.rows(secret, expect=2):
        cost_state = "unpriced" if platform == "antigravity" else "priced"
        assert (row["platform"], row["status"], row["stream"], row["usage_state"], row["cost_state"]) == (
            platform, "ok", streams, "final", cost_state,
        )  # fmt: skip
        usage = row["usage"]
        assert (usage["input_tokens"], usage["cache_read_tokens"], usage["output_tokens"]) == (12, 8, 9)


@pytest.mark.parametrize(("platform", "model"), CASES)
def test_a_tool_loop_runs_for_a_client_that_strips_thinking(google: Google, platform: str, model: str) -> None:
    """Without asking for thinking nothing of it is seen; the signatures are remembered, Claude's with its thoughts."""
    emulator = google.emulator(platform)
    emulator.script("tool_loop")
    emulator.call = ("add", {"a": 40, "b": 2})
    client = google.client(google.key(platform, model))
    called, answered = loop(client, streams=True)
    assert [block.type for block in (*called.content, *answered.content)] == ["tool_use", "text"]
    emulator.script("tool_loop")
    loop(client, streams=True, strips=True, thinking=THINKING)
    sent = json.dumps(emulator.seen[-1].json["contents" if platform != "antigravity" else "request"])
    # Models before 3 want none; for the others the memory had what the client did not send.
    assert ("thoughtSignature" in sent) == ("2.5" not in model)
    assert "skip_thought_signature_validator" not in sent


@pytest.mark.parametrize("scenario", ["text", "thinking", "parallel_tools", "midstream_error"])
@pytest.mark.parametrize(("platform", "model"), CASES)
def test_a_stream_is_legal(google: Google, platform: str, model: str, scenario: str) -> None:
    """Also one that breaks: then an error event ends it."""
    google.emulator(platform).script(scenario)
    secret = google.key(platform, model)
    out = google.stream(secret, thinking=THINKING)
    assert violations(out) == []
    (row,) = google.router.rows(secret)
    if scenario == "midstream_error":
        assert events_of(out)[-1]["error"]["type"] == "overloaded_error"
        assert (row["status"], row["usage_state"]) == ("error", "partial")
    else:
        assert row["status"] == "ok"


def test_a_conversation_of_another_platform_goes_on(google: Google) -> None:
    """Claude's own thinking is left out; its calls get the stand-in."""
    history = [
        *HI,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "EpACCkYICBgCKkA="},
                {"type": "tool_use", "id": "toolu_01Claude", "name": "add", "input": {"a": 1}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01Claude", "content": "1"}]},
    ]
    for platform, model in CASES:
        out = google.stream(google.key(platform, model), messages=history, tools=[TOOL], thinking=THINKING)
        assert events_of(out)[-1]["type"] == "message_stop"


def test_claude_codes_web_search_finds(google: Google) -> None:
    """Its side request as it was recorded, with the tool: sources first, then the text."""
    recorded = json.loads(SIDE_REQUEST.read_text())["requests"][0]["body"]
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    secret = google.key("gemini", "gemini-3.8-flash")
    client = google.client(secret)
    with client.messages.stream(
        **{name: value for name, value in recorded.items() if name != "stream"} | {"tools": [tool]}
    ) as stream:
        message = stream.get_final_message()
    kinds = [block.type for block in message.content]
    assert kinds == ["server_tool_use", "web_search_tool_result", "text", "text"]
    (row,) = google.router.rows(secret)
    assert (row["usage"]["web_searches"], row["cost_state"]) == (1, "priced")


def test_a_long_answer_goes_on_in_further_responses(google: Google) -> None:
    """One message for the client, streamed or not; every response is billed."""
    for streams in (True, False):
        secret = google.key("gemini", "gemini-4-argon-continue")
        (message,) = loop(google.client(secret), streams=streams)
        assert (message.content[0].text, message.stop_reason) == ("One, two.", "end_turn")
        assert google.gemini.seen[-1].json["continuationToken"] == "bmV4dA=="
        (row,) = google.router.rows(secret)
        assert row["usage"]["input_tokens"] == 40


def test_an_image_behind_an_address_is_put_inside(google: Google) -> None:
    """The platform is sent bytes, which the router has fetched; here from a place it must not reach."""
    image: Any = {"type": "image", "source": {"type": "url", "url": "http://169.254.169.254/latest"}}
    client = google.client(google.key("gemini", "gemini-3.8-flash"))
    with pytest.raises(anthropic.BadRequestError, match="could not be fetched"):
        client.messages.create(
            model="claude-opus-5-5",
            max_tokens=9,
            messages=[{"role": "user", "content": [image]}],
        )


def test_refusals_reach_the_client_in_its_shape(google: Google) -> None:
    """With Google's words; short waits as a header."""
    secret = google.key("gemini", "gemini-3.8-flash-429")
    with pytest.raises(anthropic.RateLimitError) as caught:
        google.client(secret).messages.create(model="claude-opus-5-5", max_tokens=9, messages=HI)
    assert caught.value.response.headers["retry-after"] == "7"
    (row,) = google.router.rows(secret)
    assert (row["status"], row["http_status"], row["error"]["type"]) == ("error", 429, "rate_limit_error")


def test_a_bad_key_is_the_administrators_matter(google: Google) -> None:
    """The client's own key is fine."""
    secret = google.router.key_for("gemini", {"api_key": "AIzaWrong"}, "gemini-3.8-flash", base_url=google.gemini.url)
    with pytest.raises(anthropic.InternalServerError, match="administrator") as caught:
        google.client(secret).messages.create(model="claude-opus-5-5", max_tokens=9, messages=HI)
    assert caught.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("suffix", ["malformed", "cut"])
def test_an_answer_that_is_none_fails(google: Google, suffix: str) -> None:
    """Asked for once more where nothing was sent, and never an empty success."""
    secret = google.key("gemini", f"gemini-3.8-flash-{suffix}")
    client = google.client(secret)
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(model="claude-opus-5-5", max_tokens=2000, messages=HI) as stream,
    ):
        stream.get_final_message()
    assert caught.value.type == "api_error"
    (row,) = google.router.rows(secret)
    assert row["status"] == "error"


def test_an_empty_answer_is_asked_for_once_more_and_then_delivered(google: Google) -> None:
    """As an empty message."""
    secret = google.key("gemini", "gemini-3.8-flash-empty")
    message = google.client(secret).messages.create(model="claude-opus-5-5", max_tokens=2000, messages=HI)
    assert (message.content, message.stop_reason) == ([], "end_turn")
    (row,) = google.router.rows(secret)
    assert len(row["attempts"]) == 2


@pytest.mark.parametrize(("platform", "model"), [CASES[0], CASES[4]])
def test_a_client_that_leaves_ends_the_call(google: Google, platform: str, model: str) -> None:
    """The platform sees the connection close."""
    emulator = google.emulator(platform)
    emulator.script("slow")
    secret = google.key(platform, model)
    body = {"model": "claude-opus-5-5", "max_tokens": 4000, "stream": True, "messages": HI}
    with (
        google.router.client() as client,
        client.stream("POST", "/proxy/v1/messages", json=body, headers={"x-api-key": secret}) as answer,
    ):
        assert next(answer.iter_raw()).startswith(b"event: message_start")
    assert emulator.seen[-1].client_left.wait(5)
    (row,) = google.router.rows(secret)
    assert (row["status"], row["usage_state"]) == ("aborted", "partial")


def test_tokens_are_counted_or_estimated(google: Google) -> None:
    """Natively but for Claude behind Cloud Code Assist; the estimate stands in where counting fails."""
    counts = [
        google.client(google.key(platform, model)).messages.count_tokens(model="claude-opus-5-5", messages=HI)
        for platform, model in CASES
    ]
    assert [count.input_tokens for count in counts[:5]] == [321] * 5
    assert 0 < counts[5].input_tokens < 50
    google.gemini.refusals = [google_error(500, "INTERNAL", "An internal error has occurred.")]
    count = google.client(google.key("gemini", "gemini-3.8-flash")).messages.count_tokens(
        model="claude-opus-5-5", messages=HI
    )
    assert 0 < count.input_tokens < 50


def test_antigravity_is_off_until_acknowledged(google: Google) -> None:
    """Nothing reaches it."""
    emulator = google.antigravity
    auth = emulator.auth | {"access_token": emulator.token(), "project": PROJECT}
    secret = google.router.key_for("antigravity", auth, "gemini-3-flash", base_url=emulator.url)
    with pytest.raises(anthropic.PermissionDeniedError, match=r"options\.acknowledged"):
        google.client(secret).messages.create(model="claude-opus-5-5", max_tokens=9, messages=HI)
    assert [seen.path for seen in emulator.seen if "ontent" in seen.path] == []
