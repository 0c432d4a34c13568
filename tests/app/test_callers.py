"""Who may ask: keys in either header, and what a key is bound to (anthropic-messages.md §2.1, §9.2)."""

from datetime import timedelta
from typing import Any

import pytest
from tests.app.asking import ask, assert_own_error, row_of
from tests.services import RunningRouter

from ccrouter.access.keys import digest, new_secret
from ccrouter.clock import utc_now
from ccrouter.storage import keys, users

PAST = utc_now() - timedelta(seconds=1)
FUTURE = utc_now() + timedelta(hours=1)


def key_id(router: RunningRouter, secret: str) -> str:
    """The id of a key."""
    found = keys.find_by_digest(router.services.engine, digest(secret))
    assert found is not None
    return found.id


def dead_secrets(router: RunningRouter) -> dict[str, str | None]:
    """Every kind of secret that is not good."""
    engine = router.services.engine
    deleted = router.new_key()
    keys.soft_delete(engine, key_id(router, deleted))
    sleeper = users.create(engine, f"sleeper-{new_secret()[-8:]}", status="disabled")
    orphan = new_secret()
    keys.create(engine, sleeper.id, orphan, {"name": "of somebody who is disabled"})
    return {
        "none": None,
        "empty": "",
        "unknown": new_secret(),
        "foreign": "sk-ant-api03-something",
        "disabled": router.new_key(enabled=False),
        "expired": router.new_key(expires_at=PAST),
        "deleted": deleted,
        "of a disabled user": orphan,
    }


def test_every_bad_key_gets_the_same_answer(router: RunningRouter) -> None:
    """Nobody learns whether a key exists; clients do not repeat; nothing reaches the platform."""
    messages = set()
    for kind, secret in dead_secrets(router).items():
        answer = ask(router, secret)
        messages.add(assert_own_error(answer, 401, "authentication_error"))
        assert answer.headers["x-should-retry"] == "false", kind
        row = row_of(router, answer)
        assert (row["status"], row["http_status"], row["key"], row["usage"]) == ("error", 401, None, None), kind
        assert row["error"]["type"] == "authentication_error"
    assert len(messages) == 1
    assert router.upstream.seen == []


@pytest.mark.parametrize(
    "path", ["/v1/messages", "/proxy/v1/messages/count_tokens?beta=true", "/v1/messages/count_tokens"]
)
def test_no_address_of_the_api_is_open(router: RunningRouter, path: str) -> None:
    """Each wants a key."""
    assert_own_error(ask(router, path=path), 401, "authentication_error")


@pytest.mark.parametrize("path", ["/v1/models", "/proxy/v1/models/claude-opus-5-5"])
def test_the_list_of_models_is_not_open(router: RunningRouter, path: str) -> None:
    """It tells what a key may do, so it wants one."""
    with router.client() as client:
        answer = client.get(path)
    assert_own_error(answer, 401, "authentication_error")
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_key_is_taken_from_either_header(router: RunningRouter, scheme: str) -> None:
    """SDKs send it as Bearer, Claude Code as x-api-key."""
    secret = router.new_key()
    assert ask(router, None, authorization=f"{scheme} {secret}").status_code == 200
    assert ask(router, secret).status_code == 200


def test_of_two_good_keys_the_bearer_one_counts(router: RunningRouter) -> None:
    """Claude Code with both variables set sends both."""
    bearer, other = router.new_key(), router.new_key()
    answer = ask(router, other, authorization=f"Bearer {bearer}")
    assert key_id(router, bearer) == row_of(router, answer)["key"]["id"]


@pytest.mark.parametrize("foreign", ["sk-ant-oat01-abc", "sk-ant-api03-abc", "dead"])
def test_beside_a_foreign_bearer_the_api_key_counts(router: RunningRouter, foreign: str) -> None:
    """A token of Anthropic's own, or a key that is no longer good, does not stand in the way of a good one."""
    good = router.new_key()
    token = router.new_key(enabled=False) if foreign == "dead" else foreign
    answer = ask(router, good, authorization=f"Bearer {token}")
    assert answer.status_code == 200
    assert key_id(router, good) == row_of(router, answer)["key"]["id"]


def test_an_anthropic_sign_in_is_no_key(router: RunningRouter) -> None:
    """Tokens of Anthropic accounts are never passed through."""
    assert_own_error(ask(router, None, authorization="Bearer sk-ant-oat01-abc"), 401, "authentication_error")


def test_a_key_that_ends_later_works_now(router: RunningRouter) -> None:
    """Only a past expiry ends a key."""
    assert ask(router, router.new_key(expires_at=FUTURE)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"allowed_models": ["claude-haiku-*", "claude-sonnet-5-5"]}, "claude-haiku-*"),
        ({"allowed_clients": ["claude-cli/*"]}, "claude-cli/*"),
        ({"allowed_ips": ["10.0.0.0/8", "2001:db8::/32"]}, "10.0.0.0/8"),
    ],
)
def test_what_a_key_is_bound_to_is_told_and_not_repeated(
    router: RunningRouter, fields: dict[str, Any], named: str
) -> None:
    """403 that names the bound; the row belongs to the key; nothing reaches the platform."""
    secret = router.new_key(**fields)
    answer = ask(router, secret)
    assert named in assert_own_error(answer, 403, "permission_error")
    assert answer.headers["x-should-retry"] == "false"
    row = row_of(router, answer)
    assert (row["key"]["id"], row["status"], row["http_status"]) == (key_id(router, secret), "error", 403)
    assert router.upstream.seen == []


def test_within_its_bounds_a_key_works(router: RunningRouter) -> None:
    """Model, client and network all fit."""
    secret = router.new_key(
        allowed_models=["claude-opus-*"], allowed_clients=["claude-cli/*"], allowed_ips=["127.0.0.0/8"]
    )
    assert ask(router, secret, user_agent="claude-cli/2.1.330 (external, cli)").status_code == 200


def test_bounds_of_client_and_network_hold_for_the_list_of_models(router: RunningRouter) -> None:
    """The list is asked with the same key."""
    with router.client() as client:
        answer = client.get("/v1/models", headers={"x-api-key": router.new_key(allowed_ips=["10.0.0.1"])})
    assert_own_error(answer, 403, "permission_error")


def test_an_unknown_model_is_named_with_the_slots_of_the_key(router: RunningRouter) -> None:
    """The message begins as Claude Code expects it."""
    secret = router.new_key({"opus": [], "haiku": [{"platform": "sandbox", "model": "sandbox"}]})
    answer = ask(router, secret)
    message = assert_own_error(answer, 404, "not_found_error")
    assert message.startswith("model: claude-opus-5-5")
    assert "haiku" in message
    assert "x-should-retry" not in answer.headers
    row = row_of(router, answer)
    assert (row["requested_model"], row["slot"], row["attempts"]) == ("claude-opus-5-5", "opus", [])


def test_a_mapping_without_a_credential_is_the_administrators_matter(router: RunningRouter) -> None:
    """503 at once: repeating does not help."""
    pinned = {"platform": "anthropic", "model": "m", "credential_id": router.admin.id}
    answer = ask(router, router.new_key({"opus": [pinned]}))
    assert "administrator" in assert_own_error(answer, 503, "api_error")
    assert answer.headers["x-should-retry"] == "false"
