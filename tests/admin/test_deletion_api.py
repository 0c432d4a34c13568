"""Deleting over the admin API: restored for 30 days, purged for good, and told apart from what never was."""

from typing import Any

import httpx2
import pytest
from tests.admin.site import Site, assert_problem
from tests.app.asking import ask

from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage import credentials
from ccrouter.storage.credentials import FROM_ENVIRONMENT
from ccrouter.storage.users import User

KEYS = "/api/v1/api-keys"
CREDENTIALS = "/api/v1/credentials"
BODIES: dict[str, dict[str, Any]] = {
    KEYS: {"name": "k", "mapping": {"opus": [{"platform": "sandbox", "model": "sandbox"}]}},
    CREDENTIALS: {"name": "c", "platform": "anthropic", "auth": {"api_key": "x"}, "models": ["none"]},
}


def make(api: httpx2.Client, list_url: str) -> dict[str, Any]:
    """A new object."""
    answer = api.post(list_url, json=BODIES[list_url])
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


@pytest.mark.parametrize("list_url", [KEYS, CREDENTIALS])
def test_a_deleted_object_is_restored_as_it_was(api: httpx2.Client, list_url: str) -> None:
    """In its list again, with another version; one that is in use is no case for it."""
    made = make(api, list_url)
    url = f"{list_url}/{made['id']}"
    assert_problem(api.post(f"{url}/restore"), 409, "not_deleted")
    assert_problem(api.post(f"{url}/purge"), 409, "not_deleted")
    api.delete(url)
    assert made["id"] in api.get(list_url, params={"deleted": True}).text
    restored = api.post(f"{url}/restore")
    assert restored.status_code == 200, restored.text
    assert restored.json() == {name: value for name, value in made.items() if name != "key"}
    assert restored.headers["etag"] == api.get(url).headers["etag"]
    assert made["id"] in api.get(list_url).text
    assert made["id"] not in api.get(list_url, params={"deleted": True}).text


@pytest.mark.parametrize("list_url", [KEYS, CREDENTIALS])
def test_a_purged_object_says_when_it_was_purged(api: httpx2.Client, list_url: str) -> None:
    """Restoring and purging it answer 410 with the moment; it is in no list."""
    url = f"{list_url}/{make(api, list_url)['id']}"
    api.delete(url)
    assert api.post(f"{url}/purge").status_code == 204
    for what in ("restore", "purge"):
        problem = assert_problem(api.post(f"{url}/{what}"), 410, "gone")
        assert f"purged at {utc_now():%Y-%m-%dT%H:}" in problem["detail"]
    assert_problem(api.get(url), 404, "not_found")
    assert url.rpartition("/")[2] not in api.get(list_url, params={"deleted": True}).text


@pytest.mark.parametrize("list_url", [KEYS, CREDENTIALS])
@pytest.mark.parametrize("what", ["restore", "purge"])
def test_what_never_was_is_not_there(api: httpx2.Client, list_url: str, what: str) -> None:
    """404, not 410."""
    for object_id in ("nonsense", uuid7()):
        assert_problem(api.post(f"{list_url}/{object_id}/{what}"), 404, "not_found")


def test_a_restored_key_works_again(site: Site, api: httpx2.Client) -> None:
    """With the secret it had."""
    made = make(api, KEYS)
    url = f"{KEYS}/{made['id']}"
    api.delete(url)
    assert api.post(f"{url}/restore").status_code == 200
    assert ask(site.router, made["key"]).status_code == 200


def test_each_step_is_in_the_audit_log(api: httpx2.Client) -> None:
    """Once, with the name."""
    key_id = make(api, KEYS)["id"]
    api.delete(f"{KEYS}/{key_id}")
    api.post(f"{KEYS}/{key_id}/restore")
    api.delete(f"{KEYS}/{key_id}")
    api.post(f"{KEYS}/{key_id}/purge")
    for what, side in (("restore", "after"), ("purge", "before")):
        (entry,) = api.get("/api/v1/audit", params={"object_id": key_id, "action": f"key.{what}"}).json()["items"]
        assert (entry["actor"]["login"], entry[side]) == ("admin", {"name": "k"})


def test_the_credential_of_the_environment_comes_back_with_its_variable_only(site: Site, api: httpx2.Client) -> None:
    """Otherwise there would be two of it."""
    services = site.router.services
    credential = credentials.create(
        services.engine, services.vault, "anthropic", {"api_key": "x"}, {"name": "c"}, origin=FROM_ENVIRONMENT
    )
    credentials.soft_delete(services.engine, credential.id)
    url = f"{CREDENTIALS}/{credential.id}"
    assert_problem(api.post(f"{url}/restore"), 409, "follows_environment")
    assert api.post(f"{url}/purge").status_code == 204


def test_a_member_neither_restores_nor_purges_what_others_deleted(
    api: httpx2.Client, member: User, member_api: httpx2.Client
) -> None:
    """It tells nothing about them."""
    key_id = make(api, KEYS)["id"]
    api.delete(f"{KEYS}/{key_id}")
    for what in ("restore", "purge"):
        assert member_api.post(f"{KEYS}/{key_id}/{what}").status_code in (403, 404)
