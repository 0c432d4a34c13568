"""Refusals of addresses that speak OpenAI's API: what clients are told, what is tried next, what is learned."""

import json
from typing import Any

import pytest
from tests.golden.test_openai import opened

from ccrouter.dialects.openai.asked import AS_IS, Mended
from ccrouter.dialects.openai.errors import Complaint
from ccrouter.dialects.openai.mending import Learned, mended
from ccrouter.errors import Trouble, UpstreamRefused, Verdict
from ccrouter.http import Headers
from ccrouter.platforms.contract import CannedAnswer, Exchange
from ccrouter.platforms.openai import OpenAi

DOCUMENT: dict[str, Any] = {
    "model": "gpt-5",
    "max_tokens": 99,
    "messages": [{"role": "user", "content": "hi"}],
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "tools": [{"name": "add", "input_schema": {"type": "object", "properties": {}}}],
}


def refused(status: int, error: Any = None, headers: Headers = (), *, flat: bool = False) -> UpstreamRefused:
    """What an answer without success becomes."""
    body = error if flat or isinstance(error, str) else {"error": error or {}}
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return opened(DOCUMENT).read_refusal(status, headers, raw)


@pytest.mark.parametrize(
    ("status", "verdict", "trouble", "repeats", "on_credential"),
    [
        (400, Verdict.FINAL, Trouble.NONE, 0, False),
        (401, Verdict.NEXT_CREDENTIAL, Trouble.UNAUTHORIZED, 0, True),
        (402, Verdict.NEXT_CREDENTIAL, Trouble.REFUSED, 0, True),
        (403, Verdict.NEXT_CREDENTIAL, Trouble.NONE, 0, True),
        (404, Verdict.NEXT_TARGET, Trouble.NONE, 0, False),
        (408, Verdict.NEXT_CREDENTIAL, Trouble.FAULT, 1, False),
        (413, Verdict.FINAL, Trouble.NONE, 0, False),
        (418, Verdict.FINAL, Trouble.NONE, 0, False),
        (422, Verdict.FINAL, Trouble.NONE, 0, False),
        (429, Verdict.NEXT_CREDENTIAL, Trouble.THROTTLED, 0, False),
        (500, Verdict.NEXT_CREDENTIAL, Trouble.FAULT, 1, False),
        (502, Verdict.NEXT_CREDENTIAL, Trouble.FAULT, 1, False),
        (503, Verdict.NEXT_TARGET, Trouble.THROTTLED, 0, False),
        (524, Verdict.NEXT_CREDENTIAL, Trouble.FAULT, 1, False),
        (529, Verdict.NEXT_TARGET, Trouble.THROTTLED, 0, False),
        (599, Verdict.NEXT_CREDENTIAL, Trouble.FAULT, 1, False),
    ],
)
def test_a_status_has_its_row(
    status: int, verdict: Verdict, trouble: Trouble, repeats: int, on_credential: bool
) -> None:
    """One bad conversation benches nobody; a limit is a model's, a bad key the whole credential's."""
    refusal = refused(status, {"message": "x"})
    consequence = refusal.consequence
    assert (verdict, trouble, repeats) == (refusal.verdict, consequence.trouble, len(consequence.repeats))
    assert on_credential == refusal.on_credential
    assert consequence.scope == ("" if on_credential else "gpt-5")


