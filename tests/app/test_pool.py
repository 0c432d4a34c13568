"""Several credentials behind one key, on a real router: hops, cool-downs, blocks, and the way back."""

import time
from typing import Any

import pytest
from tests.app.asking import STREAMED, assert_own_error, row_of
from tests.app.pair import FIRST, SECOND, Pair
from tests.upstream import Answer, error, event, json_answer, message, sse

from ccrouter.ids import uuid7
from ccrouter.storage import credentials

THROTTLED = error(429, "rate_limit_error", "slow down", retry_after="30")
BROKEN = error(500, "api_error", "broken")
FAILED_AT_ONCE = sse(event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}))
THINKS = {
    "role": "assistant",
    "content": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "text", "text": "x"}],
}


def test_when_one_credential_is_killed_the_request_succeeds_and_the_row_shows_the_hop(pair: Pair) -> None:
    """The client notices nothing."""
    assert "from first" in pair.ask().text
    pair.first.otherwise = error(503, "api_error", "gone")
    answer = pair.ask()
    assert answer.status_code == 200
    assert "from second" in answer.text
    assert pair.hops(answer) == [("first", "refused", 503), SECOND]


def test_a_cool_down_is_kept_and_the_preferred_credential_comes_back(pair: Pair) -> None:
    """Not asked until the time it named, then asked first again."""
    pair.first.script = [THROTTLED]
    assert pair.hops(pair.ask()) == [("first", "refused", 429), SECOND]
    for conversation in ("c", "d"):
        assert pair.hops(pair.ask(conversation)) == [SECOND]
    pair.ahead_s = 29.0
    assert pair.hops(pair.ask()) == [SECOND]
    pair.ahead_s = 31.0
    assert pair.hops(pair.ask()) == [FIRST]
    assert pair.hops(pair.ask("d")) == [FIRST]


def test_a_chain_skips_a_target_that_cools_down(pair: Pair) -> None:
    """Also where the credentials are targets of their own."""
    model = credentials.get(pair.router.services.engine, pair.ids[0])
    assert model is not None
    assert model.models is not None
    chain = [{"platform": "anthropic", "model": model.models[0], "credential_id": each} for each in pair.ids]
    secret = pair.router.new_key({"opus": chain})
    pair.first.script = [THROTTLED]
    assert pair.hops(pair.ask(secret=secret)) == [("first", "refused", 429), SECOND]
    assert pair.hops(pair.ask(secret=secret)) == [SECOND]


@pytest.mark.parametrize("answer", [FAILED_AT_ONCE, sse(event("ping", {"type": "ping"}))], ids=["error", "cut"])
def test_a_success_whose_first_event_is_an_error_is_a_failure(pair: Pair, answer: Answer) -> None:
    """The next credential answers; what says that it is busy is left alone for five seconds."""
    pair.first.script = [answer]
    first = pair.ask()
    assert "from second" in first.text
    outcomes = [hop[1] for hop in pair.hops(first)]
    assert outcomes == [("error_in_answer" if answer is FAILED_AT_ONCE else "broken"), "ok"]
    if answer is FAILED_AT_ONCE:
        assert pair.hops(pair.ask()) == [SECOND]
        pair.ahead_s = 6.0
    assert pair.hops(pair.ask()) == [FIRST]


def test_faults_bench_a_credential_only_when_two_conversations_see_them(pair: Pair) -> None:
    """One conversation may be its own fault, however often it fails."""
    pair.first.script = [BROKEN] * 5
    for _ in range(4):
        assert pair.hops(pair.ask("one")) == [("first", "refused", 500), SECOND]
    assert pair.hops(pair.ask("two")) == [("first", "refused", 500), SECOND]
    assert pair.hops(pair.ask("one")) == [SECOND]
    pair.ahead_s = 6.0
    assert pair.hops(pair.ask("one")) == [FIRST]


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_fault_of_the_request_cools_nothing(pair: Pair, status: int) -> None:
    """One bad conversation must not bench a credential."""
    pair.first.script = [error(status, "invalid_request_error", "bad")] * 4
    for conversation in "abcd":
        assert pair.ask(conversation).status_code == status
    assert pair.hops(pair.ask()) == [FIRST]


