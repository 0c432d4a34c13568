"""Signing in and out: by token, by cookie, and how often a password may be tried."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher, extract_parameters
from joserfc import jwt
from joserfc.jwk import OctKey
from tests.admin.site import Site, an_address, assert_problem
from tests.raw_platform import closed_port
from tests.services import PASSWORD, running_router
from tests.upstream import FakeUpstream

from ccrouter.admin import attempts
from ccrouter.admin.attempts import ATTEMPTS, WINDOW_S, Attempts
from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import uuid7
from ccrouter.storage import users
from ccrouter.storage.redis import sync_redis
from ccrouter.storage.users import User

ME = "/api/v1/auth/me"
LOGIN = "/api/v1/auth/login"


def test_a_sign_in_gives_a_token_and_a_cookie(site: Site) -> None:
    """The token for programs; the cookie for pages, out of reach of scripts and of other sites."""
    with site.visitor() as client:
        answer = client.post(LOGIN, json={"username": "admin", "password": PASSWORD})
        document = answer.json()
        assert (document["token_type"], document["expires_in"]) == ("bearer", 12 * 3600)
        cookie, _, rest = answer.headers["set-cookie"].partition("; ")
        assert cookie == f"ccr_session={document['access_token']}"
        assert {part.lower() for part in rest.split("; ")} == {"httponly", "max-age=43200", "path=/", "samesite=lax"}
        assert answer.headers["cache-control"] == "no-store"
        # When somebody was last seen changes with each sign-in.
        assert client.get(ME).json() | {"last_seen_at": None} == document["user"] | {"last_seen_at": None}
    user = document["user"]
    assert (user["login"], user["role"], user["status"]) == ("admin", "admin", "active")
    assert {"createKey", "getMe"} <= set(user["permissions"])
    assert {name for name in user if "password" in name} == {"has_password"}
    assert PASSWORD not in answer.text
    assert "argon2" not in answer.text


def test_on_https_the_cookie_is_bound_to_the_host(embedded: EmbeddedServices, upstream: FakeUpstream) -> None:
    """`__Host-` and Secure, by which a browser refuses one that another site has set."""
    with running_router(embedded, upstream, frontend_url="https://router.example") as router, router.client() as client:
        answer = client.post(LOGIN, json={"username": "admin", "password": PASSWORD})
    assert answer.headers["set-cookie"].startswith("__Host-ccr_session=")
    assert "secure" in answer.headers["set-cookie"].lower().split("; ")


@pytest.mark.parametrize(
    ("username", "password"), [("admin", "wrong"), ("nobody", PASSWORD), ("", ""), ("admin\u2028", "é" * 1000)]
)
def test_a_wrong_sign_in_does_not_say_what_was_wrong(site: Site, username: str, password: str) -> None:
    """Neither who exists nor what is close."""
    with site.visitor() as client:
        answer = client.post(LOGIN, json={"username": username, "password": password})
    document = assert_problem(answer, 401, "wrong_password")
    assert document["detail"] == "User name or password is wrong."
    assert "set-cookie" not in answer.headers


def test_whoever_cannot_sign_in_waits_as_long(site: Site, api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody learns by the time who exists: each time one password is checked against one hash of the same cost."""
    made = {
        status: api.post("/api/v1/users", json={"login": f"u-{uuid7().hex[-12:]}", "status": status} | fields).json()
        for status, fields in {
            "active": {"password": PASSWORD},
            "disabled": {"password": PASSWORD},
            "pending": {},
        }.items()
    }
    verified: list[str] = []
    verify = PasswordHasher.verify

    def noted(self: PasswordHasher, known: str, password: str) -> bool:
        verified.append(known)
        return verify(self, known, password)

    monkeypatch.setattr(PasswordHasher, "verify", noted)
    for login in ("nobody", "", *(user["login"] for user in made.values())):
        with site.visitor() as client:
            answer = client.post(LOGIN, json={"username": login, "password": "wrong"})
        assert answer.json()["detail"] == "User name or password is wrong."
    assert len(verified) == 5
    assert len({str(extract_parameters(known)) for known in verified}) == 1


@pytest.mark.parametrize("fields", [{"status": "disabled"}, {"status": "pending"}])
def test_who_is_not_active_cannot_sign_in(site: Site, fields: dict[str, Any]) -> None:
    """The right password does not help."""
    user = site.new_user(**fields)
    with site.visitor() as client:
        assert_problem(client.post(LOGIN, json={"username": user.login, "password": PASSWORD}), 401, "wrong_password")


