"""What follows from refusals of Anthropic's API: the next candidate, the cool-down, what the client is told."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ccrouter.errors import Consequence, Trouble, UpstreamRefused, Verdict
from ccrouter.http import Headers
from ccrouter.platforms.anthropic_errors import asked_wait_s, read_refusal

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def refused(status: int, message: str, headers: Headers = (), **error: Any) -> UpstreamRefused:
    """The refusal of an error in Anthropic's shape."""
    document = {"type": "error", "error": {"type": "some_error", "message": message, **error}, "request_id": "r"}
    return read_refusal(status, headers, json.dumps(document).encode(), (), model="m", now=NOW)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "This organization has been disabled."),
        (403, "This organization has been disabled."),
        (403, "Your account has been suspended for a violation of our usage policy."),
        (403, "You must accept the updated terms of service before using the API."),
        (403, "OAuth authentication is currently not allowed for this organization."),
        (401, "Your account was suspended"),
    ],
)
def test_a_closed_account_is_left_alone(status: int, message: str) -> None:
    """It is blocked until somebody acts, and no other account of the platform is tried after a refusal."""
    found = refused(status, message)
    assert (found.verdict, found.consequence) == (Verdict.NEXT_TARGET, Consequence(Trouble.REFUSED))
    assert found.on_credential


@pytest.mark.parametrize(
    ("status", "message", "verdict", "consequence", "on_credential"),
    [
        (400, "messages: the organization has been disabled", Verdict.FINAL, Consequence(), False),
        (400, "Your credit balance is too low to access the Anthropic API.", Verdict.NEXT_CREDENTIAL,
         Consequence(Trouble.REFUSED), True),
        (402, "m", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.REFUSED), True),
        (401, "invalid x-api-key", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.UNAUTHORIZED), True),
        (403, "Your key may not use the model claude-x.", Verdict.NEXT_CREDENTIAL,
         Consequence(Trouble.REFUSED, scope="m"), True),
        (403, "Request not allowed", Verdict.NEXT_CREDENTIAL, Consequence(), True),
        (404, "model: x", Verdict.FINAL, Consequence(), False),
        (413, "m", Verdict.FINAL, Consequence(), False),
        (429, "m", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.THROTTLED, scope="m"), False),
        (529, "m", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.THROTTLED, scope="m"), False),
        (500, "m", Verdict.NEXT_CREDENTIAL, Consequence(Trouble.FAULT, scope="m"), False),
    ],
)  # fmt: skip
def test_a_status_decides_what_is_tried_next(
    status: int, message: str, verdict: Verdict, consequence: Consequence, on_credential: bool
) -> None:
    """anthropic-passthrough.md §2, "Cool-down", and product.md §4."""
    found = refused(status, message)
    assert (verdict, consequence, on_credential) == (found.verdict, found.consequence, found.on_credential)


def test_a_spend_cap_is_used_up_for_every_model() -> None:
    """It names no time."""
    found = refused(429, "m", details={"error_code": "enforced_spend_limit_reached"})
    assert found.consequence == Consequence(Trouble.EXHAUSTED)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "Mon, 23 Nov 2026 12:01:00 GMT"}, 60.0),
        ({"retry-after": "Mon, 23 Nov 2020 12:01:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 5000}, 31 * 86400.0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-23T12:00:30Z",
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-23T12:00:50Z",
                "anthropic-ratelimit-input-tokens-remaining": "5000",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-23T13:00:00Z",
            },
            50.0,
        ),
        (
            {"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "1795438800"},
            3600.0,
        ),
        ({"anthropic-ratelimit-unified-status": "allowed", "anthropic-ratelimit-unified-reset": "1795438800"}, None),
        ({"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "x"}, None),
        ({}, None),
    ],
)
def test_a_wait_is_read_wherever_it_stands(headers: dict[str, str], wait_s: float | None) -> None:
    """Exactly, for the cool-down."""
    assert wait_s == asked_wait_s(tuple(headers.items()), NOW)
