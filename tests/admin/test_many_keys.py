"""Keys over the admin API, further: found by filters, changed many at once, tried, and what their mappings lack."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site, assert_problem
from tests.app.asking import ask
from tests.upstream import json_answer, message

from ccrouter.access.keys import digest
from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage import credentials, keys
from ccrouter.storage.users import User

KEYS = "/api/v1/api-keys"
SANDBOX = [{"platform": "sandbox", "model": "sandbox"}]


def make(api: httpx2.Client, **fields: Any) -> dict[str, Any]:
    """A new key as the API answers."""
    answer = api.post(KEYS, json={"name": "k"} | fields)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def batch(api: httpx2.Client, made: list[dict[str, Any]], **fields: Any) -> httpx2.Response:
    """One change of these keys."""
    return api.post(f"{KEYS}/batch", json={"ids": [key["id"] for key in made]} | fields)


def test_a_former_secret_works_for_its_grace(site: Site, api: httpx2.Client) -> None:
    """Both secrets do until then; a second rotation ends the first one's."""
    key = make(api, mapping={"opus": SANDBOX})
    url = f"{KEYS}/{key['id']}"
    second = api.post(f"{url}/rotate", json={"grace_s": 3600}).json()
    assert second["former_secret_until"] > f"{utc_now():%Y-%m-%dT%H:%M}"
    assert api.get(url).json()["former_secret_until"] == second["former_secret_until"]
    assert [ask(site.router, secret).status_code for secret in (key["key"], second["key"])] == [200, 200]
    third = api.post(f"{url}/rotate", json={"grace_s": 3600}).json()
    # As 5 seconds later: this process remembers keys for so long.
    site.router.services.directory._keys.clear()
    secrets = (key["key"], second["key"], third["key"])
    assert [ask(site.router, secret).status_code for secret in secrets] == [401, 200, 200]
    assert api.post(f"{url}/rotate").json()["former_secret_until"] is None
    site.router.services.directory._keys.clear()
    assert ask(site.router, third["key"]).status_code == 401


def test_a_grace_ends_by_itself(site: Site, api: httpx2.Client) -> None:
    """To the second: the proxy's copy of the key says when."""
    key = make(api, mapping={"opus": SANDBOX})
    api.post(f"{KEYS}/{key['id']}/rotate", json={"grace_s": 1})
    found = keys.find_by_digest(site.router.services.engine, digest(key["key"]))
    assert found is not None
    assert found.expires_at is not None
    assert found.is_alive(utc_now())
    assert not found.is_alive(found.expires_at)


def test_to_disable_a_key_ends_its_former_secret_for_good(site: Site, api: httpx2.Client) -> None:
    """It does not come back when the key is enabled again."""
    key = make(api, mapping={"opus": SANDBOX})
    url = f"{KEYS}/{key['id']}"
    secret = api.post(f"{url}/rotate", json={"grace_s": 3600}).json()["key"]
    assert api.patch(url, json={"enabled": False}).json()["former_secret_until"] is None
    api.patch(url, json={"enabled": True})
    assert ask(site.router, key["key"]).status_code == 401
    assert ask(site.router, secret).status_code == 200


@pytest.mark.parametrize("grace_s", [-1, 31 * 24 * 3600, "soon"])
def test_a_grace_that_cannot_be_is_refused(api: httpx2.Client, grace_s: object) -> None:
    """A month at most."""
    url = f"{KEYS}/{make(api)['id']}/rotate"
    assert_problem(api.post(url, json={"grace_s": grace_s}), 422, "invalid", "grace_s")


