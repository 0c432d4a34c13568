"""The real Claude Code on what only a router has: keys and mappings of its own, and its own words when it refuses."""

import re
from decimal import Decimal
from typing import Any

import pytest
from tests.cli.claude_code import ConnectSink, Outcome, run_claude, why_missing
from tests.cli.scenarios import SCENARIOS, TWO_RETRIES
from tests.services import UPSTREAM_SECRET, RunningRouter
from tests.upstream import FakeUpstream, error, message_events, sse, text

from ccrouter.access.keys import new_secret

pytestmark = [pytest.mark.cli, pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))]

CACHED: dict[str, Any] = {
    "input_tokens": 4,
    "cache_read_input_tokens": 3000,
    "cache_creation_input_tokens": 700,
    "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 200},
}


def refused(outcome: Outcome) -> tuple[int, int, str]:
    """Exit code, status and the words of a run that ended in an error."""
    document = outcome.document
    assert document["is_error"]
    assert document["terminal_reason"] == "api_error"
    return outcome.exit_code, document["api_error_status"], document["result"]


def printed(outcome: Outcome) -> tuple[list[Any], list[Any]]:
    """The events that a run printed, and what its result says about the answer."""
    events = [line["event"] for line in outcome.lines if line["type"] == "stream_event"]
    said = ("result", "stop_reason", "num_turns", "usage", "modelUsage", "total_cost_usd")
    return events, [outcome.document[name] for name in said]


def test_every_event_of_a_plain_answer_arrives(
    router: RunningRouter, platform: FakeUpstream, sink: ConnectSink
) -> None:
    """What the program prints while an answer streams is the same with and without the router, to the last member."""
    answer = sse(*message_events(text("Hello, "), text("world."), **CACHED))
    platform.script, router.upstream.script = [answer], [answer]
    streaming = ("--verbose", "--include-partial-messages")
    direct = run_claude(platform.url, UPSTREAM_SECRET, sink, output="stream-json", arguments=streaming)
    routed = run_claude(router.base_url, router.new_key(), sink, output="stream-json", arguments=streaming)
    assert [event["type"] for event in printed(direct)[0]][-2:] == ["message_delta", "message_stop"]
    assert printed(direct) == printed(routed)


def test_the_router_and_claude_code_come_to_the_same_cost(router: RunningRouter, sink: ConnectSink) -> None:
    """Input, output, cache reads and both kinds of cache writes cost what the program itself says they cost."""
    router.upstream.script = [sse(*message_events(text("cached"), **CACHED))]
    secret = router.new_key()
    outcome = run_claude(router.base_url, secret, sink)
    (row,) = router.rows(secret)
    assert row["cost_state"] == "priced"
    assert pytest.approx(outcome.document["total_cost_usd"]) == float(Decimal(row["cost"]["total"]))


def test_a_slot_leads_to_the_model_it_is_mapped_to(router: RunningRouter, sink: ConnectSink) -> None:
    """`--model sonnet` with an auth token runs on what the key's slot names; nothing else of the request changes."""
    secret = router.new_key({"sonnet": [{"platform": "anthropic", "model": "claude-haiku-5-5"}]})
    outcome = run_claude(
        router.base_url, "", sink, arguments=("--model", "sonnet"), ANTHROPIC_AUTH_TOKEN=secret, **TWO_RETRIES
    )
    assert outcome.document["result"] == "Hello from the mock."
    (seen,) = router.upstream.seen
    assert seen.json["model"] == "claude-haiku-5-5"
    (row,) = router.rows(secret)
    assert (row["requested_model"], row["slot"], row["model"]) == ("claude-sonnet-5-5", "sonnet", "claude-haiku-5-5")


def test_sub_agents_are_told_apart_in_the_log(router: RunningRouter, sink: ConnectSink) -> None:
    """A conversation is one session, and the requests of its sub-agent carry the sub-agent's id."""
    router.upstream.script = list(SCENARIOS["subagent"].answers)
    secret = router.new_key()
    outcome = run_claude(router.base_url, secret, sink)
    assert outcome.document["result"] == "ok step 3"
    rows = router.rows(secret, expect=4)
    agents = [row["agent_id"] for row in rows if row["agent_id"] is not None]
    assert (len(rows), len(agents)) == (4, 1)
    assert len({row["session_id"] for row in rows}) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "authentication_error"), (402, "billing_error"), (403, "permission_error")]
)
def test_a_platforms_refusal_of_the_credential_is_not_blamed_on_the_key(
    router: RunningRouter, sink: ConnectSink, status: int, kind: str
) -> None:
    """A person reads at once that an administrator must act, not that their own key is wrong."""
    router.upstream.otherwise = error(status, kind, "mock: the operator's credential is refused")
    secret = router.new_key()
    exit_code, shown_status, shown = refused(run_claude(router.base_url, secret, sink))
    assert (exit_code, shown_status) == (1, 503)
    assert re.match(r"API Error: 503 .*anthropic.* administrator", shown)
    assert "operator's credential" not in shown
    assert len(router.upstream.seen) == len(router.rows(secret)) == 1


def test_an_unknown_key_is_told_at_once(router: RunningRouter, sink: ConnectSink) -> None:
    """One request, and the person reads whom to ask; without `x-should-retry: false` it would take three minutes."""
    exit_code, status, shown = refused(run_claude(router.base_url, new_secret(), sink))
    assert (exit_code, status) == (1, 401)
    assert shown.startswith("Failed to authenticate. API Error: 401 This API key is not valid here.")
    assert router.upstream.seen == []


def test_a_model_that_the_key_may_not_use_is_told_at_once(router: RunningRouter, sink: ConnectSink) -> None:
    """One request, one row, and the person reads which models the key may use."""
    secret = router.new_key(allowed_models=["claude-haiku-*"])
    exit_code, status, shown = refused(run_claude(router.base_url, secret, sink))
    assert (exit_code, status) == (1, 403)
    assert re.match(r"Failed to authenticate\. API Error: 403 The key .* it may use claude-haiku-\*\.", shown)
    assert [row["http_status"] for row in router.rows(secret)] == [403]


def test_a_model_that_leads_nowhere_is_told_as_one(router: RunningRouter, sink: ConnectSink) -> None:
    """The router's 404 is understood as an unknown model, as the platform's is (row `e404`): it is asked twice."""
    secret = router.new_key({"default": []})
    exit_code, status, shown = refused(run_claude(router.base_url, secret, sink))
    assert (exit_code, status) == (1, 404)
    assert shown.startswith("There's an issue with the selected model (claude-opus-5-5).")
    assert [row["http_status"] for row in router.rows(secret, expect=2)] == [404, 404]
    assert router.upstream.seen == []
