"""The Gemini dialect on its fixtures: streams, requests, schemas, errors and counts (fixtures/gemini/README.md)."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.golden.matching import CUTS, cut, differences, event_differences, read_lines
from tests.grammar import events_of, violations

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.errors import error_event
from ccrouter.dialects.gemini.manner import Manner
from ccrouter.dialects.gemini.request import Asked, encode
from ccrouter.dialects.gemini.schema import clean_openapi
from ccrouter.errors import Trouble, UpstreamError, UpstreamRefused, Verdict
from ccrouter.http import HttpRequest
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, CannedAnswer, Exchange, Found
from ccrouter.platforms.gemini import Gemini

FIXTURES = Path(__file__).parent.parent / "fixtures" / "gemini"
STREAMS = sorted(path.name.removesuffix(".events.jsonl") for path in FIXTURES.glob("*.events.jsonl"))
CREDENTIAL = Credential(id="c1", platform="gemini", name="test", auth={"api_key": "<key>"})
FAILING = {"06_midstream_error", "10_malformed_function_call"}


def load(name: str) -> Any:
    """A JSON fixture."""
    return json.loads((FIXTURES / name).read_text())


def opened(document: dict[str, Any], operation: str = MESSAGES, *, model: str | None = None) -> Exchange:
    """A try on the Gemini API."""
    request = MessagesRequest(json.dumps(document).encode())
    exchange = Gemini().open(Ask(operation, request, (), ""), Aim(model or request.model), CREDENTIAL, Found())
    assert not isinstance(exchange, CannedAnswer)
    return exchange


def hops_of(name: str) -> list[bytes]:
    """The bodies that a fixture's platform answers with, one for each response."""
    whole = FIXTURES / f"{name}.sse"
    return (
        [whole.read_bytes()]
        if whole.exists()
        else [path.read_bytes() for path in sorted(FIXTURES.glob(f"{name}.hop*.sse"))]
    )


def play(exchange: Exchange, hops: list[bytes], how: str) -> tuple[bytes, UpstreamError | None, list[HttpRequest]]:
    """What leaves while an answer is read, the failure that ends it, and the requests that continued it.

    The request is made twice, as for a second try: an empty answer is then delivered as it is.
    """
    exchange.request()
    exchange.request()
    stream = exchange.stream()
    out = b""
    further: list[HttpRequest] = []
    for body in hops:
        for chunk in cut(body, how):
            out += stream.feed(chunk)
            if stream.failure is not None:
                return out, stream.failure, further
        out += stream.close()
        if stream.failure is not None:
            return out, stream.failure, further
        if stream.further is not None:
            further.append(stream.further)
    return out + stream.take_held(), None, further


def as_client_sees(out: bytes, failure: UpstreamError | None) -> bytes:
    """The stream as it ends at the client."""
    return out if failure is None else out + error_event(failure.kind, failure.message, "")


