"""The addresses beside messages: token counts, models, probes, health, and what is not there."""

import asyncio
from typing import Any

import httpx2
import pytest
from tests.app.asking import BODY, ask, assert_own_error, row_of
from tests.services import RunningRouter
from tests.upstream import json_answer

from ccrouter.storage.directory import CachedDirectory

SANDBOX = [{"platform": "sandbox", "model": "sandbox"}]


def get(router: RunningRouter, path: str, secret: str | None = None) -> httpx2.Response:
    """One GET."""
    with router.client() as client:
        return client.get(path, headers={} if secret is None else {"x-api-key": secret})


def test_tokens_are_counted_by_the_platform(router: RunningRouter) -> None:
    """Under the mapped name; the row is a kind of its own, without usage and cost."""
    router.upstream.script = [json_answer({"input_tokens": 17})]
    secret = router.new_key({"opus": [{"platform": "anthropic", "model": "claude-sonnet-5-5"}]})
    body = {name: BODY[name] for name in ("model", "messages")}
    answer = ask(router, secret, body, path="/proxy/v1/messages/count_tokens?beta=true")
    assert (answer.status_code, answer.json()) == (200, {"input_tokens": 17})
    (seen,) = router.upstream.wait_for(1)
    assert seen.path == "/v1/messages/count_tokens?beta=true"
    assert seen.json == body | {"model": "claude-sonnet-5-5"}
    row = row_of(router, answer)
    assert (row["kind"], row["status"], row["stream"]) == ("count_tokens", "ok", False)
    assert (row["usage"], row["cost"], row["cost_state"]) == (None, None, "none")


def test_counts_come_by_the_dozen(router: RunningRouter) -> None:
    """Claude Code asks for 25 at once."""
    router.upstream.otherwise = json_answer({"input_tokens": 17})
    secret = router.new_key()

    async def at_once() -> list[int]:
        async with httpx2.AsyncClient(base_url=router.url, headers={"x-api-key": secret}, timeout=20) as client:
            answers = await asyncio.gather(*(client.post("/v1/messages/count_tokens", json=BODY) for _ in range(25)))
        return [answer.json()["input_tokens"] for answer in answers]

    assert asyncio.run(at_once()) == [17] * 25
    assert len(router.rows(secret, expect=25)) == 25


def test_the_sandbox_estimates(router: RunningRouter) -> None:
    """An answer of the right shape, and nothing is asked."""
    answer = ask(router, router.new_key({"opus": SANDBOX}), path="/v1/messages/count_tokens")
    assert list(answer.json()) == ["input_tokens"]
    assert answer.json()["input_tokens"] > 0
    assert router.upstream.seen == []


def test_the_list_of_models_has_anthropics_shape(router: RunningRouter) -> None:
    """Claude Code reads `id` and `display_name` and asks for a thousand."""
    page = get(router, "/proxy/v1/models?limit=1000", router.new_key()).json()
    assert set(page) == {"data", "has_more", "first_id", "last_id"}
    ids = [model["id"] for model in page["data"]]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (ids[0], ids[-1], False)
    assert {"claude-opus-5-5", "claude-haiku-4-5"} <= set(ids)
    for model in page["data"]:
        assert set(model) == {
            "type", "id", "display_name", "created_at", "lifecycle", "line", "max_input_tokens", "max_tokens",
            "deprecated_at", "retires_at", "capabilities",
        }  # fmt: skip
        assert model["type"] == "model"


def test_the_list_is_what_the_key_may_ask_for(router: RunningRouter) -> None:
    """Names it may not use, and names that lead nowhere, are left out; plain names of rules are added."""
    mapping = {
        "rules": [{"match": "team-model", "targets": SANDBOX}, {"match": "claude-opus-4-*", "targets": []}],
        "opus": SANDBOX,
        "default": [],
    }
    secret = router.new_key(mapping, allowed_models=["*opus*", "team-*"])
    ids = [model["id"] for model in get(router, "/v1/models?limit=1000", secret).json()["data"]]
    assert ids == ["claude-opus-5-5", "claude-opus-5", "team-model"]


def ids_of(page: dict[str, Any]) -> list[str]:
    """The ids of a page."""
    return [model["id"] for model in page["data"]]


