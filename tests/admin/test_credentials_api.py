"""Credentials over the admin API: secrets go in and never come out, addresses are checked, and each can be tried."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.admin.site import Site, assert_problem
from tests.raw_platform import closed_port
from tests.services import UPSTREAM_SECRET
from tests.upstream import error, json_answer, message

from ccrouter.credentials.kinds import KINDS
from ccrouter.ids import uuid7
from ccrouter.platforms.registry import PLATFORMS
from ccrouter.storage import credentials

CREDENTIALS = "/api/v1/credentials"
SECRET = "sk-ant-" + "very-secret"
MEMBERS = {
    "id", "platform", "name", "enabled", "base_url", "options", "priority", "weight", "max_concurrency", "models",
    "origin", "state", "created_at",
}  # fmt: skip


@pytest.fixture
def out_of_the_way(site: Site) -> Iterator[None]:
    """What these tests leave behind must not serve the requests of others."""
    yield
    engine = site.router.services.engine
    for item in credentials.find(engine, limit=200).items:
        if item.id != site.router.credential_id:
            credentials.soft_delete(engine, item.id)
    site.router.services.directory._routing = None


pytestmark = pytest.mark.usefixtures("out_of_the_way")


def make(api: httpx2.Client, **fields: Any) -> dict[str, Any]:
    """A new credential as the API answers; models that nobody asks for, so that it serves no request."""
    body = {"platform": "anthropic", "name": "c", "auth": {"api_key": SECRET}, "models": ["nobody-asks"]} | fields
    answer = api.post(CREDENTIALS, json=body)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_a_secret_goes_in_and_never_comes_out(site: Site, api: httpx2.Client) -> None:
    """Not in an answer, not in a list, not in an error, and not in the database as it was."""
    answer = api.post(CREDENTIALS, json={"platform": "anthropic", "name": " main ", "auth": {"api_key": SECRET}})
    made = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"{CREDENTIALS}/{made['id']}")
    assert set(made) == MEMBERS
    assert (made["name"], made["origin"], made["state"]["status"]) == ("main", "api", "ready")
    url = f"{CREDENTIALS}/{made['id']}"
    answers = [
        answer, api.get(url), api.get(CREDENTIALS), api.patch(url, json={"priority": 2}),
        api.patch(url, json={"auth": {"api_key": SECRET, "colour": SECRET}}),
        api.patch(url, json={"auth": {"api_key": f"{SECRET} with a space"}}),
        api.patch(url, json={"base_url": f"https://user:{SECRET}@example.com"}),
    ]  # fmt: skip
    assert [reply.status_code for reply in answers] == [201, 200, 200, 200, 422, 422, 422]
    assert not [reply.text for reply in answers if "very-secret" in reply.text]
    with site.router.services.engine.connect() as connection:
        rows = connection.execute(text("SELECT credentials::text, encode(auth_sealed, 'escape') FROM credentials"))
        assert "very-secret" not in str(rows.all())
    opened = credentials.open_one(site.router.services.engine, site.router.services.vault, made["id"])
    assert opened is not None
    assert opened.auth == {"api_key": SECRET}


def test_every_member_can_be_set_and_changed(api: httpx2.Client) -> None:
    """What is left out stays; null puts the platform's own address and all models in place."""
    fields = {
        "name": "full", "enabled": False, "base_url": "https://example.com/api", "priority": 5, "weight": 3,
        "max_concurrency": 4,
        "models": ["a", "b"],
    }  # fmt: skip
    made = make(api, **fields)
    assert {name: made[name] for name in fields} == fields
    assert made["state"] == {"status": "disabled", "reason": None, "until": None}
    url = f"{CREDENTIALS}/{made['id']}"
    changed = api.patch(url, json={"base_url": None, "models": None}).json()
    assert {name: changed[name] for name in fields} == fields | {"base_url": None, "models": None}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"platform": "nowhere"}, "platform"),
        ({"platform": "sandbox"}, "platform"),
        ({"name": " "}, "name"),
        ({"auth": {}}, "auth"),
        ({"auth": None}, "auth"),
        ({"auth": {"api_key": "a", "auth_token": "b"}}, "auth"),
        ({"auth": {"api_key": ""}}, "auth.api_key"),
        ({"auth": {"api_key": 7}}, "auth.api_key"),
        ({"auth": {"api_key": "two words"}}, "auth.api_key"),
        ({"auth": {"api_key": "line\nend"}}, "auth.api_key"),
        ({"auth": {"api_key": "schlüssel"}}, "auth.api_key"),
        ({"auth": {"api_key": "k", "colour": "red"}}, "auth.colour"),
        ({"options": {"colour": "red"}}, "options.colour"),
        ({"options": {"forward_rate_limits": "yes"}}, "options.forward_rate_limits"),
        ({"priority": 1001}, "priority"),
        ({"weight": 0}, "weight"),
        ({"weight": None}, "weight"),
        ({"models": [""]}, "models[0]"),
        ({"colour": "red"}, "colour"),
        ({"state": {"status": "ready"}}, "state"),
    ],
    ids=str,
)
def test_what_cannot_be_is_named(api: httpx2.Client, fields: dict[str, Any], named: str) -> None:
    """The member at fault by its path."""
    body = {"platform": "anthropic", "name": "c", "auth": {"api_key": SECRET}} | fields
    assert_problem(api.post(CREDENTIALS, json=body), 422, "invalid", named)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://10.0.0.1", "http://169.254.169.254/latest/meta-data", "http://[::ffff:10.0.0.1]", "http://[fe80::1]",
        "http://192.168.0.1:8000", "http://2130706433", "http://127.1", "ftp://example.com", "https://u:p@example.com",
        "https://example.com/v1", "https://example.com?x=1", "example.com", "", "http://[", "gopher://x",
    ],
)  # fmt: skip
def test_an_address_that_must_not_be_reached_is_refused(api: httpx2.Client, base_url: str) -> None:
    """When it is entered and when it is changed."""
    body = {"platform": "anthropic", "name": "c", "auth": {"api_key": SECRET}, "base_url": base_url}
    assert_problem(api.post(CREDENTIALS, json=body), 422, "invalid", "base_url")
    made = make(api)
    answer = api.patch(f"{CREDENTIALS}/{made['id']}", json={"base_url": base_url})
    assert_problem(answer, 422, "invalid", "base_url")