def test_who_has_no_password_cannot_sign_in(site: Site) -> None:
    """Not with an empty one either."""
    user = users.create(site.router.services.engine, f"no-password-{uuid7().hex}")
    with site.visitor() as client:
        assert_problem(client.post(LOGIN, json={"username": user.login, "password": ""}), 401, "wrong_password")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ("username", "password")),
        ({"username": "admin"}, ("password",)),
        ({"username": "admin", "password": 7}, ("password",)),
        ({"username": "admin", "password": "x", "remember": True}, ("remember",)),
        ({"username": "a" * 201, "password": "p" * 1001}, ("username", "password")),
        ([], ("body",)),
    ],
)
def test_a_sign_in_names_what_is_missing(site: Site, body: Any, fields: tuple[str, ...]) -> None:
    """Each member at fault."""
    with site.visitor() as client:
        assert_problem(client.post(LOGIN, json=body), 422, "invalid", *fields)


def fail(client: httpx2.Client, login: str, times: int) -> list[int]:
    """So many wrong passwords."""
    return [client.post(LOGIN, json={"username": login, "password": "wrong"}).status_code for _ in range(times)]


def test_a_login_is_tried_ten_times(site: Site, member: User) -> None:
    """From wherever; then the right password has to wait as well, and the answer says how long."""
    for _ in range(2):
        with site.visitor() as client:
            assert fail(client, member.login, 5) == [401] * 5
    with site.visitor() as client:
        answer = client.post(LOGIN, json={"username": member.login, "password": PASSWORD})
        assert_problem(answer, 429, "too_many_attempts")
        assert 0 < int(answer.headers["retry-after"]) <= WINDOW_S
        # Others are not held up.
        other = site.new_user()
        assert client.post(LOGIN, json={"username": other.login, "password": PASSWORD}).status_code == 200


def test_an_address_tries_ten_times(site: Site) -> None:
    """Whatever login; another address is free."""
    people = [site.new_user().login for _ in range(3)]
    with site.visitor() as client:
        assert [fail(client, people[number % 3], 1) for number in range(10)] == [[401]] * 10
        assert fail(client, people[0], 1) == [429]
        client.headers["x-forwarded-for"] = an_address()
        assert fail(client, people[0], 1) == [401]


def test_a_success_forgets_the_failures_of_a_login(site: Site, member: User) -> None:
    """Somebody who mistypes now and then is never locked out."""
    for _ in range(3):
        with site.visitor() as client:
            assert fail(client, member.login, 8) == [401] * 8
            assert client.post(LOGIN, json={"username": member.login, "password": PASSWORD}).status_code == 200


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_attempts_are_counted_without_redis_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, for the same time."""
    clock = Clock()
    monkeypatch.setattr(attempts, "monotonic_s", clock)
    with sync_redis(f"redis://127.0.0.1:{closed_port()}/0") as away:
        counted = Attempts(lambda: away)
        for _ in range(ATTEMPTS):
            assert counted.wait_s(["login:a", "address:b"]) == 0
            counted.failed(["login:a", "address:b"])
        assert 0 < counted.wait_s(["login:a"]) <= WINDOW_S + 1
        counted.succeeded("login:a")
        assert (counted.wait_s(["login:a"]), counted.wait_s(["login:a", "address:b"]) > 0) == (0, True)
        clock.now += WINDOW_S + 1
        assert counted.wait_s(["address:b"]) == 0


def test_two_processes_count_together(embedded: EmbeddedServices) -> None:
    """In Redis; and the count ends by itself."""
    name = f"login:{uuid7().hex}"
    with sync_redis(embedded.redis_url) as redis:
        first, second = Attempts(lambda: redis), Attempts(lambda: redis)
        for _ in range(ATTEMPTS // 2):
            first.failed([name])
            second.failed([name])
        assert Attempts(lambda: redis).wait_s([name]) > 0
        assert 0 < redis.ttl(f"ccr:sign-in:{name}") <= WINDOW_S


@pytest.fixture
def page(site: Site, member: User) -> Iterator[tuple[httpx2.Client, str]]:
    """A member's page: a client with the cookie only, and the token that its scripts know."""
    with site.visitor() as client:
        answer = client.post(LOGIN, json={"username": member.login, "password": PASSWORD})
        yield client, answer.json()["user"]["csrf_token"]


