"""Export and import of a configuration: whole, without secrets, twice the same, and all or nothing."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site, assert_problem
from tests.services import UPSTREAM_SECRET, running_router
from tests.upstream import FakeUpstream

from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import uuid7
from ccrouter.storage import credentials, keys
from ccrouter.storage.users import User

CONFIGURATION = "/api/v1/configuration"
PRICE = {"platform": "openai", "model": "qwen*", "rates": {"input": "0.3", "output": "1.2"}, "source": "contract"}


def export(api: httpx2.Client) -> dict[str, Any]:
    """The configuration of an installation."""
    answer = api.get(CONFIGURATION)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def take_over(api: httpx2.Client, document: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
    """What an import says that it has changed."""
    answer = api.post(CONFIGURATION, json={"configuration": document, "dry_run": dry_run})
    assert answer.status_code == 200, answer.text
    taken: dict[str, Any] = answer.json()
    return taken


def without_ids(document: dict[str, Any]) -> dict[str, Any]:
    """A document as it is compared with another installation's: ids are each one's own."""
    names = {credential["id"]: credential["name"] for credential in document["credentials"]}
    text = json.dumps({name: value for name, value in document.items() if name not in ("made_at", "version")})
    for credential_id, name in names.items():
        text = text.replace(credential_id, name)
    plain: dict[str, Any] = json.loads(text)
    for section in ("users", "credentials", "keys", "webhooks"):
        for item in plain[section]:
            del item["id"]
    return plain


@pytest.fixture
def other(embedded: EmbeddedServices, _shared_upstream: FakeUpstream) -> Iterator[httpx2.Client]:
    """The administrator's client of another installation, where only its first credential is."""
    with running_router(embedded, _shared_upstream) as router, contextlib.ExitStack() as stack:
        yield stack.enter_context(Site(router).client_of("admin"))


def test_an_export_holds_everything_and_no_secret(site: Site, api: httpx2.Client, member: User) -> None:
    """With ids, in a form that says which it is; it is noted who made one."""
    made = api.post("/api/v1/api-keys", json={"name": f"k-{uuid7().hex}", "tags": ["a"]}).json()
    document = export(api)
    assert set(document) == {
        "format", "made_at", "version", "users", "credentials", "keys", "webhooks", "settings", "own_prices",
    }  # fmt: skip
    assert document["format"] == 1
    (key,) = (item for item in document["keys"] if item["id"] == made["id"])
    assert (key["name"], key["owner"], key["tags"]) == (made["name"], "admin", ["a"])
    assert member.login in [user["login"] for user in document["users"]]
    stored = keys.get(site.router.services.engine, made["id"])
    assert stored is not None
    for secret in (made["key"], made["prefix"], stored.digest, UPSTREAM_SECRET, "password"):
        assert secret not in json.dumps(document)
    (entry,) = api.get("/api/v1/audit", params={"action": "configuration.export", "limit": 1}).json()["items"]
    assert entry["actor"]["login"] == "admin"


def test_what_is_imported_where_it_came_from_changes_nothing(api: httpx2.Client, member: User) -> None:
    """Every object is found by its id, and is as the document says."""
    document = export(api)
    taken = take_over(api, document)
    assert taken["changes"] == []
    assert taken["unchanged"] >= len(document["users"]) + len(document["credentials"]) + len(document["keys"])