def test_a_refusal_blocks_and_asks_no_other_account_of_the_platform(pair: Pair) -> None:
    """The client gets our 503; the reason is stored for everybody, and the next request goes to the other account."""
    pair.first.script = [error(403, "permission_error", "Your account has been suspended.")]
    refused = pair.ask()
    assert "administrator" in assert_own_error(refused, 503, "api_error")
    assert refused.headers["x-should-retry"] == "false"
    assert pair.second.seen == []
    stored = pair.wait_for_block(pair.ids[0])
    assert (stored.blocked_reason, stored.blocked_until) == ("Your account has been suspended.", None)
    assert pair.hops(pair.ask()) == [SECOND]


def test_a_refusal_goes_on_to_a_target_of_another_platform(pair: Pair) -> None:
    """The chain's next place answers."""
    pair.first.script = [error(403, "permission_error", "Your account has been suspended.")]
    chain = [
        {"platform": "anthropic", "model": "m", "credential_id": pair.ids[0]},
        {"platform": "sandbox", "model": "sandbox"},
    ]
    services, model = pair.router.services, f"m-{uuid7().hex}"
    credentials.change(services.engine, services.vault, pair.ids[0], {"models": [model]})
    services.directory._routing = None
    chain[0]["model"] = model
    answer = pair.ask(secret=pair.router.new_key({"opus": chain}))
    assert answer.status_code == 200
    platforms = [(attempt["platform"], attempt["outcome"]) for attempt in row_of(pair.router, answer)["attempts"]]
    assert platforms == [("anthropic", "refused"), ("sandbox", "ok")]


def test_where_all_are_blocked_the_client_is_told_not_to_repeat(pair: Pair) -> None:
    """503 where somebody must act; 429 with the time where a quota fills again."""
    refusal = error(402, "billing_error", "pay first")
    pair.first.script, pair.second.script = [refusal], [refusal]
    assert_own_error(pair.ask(), 503, "api_error")
    again = pair.ask()
    assert "blocked" in assert_own_error(again, 503, "api_error")
    assert again.headers["x-should-retry"] == "false"
    assert (len(pair.first.seen), len(pair.second.seen)) == (1, 1)


def test_a_used_up_quota_is_told_with_its_reset(pair: Pair) -> None:
    """Nobody is asked in vain until then, and the block ends by itself."""
    document = {
        "type": "error",
        "error": {
            "type": "rate_limit_error",
            "message": "spent",
            "details": {"error_code": "enforced_spend_limit_reached"},
        },
    }
    used_up = json_answer(document, 429, [("retry-after", "7200")])
    pair.first.script, pair.second.script = [used_up], [used_up]
    assert pair.ask().status_code == 429
    answer = pair.ask()
    assert "filled again at" in assert_own_error(answer, 429, "rate_limit_error")
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    assert (len(pair.first.seen), len(pair.second.seen)) == (1, 1)
    assert pair.wait_for_block(pair.ids[0]).blocked_until is not None
    pair.ahead_s = 7300.0
    assert pair.hops(pair.ask()) == [FIRST]


def test_a_single_credential_behaves_as_if_no_router_were_there(pair: Pair) -> None:
    """Its errors are relayed, each time, also while it cools down."""
    secret = pair.router.key_for_platform(pair.first.url)
    pair.first.otherwise = THROTTLED
    pair.first.violations = []
    for _ in range(3):
        answer = pair.ask(secret=secret)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
        assert answer.json()["error"]["message"] == "slow down"
    assert len(pair.first.seen) == 3
    # That key's credential has another secret than this platform checks for.
    pair.first.violations = []


def test_conversations_are_shared_out_by_weight_and_stay(pair: Pair) -> None:
    """Among equals; a conversation finds its credential again, as the prompt cache needs it."""
    services = pair.router.services
    for credential_id, weight in zip(pair.ids, (1, 3), strict=True):
        credentials.change(services.engine, services.vault, credential_id, {"priority": 1, "weight": weight})
    services.directory._routing = None
    for number in range(40):
        pair.ask(f"conversation-{number}", body=None)
    shared = len(pair.second.seen)
    assert 20 <= shared <= 39
    for number in range(40):
        pair.ask(f"conversation-{number}")
    assert (len(pair.first.seen), len(pair.second.seen)) == (2 * (40 - shared), 2 * shared)