def without_request_id(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The HTTP layer adds it."""
    return [{name: value for name, value in event.items() if name != "request_id"} for event in events]


def test_there_are_fourteen_streams() -> None:
    """Nothing below passes because files are missing."""
    assert len(STREAMS) == 14


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_becomes_the_expected_events(name: str, how: str) -> None:
    """Whatever the borders of its chunks, and by the grammar of Anthropic's streams."""
    out, failure, _further = play(opened(load(f"{name}.request.json")), hops_of(name), how)
    seen = as_client_sees(out, failure)
    assert event_differences(read_lines(FIXTURES / f"{name}.events.jsonl"), without_request_id(events_of(seen))) == []
    assert violations(seen) == []
    assert (name in FAILING) == (failure is not None)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_is_cut_ends_in_a_failure(name: str) -> None:
    """Wherever it is cut before its last piece is whole, nothing pretends to be a complete answer."""
    request, hops = load(f"{name}.request.json"), hops_of(name)
    last = hops[-1].rstrip()
    for end in sorted({1, 5, len(last) // 3, len(last) // 2, last.rindex(b"data: "), len(last) - 1}):
        out, failure, _further = play(opened(request), [*hops[:-1], last[:end]], "whole")
        assert failure is not None, end
        assert b"message_delta" not in out
        assert violations(out, whole=False) == []


def test_an_answer_that_goes_on_is_asked_for_with_its_token() -> None:
    """The same request and the token, as the fixture has it; each hop is in the record, for each is billed."""
    expected = load("13_continuation.upstream_request.json")
    exchange = opened(load("13_continuation.request.json"))
    first = exchange.request()
    out, _failure, (further,) = play(exchange, hops_of("13_continuation"), "whole")
    assert expected["hop1"]["body"] == json.loads(first.body)
    assert {**expected["hop1"]["body"], **expected["hop2_adds"]} == json.loads(further.body)
    assert further.url.endswith("/models/gemini-4-argon:streamGenerateContent?alt=sse")
    assert b"iterations" not in out


@pytest.mark.parametrize("name", ["01_text", "04_thinking"])
def test_a_request_is_the_expected_one(name: str) -> None:
    """Address, key and body."""
    expected = load(f"{name}.upstream_request.json")
    sent = opened(load(f"{name}.request.json")).request()
    assert expected["body"] == json.loads(sent.body)
    if "url" in expected:
        assert (expected["method"], expected["url"]) == (sent.method, sent.url)
        assert expected["headers"].items() <= dict(sent.headers).items()


def test_a_history_is_mapped_block_by_block() -> None:
    """Media, calls with their signatures, results, foreign thinking; with a warning for each thing left out."""
    case = load("40_req_history.json")
    document = case["anthropic"]
    encoded = encode(Asked(document, document["model"], None, Manner("gemini")))
    assert case["upstream"] == encoded.body
    assert len(case["warnings"]) == len(encoded.warnings)


@pytest.mark.parametrize("case", load("41_schema_cleaning.json"))
def test_a_schema_becomes_openapis(case: dict[str, Any]) -> None:
    """The older form, for servers that do not know JSON Schema."""
    assert case["parameters"] == clean_openapi(case["in"])


def test_an_answer_in_one_piece_is_the_same_message() -> None:
    """The same walk over one object."""
    document = load("02_parallel_tools.request.json") | {"stream": False}
    exchange = opened(document)
    assert exchange.request().url.endswith(":generateContent")
    whole = exchange.read_whole((FIXTURES / "20_nonstream.upstream.json").read_bytes())
    assert differences(load("20_nonstream.message.json"), json.loads(whole.body)) == []
    assert whole.facts.stopped
    assert list(whole.remembered) == ["fc-1a"]


@pytest.mark.parametrize("case", read_lines(FIXTURES / "30_http_errors.jsonl"))
def test_an_error_becomes_anthropics(case: dict[str, Any]) -> None:
    """Status, type and words for the client; waits for the pool; whether another try can help."""
    upstream, expected = case["upstream"], case["expect"]
    headers = [("content-type", "application/json; charset=UTF-8")]
    refused = opened(load("01_text.request.json")).read_refusal(
        upstream["status"], headers, json.dumps(upstream["body"]).encode()
    )
    assert expected["status"] == refused.status
    assert expected["error"] == {"type": refused.kind, "message": refused.message}
    assert expected["retry_after"] == refused.consequence.retry_after_s
    assert expected["retryable"] == (refused.consequence.trouble in (Trouble.THROTTLED, Trouble.FAULT))
    told = dict(refused.headers).get("retry-after")
    assert told == (None if expected["retry_after"] is None else str(expected["retry_after"]))


@pytest.mark.parametrize(
    ("status", "message", "details", "expected"),
    [
        (429, "Please check your plan and billing details.", [], (429, Trouble.THROTTLED, Verdict.NEXT_CREDENTIAL)),
        (429, "Your prepaid balance is empty.", [], (402, Trouble.REFUSED, Verdict.NEXT_CREDENTIAL)),
        (429, "x", [{"@type": "google.rpc.QuotaFailure", "violations": [{"quotaId": "RequestsPerDay"}]}],
         (429, Trouble.EXHAUSTED, Verdict.NEXT_CREDENTIAL)),
        (403, "Your API key was reported as leaked.", [], (403, Trouble.REFUSED, Verdict.NEXT_CREDENTIAL)),
        (403, "x", [{"@type": "google.rpc.ErrorInfo", "reason": "CONSUMER_SUSPENDED"}],
         (403, Trouble.REFUSED, Verdict.NEXT_TARGET)),
        (503, "away", [], (529, Trouble.THROTTLED, Verdict.NEXT_TARGET)),
        (404, "no such model", [], (404, Trouble.NONE, Verdict.NEXT_TARGET)),
        (418, "teapot", [], (400, Trouble.NONE, Verdict.FINAL)),
        (599, "odd", [], (500, Trouble.FAULT, Verdict.NEXT_CREDENTIAL)),
    ],
)  # fmt: skip
def test_a_refusal_has_its_consequence(
    status: int, message: str, details: list[Any], expected: tuple[int, Trouble, Verdict]
) -> None:
    """What is tried next, and what becomes of the credential."""
    body = {"error": {"code": status, "message": message, "details": details}}
    refused = opened(load("01_text.request.json")).read_refusal(status, (), json.dumps(body).encode())
    assert expected == (refused.status, refused.consequence.trouble, refused.verdict)
    if refused.consequence.trouble is Trouble.EXHAUSTED:
        # Until midnight in California: less than a day, and told in the message, not as a header.
        assert 0 < (refused.consequence.retry_after_s or 0) <= 25 * 3600
    elif refused.consequence.trouble is Trouble.REFUSED:
        assert refused.consequence.scope == ""


def test_a_page_of_html_is_not_shown() -> None:
    """Only its status is."""
    refused = opened(load("01_text.request.json")).read_refusal(
        502, [("content-type", "text/html")], b"<html>no</html>"
    )
    assert (refused.status, refused.kind) == (500, "api_error")
    assert "<" not in refused.message


def test_tokens_are_counted_by_the_platform() -> None:
    """Tools and system are counted too."""
    case = load("50_count_tokens.json")
    exchange = opened(case["anthropic"], COUNT_TOKENS)
    sent = exchange.request()
    assert sent.url.endswith(case["upstream"]["path"])
    assert case["upstream"]["body"] == json.loads(sent.body)
    assert case["expect"] == json.loads(exchange.read_whole(msgspec.json.encode(case["upstream_response"])).body)


def test_an_empty_answer_is_asked_for_once_more() -> None:
    """On the first try nothing at all is a failure that is repeated; on the second it is delivered."""
    exchange = opened(load("11_empty_stop.request.json"))
    exchange.request()
    stream = exchange.stream()
    for body in hops_of("11_empty_stop"):
        assert stream.feed(body) + stream.close() == b""
    assert isinstance(stream.failure, UpstreamRefused)
    assert stream.failure.consequence.repeats


def test_two_calls_of_one_id_get_two() -> None:
    """Clients tell calls apart by it."""
    call = {"functionCall": {"id": "same", "name": "get_weather", "args": {}}}
    piece = {"candidates": [{"content": {"parts": [call, call]}, "finishReason": "STOP"}]}
    whole = opened(load("02_parallel_tools.request.json") | {"stream": False}).read_whole(json.dumps(piece).encode())
    first, second = json.loads(whole.body)["content"]
    assert first["id"] == "same"
    assert second["id"] not in ("", "same")
    assert whole.facts.usage_estimated


def test_a_signature_of_a_thought_before_text_is_not_the_later_calls() -> None:
    """Where the client is not shown thinking, too."""
    parts = [
        {"text": "hm", "thought": True, "thoughtSignature": "QUFB"},
        {"text": "Now:"},
        {"functionCall": {"id": "c", "name": "get_weather", "args": {}}},
    ]
    piece = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}
    document = load("14_tool_no_thinking_requested.request.json") | {"stream": False}
    assert opened(document).read_whole(json.dumps(piece).encode()).remembered == {}


def test_a_call_that_the_limit_cut_is_left_out() -> None:
    """The answer ends with its limit; a call that was never whole is none."""
    growing = {"functionCall": {"name": "get_weather", "willContinue": True}}
    piece = {"candidates": [{"content": {"parts": [{"text": "Now:"}, growing]}, "finishReason": "MAX_TOKENS"}]}
    whole = opened(load("02_parallel_tools.request.json") | {"stream": False}).read_whole(json.dumps(piece).encode())
    message = json.loads(whole.body)
    assert [block["type"] for block in message["content"]] == ["text"]
    assert message["stop_reason"] == "max_tokens"
