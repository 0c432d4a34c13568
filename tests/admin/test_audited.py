"""Every operation that changes something leaves one entry in the audit log, in the name of who did it."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site
from tests.emulators.antigravity import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, AntigravityEmulator
from tests.services import PASSWORD

from ccrouter.admin.permissions import ANYONE, PERMISSIONS
from ccrouter.api import describe_api
from ccrouter.ids import uuid7
from ccrouter.storage import audit
from ccrouter.storage.audit import AuditFilters, Entry
from ccrouter.storage.users import User

NOTHING_CHANGES = {
    "resolveModel": "it only answers",
    "testKey": "its request is in the log",
    "testCredential": "its request is in the log",
    "testWebhook": "its delivery is in the list of deliveries",
    "beginPlatformSignIn": "nothing comes of it until somebody confirms",
}
ELSEWHERE = {"setUp": "test_set_up.py: it needs an installation without an administrator"}


@dataclass
class Caller:
    """An administrator at work."""

    site: Site
    api: httpx2.Client
    me: User

    def key(self) -> str:
        """The path of a new key."""
        return f"/api/v1/api-keys/{self.api.post('/api/v1/api-keys', json={'name': 'k'}).json()['id']}"

    def credential(self, platform: str = "anthropic") -> str:
        """The path of a new credential that serves nobody."""
        google = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
        auth = google if platform == "antigravity" else {"api_key": "sk-ant-x"}
        options = {"acknowledged": True} if platform == "antigravity" else {}
        fields = {"name": f"c-{uuid7()}", "models": ["nobody-asks"], "options": options, "enabled": False}
        body = {"platform": platform, "auth": auth, **fields}
        return f"/api/v1/credentials/{self.api.post('/api/v1/credentials', json=body).json()['id']}"

    def webhook(self) -> str:
        """The path of a new webhook."""
        body = {"name": "w", "url": "https://hooks.example.com/x"}
        return f"/api/v1/webhooks/{self.api.post('/api/v1/webhooks', json=body).json()['id']}"

    def user(self) -> str:
        """The path of a new user."""
        return f"/api/v1/users/{self.site.new_user().id}"

    def deleted(self, path: str) -> str:
        """The same path, its object deleted."""
        assert self.api.delete(path).status_code == 204
        return path


Recipe = Callable[[Caller], Callable[[], httpx2.Response]]


def call(method: str, path: Callable[[Caller], str] | str, body: Any = None) -> Recipe:
    """Makes what is needed, then the one call."""

    def recipe(caller: Caller) -> Callable[[], httpx2.Response]:
        place = path if isinstance(path, str) else path(caller)
        return lambda: caller.api.request(method, place, **({} if body is None else {"json": body}))

    return recipe


def end_a_session(caller: Caller) -> Callable[[], httpx2.Response]:
    """Another one of the caller's own."""
    before = {item["id"] for item in caller.api.get("/api/v1/auth/sessions").json()["items"]}
    caller.site.sign_in(caller.me.login)
    (other,) = {item["id"] for item in caller.api.get("/api/v1/auth/sessions").json()["items"]} - before
    return lambda: caller.api.delete(f"/api/v1/auth/sessions/{other}")


def sign_in(caller: Caller) -> Callable[[], httpx2.Response]:
    """Another time."""

    def do() -> httpx2.Response:
        with caller.site.visitor() as visitor:
            return visitor.post("/api/v1/auth/login", json={"username": caller.me.login, "password": PASSWORD})

    return do


def sign_out(caller: Caller) -> Callable[[], httpx2.Response]:
    """Of a session of its own, so that the caller stays."""
    token = caller.site.sign_in(caller.me.login)["access_token"]

    def do() -> httpx2.Response:
        with caller.site.visitor(authorization=f"Bearer {token}") as visitor:
            return visitor.post("/api/v1/auth/logout")

    return do


