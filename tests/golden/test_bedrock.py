"""Bedrock's fixtures: what we send, what its frames become, what its errors become."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tests.captures import Capture, captures
from tests.emulators.bedrock import problems_of
from tests.golden.matching import CUTS, cut, differences, event_differences, read_lines
from tests.grammar import events_of, violations

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.framed import FramedStream
from ccrouter.errors import InvalidRequest, UpstreamRefused
from ccrouter.http import Headers
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.bedrock import Bedrock, BedrockExchange
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, Found

FIXTURES = Path(__file__).parent.parent / "fixtures" / "bedrock"
STREAMS = sorted(path.name.removesuffix(".bin") for path in FIXTURES.glob("*.bin"))
KEY = {"api_key": "test-key"}


def exchange(
    body: dict[str, Any],
    *,
    model: str | None = None,
    headers: Headers = (),
    operation: str = MESSAGES,
    auth: dict[str, str] | None = None,
    found: Found | None = None,
    effort: str | None = None,
    **options: Any,
) -> BedrockExchange:
    """The exchange for a request, by a Bedrock key in us-east-1."""
    request = MessagesRequest(json.dumps(body).encode())
    credential = Credential(
        id="c", platform="bedrock", name="c", auth=auth or KEY, options={"region": "us-east-1"} | options
    )
    opened = Bedrock().open(
        Ask(operation, request, headers, ""), Aim(model or request.model, effort), credential, found or Found()
    )
    assert isinstance(opened, BedrockExchange)
    return opened


def play(stream: FramedStream, chunks: list[bytes]) -> list[dict[str, Any]]:
    """The events of an answer, a failure as the error that ends it."""
    out = b"".join(stream.feed(chunk) for chunk in chunks) + stream.close()
    if stream.failure is None:
        out += stream.take_held()
    # Some answers name their cache counts only at the end; what Claude says goes through as it is.
    assert [found for found in violations(out, whole=False) if not found.endswith("is None")] == []
    events = events_of(out)
    if stream.failure is not None:
        events.append({"type": "error", "error": {"type": stream.failure.kind, "message": stream.failure.message}})
    return events


def test_there_are_twelve_streams() -> None:
    """Nothing below passes because files are missing."""
    assert len(STREAMS) == 12


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_becomes_its_events(name: str, how: str) -> None:
    """However the bytes are cut, and complete with usage."""
    request = json.loads((FIXTURES / f"{name}.request.json").read_text())
    stream = exchange(request).stream()
    events = play(stream, cut((FIXTURES / f"{name}.bin").read_bytes(), how))
    assert event_differences(read_lines(FIXTURES / f"{name}.events.jsonl"), events) == []


@pytest.mark.parametrize("name", [name for name in STREAMS if name[:2] in ("01", "02", "03", "04", "05", "12")])
def test_a_stream_that_is_cut_fails(name: str) -> None:
    """At whatever byte it ends early, no end is made up."""
    data = (FIXTURES / f"{name}.bin").read_bytes()
    for end in range(0, len(data), 41):
        stream = exchange({"model": "claude-sonnet-5-5", "stream": True}).stream()
        events = play(stream, [data[:end]])
        assert events[-1]["error"]["type"] == "api_error"
        assert stream.take_held() == b""
        assert not stream.facts.stopped


def test_a_stream_with_a_damaged_frame_fails() -> None:
    """A wrong checksum: nothing after it can be trusted, what came before is kept."""
    data = bytearray((FIXTURES / "01_text.bin").read_bytes())
    data[-20] ^= 1
    stream = exchange({"model": "claude-sonnet-5-5", "stream": True}).stream()
    events = play(stream, [bytes(data)])
    assert [event["type"] for event in events[-2:]] == ["content_block_stop", "error"]


def test_the_record_gets_the_completed_counts() -> None:
    """Counts that come only on the last frame are billed."""
    stream = exchange({"model": "claude-sonnet-5-5", "stream": True}).stream()
    play(stream, [(FIXTURES / "04_usage_in_last_frame.bin").read_bytes()])
    facts = stream.facts
    assert (facts.usage["cache_read_input_tokens"], facts.usage["cache_creation_input_tokens"]) == (2048, 512)
    assert (facts.stop_reason, facts.stopped, facts.place) == ("end_turn", True, "us")


def test_the_request_is_the_fixtures() -> None:
    """Address, headers and body of the recorded request."""
    expected = json.loads((FIXTURES / "01_text.upstream_request.json").read_text())
    sent = exchange(json.loads((FIXTURES / "01_text.request.json").read_text())).request()
    headers = dict(sent.headers)
    assert (expected["method"], expected["url"]) == (sent.method, sent.url)
    assert expected["headers"] == {name: headers[name] for name in expected["headers"]}
    assert expected["body"] == json.loads(sent.body)
    assert headers["authorization"] == "Bearer test-key"


def test_a_whole_answer_is_claudes_message() -> None:
    """What Bedrock adds is taken out, the rest keeps its bytes."""
    body = (FIXTURES / "20_nonstream.upstream.json").read_bytes()
    whole = exchange({"model": "claude-sonnet-5-5"}).read_whole(body)
    assert body == whole.body
    assert (whole.facts.usage["output_tokens"], whole.facts.stop_reason, whole.facts.stopped) == (4, "end_turn", True)
    metrics = body.rstrip()[:-1] + b',"amazon-bedrock-invocationMetrics":{"inputTokenCount":9}}'
    assert json.loads(body) == json.loads(exchange({"model": "claude-sonnet-5-5"}).read_whole(metrics).body)


@pytest.mark.parametrize("case", read_lines(FIXTURES / "30_http_errors.jsonl"), ids=lambda case: _label(case))
def test_an_error_becomes_anthropics(case: dict[str, Any]) -> None:
    """Status, type and message; and what may be tried next."""
    upstream, expect = case["upstream"], case["expect"]
    headers = tuple(upstream["headers"].items())
    refusal = exchange({"model": "claude-sonnet-5-5"}).read_refusal(
        upstream["status"], headers, json.dumps(upstream["body"]).encode()
    )
    assert expect["status"] == refusal.status
    assert differences(expect["error"], {"type": refusal.kind, "message": refusal.message}) == []
    assert ("request-id", upstream["headers"]["x-amzn-requestid"]) in refusal.headers
    assert isinstance(refusal, UpstreamRefused)


def _label(case: dict[str, Any]) -> str:
    return str(case["upstream"]["headers"]["x-amzn-errortype"].partition(":")[0])


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
@pytest.mark.parametrize("model", [None, "claude-sonnet-4-5", "claude-opus-4-1", "claude-opus-5-5"])
def test_captured_requests_are_what_bedrock_takes(capture: Capture, model: str | None) -> None:
    """Whatever Claude Code and the SDKs send: only known members and betas, fields and betas together."""
    operation = COUNT_TOKENS if capture.counts else MESSAGES
    model = model or capture.body["model"]
    if any(str(tool.get("type", "")).startswith("web_search") for tool in capture.body.get("tools", ())):
        with pytest.raises(
            InvalidRequest, match=r"tools\.0: the tool web_search \(web_search_20250305\) cannot be run"
        ):
            exchange(capture.body, model=model, headers=capture.headers, operation=operation)
        return
    sent = json.loads(exchange(capture.body, model=model, headers=capture.headers, operation=operation).request().body)
    if capture.counts:
        sent = json.loads(base64.b64decode(sent["input"]["invokeModel"]["body"]))
    assert problems_of(sent, model if "claude" in model else "claude-opus-5-5") == []
    if "system" in capture.body:
        assert capture.body["system"][0] == sent["system"][0]
