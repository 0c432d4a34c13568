"""Kiro's fixtures: what we send, what its frames become, what its errors become."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer
from tests.captures import Capture, captures
from tests.emulators.kiro import problems_of
from tests.golden.matching import CUTS, cut, differences, event_differences, read_lines
from tests.grammar import events_of, violations

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.translated import TranslatedStream
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import MESSAGES, Aim, Ask, Found
from ccrouter.platforms.kiro import Kiro, KiroExchange

FIXTURES = Path(__file__).parent.parent / "fixtures" / "kiro"
STREAMS = sorted(path.name.removesuffix(".bin") for path in FIXTURES.glob("*.bin"))
REQUESTS = sorted(path.name.removesuffix(".json") for path in FIXTURES.glob("request_*.json"))
FAILING = {name for name in STREAMS if name.startswith(("midstream", "first_frame", "truncated", "corrupt"))}
ASKS_THINKING = {
    "model": "claude-sonnet-4-5",
    "stream": True,
    "thinking": {"type": "enabled", "budget_tokens": 2048},
    "messages": [{"role": "user", "content": "Hi"}],
}


def exchange(body: dict[str, Any], *, model: str | None = None, **options: Any) -> KiroExchange:
    """The exchange for a request, by an API key."""
    request = MessagesRequest(json.dumps(body).encode())
    credential = Credential(
        id="c", platform="kiro", name="c", auth={"auth_method": "api_key", "api_key": "ksk_test"}, options=options
    )
    opened = Kiro().open(Ask(MESSAGES, request, (), ""), Aim(model or request.model), credential, Found())
    assert isinstance(opened, KiroExchange)
    return opened


def stream_for(name: str) -> TranslatedStream:
    """Fresh state; the request asks for thinking, as the fixtures assume."""
    return exchange(ASKS_THINKING, thinking="emulated" if name == "thinking_tags" else "native").stream()


def play(stream: TranslatedStream, chunks: list[bytes]) -> tuple[bytes, list[dict[str, Any]]]:
    """The bytes of an answer and its events, a failure as the error that ends it."""
    out = b"".join(stream.feed(chunk) for chunk in chunks) + stream.close()
    if stream.failure is None:
        out += stream.take_held()
    events = events_of(out)
    if stream.failure is not None:
        events.append({"type": "error", "error": {"type": stream.failure.kind, "message": stream.failure.message}})
    return out, events


def test_nothing_is_missing() -> None:
    """Nothing below passes because files are missing."""
    assert (len(STREAMS), len(REQUESTS)) == (16, 4)


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_becomes_its_events(name: str, how: str) -> None:
    """However the bytes are cut."""
    out, events = play(stream_for(name), cut((FIXTURES / f"{name}.bin").read_bytes(), how))
    assert event_differences(read_lines(FIXTURES / f"{name}.events.jsonl"), events) == []
    if name != "tool_truncated":  # its arguments are cut, and closed by the table's own rule
        assert violations(out, whole=name not in FAILING) == []


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in FAILING])
def test_a_stream_that_is_cut_fails(name: str) -> None:
    """At whatever byte of a frame it ends early, no end is made up."""
    data = (FIXTURES / f"{name}.bin").read_bytes()
    ends, at = {0}, 0
    while at < len(data):
        at += int.from_bytes(data[at : at + 4], "big")
        ends.add(at)
    for end in range(1, len(data), 13):
        stream = stream_for(name)
        _, events = play(stream, [data[:end]])
        if end in ends:
            continue
        assert events[-1]["error"]["type"] == "api_error"
        assert stream.take_held() == b""
        assert not stream.facts.stopped


@pytest.mark.parametrize("name", STREAMS)
def test_the_fixtures_are_what_aws_reads(name: str) -> None:
    """The second opinion on the frames: botocore's parser."""
    buffer = EventStreamBuffer()
    buffer.add_data((FIXTURES / f"{name}.bin").read_bytes())
    if name == "corrupt_crc":
        with pytest.raises(ChecksumMismatch):
            list(buffer)
    else:
        assert list(buffer) != []


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_becomes_kiros(name: str) -> None:
    """The whole body, nothing more in it."""
    case = json.loads((FIXTURES / f"{name}.json").read_text())
    sent = json.loads(exchange(case["anthropic"], **case["options"]).request().body)
    assert differences(case["expected"], sent) == []
    assert problems_of(sent) == []


@pytest.mark.parametrize("case", read_lines(FIXTURES / "30_http_errors.jsonl"), ids=lambda case: str(case["name"]))
def test_an_error_becomes_anthropics(case: dict[str, Any]) -> None:
    """Status, type, message and headers."""
    upstream, expect = case["upstream"], case["expect"]
    refusal = exchange(ASKS_THINKING).read_refusal(
        upstream["status"], tuple(upstream["headers"].items()), json.dumps(upstream["body"]).encode()
    )
    assert expect["status"] == refusal.status
    assert differences(expect["error"], {"type": refusal.kind, "message": refusal.message}) == []
    headers = dict(refusal.headers)
    assert expect["headers"].items() <= headers.items()
    assert (
        expect["retry_after"] == refusal.consequence.retry_after_s or refusal.consequence.trouble.value == "exhausted"
    )
    assert (None if expect["retry_after"] is None else str(expect["retry_after"])) == headers.get("retry-after")
    assert headers["request-id"] == upstream["headers"]["x-amzn-requestid"]


@pytest.mark.parametrize("capture", [c for c in captures() if not c.counts], ids=lambda capture: capture.name)
def test_captured_requests_are_what_kiro_takes(capture: Capture) -> None:
    """Whatever Claude Code and the SDKs send, but for what only Anthropic runs."""
    if any(str(tool.get("type", "custom")) != "custom" for tool in capture.body.get("tools", ())):
        pytest.skip("asks for a tool of Anthropic's own")
    assert problems_of(json.loads(exchange(capture.body, model="claude-sonnet-4-5").request().body)) == []