def test_the_list_is_read_in_pages_in_both_directions(router: RunningRouter) -> None:
    """`after_id` goes down, `before_id` up, `has_more` tells whether there is more that way."""
    secret = router.new_key()
    all_ids = ids_of(get(router, "/v1/models?limit=1000", secret).json())
    forward: list[str] = []
    query = "limit=4"
    while True:
        page = get(router, f"/v1/models?{query}", secret).json()
        forward += ids_of(page)
        if not page["has_more"]:
            break
        query = f"limit=4&after_id={page['last_id']}"
    assert all_ids == forward
    page = get(router, f"/v1/models?limit=3&before_id={all_ids[5]}", secret).json()
    assert (all_ids[2:5], True) == (ids_of(page), page["has_more"])
    page = get(router, f"/v1/models?limit=9&before_id={all_ids[2]}", secret).json()
    assert (all_ids[:2], False) == (ids_of(page), page["has_more"])
    page = get(router, "/v1/models?after_id=unknown", secret).json()
    assert page == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1.5", "9" * 5000])
def test_a_page_has_one_to_a_thousand_models(router: RunningRouter, limit: str) -> None:
    """Anything else is told."""
    answer = get(router, f"/v1/models?limit={limit}", router.new_key())
    assert "limit" in assert_own_error(answer, 400, "invalid_request_error")


def test_one_model_is_found_by_its_name(router: RunningRouter) -> None:
    """Escapes in the address are resolved once."""
    secret = router.new_key({"rules": [{"match": "a%2Fb/c", "targets": SANDBOX}], "opus": SANDBOX})
    assert get(router, "/v1/models/claude-opus-5-5", secret).json()["display_name"] == "Claude Opus 5.5"
    assert get(router, "/v1/models/a%252Fb/c", secret).json()["id"] == "a%2Fb/c"
    message = assert_own_error(get(router, "/v1/models/gpt-5", secret), 404, "not_found_error")
    assert message == "model: gpt-5"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/proxy", "/proxy/", "/proxy/api/hello", "/health"])
def test_probes_are_answered_without_a_key_and_leave_no_row(router: RunningRouter, method: str, path: str) -> None:
    """Claude Code asks one at its start."""
    before = router.rows(expect=0)[:1]
    with router.client() as client:
        answer = client.request(method, path)
    assert answer.status_code == 200
    assert bool(answer.content) == (method == "GET")
    assert before == router.rows(expect=0)[:1]


def test_readiness_names_each_part(router: RunningRouter) -> None:
    """Everything is there."""
    answer = get(router, "/health/ready")
    document = answer.json()
    assert (answer.status_code, document["status"], document["postgres"], document["redis"]) == (200, "ok", "ok", "ok")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages/batches"),
        ("GET", "/proxy/v1/files"),
        ("POST", "/v1/complete"),
        ("POST", "/proxyv1/messages"),
        ("POST", "/proxy/proxy/v1/messages"),
        ("POST", "/"),
        ("DELETE", "/v1/models/claude-opus-5-5"),
    ],
)
def test_what_is_not_there_is_a_404_in_the_apis_shape(router: RunningRouter, method: str, path: str) -> None:
    """Never HTML, never a redirect."""
    with router.client() as client:
        answer = client.request(method, path)
    assert path in assert_own_error(answer, 404, "not_found_error")


@pytest.mark.parametrize("path", ["/v1/messages", "/proxy/v1/messages/count_tokens"])
def test_another_method_is_told_the_right_one(router: RunningRouter, path: str) -> None:
    """405 with `allow`."""
    answer = get(router, path)
    assert "POST" in assert_own_error(answer, 405, "invalid_request_error")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/models"])
def test_a_fault_before_the_gateway_keeps_the_apis_shape(
    router: RunningRouter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """What nobody foresaw is a 500 that says so, with its cause in the log of the router only."""

    async def fail(self: CachedDirectory, digest: str) -> None:
        raise RuntimeError("boom")

    secret = router.new_key()
    monkeypatch.setattr(CachedDirectory, "find_key", fail)
    answer = ask(router, secret, path=path) if path == "/v1/messages" else get(router, path, secret)
    assert "boom" not in assert_own_error(answer, 500, "api_error")
    assert "boom" in caplog.text
    if path == "/v1/messages":
        assert row_of(router, answer)["http_status"] == 500