def test_a_conversation_that_moved_is_healed_of_foreign_thinking_once(pair: Pair) -> None:
    """A 400 about a signature is repeated without thinking where the conversation was answered elsewhere, else
    relayed: Claude Code heals it."""
    objection = error(400, "invalid_request_error", "messages.1.content.0: Invalid `signature` in `thinking` block")
    history = [{"role": "user", "content": "hi"}, THINKS, {"role": "user", "content": "go on"}]
    body = STREAMED | {"messages": history}
    pair.first.script = [objection]
    assert pair.ask("stays", body=body).status_code == 400
    pair.first.reset()
    pair.first.script = [THROTTLED]
    assert pair.hops(pair.ask("moves")) == [("first", "refused", 429), SECOND]
    pair.ahead_s = 31.0
    pair.first.reset()
    pair.first.script = [objection]
    answer = pair.ask("moves", body=body)
    assert answer.status_code == 200
    assert pair.hops(answer) == [("first", "refused", 400), FIRST]
    assert b"signature" not in pair.first.seen[-1].body


def test_a_whole_answer_hops_like_a_stream(pair: Pair) -> None:
    """JSON asked for, JSON given."""
    pair.first.script = [THROTTLED]
    pair.second.otherwise = json_answer(message("whole"))
    answer = pair.ask(body={**STREAMED, "stream": False})
    assert answer.json()["content"][0]["text"] == "whole"


def test_the_administrator_sees_why_a_credential_rests_and_lets_it_begin_anew(pair: Pair) -> None:
    """Cooling with reason and end, blocked with reason; after a reset it is asked first again."""
    url = f"/api/v1/credentials/{pair.ids[0]}"
    pair.first.script = [THROTTLED, error(403, "permission_error", "Your account has been suspended.")]
    with pair.router.client(authorization=f"Bearer {pair.router.token()}") as api:

        def state(expected: str) -> dict[str, Any]:
            give_up = time.monotonic() + 5
            while True:
                found: dict[str, Any] = api.get(url).json()["state"]
                if found["status"] == expected or time.monotonic() > give_up:
                    return found
                time.sleep(0.02)

        pair.ask()
        cooling = state("cooling")
        assert cooling["status"] == "cooling"
        assert "slow down" in cooling["reason"]
        assert cooling["until"] is not None
        assert api.post(f"{url}/reset").json()["status"] == "ready"
        assert state("ready") == {"status": "ready", "reason": None, "until": None}
        assert pair.ask().status_code == 503
        pair.wait_for_block(pair.ids[0])
        blocked = {"status": "blocked", "reason": "Your account has been suspended.", "until": None}
        assert state("blocked") == blocked
        health = api.get(f"{url}/health").json()
        assert health["state"] == blocked
        assert api.post(f"{url}/reset").json()["status"] == "ready"
        pair.router.services.directory._routing = None
        assert pair.hops(pair.ask()) == [FIRST]
        health = api.get(f"{url}/health").json()
        assert api.post("/api/v1/credentials/none/reset").status_code == 404
        assert api.get("/api/v1/credentials/none/health").status_code == 404
    assert len(health["half_hours"]) == 48
    # The two may lie on either side of a half hour's end.
    assert [sum(each[name] for each in health["half_hours"]) for name in ("attempts", "failed")] == [3, 2]
    told = [(each["outcome"], each["status"], each["reason"]) for each in health["last_errors"]]
    assert told == [("refused", 403, "Your account has been suspended."), ("refused", 429, "slow down")]


def test_the_administrator_sees_where_a_name_leads(pair: Pair) -> None:
    """By a key's mapping or a given one: rule, slot, and the chain."""
    target = {"platform": "sandbox", "model": "s", "credential_id": None, "effort": None}
    mapping = {
        "rules": [{"match": "x-*", "targets": []}],
        "opus": [{"platform": "sandbox", "model": "s"}],
    }
    passed = {"platform": "anthropic", "model": "other", "credential_id": None, "effort": None}
    with pair.router.client(authorization=f"Bearer {pair.router.token()}") as api:

        def resolved(model: str, **fields: Any) -> Any:
            return api.post("/api/v1/mappings/resolve", json={"model": model, **fields}).json()

        assert resolved("claude-opus-5-5", mapping=mapping) == {"rule": None, "slot": "opus", "targets": [target]}
        assert resolved("x-1", mapping=mapping) == {"rule": "x-*", "slot": None, "targets": []}
        assert resolved("other") == {"rule": None, "slot": None, "targets": [passed]}
        key_id = api.get("/api/v1/api-keys").json()["items"][0]["id"]
        assert resolved("opus", key_id=key_id)["targets"][0]["model"].startswith("m-")
        assert resolved("opus", key_id="none")["errors"][0]["field"] == "key_id"
        assert resolved("opus", mapping={"opus": {}})["errors"][0]["field"] == "mapping.opus"