def finish_a_sign_in(caller: Caller) -> Callable[[], httpx2.Response]:
    """One to which a person has agreed at Google."""
    stack = ExitStack()
    google = stack.enter_context(AntigravityEmulator())
    body = {
        "platform": "antigravity", "name": "s", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
        "options": google.options,
    }  # fmt: skip
    begun = caller.api.post("/api/v1/credentials/sign-in", json=body).json()

    def do() -> httpx2.Response:
        with stack:
            address = google.agree(begun["url"])
            return caller.api.post(f"/api/v1/credentials/sign-in/{begun['id']}", json={"url": address})

    return do


RECIPES: dict[str, tuple[str, Recipe]] = {
    "login": ("session.start", sign_in),
    "logout": ("session.end", sign_out),
    "endMySession": ("session.end", end_a_session),
    "changeMe": ("user.change", call("PATCH", "/api/v1/auth/me", {"theme": "dark"})),
    "createUser": ("user.create", lambda c: lambda: c.api.post("/api/v1/users", json={"login": f"u{uuid7().hex}"})),
    "changeUser": ("user.change", call("PATCH", Caller.user, {"name": "N"})),
    "deleteUser": ("user.delete", call("DELETE", Caller.user)),
    "restoreUser": ("user.restore", call("POST", lambda c: f"{c.deleted(c.user())}/restore")),
    "purgeUser": ("user.purge", call("POST", lambda c: f"{c.deleted(c.user())}/purge")),
    "signOutUser": ("user.sign_out", call("POST", lambda c: f"{c.user()}/sign-out")),
    "createKey": ("key.create", call("POST", "/api/v1/api-keys", {"name": "k"})),
    "changeKey": ("key.change", call("PATCH", Caller.key, {"note": "n"})),
    "deleteKey": ("key.delete", call("DELETE", Caller.key)),
    "restoreKey": ("key.restore", call("POST", lambda c: f"{c.deleted(c.key())}/restore")),
    "purgeKey": ("key.purge", call("POST", lambda c: f"{c.deleted(c.key())}/purge")),
    "rotateKey": ("key.rotate", call("POST", lambda c: f"{c.key()}/rotate")),
    "changeKeys": ("key.change", lambda c: (lambda key: lambda: c.api.post(
        "/api/v1/api-keys/batch", json={"ids": [key], "add_tags": ["t"]}))(c.key().rpartition("/")[2])),
    "createCredential": ("credential.create", call("POST", "/api/v1/credentials", {
        "platform": "anthropic", "name": "c", "auth": {"api_key": "k"}, "enabled": False})),
    "changeCredential": ("credential.change", call("PATCH", Caller.credential, {"priority": 3})),
    "deleteCredential": ("credential.delete", call("DELETE", Caller.credential)),
    "restoreCredential": ("credential.restore", call("POST", lambda c: f"{c.deleted(c.credential())}/restore")),
    "purgeCredential": ("credential.purge", call("POST", lambda c: f"{c.deleted(c.credential())}/purge")),
    "resetCredential": ("credential.reset", call("POST", lambda c: f"{c.credential()}/reset")),
    "setUpCredential": ("credential.set-up", call("POST", lambda c: f"{c.credential('antigravity')}/set-up")),
    "finishPlatformSignIn": ("credential.create", finish_a_sign_in),
    "importConfiguration": ("key.change", lambda c: _import(c)),
    "changeSettings": ("settings.change", call("PUT", "/api/v1/settings", {"alerts": {"thresholds": [75]}})),
    "putPrices": ("prices.change", call("PUT", "/api/v1/prices", {"own": [
        {"platform": "openai", "model": f"m-{uuid7()}", "rates": {"input": "1", "output": "2"}}]})),
    "syncPrices": ("prices.sync", call("POST", "/api/v1/prices/sync")),
    "rerate": ("prices.rerate", call("POST", "/api/v1/prices/rerate", {
        "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"})),
    "createWebhook": ("webhook.create", call("POST", "/api/v1/webhooks", {
        "name": "w", "url": "https://hooks.example.com/x"})),
    "changeWebhook": ("webhook.change", call("PATCH", Caller.webhook, {"name": "other"})),
    "deleteWebhook": ("webhook.delete", call("DELETE", Caller.webhook)),
}  # fmt: skip
"""The entry that each operation leaves, and a call that succeeds."""


