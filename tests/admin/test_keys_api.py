"""API keys over the admin API: what can be set, what is refused, who sees what."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site, assert_problem
from tests.app.asking import ask

from ccrouter.clock import rfc3339, utc_now
from ccrouter.ids import uuid7
from ccrouter.storage.users import User

KEYS = "/api/v1/api-keys"
SANDBOX = [{"platform": "sandbox", "model": "sandbox"}]
MEMBERS = {
    "id", "name", "prefix", "owner", "enabled", "expires_at", "tags", "mapping", "limits", "allowed_models",
    "allowed_clients", "allowed_ips", "capture", "note", "month", "warnings", "former_secret_until", "created_at",
    "last_used_at", "deleted_at",
}  # fmt: skip


def make(api: httpx2.Client, **fields: Any) -> dict[str, Any]:
    """A new key as the API answers."""
    answer = api.post(KEYS, json={"name": "k"} | fields)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_a_key_is_shown_once_and_works(site: Site, api: httpx2.Client) -> None:
    """Its secret is in the answer that makes it, and nowhere else."""
    answer = api.post(KEYS, json={"name": " laptop ", "mapping": {"opus": SANDBOX}})
    made = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"{KEYS}/{made['id']}")
    assert set(made) == MEMBERS | {"key"}
    assert (made["name"], made["owner"]["login"], made["enabled"]) == ("laptop", "admin", True)
    assert made["key"].startswith(made["prefix"])
    assert len(made["key"]) == 50
    assert made["month"] == {"cost": "0", "requests": 0}
    found = api.get(f"{KEYS}/{made['id']}")
    assert found.json() == {name: value for name, value in made.items() if name != "key"}
    assert found.headers["etag"] == answer.headers["etag"]
    assert made["key"] not in api.get(KEYS).text
    assert ask(site.router, made["key"]).status_code == 200


def test_every_member_can_be_set_and_changed(api: httpx2.Client) -> None:
    """At once or one by one; what is left out stays."""
    fields = {
        "name": "full",
        "enabled": False,
        "expires_at": "2099-01-01T00:00:00.000Z",
        "tags": ["a", "b"],
        "mapping": {
            "opus": SANDBOX, "haiku": None, "rules": [{"match": "x-*", "targets": SANDBOX}], "default": [],
        },
        "allowed_models": ["claude-*"],
        "allowed_clients": ["claude-cli/*"],
        "allowed_ips": ["10.0.0.0/8", "::1"],
        "note": "for the build",
    }  # fmt: skip
    made = make(api, **fields)
    assert {name: made[name] for name in fields} == fields
    url = f"{KEYS}/{made['id']}"
    assert api.patch(url, json={"note": None, "expires_at": None}).status_code == 200
    empty: dict[str, Any] = {"tags": [], "allowed_models": [], "allowed_clients": [], "allowed_ips": [], "mapping": {}}
    changed = api.patch(url, json=empty).json()
    expected = fields | empty | {"note": None, "expires_at": None}
    assert {name: changed[name] for name in fields} == expected


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"name": None}, "name"),
        ({"colour": "red"}, "colour"),
        ({"enabled": None}, "enabled"),
        ({"enabled": "perhaps"}, "enabled"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"tags": None}, "tags"),
        ({"tags": ["", "x"]}, "tags[0]"),
        ({"tags": ["x"] * 51}, "tags"),
        ({"allowed_ips": ["10.0.0.0/8", "10.0.0.0/99"]}, "allowed_ips[1]"),
        ({"allowed_ips": ["host.example"]}, "allowed_ips[0]"),
        ({"allowed_models": [" "]}, "allowed_models[0]"),
        ({"allowed_models": "claude-*"}, "allowed_models"),
        ({"note": "n" * 2001}, "note"),
        ({"capture": "everything"}, "capture"),
        ({"mapping": []}, "mapping"),
        ({"mapping": {"opus": SANDBOX[0]}}, "mapping.opus"),
        ({"mapping": {"opus": [{"platform": "sandbox"}]}}, "mapping.opus[0]"),
        ({"mapping": {"opus": [*SANDBOX, {"platform": "nowhere", "model": "m"}]}}, "mapping.opus[1].platform"),
        ({"mapping": {"rules": [{"match": "", "targets": []}]}}, "mapping.rules[0].match"),
        ({"mapping": {"rules": [{"match": "x", "targets": [{"platform": "p", "model": "m"}]}]}},
         "mapping.rules[0].targets[0].platform"),
        ({"mapping": {"default": [{"platform": "anthropic", "model": "m", "credential_id": "x"}]}},
         "mapping.default[0].credential_id"),
        ({"mapping": {"Opus": SANDBOX}}, "mapping.Opus"),
        ({"owner_id": "nobody"}, "owner_id"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_named(api: httpx2.Client, fields: dict[str, Any], named: str) -> None:
    """The member at fault by its path; nothing is made and nothing changed."""
    before = api.get(KEYS).json()
    answer = api.post(KEYS, json={"name": "k"} | fields)
    assert_problem(answer, 422, "invalid", named)
    assert api.get(KEYS).json() == before
    if "owner_id" not in fields:
        key = make(api)
        answer = api.patch(f"{KEYS}/{key['id']}", json=fields)
        assert_problem(answer, 422, "invalid", named)
        assert api.get(f"{KEYS}/{key['id']}").json() == {name: key[name] for name in MEMBERS}


def test_a_key_says_whether_bodies_are_captured(api: httpx2.Client) -> None:
    """Off unless somebody asks for it."""
    assert make(api)["capture"] == "none"
    key = make(api, capture="errors")
    assert key["capture"] == "errors"
    for mode in ("all", "none"):
        assert api.patch(f"{KEYS}/{key['id']}", json={"capture": mode}).json()["capture"] == mode


def test_a_pinned_credential_must_fit(site: Site, api: httpx2.Client) -> None:
    """One that exists, of the target's platform."""
    target = {"platform": "anthropic", "model": "m", "credential_id": site.router.credential_id}
    assert make(api, mapping={"opus": [target]})["mapping"] == {"opus": [target]}