@pytest.mark.parametrize(
    ("headers", "wait_s", "told"),
    [
        ((("retry-after-ms", "1500"), ("retry-after", "9")), 1.5, "2"),
        ((("retry-after", "7"), ("x-ratelimit-reset-tokens", "6.8s")), 7.0, "7"),
        ((("x-ratelimit-reset-requests", "120ms"), ("x-ratelimit-reset-tokens", "6.8s")), 6.8, "7"),
        ((("x-ratelimit-reset-tokens", "1m30s"),), 90.0, None),
        ((("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),), None, None),
        ((), None, None),
    ],
)
def test_a_wait_is_kept_exact_and_told_in_seconds(headers: Headers, wait_s: float | None, told: str | None) -> None:
    """A minute or more is said in words, and stops the client."""
    refusal = refused(429, {"message": "Slow down."}, headers)
    assert wait_s == refusal.consequence.retry_after_s
    assert told == dict(refusal.headers).get("retry-after")
    if wait_s is not None and wait_s >= 60:
        assert dict(refusal.headers)["x-should-retry"] == "false"
        assert b"Try again in 2 min" in refusal.body


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "This model's maximum context length is 128,000 tokens. However, your messages resulted in 140,000 tokens.",
            "prompt is too long: 140000 tokens > 128000 maximum",
        ),
        (
            (
                "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens "
                "(30000 in the messages, 10000 in the completion). Please reduce the length."
            ),
            (
                "input length and `max_tokens` exceed context limit: 30000 + 10000 > 32768, "
                "decrease input length or `max_tokens` and try again"
            ),
        ),
        (
            (
                "This model's maximum context length is 32768 tokens. However, you requested 50000 tokens "
                "(40000 in the messages, 10000 in the completion)."
            ),
            "prompt is too long: 50000 tokens > 32768 maximum",
        ),
        ("Your input exceeds the context window of this model.", None),
    ],
)
def test_a_prompt_that_is_too_long_is_said_in_words_that_clients_know(said: str, expected: str | None) -> None:
    """They compact on them, or ask for less."""
    assert (expected or f"prompt is too long: {said}") == refused(400, {"message": said}).message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "flat"}, "flat"),
        ({"detail": "Not here"}, "Not here"),
        ({"detail": [{"type": "missing", "loc": ["body", "model"], "msg": "Field required"}]}, "Field required: model"),
        ({"message": {"detail": [{"loc": ["body", "x"], "msg": "Bad"}]}}, "Bad: x"),
        ({"error": "words"}, "words"),
        ({"other": 1}, "upstream returned HTTP 400"),
        ("<html>no</html>", "upstream returned HTTP 400"),
    ],
)
def test_words_are_found_wherever_servers_put_them(body: Any, message: str) -> None:
    """Markup is never passed on."""
    assert message == refused(400, body, flat=True).message


def test_a_used_up_quota_stops_the_client_and_a_redirect_leads_nowhere() -> None:
    """The one by its words; the other would carry the key elsewhere."""
    refusal = refused(429, {"message": "Insufficient Balance"})
    assert (refusal.status, refusal.kind, dict(refusal.headers)) == (402, "billing_error", {"x-should-retry": "false"})
    assert (refused(302).status, refused(302).kind) == (500, "api_error")


def after(exchange: Exchange, error: dict[str, Any], status: int = 400) -> Exchange | CannedAnswer | None:
    """The try after a refusal."""
    return exchange.mend(exchange.read_refusal(status, (), json.dumps({"error": error}).encode()))


def body_after(exchange: Exchange, error: dict[str, Any]) -> dict[str, Any]:
    """The body of that try."""
    following = after(exchange, error)
    assert following is not None
    assert not isinstance(following, CannedAnswer)
    body: dict[str, Any] = json.loads(following.request().body)
    return body


def unsupported(name: str, **more: Any) -> dict[str, Any]:
    """A complaint about a member."""
    return {"message": f"Unsupported parameter: '{name}'.", "code": "unsupported_parameter", "param": name, **more}


def test_the_limit_has_two_names() -> None:
    """The other one is tried, once."""
    body = body_after(opened(DOCUMENT), unsupported("max_completion_tokens"))
    assert ("max_completion_tokens" in body, body["max_tokens"]) == (False, 99)
    body = body_after(opened(DOCUMENT, "vllm"), unsupported("max_tokens"))
    assert ("max_tokens" in body, body["max_completion_tokens"]) == (False, 99)


@pytest.mark.parametrize("param", [True, False], ids=["by its member", "in words"])
def test_a_member_that_tunes_is_dropped_and_one_that_says_something_never(param: bool) -> None:
    """Named by `param`, or in quotes in the message."""
    named = {} if param else {"param": None, "code": None}
    body = body_after(opened(DOCUMENT), unsupported("reasoning_effort", **named))
    assert "reasoning_effort" not in body
    for name in ("messages", "tools", "model", "response_format"):
        assert after(opened(DOCUMENT), unsupported(name, **named)) is None
    assert after(opened(DOCUMENT), {"message": "Your messages are bad."}) is None
    assert after(opened(DOCUMENT), unsupported("reasoning_effort"), status=500) is None