def test_another_installation_becomes_the_same(site: Site, api: httpx2.Client, other: httpx2.Client) -> None:
    """Found by name or made, with what leads from one to the other; a second time changes nothing."""
    login, name = f"u-{uuid7().hex[-12:]}", f"c-{uuid7().hex}"
    user = {
        "login": login,
        "role": "member",
        "limits": {"rpm": 7},
        "github": {"id": uuid7().int % 10**15, "login": "g"},
    }
    taken = take_over(api, {"format": 1, "users": [user]})
    assert [(change["kind"], change["action"], change["name"]) for change in taken["changes"]] == [
        ("user", "create", login)
    ]
    pinned = site.router.new_credential("openai", {"api_key": "sk-of-openai"}, name=name, weight=3)
    mapping = {"opus": [{"platform": "openai", "model": "m", "credential_id": pinned}]}
    key = {"name": name, "owner": login, "mapping": mapping, "capture": "errors", "expires_at": "2020-01-01T00:00:00Z"}
    take_over(api, {"format": 1, "keys": [key, key], "own_prices": [PRICE], "settings": {"time_zone": "Europe/Berlin"}})
    hook = api.post("/api/v1/webhooks", json={"name": name, "url": "https://hooks.example.com/x"}).json()
    document = export(api)
    assert hook["secret"] not in json.dumps(document)
    document["keys"] = [item for item in document["keys"] if item["owner"] in (login, "admin")]
    wanted = take_over(other, document, dry_run=True)
    before = export(other)
    assert all(change["id"] is None for change in wanted["changes"] if change["action"] == "create")
    taken = take_over(other, document)
    assert before["keys"] == []
    assert len(wanted["changes"]) == len(taken["changes"]) > 4
    assert export(other) | {"made_at": ""} != before | {"made_at": ""}
    (secret,) = [
        change["secret"] for change in taken["changes"] if (change["kind"], change["name"]) == ("webhook", name)
    ]
    assert secret.startswith("whsec_")
    assert secret != hook["secret"]
    again = take_over(other, document)
    assert again["changes"] == []
    there, here = without_ids(export(other)), without_ids(document)
    disabled = [item["name"] for item in there["credentials"] if not item["enabled"]]
    assert name in disabled
    for item in (*there["credentials"], *here["credentials"]):
        item.pop("enabled")
    # The one that both have stands first in each; its address is the same.
    assert there["keys"] == here["keys"]
    assert sorted(there["credentials"], key=str) == sorted(here["credentials"], key=str)
    assert there["webhooks"] == here["webhooks"] != []
    assert there["own_prices"] == here["own_prices"] != []
    assert there["settings"]["time_zone"] == "Europe/Berlin"
    assert {user["login"] for user in here["users"]} <= {user["login"] for user in there["users"]}
    api.delete(f"/api/v1/webhooks/{hook['id']}")
    api.put("/api/v1/prices", json={"own": []})
    api.put("/api/v1/settings", json={"time_zone": None})


def test_a_new_credential_waits_for_its_secret(site: Site, api: httpx2.Client) -> None:
    """Disabled, and not to be enabled without one; after that it follows the document."""
    name = f"c-{uuid7().hex}"
    document = {"format": 1, "credentials": [{"platform": "anthropic", "name": name, "priority": 2}]}
    (change,) = take_over(api, document)["changes"]
    assert "secret" in change["note"]
    url = f"/api/v1/credentials/{change['id']}"
    assert (api.get(url).json()["enabled"], api.get(url).json()["priority"]) == (False, 2)
    assert_problem(api.patch(url, json={"enabled": True}), 422, "invalid", "enabled")
    assert take_over(api, document)["changes"] == []
    assert api.patch(url, json={"enabled": False, "auth": {"api_key": "k"}}).status_code == 200
    (change,) = take_over(
        api, {"format": 1, "credentials": [{"platform": "anthropic", "name": name, "enabled": True}]}
    )["changes"]
    assert (change["before"], change["after"]) == ({"enabled": False}, {"enabled": True})
    credentials.soft_delete(site.router.services.engine, change["id"])


def test_a_new_key_works_once_it_was_rotated(api: httpx2.Client) -> None:
    """Nobody has seen its secret."""
    (change,) = take_over(api, {"format": 1, "keys": [{"name": f"k-{uuid7().hex}", "owner": "admin"}]})["changes"]
    assert "rotate" in change["note"]
    assert api.post(f"/api/v1/api-keys/{change['id']}/rotate").json()["key"].startswith("sk-ccr-")