def test_a_name_for_a_private_address_is_refused_when_it_is_used(site: Site, api: httpx2.Client) -> None:
    """A name is looked up at the moment of connecting; the administrator learns it by trying."""
    site.router.services.upstream._private_networks = ()
    made = make(api, base_url="http://localhost.localdomain:1")
    result = api.post(f"{CREDENTIALS}/{made['id']}/test").json()
    site.router.services.upstream._private_networks = site.router.services.settings.private_upstreams
    assert (result["ok"], result["http_status"]) in ((False, 503), (False, 502))


def test_a_good_credential_is_tried_with_one_token(site: Site, api: httpx2.Client) -> None:
    """A real request, logged as a test of the administrator's, without a key."""
    site.router.upstream.script = [json_answer(message("H", "claude-haiku-4-5"))]
    answer = api.post(f"{CREDENTIALS}/{site.router.credential_id}/test")
    result = answer.json()
    assert (answer.status_code, result["ok"], result["http_status"], result["error"]) == (200, True, 200, None)
    (seen,) = site.router.upstream.seen
    assert (seen.json["max_tokens"], seen.json["model"]) == (1, "claude-haiku-4-5")
    assert seen.header("x-api-key") == UPSTREAM_SECRET
    row = api.get(f"/api/v1/logs/{result['log_id']}").json()
    assert (row["kind"], row["status"], row["key"], row["user"]["login"]) == ("test", "ok", None, "admin")
    assert row["credential"]["id"] == site.router.credential_id
    assert row["cost_state"] == "priced"


def test_a_bad_credential_says_why(site: Site, api: httpx2.Client) -> None:
    """What the platform answered, as a client would be told; the row has its words."""
    site.router.upstream.script = [error(401, "authentication_error", "invalid x-api-key")]
    result = api.post(f"{CREDENTIALS}/{site.router.credential_id}/test", json={"model": "claude-opus-5-5"}).json()
    assert (result["ok"], result["http_status"], result["error"]["type"]) == (False, 503, "api_error")
    row = api.get(f"/api/v1/logs/{result['log_id']}").json()
    assert row["attempts"][0]["reason"] == "invalid x-api-key"
    assert row["requested_model"] == "claude-opus-5-5"


def test_one_that_cannot_be_reached_says_so(api: httpx2.Client) -> None:
    """Also one that is disabled can be tried before it is put in use."""
    made = make(api, base_url=f"http://127.0.0.1:{closed_port()}", enabled=False)
    result = api.post(f"{CREDENTIALS}/{made['id']}/test").json()
    assert (result["ok"], result["http_status"]) == (False, 502), result


def test_a_test_asks_for_a_plain_name(site: Site, api: httpx2.Client) -> None:
    """What is put into the request cannot break out of it."""
    url = f"{CREDENTIALS}/{site.router.credential_id}/test"
    for model in ('x","stream":true,"y":"', "", "a b", "x" * 300):
        assert_problem(api.post(url, json={"model": model}), 422, "invalid", "model")