def test_an_edit_of_an_older_version_is_refused(api: httpx2.Client) -> None:
    """`If-Match` with the ETag that was read; without it the last one wins."""
    made = api.post(KEYS, json={"name": "k"})
    url, read = f"{KEYS}/{made.json()['id']}", made.headers["etag"]
    assert api.patch(url, json={"name": "first"}, headers={"if-match": read}).status_code == 200
    assert_problem(api.patch(url, json={"name": "second"}, headers={"if-match": read}), 412, "changed_meanwhile")
    assert_problem(api.delete(url, headers={"if-match": read}), 412, "changed_meanwhile")
    assert api.get(url).json()["name"] == "first"
    newest = api.get(url).headers["etag"]
    assert newest != read
    for headers in ({"if-match": f'"x", {newest}'}, {"if-match": "*"}, {}):
        assert api.patch(url, json={"name": "third"}, headers=headers).status_code == 200
        newest = api.get(url).headers["etag"]
    assert api.delete(url, headers={"if-match": newest}).status_code == 204


def test_a_deleted_key_is_gone_from_the_list_and_works_no_more(site: Site, api: httpx2.Client) -> None:
    """It can be looked at; it cannot be changed."""
    key = make(api)
    url = f"{KEYS}/{key['id']}"
    assert api.delete(url).status_code == 204
    assert ask(site.router, key["key"]).status_code == 401
    assert key["id"] not in api.get(KEYS).text
    (first, *_) = api.get(KEYS, params={"deleted": True}).json()["items"]
    assert (first["id"], first["deleted_at"] is None) == (key["id"], False)
    assert api.get(url).json()["deleted_at"] is not None
    for answer in (api.delete(url), api.patch(url, json={}), api.post(f"{url}/rotate")):
        assert_problem(answer, 404, "not_found")


def test_a_disabled_key_works_no_more(site: Site, api: httpx2.Client) -> None:
    """And again when it is enabled."""
    key = make(api)
    url = f"{KEYS}/{key['id']}"
    assert api.patch(url, json={"enabled": False}).json()["enabled"] is False
    assert ask(site.router, key["key"]).status_code == 401


def test_a_rotated_key_has_another_secret(site: Site, api: httpx2.Client) -> None:
    """Shown once; all else stays; the former one is dead."""
    key = make(api, note="n")
    answer = api.post(f"{KEYS}/{key['id']}/rotate")
    rotated = answer.json()
    changing = {"key", "prefix"}
    assert {name: key[name] for name in MEMBERS - changing} == {name: rotated[name] for name in MEMBERS - changing}
    assert rotated["key"] != key["key"]
    assert answer.headers["etag"] == api.get(f"{KEYS}/{key['id']}").headers["etag"]
    assert ask(site.router, rotated["key"]).status_code == 200
    assert ask(site.router, key["key"]).status_code == 401