def test_keys_are_found_by_what_is_known_of_them(api: httpx2.Client, member: User) -> None:
    """By part of a text, tag, owner, state and platform; filters add up."""
    word = uuid7().hex
    named = make(api, name=f"laptop {word.upper()}")
    tagged = make(api, tags=[f"t-{word}", "other"], enabled=False)
    noted = make(api, note=f"for {word}", owner_id=member.id)
    mapped = make(api, name=word, mapping={"rules": [{"match": "x*", "targets": SANDBOX}]})

    def found(**filters: Any) -> list[str]:
        return [item["id"] for item in api.get(KEYS, params=filters).json()["items"]]

    newest_first = [mapped["id"], noted["id"], tagged["id"], named["id"]]
    assert found(q=word) == newest_first
    assert found(q=named["prefix"]) == [named["id"]]
    assert found(q=f"{word}%") == []
    assert found(tag=f"t-{word}") == [tagged["id"]]
    assert found(tag=f"t-{word}", enabled=True) == []
    assert found(q=word, enabled=False) == [tagged["id"]]
    assert found(owner=member.login) == found(owner=member.id) == [noted["id"]]
    assert found(q=word, platform="sandbox") == [mapped["id"]]
    assert found(owner="nobody") == found(owner=str(uuid7())) == []


def test_a_mapping_that_leads_nowhere_is_kept_and_warned_of(site: Site, api: httpx2.Client) -> None:
    """Each target by its path, with the reason; the sandbox needs nobody."""
    off = site.router.new_credential("gemini", {"api_key": "x"}, name="off", enabled=False)
    site.router.new_credential("gemini", {"api_key": "x"}, name="on", models=["gemini-3-pro"])
    warned = make(
        api,
        mapping={
            "opus": [*SANDBOX, {"platform": "vertex", "model": "m"}],
            "haiku": [{"platform": "gemini", "model": "other"}, {"platform": "gemini", "model": "gemini-3-pro"}],
            "rules": [{"match": "x", "targets": [{"platform": "gemini", "model": "m", "credential_id": off}]}],
        },
    )["warnings"]
    assert {item["field"]: item["code"] for item in warned} == {
        "mapping.opus[1]": "no_credential",
        "mapping.haiku[0]": "model_not_served",
        "mapping.rules[0].targets[0]": "disabled",
    }
    assert all(item["message"].endswith(".") for item in warned)
    assert make(api, mapping={"opus": SANDBOX})["warnings"] == []


def test_a_blocked_account_is_warned_of_until_its_block_ends(site: Site, api: httpx2.Client) -> None:
    """One that holds, one that ends by itself, one that has ended."""
    services, model = site.router.services, f"m-{uuid7().hex}"
    account = site.router.new_credential("gemini", {"api_key": "x"}, name="blocked", models=[model])
    key = make(api, mapping={"opus": [{"platform": "gemini", "model": model}]})
    for until, codes in ((None, ["blocked"]), (timedelta(hours=1), ["blocked"]), (timedelta(hours=-1), [])):
        credentials.block(services.engine, account, "used up", until=None if until is None else utc_now() + until)
        found = api.get(f"{KEYS}/{key['id']}").json()["warnings"]
        assert [item["code"] for item in found] == codes


def test_many_keys_are_changed_at_once(site: Site, api: httpx2.Client) -> None:
    """Every member that a batch may set, each key by itself; what is so already is unchanged."""
    made = [make(api, tags=["a"]), make(api, tags=["b", "c"])]
    changes = {"limits": {"rpm": 5}, "mapping": {"opus": SANDBOX}, "expires_at": "2099-01-01T00:00:00.000Z"}
    answer = batch(api, made, enabled=False, add_tags=["c", "d"], remove_tags=["b"], **changes)
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [(item["id"], item["result"]) for item in items] == [(key["id"], "changed") for key in made]
    assert [item["key"]["tags"] for item in items] == [["a", "c", "d"], ["c", "d"]]
    for item in items:
        assert {name: item["key"][name] for name in changes} == changes
        assert item["key"]["enabled"] is False
    assert ask(site.router, made[0]["key"]).status_code == 401
    again = batch(api, made, enabled=False, add_tags=["c", "d"]).json()["items"]
    assert [item["result"] for item in again] == ["unchanged", "unchanged"]
    for key in made:
        entries = api.get("/api/v1/audit", params={"object_id": key["id"], "action": "key.change"}).json()["items"]
        assert len(entries) == 1
        assert entries[0]["after"]["enabled"] is False