def _import(caller: Caller) -> Callable[[], httpx2.Response]:
    path = caller.key()
    document = caller.api.get("/api/v1/configuration").json()
    document["keys"] = [key for key in document["keys"] if key["id"] == path.rpartition("/")[2]]
    document["keys"][0]["note"] = "imported"
    body = {"configuration": {"format": document["format"], "keys": document["keys"]}}
    return lambda: caller.api.post("/api/v1/configuration", json=body)


def newest(site: Site) -> Entry | None:
    """The last entry."""
    items = audit.find(site.router.services.engine, AuditFilters(), limit=1).items
    return items[0] if items else None


def entries_since(site: Site, last: Entry | None) -> list[Entry]:
    """What was written after it."""
    items = audit.find(site.router.services.engine, AuditFilters(), limit=20).items
    return [entry for entry in items if last is None or entry.id > last.id]


def test_the_lists_name_every_operation_that_changes_something() -> None:
    """A new one finds its place here."""
    operations = {
        operation["operationId"]
        for methods in describe_api()["paths"].values()
        for method, operation in methods.items()
        if method != "get"
    }
    assert operations == set(RECIPES) | set(NOTHING_CHANGES) | set(ELSEWHERE)
    assert not set(RECIPES) & set(NOTHING_CHANGES)


@pytest.mark.parametrize("operation", RECIPES)
def test_a_change_leaves_one_entry(site: Site, operation: str) -> None:
    """With who, what and from where; never with a secret."""
    me = site.new_user(role="admin")
    with site.client_of(me.login) as api:
        action, recipe = RECIPES[operation]
        make = recipe(Caller(site, api, me))
        last = newest(site)
        answer = make()
        assert answer.status_code < 300, answer.text
        entries = entries_since(site, last)
    site.leave_one_administrator()
    assert [entry.action for entry in entries] == [action]
    (entry,) = entries
    assert (entry.actor_id, entry.actor, entry.kind) == (me.id, me.login, action.partition(".")[0])
    assert entry.client_ip is not None
    assert entry.client_ip.startswith("203.0.")
    assert CLIENT_SECRET not in str((entry.before, entry.after))
    assert PASSWORD not in str((entry.before, entry.after))


def test_a_sign_in_that_fails_is_noted(site: Site) -> None:
    """By nobody in particular, with the name that was tried and not the password."""
    name = f"nobody-{uuid7()}"
    with site.visitor() as visitor:
        visitor.post("/api/v1/auth/login", json={"username": name, "password": "my secret guess"})
    entry = newest(site)
    assert entry is not None
    assert (entry.actor_id, entry.actor, entry.action, entry.failed) == (None, "sign-in", "session.start", True)
    assert entry.after == {"login": name}


def test_what_changes_nothing_is_not_noted(site: Site, api: httpx2.Client) -> None:
    """A refused edit, a dry run, an edit of an older version."""
    caller = Caller(site, api, site.router.admin)
    key = caller.key()
    last = newest(site)
    assert api.patch(key, json={"limits": {"rpm": 0}}).status_code == 422
    assert api.patch(key, json={"note": "x"}, headers={"if-match": '"0"'}).status_code == 412
    assert api.post("/api/v1/prices/sync", json={"dry_run": True}).status_code == 200
    assert entries_since(site, last) == []


def test_permissions_know_the_operations_of_this_list() -> None:
    """None is open to everybody but those that let people in."""
    assert {name for name in RECIPES if PERMISSIONS[name] == ANYONE} == {"login", "logout"}
