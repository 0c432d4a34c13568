"""The main job on real sockets, with real PostgreSQL and Valkey: what goes in, what comes out, what is logged."""

import json

from tests.services import RunningRouter
from tests.upstream import json_answer, message, message_events, sse, text

BODY = {"model": "claude-opus-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
VERSION = {"anthropic-version": "2023-06-01"}


def test_a_stream_reaches_the_client_and_its_row_has_tokens_and_cost(router: RunningRouter) -> None:
    """Bytes as the platform sent them; the row's counts are the platform's, its cost theirs times the list price."""
    events = message_events(text("Hello"), input_tokens=1000, cache_read_input_tokens=2000)
    router.upstream.script = [sse(*events)]
    secret = router.new_key()
    with router.client(**VERSION) as client:
        answer = client.post("/proxy/v1/messages", json=BODY | {"stream": True}, headers={"x-api-key": secret})
    assert answer.status_code == 200
    assert answer.content == b"".join(events)
    (row,) = router.rows(secret)
    assert row["status"] == "ok"
    assert row["usage"]["input_tokens"] == 1000
    assert row["usage"]["cache_read_tokens"] == 2000
    assert row["usage"]["output_tokens"] == 7
    # 1000 × 4 + 2000 × 0.20 + 7 × 20 USD per million.
    assert row["cost"]["total"] == "0.00454"
    assert row["cost_state"] == "priced"
    assert row["upstream_request_id"] == "req_upstream"


def test_a_json_answer_is_relayed_and_logged(router: RunningRouter) -> None:
    """Without streaming the body comes whole."""
    router.upstream.script = [json_answer(message("Hello"))]
    secret = router.new_key()
    with router.client(**VERSION) as client:
        answer = client.post("/v1/messages", json=BODY, headers={"authorization": f"Bearer {secret}"})
    assert answer.json() == message("Hello")
    (row,) = router.rows(secret)
    assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == (12, 7)


def test_the_body_that_arrives_is_the_body_that_was_sent(router: RunningRouter) -> None:
    """Every byte, numbers and order included, when the mapping keeps the name."""
    body = b'{"messages":[{"content":"\\u00e9 \xc3\xa9","role":"user"}],  "max_tokens":1e2,"model":"claude-opus-5-5"}'
    secret = router.new_key()
    with router.client(**VERSION) as client:
        client.post(
            "/v1/messages?beta=true",
            content=body,
            headers={"x-api-key": secret, "content-type": "application/json", "anthropic-beta": "one,never-heard-of"},
        )
    (seen,) = router.upstream.wait_for(1)
    assert seen.body == body
    assert seen.path == "/v1/messages?beta=true"
    assert seen.header("anthropic-beta") == "one,never-heard-of"


def test_a_mapped_name_is_all_that_changes(router: RunningRouter) -> None:
    """The platform gets the mapped model, the row keeps both names."""
    target = {"platform": "anthropic", "model": "claude-sonnet-5-5"}
    secret = router.new_key({"opus": [target]})
    with router.client(**VERSION) as client:
        client.post("/v1/messages", json=BODY, headers={"x-api-key": secret})
    (seen,) = router.upstream.wait_for(1)
    assert json.loads(seen.body) == BODY | {"model": "claude-sonnet-5-5"}
    (row,) = router.rows(secret)
    assert (row["requested_model"], row["slot"], row["model"]) == ("claude-opus-5-5", "opus", "claude-sonnet-5-5")