def test_many_keys_are_deleted_at_once(site: Site, api: httpx2.Client) -> None:
    """They can be restored."""
    made = [make(api), make(api)]
    items = batch(api, made, delete=True).json()["items"]
    assert [(item["result"], item["key"]) for item in items] == [("deleted", None)] * 2
    assert ask(site.router, made[1]["key"]).status_code == 401
    assert api.post(f"{KEYS}/{made[0]['id']}/restore").status_code == 200


def test_where_one_key_cannot_be_changed_none_is(api: httpx2.Client) -> None:
    """Each that stood in the way is named."""
    made, gone = make(api), make(api)
    api.delete(f"{KEYS}/{gone['id']}")
    answer = batch(api, [gone, made, {"id": "nonsense"}, made], enabled=False)
    assert_problem(answer, 422, "invalid", "ids[0]", "ids[2]", "ids[3]")
    assert api.get(f"{KEYS}/{made['id']}").json()["enabled"] is True


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "body"),
        ({"delete": True, "enabled": True}, "body"),
        ({"ids": []}, "ids"),
        ({"ids": ["x"] * 201}, "ids"),
        ({"name": "x"}, "name"),
        ({"limits": {"rpm": 0}}, "limits.rpm"),
        ({"mapping": {"opus": [{"platform": "nowhere", "model": "m"}]}}, "mapping.opus[0].platform"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"add_tags": [""]}, "add_tags[0]"),
    ],
    ids=str,
)
def test_a_batch_that_cannot_be_is_named(api: httpx2.Client, fields: dict[str, Any], named: str) -> None:
    """Nothing is changed."""
    key = make(api)
    assert_problem(batch(api, [key], **fields), 422, "invalid", named)
    assert api.get(f"{KEYS}/{key['id']}").json()["enabled"] is True


def test_a_key_is_tried_with_a_real_request(site: Site, api: httpx2.Client) -> None:
    """Through its mapping; one row of kind test, which is the key's, and costs what it costs."""
    site.router.upstream.otherwise = json_answer(message("x"))
    model = {"platform": "anthropic", "model": "claude-haiku-4-5", "credential_id": site.router.credential_id}
    key = make(api, mapping={"opus": [model]})
    tried = api.post(f"{KEYS}/{key['id']}/test", json={"model": "claude-opus-5-5"}).json()
    assert (tried["ok"], tried["http_status"], tried["error"]) == (True, 200, None)
    assert (tried["slot"], tried["platform"], tried["model"]) == ("opus", "anthropic", "claude-haiku-4-5")
    assert [(item["credential"], item["outcome"]) for item in tried["attempts"]] == [("fake platform", "ok")]
    assert site.router.upstream.seen[-1].json["max_tokens"] == 1
    row = api.get(f"/api/v1/logs/{tried['log_id']}").json()
    assert (row["kind"], row["key"]["id"], row["cost"]["total"]) == ("test", key["id"], tried["cost"])
    assert api.get(f"{KEYS}/{key['id']}").json()["month"] == {"cost": tried["cost"], "requests": 1}


def test_a_key_that_leads_nowhere_says_so_when_tried(api: httpx2.Client) -> None:
    """What a client would get, and why clients fare otherwise."""
    key = make(api, mapping={"opus": []}, enabled=False, allowed_ips=["10.0.0.0/8"])
    tried = api.post(f"{KEYS}/{key['id']}/test", json={"model": "claude-opus-5-5"}).json()
    assert (tried["ok"], tried["http_status"], tried["error"]["type"]) == (False, 404, "not_found_error")
    assert tried["attempts"] == []
    assert len(tried["warnings"]) == 2
    assert_problem(api.post(f"{KEYS}/{uuid7()}/test"), 404, "not_found")
    assert_problem(api.post(f"{KEYS}/{key['id']}/test", json={"model": "{}"}), 422, "invalid", "model")


def test_trying_a_key_is_bound_by_its_limits(api: httpx2.Client) -> None:
    """It is a request of the key as any other."""
    key = make(api, mapping={"opus": SANDBOX}, limits={"rpm": 1})
    answers = [api.post(f"{KEYS}/{key['id']}/test", json={"model": "claude-opus-5-5"}).json() for _ in range(2)]
    assert [answer["http_status"] for answer in answers] == [200, 429]
