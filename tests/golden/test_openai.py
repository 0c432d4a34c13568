"""Chat Completions and Responses on their fixtures: streams, requests, errors (fixtures/openai/README.md)."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import CompletionCreateParams
from openai.types.responses.response_create_params import ResponseCreateParams
from pydantic import TypeAdapter
from tests.golden.matching import CUTS, cut, differences, event_differences, read_lines
from tests.grammar import events_of, violations

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.errors import error_event
from ccrouter.errors import Trouble, UpstreamError, UpstreamRefused
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import MESSAGES, Aim, Ask, CannedAnswer, Exchange, Found
from ccrouter.platforms.openai import OpenAi

FIXTURES = Path(__file__).parent.parent / "fixtures" / "openai"
STREAMS = sorted(path.name.removesuffix(".events.jsonl") for path in FIXTURES.glob("*.events.jsonl"))
FAILING = {name for name in STREAMS if read_lines(FIXTURES / f"{name}.events.jsonl")[-1]["type"] == "error"}
VENDORS = {
    "05_reasoning_content": "deepseek",
    "06_reasoning_vllm": "vllm",
    "07_openrouter_reasoning_details": "openrouter",
    "08_midstream_error_openrouter": "openrouter",
    "11_azure_content_filter": "azure",
    "14_vllm_stop_sequence": "vllm",
    "15_no_usage": "generic",
    "04_ollama_same_index": "ollama",
}
AZURE = "https://resource.openai.azure.com/openai/v1"


def load(name: str) -> Any:
    """A JSON fixture."""
    return json.loads((FIXTURES / name).read_text())


def a_credential(vendor: str, wire: str = "auto", **options: Any) -> Credential:
    """A credential of a vendor's address."""
    base_url = {"azure": AZURE, "generic": "http://127.0.0.1:9/v1"}.get(vendor)
    return Credential(
        id="c1",
        platform="openai",
        name="test",
        base_url=base_url,
        auth={"api_key": "<key>"},
        options={"vendor": vendor, "wire": wire, **options},
    )


def opened(
    document: dict[str, Any],
    vendor: str = "openai",
    wire: str = "auto",
    *,
    operation: str = MESSAGES,
    found: Found | None = None,
    platform: OpenAi | None = None,
    **options: Any,
) -> Exchange:
    """A try that needs the network."""
    request = MessagesRequest(json.dumps(document).encode())
    ask, aim = Ask(operation, request, (), ""), Aim(request.model)
    exchange = (platform or OpenAi()).open(ask, aim, a_credential(vendor, wire, **options), found or Found())
    assert not isinstance(exchange, CannedAnswer)
    return exchange


def of_fixture(name: str) -> Exchange:
    """A try with a fixture's request, through the API that its stream is of."""
    wire = "responses" if "_responses_" in name else "chat"
    return opened(load(f"{name}.request.json"), VENDORS.get(name, "openai"), wire)


def play(exchange: Exchange, body: bytes, how: str = "whole") -> tuple[bytes, UpstreamError | None]:
    """What leaves while an answer is read, and the failure that ends it."""
    stream = exchange.stream()
    out = b""
    for chunk in cut(body, how):
        out += stream.feed(chunk)
        if stream.failure is not None or stream.ended:
            break
    if stream.failure is None:
        out += stream.close()
    return out + stream.take_held(), stream.failure


def as_client_sees(out: bytes, failure: UpstreamError | None) -> bytes:
    """The stream as it ends at the client."""
    return out if failure is None else out + error_event(failure.kind, failure.message, "")