def test_lists_are_read_in_parts(api: httpx2.Client) -> None:
    """Newest first, every key once."""
    made = [make(api)["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while len(seen) < 5:
        page = api.get(KEYS, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen[:5] == list(reversed(made))


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"limit": 0}, 422, "invalid"),
        ({"limit": 201}, 422, "invalid"),
        ({"limit": "x"}, 422, "invalid"),
        ({"cursor": "nonsense"}, 400, "bad_cursor"),
        ({"cursor": ""}, 400, "bad_cursor"),
        ({"cursor": "ä"}, 400, "bad_cursor"),
    ],
)
def test_a_part_that_cannot_be_is_refused(
    api: httpx2.Client, parameters: dict[str, Any], status: int, code: str
) -> None:
    """Limits are 1 to 200; cursors are given out, not made up."""
    fields = ("limit",) if status == 422 else ()
    assert_problem(api.get(KEYS, params=parameters), status, code, *fields)


@pytest.mark.parametrize("key_id", ["nonsense", "01a20fa4-d4a4-73d3-9d95-ab878a095429", "%00", "..%2f"])
def test_a_key_that_is_not_there(api: httpx2.Client, key_id: str) -> None:
    """404 in each way."""
    url = f"{KEYS}/{key_id}"
    for answer in (api.get(url), api.patch(url, json={}), api.delete(url)):
        assert_problem(answer, 404, "not_found")


def test_a_member_sees_the_own_keys_only(api: httpx2.Client, member: User, member_api: httpx2.Client) -> None:
    """Others' are not there, to read and to change."""
    mine, others = make(api, owner_id=member.id), make(api)
    assert mine["owner"] == {"id": member.id, "login": member.login, "name": None}
    assert [item["id"] for item in member_api.get(KEYS).json()["items"]] == [mine["id"]]
    assert member_api.get(f"{KEYS}/{mine['id']}").status_code == 200
    foreign = f"{KEYS}/{others['id']}"
    for answer in (
        member_api.get(foreign),
        member_api.patch(foreign, json={"enabled": False}),
        member_api.delete(foreign),
        member_api.post(f"{foreign}/rotate"),
        member_api.post(f"{foreign}/test"),
        member_api.post(f"{foreign}/restore"),
        member_api.post(f"{foreign}/purge"),
    ):
        assert_problem(answer, 404, "not_found")
    batch = {"ids": [mine["id"], others["id"]], "enabled": False}
    assert_problem(member_api.post(f"{KEYS}/batch", json=batch), 422, "invalid", "ids[1]")
    assert api.get(foreign).json()["enabled"]


def test_a_member_manages_own_keys(site: Site, member: User, member_api: httpx2.Client) -> None:
    """From the first to the last step, each in the audit log."""
    made = member_api.post(KEYS, json={"name": "mine"})
    assert (made.status_code, made.json()["owner"]["id"]) == (201, member.id)
    url = made.headers["location"]
    assert member_api.patch(url, json={"note": "x"}).json()["note"] == "x"
    assert member_api.post(f"{url}/rotate").json()["key"] != made.json()["key"]
    batch = {"ids": [made.json()["id"]], "limits": {"rpm": 9}, "mapping": {"opus": []}}
    changed = member_api.post(f"{KEYS}/batch", json=batch).json()["items"][0]
    assert (changed["result"], changed["key"]["limits"]["rpm"]) == ("changed", 9)
    assert member_api.delete(url).status_code == 204
    assert member_api.post(f"{url}/restore").json()["deleted_at"] is None
    assert (member_api.delete(url).status_code, member_api.post(f"{url}/purge").status_code) == (204, 204)
    with site.client_of("admin") as api:
        entries = api.get("/api/v1/audit", params={"actor": member.id, "kind": "key"}).json()["items"]
    assert [entry["action"] for entry in entries[::-1]] == [
        "key.create", "key.change", "key.rotate", "key.change", "key.delete", "key.restore", "key.delete", "key.purge",
    ]  # fmt: skip


def test_a_member_makes_keys_for_nobody_else(api: httpx2.Client, member: User, member_api: httpx2.Client) -> None:
    """Whether or not there is such a user; the own id may be named."""
    for owner_id in (api.get("/api/v1/auth/me").json()["id"], str(uuid7())):
        answer = member_api.post(KEYS, json={"name": "k", "owner_id": owner_id})
        assert_problem(answer, 422, "invalid", "owner_id")
    assert member_api.post(KEYS, json={"name": "k", "owner_id": member.id}).status_code == 201


