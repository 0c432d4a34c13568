"""What one account's trouble may and may not do to others, on a real router: refusals, counts, places, breaks."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.app.asking import BODY, STREAMED, ask, assert_own_error, row_of
from tests.app.pair import FIRST, SECOND, Pair
from tests.services import UPSTREAM_SECRET
from tests.upstream import Answer, error, event, json_answer, message, message_events, says, sse, text

from ccrouter.storage import credentials

SUSPENDED = error(403, "permission_error", "Your account has been suspended.")
BROKEN = error(500, "api_error", "broken")
THROTTLED = error(429, "rate_limit_error", "slow down", retry_after="30")
COUNTED = json_answer({"input_tokens": 3})
BEGUN = message_events(text("Hel"))[:3]
OVERLOADED = event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})


def count(pair: Pair, conversation: str = "c") -> Any:
    """One question for a count."""
    body = {"model": BODY["model"], "messages": BODY["messages"]}
    path = "/proxy/v1/messages/count_tokens"
    return ask(pair.router, pair.secret, body, path=path, x_claude_code_session_id=conversation)


def slow(answer: Answer, seconds: float) -> Answer:
    """The same, after a while."""
    return Answer(answer.kind, answer.status, answer.headers, (seconds, *answer.pieces))


def test_after_a_refusal_and_a_further_failure_no_other_account_of_the_platform_is_asked(pair: Pair) -> None:
    """The chain leads to another platform, which fails, and back: the other account is left alone all the same."""
    # What speaks no Gemini fails there with an error of its own.
    gemini = pair.router.new_credential("gemini", {"api_key": "k"}, name="other", base_url=pair.second.url)
    chain = [
        {"platform": "anthropic", "model": pair.model, "credential_id": pair.ids[0]},
        {"platform": "gemini", "model": "gemini-3.8-flash", "credential_id": gemini},
        {"platform": "anthropic", "model": pair.model, "credential_id": pair.ids[1]},
    ]
    pair.first.script, pair.second.otherwise = [SUSPENDED], BROKEN
    answer = pair.ask(secret=pair.router.new_key({"opus": chain}))
    platforms = {attempt["platform"] for attempt in row_of(pair.router, answer)["attempts"]}
    assert platforms == {"anthropic", "gemini"}
    assert answer.status_code == 500
    assert {seen.path.partition("?")[0] for seen in pair.second.seen} == {
        "/v1beta/models/gemini-3.8-flash:streamGenerateContent"
    }
    pair.second.violations = []


def test_what_a_count_meets_leaves_messages_alone(pair: Pair) -> None:
    """Its 429 cools nothing, and its success ends no cool-down of messages."""
    pair.first.script = [THROTTLED]
    assert count(pair).status_code == 200
    assert pair.hops(pair.ask()) == [FIRST]
    pair.first.script = [THROTTLED] * 10
    assert pair.hops(pair.ask()) == [("first", "refused", 429), SECOND]
    pair.ahead_s = 31.0
    pair.first.reset()
    pair.first.otherwise = COUNTED
    assert count(pair).json() == {"input_tokens": 3}
    known = pair.router.services.states.known[pair.ids[0]]
    assert [condition.until > 0 for condition in known.values()] == [True]


@pytest.mark.parametrize("ending", [OVERLOADED, b""], ids=["error event", "cut"])
def test_an_answer_that_fails_in_its_middle_is_a_failure_of_the_account(pair: Pair, ending: bytes) -> None:
    """The client has its half; the next ones are spared. A cut is a fault, which several conversations must see."""
    pair.first.otherwise = sse(b"".join(BEGUN), ending)
    for conversation in "abc":
        answer = pair.ask(conversation)
        if "from second" in answer.text:
            break
        assert row_of(pair.router, answer)["status"] == "error"
    pair.first.otherwise = says("from first")
    assert pair.hops(pair.ask("d")) == [SECOND]


def test_a_row_refused_for_a_used_up_quota_is_an_error_not_a_limit(pair: Pair) -> None:
    """`limited` are rows that the key's own limits refused."""
    details = {
        "type": "rate_limit_error",
        "message": "spent",
        "details": {"error_code": "enforced_spend_limit_reached"},
    }
    used_up = json_answer({"type": "error", "error": details}, 429, [("retry-after", "7200")])
    pair.first.script, pair.second.script = [used_up], [used_up]
    pair.ask()
    refused = pair.ask()
    assert_own_error(refused, 429, "rate_limit_error")
    row = row_of(pair.router, refused)
    assert (row["status"], row["http_status"], row["attempts"]) == ("error", 429, [])