def comparable(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without request ids, which the HTTP layer adds; OpenRouter's carriers decoded, for their key order is free."""
    found = []
    for event in events:
        event = {name: value for name, value in event.items() if name != "request_id"}
        signature = event.get("delta", {}).get("signature", "")
        if signature.startswith("px1:orrd:"):
            payload = signature.removeprefix("px1:orrd:")
            details = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            event = {**event, "delta": {"type": "signature_delta", "details": details}}
        found.append(event)
    return found


def test_there_are_twenty_one_streams() -> None:
    """Nothing below passes because files are missing."""
    assert (len(STREAMS), len(FAILING)) == (21, 5)


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_becomes_the_expected_events(name: str, how: str) -> None:
    """Whatever the borders of its chunks, and by the grammar of Anthropic's streams."""
    out, failure = play(of_fixture(name), (FIXTURES / f"{name}.sse").read_bytes(), how)
    seen = as_client_sees(out, failure)
    expected = comparable(read_lines(FIXTURES / f"{name}.events.jsonl"))
    assert event_differences(expected, comparable(events_of(seen))) == []
    assert violations(seen) == []
    assert (name in FAILING) == (failure is not None)
    start = next((event for event in events_of(out) if event["type"] == "message_start"), None)
    assert start is None or start["message"]["usage"]["input_tokens"] > 0


def ends_of(name: str) -> list[int]:
    """Places where an answer that is cut there is not whole: all before what ends it."""
    body = (FIXTURES / f"{name}.sse").read_bytes()
    marks = (b'"finish_reason":"', b'"type":"response.completed"', b'"type":"response.incomplete"')
    end = min(at for mark in marks if (at := body.find(mark)) >= 0)
    begin = body.rindex(b"data: ", 0, end)
    return sorted({0, 1, 5, begin // 3, begin // 2, begin, end, end + 4})


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in FAILING])
def test_a_stream_that_is_cut_ends_in_a_failure(name: str) -> None:
    """Wherever it is cut before its end, nothing pretends to be a complete answer."""
    body = (FIXTURES / f"{name}.sse").read_bytes()
    for end in ends_of(name):
        out, failure = play(of_fixture(name), body[:end])
        assert failure is not None, end
        assert b"message_delta" not in out
        assert violations(out, whole=False) == []


def test_an_event_that_is_cut_after_the_finish_reason_is_a_failure_too() -> None:
    """The count may be lost, but not in silence."""
    body = (FIXTURES / "01_text.sse").read_bytes()
    _out, failure = play(of_fixture("01_text"), body[: body.index(b'"usage":{') + 20])
    assert failure is not None


def test_a_chat_request_is_the_expected_one() -> None:
    """Address, key and body."""
    expected = load("01_text.upstream_request.json")
    sent = of_fixture("01_text").request()
    assert (expected["method"], expected["url"]) == (sent.method, sent.url)
    assert expected["body"] == json.loads(sent.body)
    assert expected["headers"].items() <= dict(sent.headers).items()
    TypeAdapter(CompletionCreateParams).validate_python(json.loads(sent.body))


def test_a_responses_request_is_the_expected_one() -> None:
    """The model's name alone leads there."""
    expected = load("21_responses_tools_reasoning.upstream_request.json")
    sent = opened(load("21_responses_tools_reasoning.request.json")).request()
    assert (expected["method"], expected["url"]) == (sent.method, sent.url)
    assert expected["body"] == json.loads(sent.body)
    TypeAdapter(ResponseCreateParams).validate_python(json.loads(sent.body))


@pytest.mark.parametrize("name", ["40_req_history.json", "41_req_history_responses.json"])
def test_a_history_is_mapped_block_by_block(name: str) -> None:
    """Images, calls, results with their images, reasoning that goes back."""
    case = load(name)
    sent = opened(case["anthropic"], case["profile"]).request()
    assert case["upstream"] == json.loads(sent.body)
    schema: Any = ResponseCreateParams if "responses" in name else CompletionCreateParams
    TypeAdapter(schema).validate_python(json.loads(sent.body))


def test_an_answer_in_one_piece_is_the_same_message() -> None:
    """The same walk over one object."""
    document = load("40_req_history.json")["anthropic"] | {"thinking": {"type": "adaptive"}}
    exchange = opened(document, "deepseek")
    whole = exchange.read_whole((FIXTURES / "20_nonstream.upstream.json").read_bytes())
    assert differences(load("20_nonstream.message.json"), json.loads(whole.body)) == []
    assert whole.facts.stopped


@pytest.mark.parametrize("case", read_lines(FIXTURES / "30_http_errors.jsonl"))
def test_an_error_becomes_anthropics(case: dict[str, Any]) -> None:
    """Status, type and words for the client; waits for the pool; whether another try can help."""
    upstream, expected = case["upstream"], case["expect"]
    vendor = "generic" if case["profile"] == "proxy" else case["profile"]
    exchange = opened(load("15_no_usage.request.json"), vendor)
    body = upstream["body"]
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    refused = exchange.read_refusal(upstream["status"], list(upstream["headers"].items()), raw)
    if expected["error"]["type"] == "__refusal__":
        canned = exchange.mend(refused)
        assert isinstance(canned, CannedAnswer)
        assert (expected["status"], expected["error"]["message"]) == (canned.status, refused.message)
        return
    assert expected["status"] == refused.status
    assert expected["error"] == {"type": refused.kind, "message": refused.message}
    assert expected["retry_after"] == refused.consequence.retry_after_s
    assert expected["retryable"] == (refused.consequence.trouble in (Trouble.THROTTLED, Trouble.FAULT))


def test_a_failure_before_any_content_is_an_http_error() -> None:
    """Its status is the table's, though the platform's own was 200."""
    out, failure = play(
        of_fixture("25_responses_error_event"), (FIXTURES / "25_responses_error_event.sse").read_bytes()
    )
    assert out == b""
    assert isinstance(failure, UpstreamRefused)
    assert (failure.status, failure.kind) == (500, "api_error")
