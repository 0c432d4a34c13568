"""How long each platform is waited for, and how long it rests, where its specification says so."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ccrouter.clock import rfc3339
from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.gemini.google_error import read_google_error
from ccrouter.errors import Consequence, Trouble, UpstreamRefused
from ccrouter.http import HttpRequest
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.antigravity_errors import refusal
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, CannedAnswer, Exchange, Found
from ccrouter.platforms.registry import platform_named

BODY = {"model": "claude-opus-5-5", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCOUNTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "kiro": ("claude-opus-4-5", {"auth_method": "api_key", "api_key": "ksk_1"}, {}),
    "antigravity": ("gemini-3-flash", {"access_token": "t", "project": "p-1"}, {"acknowledged": True}),
    "gemini": ("gemini-3.8-flash", {"api_key": "k"}, {}),
    "vertex": ("gemini-3.8-flash", {"access_token": "t", "project": "p-1"}, {}),
    "bedrock": ("claude-sonnet-5-5", {"api_key": "k"}, {"region": "us-east-1"}),
    "openai": ("gpt-6.1-sol", {"api_key": "k"}, {}),
}


def opened(platform: str, operation: str = MESSAGES, model: str = "") -> Exchange:
    """A try on a platform."""
    known, auth, options = ACCOUNTS[platform]
    credential = Credential(id="c", platform=platform, name="c", auth=auth, options=options)
    ask = Ask(operation, MessagesRequest(json.dumps(BODY).encode()), (), "")
    found = platform_named(platform).open(ask, Aim(model or known), credential, Found())
    assert not isinstance(found, CannedAnswer)
    return found


def waits_of(request: HttpRequest) -> tuple[float | None, ...]:
    """For the head, for the first event, in silence, and for all of it."""
    return request.head_within_s, request.first_within_s, request.silence_within_s, request.whole_within_s


def test_kiro_and_antigravity_are_waited_for_as_their_specifications_say() -> None:
    """kiro.md §13, antigravity.md §14; others take as long as Claude may."""
    assert waits_of(opened("kiro").request()) == (60.0, 90.0, 300.0, 900.0)
    assert waits_of(opened("antigravity").request()) == (120.0, None, 300.0, 900.0)
    for platform in ("gemini", "vertex", "bedrock", "openai"):
        assert waits_of(opened(platform).request()) == (None, None, None, None)


@pytest.mark.parametrize(
    ("platform", "model"),
    [
        ("antigravity", ""), ("gemini", ""), ("vertex", ""), ("vertex", "claude-sonnet-5-5"), ("bedrock", ""),
        ("openai", ""),
    ],
)  # fmt: skip
def test_a_count_is_not_waited_for_long(platform: str, model: str) -> None:
    """It is estimated instead: a client waits for it."""
    assert opened(platform, COUNT_TOKENS, model).request().head_within_s == 5.0


def throttled(platform: str) -> Consequence:
    """What follows a 429 of Google's that names no wait."""
    body = {"error": {"code": 429, "message": "Resource has been exhausted.", "status": "RESOURCE_EXHAUSTED"}}
    return opened(platform).read_refusal(429, (), json.dumps(body).encode()).consequence


def test_throttles_without_a_wait_have_steps_of_their_own() -> None:
    """One second for Antigravity and Vertex, up to a minute and half of one."""
    assert throttled("antigravity").steps == (1.0, 60.0)
    assert throttled("vertex").steps == (1.0, 30.0)
    assert throttled("gemini").steps == (5.0, 60.0)


def used_up(**metadata: str) -> UpstreamRefused:
    """Antigravity's refusal for a quota that is gone."""
    rpc = "type.googleapis.com/google.rpc."
    details = [
        {"@type": f"{rpc}ErrorInfo", "reason": "QUOTA_EXHAUSTED", "metadata": metadata},
        {"@type": f"{rpc}RetryInfo", "retryDelay": "90s"},
    ]
    error = read_google_error({"error": {"code": 429, "message": "spent", "details": details}})
    return refusal(429, error, (), b"", model="gemini-3-flash", now=NOW)


def test_a_used_up_quota_blocks_until_the_moment_that_is_named() -> None:
    """Else for the wait that is asked for; a moment in the past is none."""
    for metadata, wait_s in (
        ({"quotaResetTimeStamp": rfc3339(NOW + timedelta(hours=25))}, 90_000.0),
        ({"quotaResetTimeStamp": rfc3339(NOW - timedelta(hours=1))}, 90.0),
        ({}, 90.0),
    ):
        found = used_up(**metadata)
        assert (found.consequence.trouble, found.consequence.retry_after_s) == (Trouble.EXHAUSTED, wait_s)


def test_paid_credits_stand_in_the_record_alone() -> None:
    """Antigravity tells what an answer has cost; the client's usage has no such member."""
    part = {"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    spent = [{"creditType": "GOOGLE_ONE_AI", "creditAmount": "2"}]
    chunk = {"response": {"candidates": [part], "usageMetadata": usage}, "consumedCredits": spent}
    stream = opened("antigravity").stream()
    sent = stream.feed(f"data: {json.dumps(chunk)}\r\n\r\n".encode()) + stream.close()
    assert stream.facts.usage["consumed_credits"] == spent
    assert b"GOOGLE_ONE_AI" not in sent
