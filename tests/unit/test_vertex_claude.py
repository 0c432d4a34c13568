"""Claude on Vertex: address, body and betas, and what its errors mean."""

import base64
import json
from typing import Any

import pytest
from tests.captures import Capture, captures
from tests.emulators.vertex_claude import PROJECT, TOKEN, problems_of
from tests.fakes import a_credential
from tests.golden.test_mended_streams import through
from tests.transcripts import EXPECTED, transcript

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.betas import named_betas
from ccrouter.errors import InvalidRequest, RequestTooLarge, Trouble, UpstreamRefused, Verdict
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, CannedAnswer, Exchange, Found, Media
from ccrouter.platforms.vertex import Vertex
from ccrouter.platforms.vertex_claude import VertexClaudeExchange

USER = [{"role": "user", "content": "hi"}]


def opened(
    body: dict[str, Any],
    *,
    platform: Vertex | None = None,
    headers: Headers = (),
    operation: str = MESSAGES,
    moved: bool = False,
    model: str | None = None,
    found: Found | None = None,
    auth: dict[str, Any] | None = None,
    base_url: str | None = None,
    **options: Any,
) -> VertexClaudeExchange:
    """The exchange for a request."""
    request = MessagesRequest(json.dumps(body).encode())
    credential = Credential(
        id="c",
        platform="vertex",
        name="c",
        base_url=base_url,
        auth=auth or {"access_token": TOKEN, "project": PROJECT},
        options=options,
    )
    ask = Ask(operation, request, headers, "", moved=moved)
    made = (platform or Vertex()).open(ask, Aim(model or request.model), credential, found or Found())
    assert isinstance(made, VertexClaudeExchange)
    return made


def judged(request: HttpRequest, model: str, *, counts: bool = False) -> dict[str, Any]:
    """The body, checked as Vertex checks it."""
    body: dict[str, Any] = json.loads(request.body)
    assert problems_of(body, model, set(named_betas(request.headers)), counts=counts) == []
    return body


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
    ],
)
def test_the_address_follows_the_location(region: str, host: str) -> None:
    """And the verb the wish for a stream; dated names have an @."""
    body = {"model": "claude-haiku-4-5-20251001[1m]", "max_tokens": 5, "messages": USER}
    models = f"https://{host}/v1/projects/{PROJECT}/locations/{region}/publishers/anthropic/models"
    plain = opened(body, region=region).request()
    assert plain.url == f"{models}/claude-haiku-4-5@20251001:rawPredict"
    streamed = opened(body | {"stream": True}, region=region).request()
    assert streamed.url == f"{models}/claude-haiku-4-5@20251001:streamRawPredict"
    assert header(streamed.headers, "authorization") == f"Bearer {TOKEN}"
    assert judged(streamed, "claude-haiku-4-5")["stream"] is True
    assert (
        opened(body, base_url="http://127.0.0.1:1", project="mine-1")
        .request()
        .url.startswith("http://127.0.0.1:1/v1/projects/mine-1/")
    )


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-4-5@20250929", "claude-haiku-5-5"])
def test_captured_requests_are_what_vertex_takes(capture: Capture, model: str) -> None:
    """Whatever Claude Code and the SDKs send, web search too."""
    operation = COUNT_TOKENS if capture.counts else MESSAGES
    request = opened(capture.body, model=model, headers=capture.headers, operation=operation).request()
    body = judged(request, model, counts=capture.counts)
    if "system" in capture.body:
        assert capture.body["system"][0] == body["system"][0]
    assert not {"effort-2025-11-24", "claude-code-20250219"} & set(named_betas(request.headers))


def test_betas_stay_a_header() -> None:
    """Chosen, renamed and sorted; counting is told none."""
    betas = [("anthropic-beta", "web-search-2025-03-05,advanced-tool-use-2025-11-20,effort-2025-11-24")]
    body = {"model": "claude-opus-5-5", "max_tokens": 5, "messages": USER}
    request = opened(body, headers=betas).request()
    assert header(request.headers, "anthropic-beta") == "tool-search-tool-2025-10-19,web-search-2025-03-05"
    assert "anthropic_beta" not in judged(request, "claude-opus-5-5")
    counting = opened(body, headers=betas, operation=COUNT_TOKENS).request()
    assert header(counting.headers, "anthropic-beta") is None
    assert counting.url.endswith("/models/count-tokens:rawPredict")
    assert json.loads(counting.body)["model"] == "claude-opus-5-5"


def test_media_come_inside() -> None:
    """URLs are brought, files refused."""
    image = {"type": "image", "source": {"type": "url", "url": "https://a/i"}}
    body = {"model": "claude-opus-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": [image]}]}
    ask = Ask(MESSAGES, MessagesRequest(json.dumps(body).encode()), (), "")
    assert Vertex().needs(ask, Aim("claude-opus-5-5"), a_credential()).urls == ("https://a/i",)
    found = Found(media={"https://a/i": Media("image/png", b"png")})
    source = judged(opened(body, found=found).request(), "claude-opus-5-5")["messages"][0]["content"][0]["source"]
    assert source["data"] == base64.b64encode(b"png").decode()
    with pytest.raises(InvalidRequest, match="url sources are not supported on Vertex AI"):
        opened(body)