def test_a_page_reads_with_its_cookie_and_changes_with_its_token(page: tuple[httpx2.Client, str]) -> None:
    """Another site can make a browser send the cookie, but it does not know the token."""
    client, token = page
    assert client.get(ME).status_code == 200
    for headers in ({}, {"x-csrf-token": ""}, {"x-csrf-token": "0" * 64}):
        assert_problem(client.patch(ME, json={"name": "A"}, headers=headers), 403, "csrf")
    assert client.get(ME).json()["name"] is None
    assert client.patch(ME, json={"name": "A"}, headers={"x-csrf-token": token}).json()["name"] == "A"


def test_a_token_of_another_session_does_not_fit(site: Site, page: tuple[httpx2.Client, str], member: User) -> None:
    """It belongs to one session of one user."""
    client, _token = page
    other = site.sign_in(member.login)["user"]["csrf_token"]
    assert_problem(client.patch(ME, json={"name": "A"}, headers={"x-csrf-token": other}), 403, "csrf")


def test_a_bearer_token_counts_before_the_cookie(site: Site, page: tuple[httpx2.Client, str]) -> None:
    """A program that sends both is a program."""
    client, _token = page
    bearer = {"authorization": f"Bearer {site.sign_in('admin')['access_token']}"}
    assert client.get(ME, headers=bearer).json()["login"] == "admin"
    assert client.patch(ME, json={}, headers=bearer).status_code == 200
    assert client.get(ME, headers={"authorization": "Bearer nonsense"}).status_code == 401


def test_signing_out_ends_the_session(site: Site, page: tuple[httpx2.Client, str], member: User) -> None:
    """At once, for the cookie and for the token; other sessions of the user go on."""
    client, token = page
    session = client.cookies["ccr_session"]
    other = site.sign_in(member.login)["access_token"]
    assert_problem(client.post("/api/v1/auth/logout"), 403, "csrf")
    answer = client.post("/api/v1/auth/logout", headers={"x-csrf-token": token})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    with site.visitor() as visitor:
        assert visitor.get(ME, headers={"authorization": f"Bearer {session}"}).status_code == 401
        assert visitor.get(ME, headers={"authorization": f"Bearer {other}"}).status_code == 200
        assert visitor.post("/api/v1/auth/logout").status_code == 204


def test_a_user_who_is_disabled_is_out_at_once(site: Site, member: User, member_api: httpx2.Client) -> None:
    """The token does not outlive it."""
    assert member_api.get(ME).status_code == 200
    users.change(site.router.services.engine, member.id, {"status": "disabled"})
    assert_problem(member_api.get(ME), 401, "not_signed_in")


def forged(**claims: Any) -> str:
    """A token signed with another secret."""
    values = {"sub": str(uuid7()), "sid": str(uuid7()), "exp": int(time.time()) + 600} | claims
    return jwt.encode({"alg": "HS256"}, values, OctKey.import_key("x" * 40))


def of_this_router(**claims: Any) -> str:
    """A token signed with the router's secret."""
    values = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "HS256"}, values, OctKey.import_key("j" * 40))


NONE_ALGORITHM = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzaWQiOiIxIiwiZXhwIjo5OTk5OTk5OTk5fQ."


@pytest.mark.parametrize(
    "token",
    [
        "nonsense", "a.b.c", NONE_ALGORITHM, forged(),
        of_this_router(sid=str(uuid7()), exp=int(time.time()) + 600),
        of_this_router(sid="no id", exp=int(time.time()) + 600),
        of_this_router(sid=7, exp=int(time.time()) + 600),
        of_this_router(exp=int(time.time()) + 600),
        of_this_router(sid=str(uuid7())),
        "sk-ccr-" + "a" * 43,
    ],
    ids=["nonsense", "dots", "no algorithm", "forged", "unknown session", "odd session", "number", "no session",
         "no end", "an api key"],
)  # fmt: skip
def test_a_token_that_is_not_ours_opens_nothing(site: Site, token: str) -> None:
    """401 with the way to sign in."""
    with site.visitor(authorization=f"Bearer {token}") as client:
        answer = client.get(ME)
    assert_problem(answer, 401, "not_signed_in")
    assert answer.headers["www-authenticate"] == 'Bearer realm="ccrouter"'


def test_a_token_ends_by_time(site: Site) -> None:
    """Although its session is still there."""
    token = site.sign_in("admin")["access_token"]
    claims = jwt.decode(token, OctKey.import_key("j" * 40), algorithms=["HS256"]).claims
    for changes, status in (({}, 200), ({"exp": int(time.time()) - 1}, 401)):
        with site.visitor(authorization=f"Bearer {of_this_router(**(claims | changes))}") as client:
            assert client.get(ME).status_code == status


