"""People over the admin API: made, changed, approved, disabled, deleted, and who may do it."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site, assert_problem
from tests.services import PASSWORD, running_router
from tests.upstream import FakeUpstream

from ccrouter.access.keys import new_secret
from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import uuid7
from ccrouter.storage import keys, users
from ccrouter.storage.users import User

USERS = "/api/v1/users"
ME = "/api/v1/auth/me"
MODELS = "/proxy/v1/models"


def a_login() -> str:
    """One that nobody has."""
    return f"ada-{uuid7().hex[-12:]}"


def made(api: httpx2.Client, **fields: Any) -> dict[str, Any]:
    """A user, made over the API."""
    answer = api.post(USERS, json={"login": a_login()} | fields)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def a_key_of(site: Site, user_id: str) -> str:
    """The secret of a new key of this user."""
    secret = new_secret()
    keys.create(site.router.services.engine, user_id, secret, {"name": "k"})
    return secret


def asks(site: Site, secret: str) -> int:
    """What the proxy says to a key."""
    with site.router.client(**{"x-api-key": secret}) as client:
        return client.get(MODELS).status_code


def test_a_user_is_made_with_a_password_and_signs_in(site: Site, api: httpx2.Client) -> None:
    """A member unless the body says otherwise; the password is in no answer."""
    login = a_login()
    body = {"login": login, "name": "Ada", "email": "ada@example.com", "password": PASSWORD, "limits": {"rpm": 60}}
    answer = api.post(USERS, json=body)
    user = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"{USERS}/{user['id']}")
    assert (user["login"], user["role"], user["status"], user["has_password"]) == (login, "member", "active", True)
    assert (user["limits"]["rpm"], user["keys"], user["month"]) == (60, 0, {"cost": "0", "requests": 0})
    assert PASSWORD not in answer.text
    assert "argon2" not in answer.text
    assert api.get(answer.headers["location"]).json() == user
    assert site.sign_in(login)["user"]["id"] == user["id"]


def test_without_a_password_nobody_signs_in(site: Site, api: httpx2.Client) -> None:
    """Such a user owns keys of a machine."""
    user = made(api)
    assert not user["has_password"]
    with site.visitor() as client:
        answer = client.post("/api/v1/auth/login", json={"username": user["login"], "password": ""})
    assert_problem(answer, 401, "wrong_password")
    assert asks(site, a_key_of(site, user["id"])) == 200
    assert api.get(f"{USERS}/{user['id']}").json()["keys"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "login"),
        ({"login": "two words"}, "login"),
        ({"login": "a" * 101}, "login"),
        ({"login": "ok", "role": "owner"}, "role"),
        ({"login": "ok", "status": None}, "status"),
        ({"login": "ok", "email": "nowhere"}, "email"),
        ({"login": "ok", "password": "short"}, "password"),
        ({"login": "ok", "limits": {"rpm": 0}}, "limits.rpm"),
        ({"login": "ok", "limits": {"spend": {"year": "1"}}}, "limits.spend.year"),
        ({"login": "ok", "github_id": 1}, "github_id"),
        ({"login": "admin"}, "login"),
        ({"login": "ADMIN"}, "login"),
    ],
    ids=str,
)
def test_what_cannot_be_is_named(api: httpx2.Client, body: dict[str, Any], field: str) -> None:
    """422 with the member; a login is taken whatever its case."""
    assert_problem(api.post(USERS, json=body), 422, "invalid", field)


def test_users_are_listed_by_what_they_are(api: httpx2.Client) -> None:
    """Newest first; the queue of those who wait; a part of the name."""
    waiting, active = made(api, status="pending", name="Queue 1"), made(api, name="Queue 2")
    assert [item["id"] for item in api.get(USERS, params={"limit": 2}).json()["items"]] == [active["id"], waiting["id"]]
    queue = api.get(USERS, params={"status": "pending", "q": "queue"}).json()["items"]
    assert [item["id"] for item in queue] == [waiting["id"]]
    assert api.get(USERS, params={"role": "admin", "q": "queue"}).json() == {"items": [], "next_cursor": None}
    first = api.get(USERS, params={"limit": 1}).json()
    then = api.get(USERS, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [first["items"][0]["id"], then["items"][0]["id"]] == [active["id"], waiting["id"]]
    assert_problem(api.get(USERS, params={"cursor": "x"}), 400, "bad_cursor")
    assert_problem(api.get(USERS, params={"status": "gone"}), 422, "invalid", "status")


def test_approval_lets_a_pending_user_in(site: Site, api: httpx2.Client) -> None:
    """By making it active."""
    user = made(api, status="pending", password=PASSWORD)
    with site.visitor() as client:
        login = {"username": user["login"], "password": PASSWORD}
        assert_problem(client.post("/api/v1/auth/login", json=login), 401, "wrong_password")
        assert api.patch(f"{USERS}/{user['id']}", json={"status": "active"}).json()["status"] == "active"
        assert client.post("/api/v1/auth/login", json=login).status_code == 200


def test_disabling_ends_sessions_and_keys(site: Site, api: httpx2.Client, member: User) -> None:
    """Sessions at once, also by the answer of a process that has just seen them; keys within five seconds."""
    secret = a_key_of(site, member.id)
    with site.client_of(member.login) as client:
        assert (client.get(ME).status_code, asks(site, secret)) == (200, 200)
        assert api.patch(f"{USERS}/{member.id}", json={"status": "disabled"}).status_code == 200
        began = time.monotonic()
        assert_problem(client.get(ME), 401, "not_signed_in")
        while asks(site, secret) != 401:
            assert time.monotonic() - began < 5.5
            time.sleep(0.1)
        assert api.patch(f"{USERS}/{member.id}", json={"status": "active"}).status_code == 200
        # The former sessions do not come back with the user.
        assert_problem(client.get(ME), 401, "not_signed_in")
        while asks(site, secret) != 200:
            assert time.monotonic() - began < 11
            time.sleep(0.1)


def test_a_reset_password_ends_sessions(
    site: Site, api: httpx2.Client, member: User, member_api: httpx2.Client
) -> None:
    """Whoever held the former one is out."""
    new = "another long password"
    assert api.patch(f"{USERS}/{member.id}", json={"password": new}).status_code == 200
    assert_problem(member_api.get(ME), 401, "not_signed_in")
    assert site.sign_in(member.login, new)["user"]["has_password"]
    assert not api.patch(f"{USERS}/{member.id}", json={"password": None}).json()["has_password"]


def test_an_edit_of_an_older_version_is_refused(api: httpx2.Client, member: User) -> None:
    """412, and nothing changes; the newest version passes."""
    path = f"{USERS}/{member.id}"
    known = api.get(path).headers["etag"]
    newer = api.patch(path, json={"name": "A"}, headers={"if-match": known}).headers["etag"]
    for answer in (
        api.patch(path, json={"name": "B"}, headers={"if-match": known}),
        api.delete(path, headers={"if-match": known}),
    ):
        assert_problem(answer, 412, "changed_meanwhile")
    assert api.get(path).json()["name"] == "A"
    assert api.patch(path, json={"name": None}, headers={"if-match": newer}).json()["name"] is None


def test_changes_that_cannot_be_are_named(api: httpx2.Client, member: User) -> None:
    """Nothing of the body is done then."""
    path = f"{USERS}/{member.id}"
    for body, field in (
        ({"name": "x", "role": None}, "role"),
        ({"name": "x", "status": "asleep"}, "status"),
        ({"name": "x", "login": "other"}, "login"),
        ({"name": "x", "limits": {"speed": 1}}, "limits.speed"),
    ):
        assert_problem(api.patch(path, json=body), 422, "invalid", field)
    assert api.get(path).json()["name"] is None


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_who_is_not_there_is_not_found(api: httpx2.Client, method: str) -> None:
    """By an unknown id, and by what is no id."""
    answers = [api.request(method, f"{USERS}/{name}", json={}) for name in (uuid7(), "x", "%00")]
    documents = [assert_problem(answer, 404, "not_found") for answer in answers]
    assert {document["detail"] for document in documents} == {"There is no such user."}


@pytest.mark.parametrize(
    ("method", "body"),
    [("PATCH", {"role": "member"}), ("PATCH", {"status": "disabled"}), ("PATCH", {"password": None}), ("DELETE", None)],
    ids=str,
)
def test_the_last_administrator_stays(site: Site, api: httpx2.Client, method: str, body: Any) -> None:
    """Neither demoted, disabled, shut out nor deleted, also not by itself; everything else may change."""
    site.leave_one_administrator()
    admin = site.router.admin
    answer = api.request(method, f"{USERS}/{admin.id}", json=body)
    assert_problem(answer, 409, "last_administrator")
    assert api.patch(f"{USERS}/{admin.id}", json={"name": "The one"}).status_code == 200
    assert api.get(ME).json()["role"] == "admin"


def test_of_two_administrators_who_remove_each_other_one_stays(
    embedded: EmbeddedServices, upstream: FakeUpstream
) -> None:
    """At the same moment, over and over."""
    with running_router(embedded, upstream) as router, router.client() as client:
        site = Site(router)
        for _ in range(4):
            other = site.new_user(role="admin")
            clients = [site.client_of("admin"), site.client_of(other.login)]
            paths = [f"{USERS}/{other.id}", f"{USERS}/{router.admin.id}"]
            with ThreadPoolExecutor(2) as pool:
                answers = list(
                    pool.map(
                        lambda pair: pair[0].patch(pair[1], json={"role": "member"}), zip(clients, paths, strict=True)
                    )
                )
            # The loser is told so, or, where it came after, is no administrator any more.
            assert min(answer.status_code for answer in answers) == 200
            assert {answer.status_code for answer in answers} & {403, 409}
            assert users.count_admins(router.services.engine) == 1
            users.change(router.services.engine, router.admin.id, {"role": "admin"})
            users.change(router.services.engine, other.id, {"role": "member"})
            for each in clients:
                each.close()
        assert client.get("/api/v1/meta").json()["setup_open"] is False


def test_a_deleted_user_is_out_and_can_come_back(site: Site, api: httpx2.Client, member: User) -> None:
    """With the keys; nobody else takes the login meanwhile; what is not deleted cannot be restored."""
    path, secret = f"{USERS}/{member.id}", a_key_of(site, member.id)
    with site.client_of(member.login) as client:
        assert (client.get(ME).status_code, asks(site, secret)) == (200, 200)
        assert_problem(api.post(f"{path}/restore"), 409, "not_deleted")
        assert api.delete(path).status_code == 204
        assert_problem(client.get(ME), 401, "not_signed_in")
    assert_problem(api.delete(path), 404, "not_found")
    assert member.id not in {item["id"] for item in api.get(USERS).json()["items"]}
    assert member.id in {item["id"] for item in api.get(USERS, params={"deleted": True}).json()["items"]}
    assert_problem(api.post(USERS, json={"login": member.login}), 422, "invalid", "login")
    with site.visitor() as client:
        answer = client.post("/api/v1/auth/login", json={"username": member.login, "password": PASSWORD})
        assert_problem(answer, 401, "wrong_password")
    began = time.monotonic()
    while asks(site, secret) != 401:
        assert time.monotonic() - began < 5.5
        time.sleep(0.1)
    assert api.post(f"{path}/restore").json()["deleted_at"] is None
    assert site.sign_in(member.login)["user"]["keys"] == 1


def test_a_purged_user_is_gone_with_all_keys(site: Site, api: httpx2.Client, member: User) -> None:
    """A restore says when; the log keeps its rows."""
    path, engine = f"{USERS}/{member.id}", site.router.services.engine
    key = keys.create(engine, member.id, new_secret(), {"name": "k"})
    assert_problem(api.post(f"{path}/purge"), 409, "not_deleted")
    assert api.delete(path).status_code == 204
    assert api.post(f"{path}/purge").status_code == 204
    assert keys.get(engine, key.id) is None
    assert users.by_id(engine, member.id) is None
    for gone in (f"{path}/restore", f"{path}/purge", f"/api/v1/api-keys/{key.id}/restore"):
        assert "was purged at 2" in api.post(gone).json()["detail"]
        assert api.post(gone).status_code == 410
    assert_problem(api.post(f"{USERS}/{uuid7()}/restore"), 404, "not_found")


def test_the_keys_of_a_deleted_user_can_go_to_another(site: Site, api: httpx2.Client, member: User) -> None:
    """They go on working there."""
    secret, heir = a_key_of(site, member.id), site.new_user()
    path = f"{USERS}/{member.id}"
    for nobody in (str(uuid7()), "x", member.id):
        answer = api.delete(path, params={"transfer_keys_to": nobody})
        assert_problem(answer, 422, "invalid", "transfer_keys_to")
    assert api.delete(path, params={"transfer_keys_to": heir.id}).status_code == 204
    assert asks(site, secret) == 200
    assert api.get(f"{USERS}/{heir.id}").json()["keys"] == 1


def test_signing_out_everywhere(site: Site, api: httpx2.Client, member: User) -> None:
    """By an administrator, and by members for themselves; another's id is as unknown as any."""
    clients = [site.client_of(member.login) for _ in range(2)]
    other = site.new_user()
    unknown = clients[0].post(f"{USERS}/{uuid7()}/sign-out")
    foreign = clients[0].post(f"{USERS}/{other.id}/sign-out")
    assert unknown.json() | {"request_id": ""} == foreign.json() | {"request_id": ""}
    assert_problem(foreign, 404, "not_found")
    assert clients[0].post(f"{USERS}/{member.id}/sign-out").status_code == 204
    assert [client.get(ME).status_code for client in clients] == [401, 401]
    with site.client_of(member.login) as again:
        assert api.post(f"{USERS}/{member.id}/sign-out").status_code == 204
        assert again.get(ME).status_code == 401
    for client in clients:
        client.close()