def test_only_what_differs_is_changed_and_told(api: httpx2.Client) -> None:
    """Members that are left out stay; the audit log has an entry for the object."""
    key = api.post("/api/v1/api-keys", json={"name": f"k-{uuid7().hex}", "note": "n", "tags": ["a"]}).json()
    item = {"id": key["id"], "name": key["name"], "owner": "admin", "tags": ["b"]}
    dry = take_over(api, {"format": 1, "keys": [item]}, dry_run=True)
    assert api.get(f"/api/v1/api-keys/{key['id']}").json()["tags"] == ["a"]
    taken = take_over(api, {"format": 1, "keys": [item]})
    (change,) = taken["changes"]
    assert (change["before"], change["after"]) == ({"tags": ["a"]}, {"tags": ["b"]})
    assert dry["changes"] == taken["changes"]
    changed = api.get(f"/api/v1/api-keys/{key['id']}").json()
    assert (changed["tags"], changed["note"]) == (["b"], "n")
    entries = api.get("/api/v1/audit", params={"object_id": key["id"], "action": "key.change"}).json()["items"]
    assert [entry["after"] for entry in entries] == [{"tags": ["b"]}]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"format": 2}, "configuration.format"),
        ({}, "configuration.format"),
        ({"format": 1, "digests": []}, "configuration.digests"),
        ({"format": 1, "keys": [{"name": "k", "owner": "nobody-here"}]}, "configuration.keys[0].owner"),
        ({"format": 1, "keys": [{"owner": "admin"}]}, "configuration.keys[0].name"),
        (
            {
                "format": 1,
                "keys": [{"name": "k", "owner": "admin"}, {"name": "l", "owner": "admin", "limits": {"rpm": -1}}],
            },
            "configuration.keys[1].limits.rpm",
        ),
        (
            {
                "format": 1,
                "keys": [
                    {
                        "name": "k",
                        "owner": "admin",
                        "mapping": {"opus": [{"platform": "openai", "model": "m", "credential_id": str(uuid7())}]},
                    }
                ],
            },
            "configuration.keys[0].mapping.opus[0].credential_id",
        ),
        (
            {"format": 1, "credentials": [{"platform": "elsewhere", "name": "c"}]},
            "configuration.credentials[0].platform",
        ),
        (
            {"format": 1, "credentials": [{"platform": "bedrock", "name": "c", "options": {"region": "!"}}]},
            "configuration.credentials[0].options.region",
        ),
        (
            {"format": 1, "credentials": [{"platform": "anthropic", "name": "c", "auth": {"api_key": "k"}}]},
            "configuration.credentials[0].auth",
        ),
        ({"format": 1, "users": [{"login": "ADMIN", "role": "member"}]}, "configuration.users[0].role"),
        ({"format": 1, "settings": {"time_zone": "Nowhere"}}, "configuration.settings.time_zone"),
        (
            {"format": 1, "settings": {"default_mapping": {"opus": [{"platform": "elsewhere", "model": "m"}]}}},
            "configuration.settings.default_mapping.opus[0].platform",
        ),
        ({"format": 1, "webhooks": [{"name": "w", "url": "ftp://x"}]}, "configuration.webhooks[0].url"),
        ({"format": 1, "own_prices": [PRICE | {"platform": "nowhere"}]}, "configuration.own_prices[0].platform"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_named_and_nothing_is_taken_over(
    site: Site, api: httpx2.Client, document: dict[str, Any], field: str
) -> None:
    """Also what stands before it in the document."""
    site.leave_one_administrator()
    before = export(api)
    answer = api.post(CONFIGURATION, json={"configuration": document})
    assert_problem(answer, 422, "invalid", field)
    assert export(api) | {"made_at": before["made_at"]} == before


def test_it_is_for_administrators(member_api: httpx2.Client) -> None:
    """It names everybody and everything."""
    assert member_api.get(CONFIGURATION).status_code == 403
    assert member_api.post(CONFIGURATION, json={"configuration": {"format": 1}}).status_code == 403