def test_what_does_not_fit_is_refused() -> None:
    """Bodies beyond the limit, and keys that only Gemini takes."""
    with pytest.raises(RequestTooLarge):
        opened({"model": "claude-x", "messages": [{"role": "user", "content": "x" * (30 * 1024 * 1024)}]})
    with pytest.raises(InvalidRequest, match="needs a Google sign-in"):
        opened({"model": "claude-x", "messages": USER}, auth={"api_key": "k"})


@pytest.mark.parametrize("name", EXPECTED)
def test_streams_go_through(name: str) -> None:
    """Byte for byte, but for events that only Google knows."""
    data = transcript(name)
    stream = opened({"model": "claude-opus-5-5", "messages": USER}, region="eu").stream()
    google = b'event: vertex_event\ndata: {"type":"vertex_event"}\n\n'
    expected = data if name != "unknown_event_and_comment" else None
    out = through(stream, [google + data])
    assert expected is None or expected == out
    assert b"vertex_event" not in out
    assert stream.facts.place == "eu"


def google(exchange: Exchange, status: int, code: str, message: str, **details: Any) -> UpstreamRefused:
    """The refusal of an error in Google's shape."""
    body = json.dumps([{"error": {"code": status, "status": code, "message": message, **details}}]).encode()
    return exchange.read_refusal(status, (), body)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "verdict", "trouble"),
    [
        (429, "RESOURCE_EXHAUSTED", "Quota exceeded for aiplatform.googleapis.com/online_prediction_x",
         "rate_limit_error", Verdict.NEXT_CREDENTIAL, Trouble.THROTTLED),
        (403, "PERMISSION_DENIED", "Vertex AI API has not been used in project x before or it is disabled.",
         "permission_error", Verdict.NEXT_TARGET, Trouble.REFUSED),
        (403, "PERMISSION_DENIED", "Please accept the terms in Model Garden.",
         "permission_error", Verdict.NEXT_TARGET, Trouble.REFUSED),
        (404, "NOT_FOUND", "Publisher Model `x` was not found.", "not_found_error", Verdict.NEXT_TARGET, Trouble.NONE),
        (400, "FAILED_PRECONDITION", "The model is not servable in region x", "permission_error",
         Verdict.NEXT_TARGET, Trouble.NONE),
        (400, "INVALID_ARGUMENT", "The model is not servable in region x", "invalid_request_error",
         Verdict.NEXT_TARGET, Trouble.NONE),
        (401, "UNAUTHENTICATED", "bad token", "authentication_error", Verdict.NEXT_CREDENTIAL, Trouble.UNAUTHORIZED),
        (400, "INVALID_ARGUMENT", "bad", "invalid_request_error", Verdict.FINAL, Trouble.NONE),
    ],
)  # fmt: skip
def test_googles_errors_become_anthropics(
    status: int, code: str, message: str, kind: str, verdict: Verdict, trouble: Trouble
) -> None:
    """Status, type and what is tried next."""
    found = google(opened({"model": "claude-opus-5-5", "messages": USER}), status, code, message)
    assert (kind, verdict, trouble) == (found.kind, found.verdict, found.consequence.trouble)
    assert (found.consequence.renews == "token") is (status == 401)
    assert message in found.message


def test_anthropics_errors_keep_their_bytes() -> None:
    """Clients match their wording."""
    exchange = opened({"model": "claude-opus-5-5", "messages": USER})
    body = b'{ "type":"error","error":{"type":"not_found_error","message":"model"},"request_id":"req_vrtx_1"}'
    found = exchange.read_refusal(404, (("request-id", "req_vrtx_1"), ("server", "x")), body)
    assert (body, found.verdict) == (found.body, Verdict.NEXT_TARGET)
    assert list(found.headers) == [("request-id", "req_vrtx_1")]


def test_counting_goes_where_it_is_done() -> None:
    """Then to the estimate, which is remembered."""
    platform = Vertex()
    body = {"model": "claude-opus-5-5", "messages": USER}
    exchange = opened(body, operation=COUNT_TOKENS, region="eu", platform=platform)
    missing = google(exchange, 404, "NOT_FOUND", "was not found")
    elsewhere = exchange.mend(missing)
    assert elsewhere is not None
    assert "/locations/us-east5/" in elsewhere.request().url
    assert elsewhere.mend(missing) is None
    assert elsewhere.count_instead(missing) is not None
    ask = Ask(COUNT_TOKENS, MessagesRequest(json.dumps(body).encode()), (), "")
    assert isinstance(platform.open(ask, Aim("claude-opus-5-5"), exchange._credential, Found()), CannedAnswer)


def test_foreign_thinking_goes_once_after_a_move() -> None:
    """As on Anthropic itself."""
    thought = [{"type": "thinking", "thinking": "a", "signature": "Eabc="}, {"type": "text", "text": "x"}]
    body = {"model": "claude-opus-5-5", "messages": [*USER, {"role": "assistant", "content": thought}, *USER]}
    said = (
        b'{"type":"error","error":{"type":"invalid_request_error","message":"Invalid `signature` in `thinking` block"}}'
    )
    for moved in (True, False):
        exchange = opened(body, moved=moved)
        mended = exchange.mend(exchange.read_refusal(400, (), said))
        assert (mended is not None) is moved
        if mended is not None:
            assert json.loads(mended.request().body)["messages"][1]["content"] == thought[1:]
            assert mended.mend(exchange.read_refusal(400, (), said)) is None
