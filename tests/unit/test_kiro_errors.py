"""What follows from Kiro's errors: what is tried next, for how long a credential rests, what the client is told."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ccrouter.dialects.kiro.errors import KiroRefused, Situation, broken, read_refusal, refusal
from ccrouter.errors import Trouble, Verdict

NOW = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
SITUATION = Situation("claude-sonnet-4.5", NOW)


def refused(status: int, message: str = "m", reason: str | None = None, name: str = "", **given: Any) -> KiroRefused:
    """An HTTP error, read."""
    body = {"message": message, "reason": reason} | ({"__type": f"com.amazon#{name}"} if name else {})
    headers = tuple(given.pop("headers", {}).items())
    situation = Situation("claude-sonnet-4.5", NOW, **given)
    return read_refusal(status, headers, json.dumps(body).encode(), situation)


F, C, T = Verdict.FINAL, Verdict.NEXT_CREDENTIAL, Verdict.NEXT_TARGET


@pytest.mark.parametrize(
    ("given", "status", "verdict", "trouble", "repeats", "renews"),
    [
        ((413,), 400, F, Trouble.NONE, (), ""),
        ((400, "x", "PROMPT_TOO_LONG"), 400, F, Trouble.NONE, (), ""),
        ((500, "x", "INSUFFICIENT_MODEL_CAPACITY"), 529, C, Trouble.THROTTLED, (5.0, 10.0), ""),
        ((429, "x", "MONTHLY_REQUEST_COUNT"), 402, T, Trouble.EXHAUSTED, (), ""),
        ((402,), 402, T, Trouble.EXHAUSTED, (), ""),
        ((403, "x", "INVALID_MODEL_ID"), 404, F, Trouble.NONE, (), ""),
        ((404,), 404, F, Trouble.NONE, (), ""),
        ((400, "profileArn is required for this request."), 403, C, Trouble.NONE, (), "profile"),
        ((409,), 400, F, Trouble.NONE, (), ""),
        ((401,), 401, C, Trouble.UNAUTHORIZED, (), "token"),
        ((403, "The access token has expired."), 401, C, Trouble.UNAUTHORIZED, (), "token"),
        ((403, "API key authentication is not supported for this operation."), 403, T, Trouble.NONE, (), ""),
        ((403, "x", "TEMPORARILY_SUSPENDED"), 403, T, Trouble.REFUSED, (), ""),
        ((403, "anything"), 403, T, Trouble.REFUSED, (), ""),
        ((429,), 429, C, Trouble.THROTTLED, (), ""),
        ((503,), 529, C, Trouble.FAULT, (1.0, 2.0), ""),
        ((500, "x", None, "ServiceUnavailableException"), 529, C, Trouble.FAULT, (1.0, 2.0), ""),
        ((504,), 504, C, Trouble.FAULT, (1.0,), ""),
        ((502,), 500, C, Trouble.FAULT, (1.0,), ""),
        ((302,), 500, C, Trouble.FAULT, (1.0,), ""),
        ((418,), 500, C, Trouble.FAULT, (1.0,), ""),
    ],
)
def test_each_row_says_what_follows(
    given: tuple[Any, ...], status: int, verdict: Verdict, trouble: Trouble, repeats: tuple[float, ...], renews: str
) -> None:
    """The table of kiro.md §11."""
    failure = refused(*given)
    consequence = failure.consequence
    assert (failure.status, failure.verdict, consequence.trouble) == (status, verdict, trouble)
    assert (consequence.repeats, consequence.renews) == (repeats, renews)
    assert failure.on_credential == (status in (401, 402, 403))


def test_a_used_up_plan_waits_until_it_is_filled_again() -> None:
    """The known day; a daily one until midnight; without a known day it is tried again each day."""
    day = NOW + timedelta(days=6)
    assert refused(402, renewed_at=day).consequence.retry_after_s == 6 * 86_400
    for reason, renewed_at in (("DAILY_REQUEST_COUNT", day), (None, None), (None, NOW - timedelta(days=1))):
        assert refused(402, "x", reason, renewed_at=renewed_at).consequence.retry_after_s == 6 * 3_600
    assert ("x-should-retry", "false") in refused(402).headers


def test_a_key_has_no_token_to_renew() -> None:
    """So it is not tried twice."""
    assert refused(401, can_renew=False).consequence.renews == ""


@pytest.mark.parametrize(
    ("asked", "wait", "told"),
    [
        ("7", 7.0, ("retry-after", "7")),
        ("90", 90.0, ("x-should-retry", "false")),
        ("soon", None, None),
        ("1" * 400, 31 * 86_400.0, ("x-should-retry", "false")),
    ],
)
def test_a_wait_reaches_the_client_while_it_is_short(asked: str, wait: float | None, told: Any) -> None:
    """Longer ones stand in the message."""
    failure = refused(429, headers={"retry-after": asked})
    assert failure.consequence.retry_after_s == wait
    assert failure.headers == (() if told is None else (told,))
    assert ("2 min" in failure.message) == (asked == "90")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"message":7,"reason":8}', b"\xff"])
def test_an_answer_that_cannot_be_read_has_its_status(body: bytes) -> None:
    """And a message of ours."""
    failure = read_refusal(429, (), body, SITUATION)
    assert (failure.status, failure.message) == (429, "Kiro upstream answered 429")


def test_neither_accounts_nor_secrets_are_told() -> None:
    """Account numbers and keys are masked, longer numbers are none."""
    failure = refused(400, "arn:aws:x:123456789012:profile ksk_abcDEF-1 Bearer aoaAAAAAbbbbbCCCCCddddd== 1234567890123")
    assert failure.message == "arn:aws:x:************:profile *** Bearer *** 1234567890123"


def test_names_are_read_wherever_they_stand() -> None:
    """In the header with an ending, in the body, and `Message` with a capital letter."""
    headers = (("x-amzn-errortype", "ContentLengthExceededException:http://internal/"),)
    failure = read_refusal(500, headers, b'{"Message":"too much"}', SITUATION)
    assert (failure.status, failure.message) == (400, "prompt is too long: too much")


@pytest.mark.parametrize(
    ("name", "status"), [("ThrottlingException", 429), ("AccessDeniedException", 403), ("error", 500), ("Unknown", 500)]
)
def test_an_exception_in_a_stream_is_read_by_its_name(name: str, status: int) -> None:
    """The list of modelled exceptions gives the status."""
    assert refusal(name, {"message": "m"}, SITUATION).status == status


def test_a_cut_answer_is_tried_once_more() -> None:
    """As long as nothing was sent."""
    failure = broken("cut")
    assert (failure.status, failure.kind, failure.outcome) == (500, "api_error", "broken")
    assert failure.consequence.repeats == (1.0,)
