"""Antigravity on its fixtures: streams, envelopes, errors (fixtures/antigravity/README.md)."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.golden.matching import CUTS, cut, differences, event_differences, read_lines
from tests.grammar import events_of, violations

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.errors import error_event
from ccrouter.errors import RequestTooLarge, Trouble, UpstreamError, UpstreamRefused, Verdict
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.antigravity import Antigravity
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, CannedAnswer, Exchange, Found

FIXTURES = Path(__file__).parent.parent / "fixtures" / "antigravity"
STREAMS = sorted(path.name.removesuffix(".sse") for path in FIXTURES.glob("*.sse"))
REQUESTS = sorted(path.stem for path in FIXTURES.glob("request_*.json"))
ERRORS = read_lines(FIXTURES / "30_http_errors.jsonl")
FAILING = {"empty_stream", "eof_without_finish", "malformed_function_call", "midstream_error"}
CLAUDE, GEMINI = "claude-sonnet-4-5-thinking", "gemini-3-pro-high"


def opened(
    document: dict[str, Any], *, operation: str = MESSAGES, model: str | None = None, **options: Any
) -> Exchange | CannedAnswer:
    """A try with an acknowledged credential."""
    request = MessagesRequest(json.dumps(document).encode())
    credential = Credential(
        id="c1",
        platform="antigravity",
        name="test",
        auth={"access_token": "ya29.test", "project": "proj-found"},
        options={"acknowledged": True} | options,
    )
    return Antigravity().open(Ask(operation, request, (), ""), Aim(model or request.model), credential, Found())


def exchange(document: dict[str, Any], **more: Any) -> Exchange:
    """A try that needs the network."""
    found = opened(document, **more)
    assert not isinstance(found, CannedAnswer)
    return found


def asking(model: str, *, thinking: bool = True) -> dict[str, Any]:
    """A request to a model of this platform."""
    document: dict[str, Any] = {
        "model": model,
        "max_tokens": 8000,
        "stream": True,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    return document | ({"thinking": {"type": "enabled", "budget_tokens": 2048}} if thinking else {})


def request_of(name: str) -> dict[str, Any]:
    """The request that a stream answers: its family stands in the stream, and the client asked for thinking or not."""
    text = (FIXTURES / f"{name}.sse").read_text()
    return asking(CLAUDE if "claude" in text else GEMINI, thinking=name != "tool_gemini_not_requested")


def play(name: str, how: str, data: bytes | None = None) -> tuple[bytes, UpstreamError | None]:
    """What leaves while an answer is read, and the failure that ends it."""
    stream = exchange(request_of(name)).stream()
    out = b""
    for chunk in cut((FIXTURES / f"{name}.sse").read_bytes() if data is None else data, how):
        out += stream.feed(chunk)
        if stream.failure is not None:
            return out, stream.failure
    out += stream.close()
    return (out, stream.failure) if stream.failure is not None else (out + stream.take_held(), None)


def test_there_are_sixteen_streams_three_requests_and_twelve_errors() -> None:
    """Nothing below passes because files are missing."""
    assert (len(STREAMS), len(REQUESTS), len(ERRORS)) == (16, 3, 12)


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_becomes_the_expected_events(name: str, how: str) -> None:
    """Whatever the borders of its chunks, for both families."""
    out, failure = play(name, how)
    seen = out if failure is None else out + error_event(failure.kind, failure.message, "")
    events = [{key: value for key, value in event.items() if key != "request_id"} for event in events_of(seen)]
    expected = read_lines(FIXTURES / f"{name}.events.jsonl")
    assert event_differences(expected, events, parsed_json=True) == []
    assert violations(seen) == []
    assert (name in FAILING) == (failure is not None)


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "empty_stream"])
def test_a_stream_that_is_cut_ends_in_a_failure(name: str) -> None:
    """Wherever it is cut before its last piece is whole."""
    last = (FIXTURES / f"{name}.sse").read_bytes().rstrip()
    for end in sorted({1, len(last) // 3, last.rindex(b"data: "), len(last) - 1}):
        out, failure = play(name, "whole", last[:end])
        assert failure is not None, end
        assert b"message_delta" not in out
        assert violations(out, whole=False) == []


def test_a_stream_without_anything_is_repeated_once_and_then_500() -> None:
    """Nothing was sent, so it is an HTTP error."""
    _out, failure = play("empty_stream", "whole")
    assert isinstance(failure, UpstreamRefused)
    assert (failure.status, len(failure.consequence.repeats)) == (500, 1)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_the_expected_envelope(name: str) -> None:
    """Project, product, session and the request within."""
    case = json.loads((FIXTURES / f"{name}.json").read_text())
    options = {key: value for key, value in case["options"].items() if key == "project"}
    sent = exchange(case["anthropic"], **options).request()
    assert differences(case["expected"], json.loads(sent.body)) == []
    headers = dict(sent.headers)
    assert headers["authorization"] == "Bearer ya29.test"
    assert headers["user-agent"].startswith("claude-code-router/")
    assert sent.url == "https://cloudcode-pa.googleapis.com/v1internal:generateContent"


@pytest.mark.parametrize("case", ERRORS, ids=[case["name"] for case in ERRORS])
def test_an_error_has_its_action(case: dict[str, Any]) -> None:
    """Status, type and words for the client; what follows for the credential."""
    upstream, expected, action = case["upstream"], case["expect"], case["action"]
    document = asking(CLAUDE if "claude" in case["name"] else GEMINI)
    refused = exchange(document).read_refusal(
        upstream["status"], list(upstream["headers"].items()), json.dumps(upstream["body"]).encode()
    )
    assert expected["status"] == refused.status
    assert differences(expected["error"], {"type": refused.kind, "message": refused.message}) == []
    wait = refused.consequence.retry_after_s
    assert expected["retry_after"] == (None if wait is None else -int(-wait // 1))
    told = dict(refused.headers)
    assert expected["headers"].items() <= told.items()
    assert expected["retryable"] == (refused.consequence.trouble is Trouble.THROTTLED)
    assert action == _action(refused, document)
    if refused.status in (403, 429):
        assert refused.verdict is Verdict.NEXT_TARGET


def _action(refused: UpstreamRefused, document: dict[str, Any]) -> str:
    """The fixtures' word for what follows from a refusal."""
    consequence, mended = refused.consequence, exchange(document).mend(refused)
    if mended is not None:
        return f"{'strip_thinking' if 'claude' in document['model'] else 'replace_signature'}_then_retry_once"
    if consequence.renews:
        return "refresh_once_then_retry"
    if consequence.trouble is Trouble.REFUSED:
        return "disable_credential"
    if consequence.trouble is Trouble.EXHAUSTED:
        return "exhaust_credential_model_until_reset"
    if refused.status == 529:
        return "retry_short"
    if consequence.trouble is Trouble.THROTTLED:
        return "wait_then_retry_once" if len(consequence.repeats) == 1 else "backoff"
    return "none"


