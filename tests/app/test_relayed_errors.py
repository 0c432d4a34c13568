"""Errors of the platform: Anthropic's go through byte for byte, those about our credential never (§9, §10)."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.app.asking import STREAMED, ask, assert_own_error, row_of
from tests.services import UPSTREAM_SECRET, RunningRouter
from tests.upstream import Answer

FILE = Path(__file__).parent.parent / "fixtures" / "anthropic-sse" / "error-bodies.json"
ENTRIES: list[dict[str, Any]] = json.loads(FILE.read_text())
ON_CREDENTIAL = (401, 402, 403)
RELAYED = [entry for entry in ENTRIES if entry["status"] not in ON_CREDENTIAL]
STEERING = ("content-type", "request-id", "retry-after", "x-should-retry")


def raw(entry: dict[str, Any]) -> bytes:
    """The entry's body, written as no encoder of ours would."""
    return json.dumps(entry["body"], indent=3, ensure_ascii=True).encode()


def test_no_entry_is_left_out() -> None:
    """Nothing below passes because entries are missing."""
    assert (len(ENTRIES), len(RELAYED)) == (15, 12)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("entry", RELAYED, ids=lambda entry: f"{entry['status']} {entry['note'][:20]}")
def test_an_error_of_the_platform_arrives_unchanged(
    router: RunningRouter, entry: dict[str, Any], streamed: bool
) -> None:
    """Status, every byte, and the headers that steer clients; what discloses the account stays here."""
    body, headers = raw(entry), tuple(entry["headers"].items())
    router.upstream.script = [Answer("json", entry["status"], headers, (body,))]
    answer = ask(router, router.new_key(), STREAMED if streamed else None)
    assert (entry["status"], body) == (answer.status_code, answer.content)
    expected = {name: entry["headers"].get(name) for name in STEERING}
    assert expected == {name: answer.headers.get(name) for name in STEERING}
    assert not [name for name in answer.headers if name.startswith("anthropic-")]
    row = row_of(router, answer)
    error = entry["body"]["error"]
    assert (row["status"], row["http_status"]) == ("error", entry["status"])
    assert row["error"] == {"type": error["type"], "message": error["message"]}
    assert row["upstream_request_id"] == entry["headers"]["request-id"]
    assert (row["usage"], row["cost"], row["cost_state"]) == (None, None, "none")
    assert len(router.upstream.seen) == 1


@pytest.mark.parametrize("status", ON_CREDENTIAL)
def test_a_refused_credential_is_not_told_as_the_clients_fault(router: RunningRouter, status: int) -> None:
    """The router's own 503 that is not repeated; the row says what the platform said, the client is not told."""
    (entry,) = [entry for entry in ENTRIES if entry["status"] == status]
    router.upstream.script = [Answer("json", status, tuple(entry["headers"].items()), (raw(entry),))]
    answer = ask(router, router.new_key())
    message = assert_own_error(answer, 503, "api_error")
    assert "anthropic" in message
    assert "administrator" in message
    assert answer.headers["x-should-retry"] == "false"
    assert UPSTREAM_SECRET not in answer.text
    assert entry["body"]["error"]["message"] not in answer.text
    row = row_of(router, answer)
    (attempt,) = row["attempts"]
    assert (attempt["status"], attempt["outcome"]) == (status, "refused")
    assert attempt["reason"] == entry["body"]["error"]["message"]


def test_an_error_in_a_foreign_shape_is_put_into_ours(router: RunningRouter) -> None:
    """Claude Code recognises the shape; the words are the platform's, its status too."""
    foreign = b'{"error":{"message":"model is busy","code":"busy"}}'
    headers = (("content-type", "application/json"), ("retry-after", "7"), ("set-cookie", "a=b"), ("server", "x"))
    router.upstream.script = [Answer("json", 503, headers, (foreign,))]
    answer = ask(router, router.new_key())
    assert assert_own_error(answer, 503, "api_error") == "model is busy"
    assert answer.headers["retry-after"] == "7"
    assert not {"set-cookie", "server"} & set(answer.headers)


@pytest.mark.parametrize(
    ("wait", "told", "said"),
    [
        ("61", None, "no (Try again in 2 min.)"),
        ("9" * 5000, None, "no (Try again in 744 h 0 min.)"),
        ("Wed, 21 Oct 2037 07:28:00 GMT", None, "no (Try again in 744 h 0 min.)"),
        ("Wed, 21 Oct 2015 07:28:00 GMT", "1", "no"),
        ("soon", None, "no"),
        ("-5", None, "no"),
        ("1.5", "2", "no"),
    ],
)
def test_an_odd_wait_of_a_foreign_error_is_put_right(
    router: RunningRouter, wait: str, told: str | None, said: str
) -> None:
    """Only whole seconds below a minute reach a client; longer waits are told in words."""
    router.upstream.script = [Answer("json", 429, (("content-type", "text/plain"), ("retry-after", wait)), (b"no",))]
    answer = ask(router, router.new_key())
    assert said == assert_own_error(answer, 429, "rate_limit_error")
    assert told == answer.headers.get("retry-after")


def test_an_endless_error_does_not_make_an_endless_row(router: RunningRouter) -> None:
    """The client gets all of it, the log the beginning."""
    words = "very " * 100_000
    body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": words}}).encode()
    router.upstream.script = [Answer("json", 400, (("content-type", "application/json"),), (body,))]
    answer = ask(router, router.new_key())
    assert (400, body) == (answer.status_code, answer.content)
    row = row_of(router, answer)
    assert words.startswith(row["error"]["message"])
    assert len(row["error"]["message"]) <= 2000
    assert len(row["attempts"][0]["reason"]) <= 2000
