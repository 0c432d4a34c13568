"""A key's limits through the whole router: who is refused, how it is told, what the row says."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
from tests.app.asking import ask, assert_own_error
from tests.services import RunningRouter
from tests.upstream import json_answer, message


def test_a_key_over_its_requests_a_minute_is_told_when_to_come_again(router: RunningRouter) -> None:
    """429 with the code and seconds below a minute; the row is `limited` and nothing reaches the platform."""
    secret = router.new_key(limits={"rpm": 2})
    answers = [ask(router, secret) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    text = assert_own_error(answers[2], 429, "rate_limit_error")
    assert "2 requests a minute" in text
    assert answers[2].json()["error"]["details"] == {"error_code": "limit_rpm"}
    assert 1 <= int(answers[2].headers["retry-after"]) <= 59
    assert len(router.upstream.seen) == 2
    row, *_ = router.rows(secret, expect=3)
    assert (row["status"], row["http_status"], row["usage"]) == ("limited", 429, None)


def test_a_used_up_budget_ends_the_repeats(router: RunningRouter) -> None:
    """The request that uses it up still runs; the next is refused until the window ends."""
    router.upstream.otherwise = json_answer(message("dear") | {"usage": {"input_tokens": 300_000, "output_tokens": 1}})
    secret = router.new_key(limits={"spend": {"month": "1.00"}})
    assert ask(router, secret).status_code == 200
    refused = ask(router, secret)
    assert "1.00 USD a month" in assert_own_error(refused, 429, "rate_limit_error")
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers
    assert refused.json()["error"]["details"] == {"error_code": "limit_spend"}


def test_parallel_clients_get_as_many_places_as_there_are(router: RunningRouter) -> None:
    """Twenty at once on two places without a queue, then again with one: first some, then all are served."""

    def at_once(secret: str) -> list[int]:
        with ThreadPoolExecutor(20) as pool:
            return list(pool.map(lambda _: ask(router, secret).status_code, range(20)))

    slow = json_answer(message("slow"))
    router.upstream.otherwise = type(slow)(slow.kind, slow.status, slow.headers, (0.2, *slow.pieces))
    bounded = at_once(router.new_key(limits={"concurrency": 2}))
    assert set(bounded) == {200, 429}
    queued = router.new_key(limits={"concurrency": 5, "queue_s": 20})
    assert at_once(queued) == [200] * 20
    row, *_ = router.rows(queued, expect=20)
    assert row["timings"]["queue_ms"] is not None


def test_limits_are_set_over_the_api_and_bad_ones_are_named(router: RunningRouter) -> None:
    """The stored limits come back as decimal strings; null lifts them all."""
    with router.client(authorization=f"Bearer {router.token()}") as client:
        limits = {"rpm": 60, "concurrency": 3, "queue_s": 5, "spend": {"day": "10.00", "total": 99.5}}
        made = client.post("/api/v1/api-keys", json={"name": "bounded", "limits": limits})
        assert made.status_code == 201, made.text
        assert made.json()["limits"] == limits | {"spend": {"day": "10.00", "total": "99.5"}}
        address = f"/api/v1/api-keys/{made.json()['id']}"
        assert client.patch(address, json={"limits": None}).json()["limits"] == {}
        refused: httpx2.Response = client.patch(address, json={"limits": {"spend": {"hour": 1}}})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "limits.spend.hour"