def test_own_sessions_are_listed_and_ended(site: Site, member: User, member_api: httpx2.Client) -> None:
    """The current one is marked; another's session is as unknown as any."""
    path = "/api/v1/auth/sessions"
    elsewhere = site.visitor(**{"user-agent": "elsewhere/1"})
    token = elsewhere.post("/api/v1/auth/login", json={"username": member.login, "password": PASSWORD}).json()
    elsewhere.headers["authorization"] = f"Bearer {token['access_token']}"
    found = member_api.get(path).json()["items"]
    assert [(item["user_agent"], item["current"]) for item in found] == [
        ("elsewhere/1", False),
        (found[1]["user_agent"], True),
    ]
    with site.client_of(site.new_user().login) as stranger:
        assert_problem(stranger.delete(f"{path}/{found[0]['id']}"), 404, "not_found")
    assert member_api.delete(f"{path}/{found[0]['id']}").status_code == 204
    assert_problem(member_api.delete(f"{path}/{found[0]['id']}"), 404, "not_found")
    assert elsewhere.get(ME).status_code == 401
    elsewhere.close()


def test_every_change_of_a_user_is_in_the_audit_log(api: httpx2.Client) -> None:
    """Who, what, before and after; never a password."""
    user = made(api, password=PASSWORD)
    path = f"{USERS}/{user['id']}"
    api.patch(path, json={"role": "admin", "password": "another long password"})
    api.post(f"{path}/sign-out")
    api.delete(path)
    api.post(f"{path}/restore")
    entries = api.get("/api/v1/audit", params={"object_id": user["id"]})
    found = entries.json()["items"][::-1]
    assert [entry["action"] for entry in found] == [
        "user.create", "user.change", "user.sign_out", "user.delete", "user.restore",
    ]  # fmt: skip
    assert (found[1]["before"], found[1]["after"]) == (
        {"role": "member", "password": "(hidden)"}, {"role": "admin", "password": "(hidden)"},
    )  # fmt: skip
    assert found[4]["after"] == {"name": user["login"]}
    assert "another long" not in entries.text


def test_the_password_of_the_environment_is_not_set_here(embedded: EmbeddedServices, upstream: FakeUpstream) -> None:
    """It would only hold until the next start."""
    with running_router(embedded, upstream, admin_password=PASSWORD) as router, router.client() as client:
        client.headers["authorization"] = f"Bearer {router.token()}"
        answer = client.patch(f"{USERS}/{router.admin.id}", json={"password": "another long password"})
        assert_problem(answer, 422, "invalid", "password")