def test_the_own_account_can_be_changed(member_api: httpx2.Client, member: User) -> None:
    """Name, language and theme, one at a time; null takes a name away."""
    assert member_api.patch(ME, json={"name": " Ada ", "language": "de", "theme": "dark"}).status_code == 200
    found = member_api.patch(ME, json={}).json()
    assert (found["name"], found["language"], found["theme"], found["login"]) == ("Ada", "de", "dark", member.login)
    assert member_api.patch(ME, json={"name": None}).json()["name"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"language": "deutsch"}, "language"),
        ({"theme": "pink"}, "theme"),
        ({"name": " "}, "name"),
        ({"role": "admin"}, "role"),
        ({"status": "active"}, "status"),
        ({"password": {"current": PASSWORD, "new": "short"}}, "password.new"),
        ({"password": {"current": PASSWORD}}, "password.new"),
        ({"password": {"current": "wrong", "new": "long enough for us"}}, "password.current"),
    ],
)
def test_what_cannot_be_changed_is_named(member_api: httpx2.Client, body: dict[str, Any], field: str) -> None:
    """Nobody makes himself an administrator."""
    assert_problem(member_api.patch(ME, json=body), 422, "invalid", field)


def test_a_changed_password_is_the_one_that_holds(site: Site, member: User, member_api: httpx2.Client) -> None:
    """The former one is gone, and with it the sessions that others may have opened with it; the own one stays."""
    elsewhere = site.sign_in(member.login)["access_token"]
    new = "a longer one than before"
    assert member_api.patch(ME, json={"password": {"current": PASSWORD, "new": new}}).status_code == 200
    assert member_api.get(ME).status_code == 200
    with site.visitor() as client:
        assert client.get(ME, headers={"authorization": f"Bearer {elsewhere}"}).status_code == 401
        assert client.post(LOGIN, json={"username": member.login, "password": PASSWORD}).status_code == 401
        assert client.post(LOGIN, json={"username": member.login, "password": new}).status_code == 200


def test_a_session_is_no_place_to_guess_the_password_at(site: Site, member: User, member_api: httpx2.Client) -> None:
    """Ten wrong ones, then not even the right one for a while; a sign-in is another thing."""
    body = {"password": {"current": "wrong", "new": "long enough for us"}}
    for _ in range(ATTEMPTS):
        assert_problem(member_api.patch(ME, json=body), 422, "invalid", "password.current")
    body["password"]["current"] = PASSWORD
    answer = member_api.patch(ME, json=body)
    assert_problem(answer, 429, "too_many_attempts")
    assert member_api.patch(ME, json={"name": "x"}).status_code == 200
    assert site.sign_in(member.login)["user"]["name"] == "x"


def test_what_members_may_do_with_keys_is_told_to_them(
    site: Site, api: httpx2.Client, member_api: httpx2.Client
) -> None:
    """So that pages offer no more; administrators are bound by nothing."""
    assert api.get(ME).json()["key_rules"] is None
    rules = {"max_keys": 2, "allowed_platforms": ["sandbox"], "mapping": {"default": []}}
    api.put("/api/v1/settings", json={"members": rules})
    told = member_api.get(ME).json()["key_rules"]
    api.put("/api/v1/settings", json={"members": None})
    assert told == {"may_create_keys": True, "max_keys": 2, "allowed_platforms": ["sandbox"], "own_mapping": False}
    assert member_api.get(ME).json()["key_rules"]["own_mapping"]


def test_a_password_of_the_environment_is_changed_there(embedded: EmbeddedServices, upstream: FakeUpstream) -> None:
    """Here it would only hold until the next start."""
    body = {"password": {"current": PASSWORD, "new": "long enough for us"}}
    with running_router(embedded, upstream, admin_password=PASSWORD) as router, router.client() as client:
        token = {"authorization": f"Bearer {router.token()}"}
        document = assert_problem(client.patch(ME, json=body, headers=token), 422, "invalid", "password")
    assert "ADMIN_PASSWORD" in document["detail"]


def test_what_a_page_knows_before_anybody_signs_in(site: Site) -> None:
    """Version, address, the ways to sign in; set-up is closed once there is an administrator."""
    with site.visitor() as client:
        meta = client.get("/api/v1/meta").json()
        providers = client.get("/api/v1/auth/providers").json()
    assert set(meta) == {"version", "sign_in", "public_url", "setup_open", "time_zone"}
    assert (meta["setup_open"], meta["sign_in"]) == (False, ["password"])
    assert providers == {"items": [{"id": "password", "name": "Password", "url": None}], "next_cursor": None}