def test_what_was_learned_holds_for_the_next_request_of_that_model() -> None:
    """On the same address, in this process; other models are asked as before."""
    platform = OpenAi()
    after(opened(DOCUMENT, platform=platform), unsupported("reasoning_effort"))
    assert "reasoning_effort" not in json.loads(opened(DOCUMENT, platform=platform).request().body)
    other = DOCUMENT | {"model": "gpt-5-mini"}
    assert "reasoning_effort" in json.loads(opened(other, platform=platform).request().body)
    wants = {
        "message": "Function tools with reasoning_effort are not supported for gpt-5-mini in /v1/chat/completions."
    }
    after(opened(other, platform=platform), wants)
    assert opened(other, platform=platform).request().url.endswith("/responses")


def test_lessons_are_bounded() -> None:
    """The oldest is forgotten."""
    learned = Learned()
    for number in range(600):
        learned.note("https://a", f"m{number}", Mended(other_limit=True))
    assert learned.of("https://a", "m0") == AS_IS
    assert learned.of("https://a", "m599").other_limit


def test_deepseek_without_its_reasoning_is_asked_not_to_think() -> None:
    """For this request alone, and not twice."""
    platform = OpenAi()
    call = {"type": "tool_use", "id": "c", "name": "add", "input": {}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "1"}]},
    ]
    document = DOCUMENT | {"model": "deepseek-v4-pro", "messages": messages}
    error = {"message": "The `reasoning_content` in the thinking mode must be passed back to the API."}
    first = opened(document, "deepseek", platform=platform)
    second = after(first, error)
    assert second is not None
    assert not isinstance(second, CannedAnswer)
    body = json.loads(second.request().body)
    assert body["thinking"] == {"type": "disabled"}
    assert "reasoning_content" not in body["messages"][1]
    assert after(second, error) is None
    assert json.loads(opened(document, "deepseek", platform=platform).request().body)["thinking"]["type"] == "enabled"


def test_responses_without_what_an_organisation_may_not_have() -> None:
    """Summaries need verification; reasoning of another account cannot be read."""
    item = {"type": "thinking", "thinking": "Hm.", "signature": "px1:oair:rs_1:enc"}
    messages = [*DOCUMENT["messages"], {"role": "assistant", "content": [item, {"type": "text", "text": "Yes."}]}]
    document = DOCUMENT | {"model": "gpt-6.1-sol", "messages": [*messages, *DOCUMENT["messages"]]}
    said = "Your organization must be verified to generate reasoning summaries."
    body = body_after(opened(document), {"message": said, "param": "reasoning.summary", "code": "unsupported_value"})
    assert set(body["reasoning"]) == {"effort"}
    said = "The encrypted content for item rs_1 could not be verified."
    body = body_after(opened(document), {"message": said, "code": "invalid_encrypted_content"})
    assert [entry["type"] for entry in body["input"]] == ["message", "message", "message"]


def test_pydantic_servers_are_understood() -> None:
    """Mistral's 422 for a member it does not know."""
    exchange = opened(DOCUMENT | {"temperature": 0.5}, "mistral")
    detail = {"type": "extra_forbidden", "loc": ["body", "temperature"], "msg": "Extra inputs are not permitted"}
    following = exchange.mend(exchange.read_refusal(422, (), json.dumps({"detail": [detail]}).encode()))
    assert following is not None
    assert not isinstance(following, CannedAnswer)
    assert "temperature" not in json.loads(following.request().body)


def test_nothing_is_dropped_twice() -> None:
    """A refusal that stays is told."""
    exchange = opened(DOCUMENT)
    body = json.loads(exchange.request().body)
    complaint = Complaint(message="Unsupported", param="reasoning_effort", code="unsupported_parameter")
    once = mended(AS_IS, complaint, body, responses=False)
    assert once is not None
    assert mended(once, complaint, body, responses=False) is None