def test_a_foreign_signature_of_claude_is_left_out_with_all_thinking() -> None:
    """Without thinking in the history none may be asked for either."""
    case = json.loads((FIXTURES / "request_claude_tool_loop.json").read_text())
    first = exchange(case["anthropic"])
    refused = first.read_refusal(400, (), b'{"error":{"message":"x: Invalid `signature` in `thinking` block"}}')
    mended = first.mend(refused)
    assert mended is not None
    assert not isinstance(mended, CannedAnswer)
    body = json.loads(mended.request().body)["request"]
    assert "thinkingConfig" not in body["generationConfig"]
    assert "thought" not in json.dumps(body["contents"])
    assert mended.mend(refused) is None


def test_a_credential_is_off_until_its_operator_acknowledges() -> None:
    """Nothing is sent; the next target is tried, and the words say who must act."""
    with pytest.raises(UpstreamRefused, match=r"options\.acknowledged") as refused:
        exchange(asking(GEMINI), acknowledged=False).request()
    assert refused.value.verdict is Verdict.NEXT_TARGET


def test_a_request_over_20_mb_is_refused_here() -> None:
    """The host takes no more."""
    document = asking(GEMINI) | {"messages": [{"role": "user", "content": "x" * (21 * 1024 * 1024)}]}
    with pytest.raises(RequestTooLarge):
        exchange(document).request()


def test_claude_is_counted_by_the_estimate_and_gemini_by_the_host() -> None:
    """The host counts contents alone; what stands beside them is estimated on top."""
    document = {"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}]}
    assert isinstance(opened(document, operation=COUNT_TOKENS), CannedAnswer)
    counted = exchange(document | {"model": GEMINI, "system": "Be brief."}, operation=COUNT_TOKENS)
    sent = counted.request()
    assert sent.url.endswith("/v1internal:countTokens")
    contents = [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert {"request": {"model": f"models/{GEMINI}", "contents": contents}} == json.loads(sent.body)
    assert json.loads(counted.read_whole(b'{"totalTokens":3}').body)["input_tokens"] > 3


def test_a_session_is_stable_and_its_own_for_each_credential() -> None:
    """It helps the platform's cache and tells nobody whose conversation it is."""
    document = asking(GEMINI) | {"metadata": {"user_id": '{"session_id":"00000000-0000-4000-8000-000000000001"}'}}
    sent = [json.loads(exchange(document).request().body)["request"]["session_id"] for _ in range(2)]
    assert sent[0] == sent[1]
    assert "00000000" not in sent[0]


def test_claudes_thinking_is_remembered_with_its_call_past_the_text_between() -> None:
    """Text and signature together, since Claude takes neither alone."""
    stream = exchange(asking(CLAUDE)).stream()
    stream.feed((FIXTURES / "tool_claude.sse").read_bytes())
    stream.close()
    (state,) = stream.remembered.values()
    kept = json.loads(state)
    assert (kept["family"], kept["thinking"]) == ("claude", "Need weather.")
    assert kept["signature"].startswith("RXhhbXBsZUNsYXVkZVNpZ25hdHVyZV")