def test_a_blocked_credential_is_shown_and_lifted_by_another_secret(site: Site, api: httpx2.Client) -> None:
    """The state says since what; a new secret puts it in use again."""
    made = make(api)
    url = f"{CREDENTIALS}/{made['id']}"
    credentials.block(site.router.services.engine, made["id"], "The platform refused it.")
    state = api.get(url).json()["state"]
    assert (state["status"], state["reason"]) == ("blocked", "The platform refused it.")
    assert api.patch(url, json={"name": "x"}).json()["state"]["status"] == "blocked"
    assert api.patch(url, json={"auth": {"auth_token": "t"}}).json()["state"]["status"] == "ready"


def test_the_credential_of_the_environment_is_changed_there(site: Site, api: httpx2.Client) -> None:
    """Its secret and address follow CLAUDE_API_KEY; the rest is free."""
    engine, vault = site.router.services.engine, site.router.services.vault
    credentials.follow_environment(engine, vault, "of-the-environment", None)
    (found,) = [item for item in api.get(CREDENTIALS).json()["items"] if item["origin"] == "environment"]
    url = f"{CREDENTIALS}/{found['id']}"
    for answer in (
        api.patch(url, json={"auth": {"api_key": "x"}}),
        api.patch(url, json={"base_url": "https://example.com"}),
        api.delete(url),
    ):
        assert answer.status_code == 422
        assert "CLAUDE_API_KEY" in answer.json()["detail"]
    assert api.patch(url, json={"enabled": False, "priority": 7}).json()["priority"] == 7


def test_an_edit_of_an_older_version_is_refused(api: httpx2.Client) -> None:
    """As for keys."""
    made = make(api)
    url = f"{CREDENTIALS}/{made['id']}"
    read = api.get(url).headers["etag"]
    assert api.patch(url, json={"name": "first"}, headers={"if-match": read}).status_code == 200
    assert_problem(api.patch(url, json={"name": "second"}, headers={"if-match": read}), 412, "changed_meanwhile")
    assert_problem(api.delete(url, headers={"if-match": read}), 412, "changed_meanwhile")


def test_a_deleted_credential_is_gone(api: httpx2.Client) -> None:
    """From the list, and for every edit; a list of its own shows it."""
    made = make(api)
    url = f"{CREDENTIALS}/{made['id']}"
    assert api.delete(url).status_code == 204
    assert made["id"] not in api.get(CREDENTIALS).text
    assert made["id"] in api.get(CREDENTIALS, params={"deleted": True}).text
    for answer in (api.delete(url), api.patch(url, json={}), api.post(f"{url}/test")):
        assert_problem(answer, 404, "not_found")
    assert_problem(api.get(f"{CREDENTIALS}/{uuid7()}"), 404, "not_found")
    assert_problem(api.get(f"{CREDENTIALS}/nonsense"), 404, "not_found")


def test_credentials_are_listed_by_platform_and_in_parts(api: httpx2.Client) -> None:
    """Newest first."""
    made = [make(api)["id"] for _ in range(3)]
    page = api.get(CREDENTIALS, params={"limit": 2, "platform": "anthropic"}).json()
    assert [item["id"] for item in page["items"]] == [made[2], made[1]]
    second = api.get(CREDENTIALS, params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert second["items"][0]["id"] == made[0]
    assert api.get(CREDENTIALS, params={"platform": "nowhere"}).json() == {"items": [], "next_cursor": None}
    assert_problem(api.get(CREDENTIALS, params={"cursor": "x"}), 400, "bad_cursor")


def test_credentials_are_the_administrators(site: Site, member_api: httpx2.Client) -> None:
    """A member is not even told which there are."""
    url = f"{CREDENTIALS}/{site.router.credential_id}"
    for answer in (
        member_api.get(CREDENTIALS), member_api.get(url), member_api.post(CREDENTIALS, json={}),
        member_api.patch(url, json={}), member_api.delete(url), member_api.post(f"{url}/test"),
    ):  # fmt: skip
        assert_problem(answer, 403, "forbidden")


def test_platforms_say_what_they_need(member_api: httpx2.Client) -> None:
    """A schema for `auth` and for `options` of each, from which a form is made."""
    items = {item["id"]: item for item in member_api.get("/api/v1/platforms").json()["items"]}
    assert set(items) == set(PLATFORMS) | {"sandbox"}
    anthropic = items["anthropic"]
    assert set(anthropic["auth"]["properties"]) == {"api_key", "auth_token"}
    assert anthropic["base_url"] == KINDS["anthropic"].base_url
    assert {"claude-opus-5-5"} <= {model["id"] for model in anthropic["models"]}
    assert (items["sandbox"]["needs_credential"], anthropic["needs_credential"]) == (False, True)