def test_an_account_serves_no_more_at_once_than_it_is_set_to(pair: Pair) -> None:
    """Set over the API; the other account takes what is too much, and without one the client comes again."""
    url = f"/api/v1/credentials/{pair.ids[0]}"
    with pair.router.client(authorization=f"Bearer {pair.router.token()}") as api:
        assert api.patch(url, json={"max_concurrency": 2}).json()["max_concurrency"] == 2
        assert api.patch(url, json={"max_concurrency": 10**9}).status_code == 422
    pair.router.services.directory._routing = None
    pair.first.otherwise = slow(says("from first"), 0.4)

    def at_once() -> list[str]:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda number: pair.ask(f"c{number}"), range(6)))
        return sorted(
            answer.text if answer.status_code == 200 else answer.json()["error"]["type"] for answer in answers
        )

    assert [word for each in at_once() for word in ("first", "second") if f"from {word}" in each] == (
        ["first"] * 2 + ["second"] * 4
    )
    pair.change(pair.ids[1], enabled=False)
    told = at_once()
    assert sum("from first" in each for each in told) == 2
    assert told.count("overloaded_error") == 4
    busy = [row for row in pair.router.rows(pair.secret) if row["http_status"] == 529]
    assert {(row["status"], len(row["attempts"])) for row in busy} == {("error", 0)}
    pair.first.otherwise = says("from first")
    assert pair.hops(pair.ask()) == [FIRST]


def test_a_place_that_another_process_has_is_taken(pair: Pair) -> None:
    """Its lease stands in Redis; when that process has died, it comes back."""
    pair.change(pair.ids[0], max_concurrency=1)
    redis, name = pair.router.services.redis_sync, f"ccr:places:{pair.ids[0]}"
    redis.zadd(name, {"of another process": 2**52})
    assert pair.hops(pair.ask()) == [SECOND]
    redis.zadd(name, {"of another process": 1})
    assert pair.hops(pair.ask()) == [FIRST]
    assert redis.zcard(name) == 0


def test_a_request_that_cannot_be_asked_keeps_nobody_away_from_an_account_on_trial(pair: Pair) -> None:
    """After a cool-down one request goes ahead; where it fails before it is sent, the next goes in its place."""
    gemini = pair.router.new_credential("gemini", {"api_key": "k"}, name="g", base_url=pair.second.url)
    chain = [
        {"platform": "gemini", "model": "gemini-3.8-flash", "credential_id": gemini},
        {"platform": "sandbox", "model": "sandbox"},
    ]
    secret = pair.router.new_key({"opus": chain})
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s"}
    spent = {"code": 429, "message": "wait", "status": "RESOURCE_EXHAUSTED", "details": [wait]}
    pair.second.otherwise = json_answer({"error": spent}, 429)

    def asked() -> list[str]:
        answer = pair.ask(secret=secret)
        return [attempt["platform"] for attempt in row_of(pair.router, answer)["attempts"]]

    assert asked()[-1] == "sandbox"
    assert asked() == ["sandbox"]
    pair.ahead_s = 65.0
    bad = STREAMED | {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]}
    assert pair.ask(secret=secret, body=bad).status_code == 400
    assert asked()[0] == "gemini"
    pair.second.violations = []


@pytest.mark.parametrize(
    ("change", "begins_anew"),
    [
        ({"auth": {"api_key": UPSTREAM_SECRET}}, True),
        ({"options": {"forward_rate_limits": True}}, True),
        ({"base_url": None}, True),
        ({"options": {}}, False),
        ({"name": "first", "priority": 3}, False),
    ],
    ids=str,
)
def test_a_credential_that_is_changed_begins_anew(pair: Pair, change: dict[str, Any], begins_anew: bool) -> None:
    """What it met, it met with another secret, address or option: block and cool-downs end. Its name changes none."""
    url = f"/api/v1/credentials/{pair.ids[0]}"
    pair.first.script = [THROTTLED]
    pair.ask()
    services = pair.router.services
    credentials.block(services.engine, pair.ids[0], "it said no")
    if change == {"base_url": None}:
        change = {"base_url": pair.first.url.replace("127.0.0.1", "localhost")}
    with pair.router.client(authorization=f"Bearer {pair.router.token()}") as api:
        assert api.get(url).json()["state"]["status"] == "blocked"
        assert api.patch(url, json=change).json()["state"]["status"] == ("ready" if begins_anew else "blocked")
    services.directory._routing = None
    if begins_anew:
        assert pair.hops(pair.ask()) == [FIRST]
    else:
        assert pair.hops(pair.ask()) == [SECOND]


def test_a_whole_answer_with_an_error_inside_counts_as_a_failure(pair: Pair) -> None:
    """Status 200 and JSON, but an error: the next account answers."""
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    pair.first.otherwise, pair.second.otherwise = json_answer(body), json_answer(message("whole"))
    answer = pair.ask(body={**STREAMED, "stream": False})
    assert json.loads(answer.content)["content"][0]["text"] == "whole"
    assert pair.hops(answer) == [("first", "error_in_answer", 200), SECOND]