def test_a_member_is_not_told_which_credentials_there_are(api: httpx2.Client, member_api: httpx2.Client) -> None:
    """By pinning one: the answer is the same for one that is there and for one that is not."""
    known = api.get("/api/v1/credentials").json()["items"][0]
    own = member_api.post(KEYS, json={"name": "k"}).json()
    for credential_id in (known["id"], str(uuid7())):
        mapping = {"opus": [{"platform": known["platform"], "model": "m", "credential_id": credential_id}]}
        for answer in (
            member_api.post(KEYS, json={"name": "k", "mapping": mapping}),
            member_api.patch(f"{KEYS}/{own['id']}", json={"mapping": mapping}),
            member_api.post(f"{KEYS}/batch", json={"ids": [own["id"]], "mapping": mapping}),
        ):
            document = assert_problem(answer, 422, "invalid", "mapping.opus[0].credential_id")
            assert document["errors"][0]["code"] == "not_yours"


@pytest.fixture
def rules(api: httpx2.Client) -> Iterator[Callable[..., None]]:
    """Sets the rules for members; they are gone afterwards."""

    def put(**fields: Any) -> None:
        assert api.put("/api/v1/settings", json={"members": fields}).status_code == 200

    yield put
    assert api.put("/api/v1/settings", json={"members": None}).status_code == 200


def test_members_make_as_many_keys_as_the_rules_allow(
    api: httpx2.Client, member: User, member_api: httpx2.Client, rules: Callable[..., None]
) -> None:
    """Also of those that come at the same moment; a deleted one makes room and does not come back without it."""
    rules(max_keys=3)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: member_api.post(KEYS, json={"name": f"k{number}"}), range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 409, 409, 409]
    gone = next(answer for answer in answers if answer.status_code == 201).headers["location"]
    assert member_api.delete(gone).status_code == 204
    assert member_api.post(KEYS, json={"name": "another"}).status_code == 201
    assert_problem(member_api.post(f"{gone}/restore"), 409, "too_many_keys")
    # An administrator is not bound, also for a member.
    assert api.post(f"{gone}/restore").status_code == 200
    rules(may_create_keys=False)
    assert_problem(member_api.post(KEYS, json={"name": "k"}), 403, "members_make_no_keys")
    assert api.post(KEYS, json={"name": "k", "owner_id": member.id}).status_code == 201


def test_members_map_as_the_rules_allow(member_api: httpx2.Client, rules: Callable[..., None]) -> None:
    """To platforms that are allowed, or by the one mapping that is given; no limit above the own one."""
    rules(allowed_platforms=["sandbox"])
    foreign = {"opus": [{"platform": "anthropic", "model": "m"}]}
    refused = member_api.post(KEYS, json={"name": "k", "mapping": foreign})
    assert_problem(refused, 422, "invalid", "mapping.opus[0].platform")
    key = member_api.post(KEYS, json={"name": "k"}).json()
    # Names that no slot takes would go to Anthropic.
    assert key["mapping"]["default"] == []
    given = {"default": [{"platform": "sandbox", "model": "sandbox"}]}
    rules(mapping=given)
    assert member_api.post(KEYS, json={"name": "k"}).json()["mapping"]["default"][0]["model"] == "sandbox"
    assert_problem(member_api.patch(f"{KEYS}/{key['id']}", json={"mapping": foreign}), 422, "invalid", "mapping")


def test_what_a_key_has_used_this_month(site: Site, api: httpx2.Client) -> None:
    """Requests and cost in this calendar month, token counts aside; the time of the last use, token counts too."""
    key = make(api)
    began = utc_now() - timedelta(seconds=1)
    ask(site.router, key["key"])
    ask(site.router, key["key"], {"model": "claude-opus-5-5"}, path="/v1/messages/count_tokens")
    assert site.router.services.call_log is not None
    found = api.get(f"{KEYS}/{key['id']}").json()
    # 12 × 4 + 7 × 20 USD per million.
    assert found["month"] == {"cost": "0.000188", "requests": 1}
    for _ in range(50):
        if found["last_used_at"] is not None:
            break
        found = api.get(f"{KEYS}/{key['id']}").json()
    assert found["last_used_at"] >= rfc3339(began)
    assert datetime.fromisoformat(found["last_used_at"]).tzinfo == UTC


def test_a_target_may_set_the_effort(api: httpx2.Client) -> None:
    """Each platform says it in its own way; what is no effort is named."""
    target = {"platform": "gemini", "model": "gemini-3-flash-preview", "effort": "low"}
    assert make(api, mapping={"haiku": [target]})["mapping"]["haiku"] == [target]
    answer = api.post(KEYS, json={"name": "k", "mapping": {"haiku": [target | {"effort": "lazy"}]}})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "mapping.haiku[0].effort")
