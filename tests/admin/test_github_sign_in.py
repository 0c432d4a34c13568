"""Signing in with GitHub: the whole way, and every way to be refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from tests.admin.site import Site, an_address, assert_problem
from tests.emulators.github import CLIENT_ID, CLIENT_SECRET, GithubEmulator
from tests.raw_platform import closed_port
from tests.services import running_router
from tests.upstream import FakeUpstream

from ccrouter.access.tickets import NONCE_COOKIE, TICKET_COOKIE, Tickets
from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import uuid7
from ccrouter.storage import site_settings, users
from ccrouter.storage.users import User

START, CALLBACK, FINISH = (f"/api/v1/auth/github{step}" for step in ("", "/callback", "/finish"))
ME = "/api/v1/auth/me"
PAGES = "http://localhost:3000"


@pytest.fixture(scope="module")
def _github() -> Iterator[GithubEmulator]:
    with GithubEmulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def _github_site(embedded: EmbeddedServices, _shared_upstream: FakeUpstream, _github: GithubEmulator) -> Iterator[Site]:
    with running_router(embedded, _shared_upstream, **github_settings(_github.url)) as router:
        yield Site(router)


def github_settings(url: str, **fields: Any) -> dict[str, Any]:
    """Settings of a router that signs people in there."""
    return {
        "github_client_id": CLIENT_ID,
        "github_client_secret": CLIENT_SECRET,
        "github_url": url,
        "github_api_url": f"{url}/api/v3",
    } | fields


@pytest.fixture
def github(_github: GithubEmulator) -> Iterator[GithubEmulator]:
    """GitHub, with one account that nobody knows here; what an application must not do, is not done."""
    _github.reset()
    _github.account.id = uuid7().int % 2**40
    _github.account.login = f"octo-{_github.account.id}"
    yield _github
    assert _github.violations == []


@pytest.fixture
def site(_github_site: Site, github: GithubEmulator) -> Site:
    """A router that signs in with it; whom no list names may ask."""
    rule(_github_site)
    return _github_site


@pytest.fixture
def browser(site: Site) -> Iterator[httpx2.Client]:
    """A browser without cookies."""
    with site.router.client() as client:
        yield client


def rule(site: Site, **rules: Any) -> None:
    """Sets whom GitHub's sign-in lets in."""
    with site.router.services.engine.begin() as connection:
        site_settings.change(connection, {"github": rules or None})


def to_github(browser: httpx2.Client, then: str = "/") -> str:
    """Begins; the address on GitHub."""
    answer = browser.get(START, params={"next": then})
    assert answer.status_code == 303
    return str(answer.headers["location"])


def on_github(browser: httpx2.Client, there: str) -> str:
    """What the person does there; the address to come back to, as path and query."""
    answer = browser.get(there)
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["location"])
    assert (f"{back.scheme}://{back.netloc}", back.path) == (PAGES, CALLBACK)
    return f"{back.path}?{back.query}"


def back(browser: httpx2.Client, path: str) -> str:
    """Comes back, and finishes where there is something to finish; where it ends."""
    answer = browser.get(path)
    assert (answer.status_code, len(answer.content)) == (303, 0)
    where: str = answer.headers["location"]
    if where == FINISH:
        answer = browser.get(FINISH)
        assert answer.status_code == 303
        where = answer.headers["location"]
    assert where.startswith(f"{PAGES}/")
    return where.removeprefix(PAGES)


def signs_in(browser: httpx2.Client, then: str = "/") -> str:
    """The whole way; where it ends."""
    return back(browser, on_github(browser, to_github(browser, then)))


def user_of(site: Site, github: GithubEmulator) -> User:
    """The user of the account on GitHub."""
    user = users.by_github_id(site.router.services.engine, github.account.id)
    assert user is not None
    return user


def test_whom_a_list_names_is_signed_in(site: Site, github: GithubEmulator, browser: httpx2.Client) -> None:
    """From the first page to the own account; a member, known by GitHub's number."""
    rule(site, logins=[github.account.login.upper()])
    assert signs_in(browser, "/keys?tag=a&x=é") == "/keys?tag=a&x=%C3%A9"
    me = browser.get(ME).json()
    assert (me["login"], me["role"], me["status"]) == (github.account.login, "member", "active")
    assert me["github"] == {"id": github.account.id, "login": github.account.login}
    assert (me["name"], me["email"]) == ("Mona Lisa Octocat", "octocat@example.com")
    assert me["avatar_url"].startswith("https://avatars.")
    assert me["last_seen_at"] is not None
    # The page changes things with its token, as after a sign-in by password.
    assert_problem(browser.patch(ME, json={"name": "x"}), 403, "csrf")
    assert browser.patch(ME, json={"name": "x"}, headers={"x-csrf-token": me["csrf_token"]}).status_code == 200


def test_nothing_secret_is_in_an_address(site: Site, github: GithubEmulator, browser: httpx2.Client) -> None:
    """Neither session, ticket nor verifier, nor the client's secret; GitHub is asked with state and PKCE."""
    rule(site, logins=[github.account.login])
    there = to_github(browser)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(there).query).items()}
    assert set(asked) == {
        "response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method",
    }  # fmt: skip
    assert asked["redirect_uri"] == f"{PAGES}{CALLBACK}"
    verifier = Tickets("j" * 40).code_verifier(browser.cookies[NONCE_COOKIE])
    back_path = on_github(browser, there)
    first = browser.get(back_path)
    ticket = browser.cookies[TICKET_COOKIE]
    second = browser.get(FINISH)
    addresses = [there, back_path, first.headers["location"], second.headers["location"]]
    for secret in (verifier, CLIENT_SECRET, ticket, browser.cookies["ccr_session"]):
        assert not [address for address in addresses if secret in address]
    assert verifier not in str(browser.cookies)
    for answer in (first, second):
        assert "httponly" in answer.headers["set-cookie"].lower()
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert NONCE_COOKIE not in browser.cookies
    assert TICKET_COOKIE not in browser.cookies


def test_on_https_the_cookies_are_bound_to_the_host(embedded: EmbeddedServices, upstream: FakeUpstream) -> None:
    """As that of the session."""
    fields = github_settings("https://github.example", frontend_url="https://router.example")
    with running_router(embedded, upstream, **fields) as router, router.client() as client:
        answer = client.get(START)
    assert answer.headers["location"].startswith("https://github.example/login/oauth/authorize?")
    assert answer.headers["set-cookie"].startswith(f"__Host-{NONCE_COOKIE}=")
    assert "secure" in answer.headers["set-cookie"].lower().split("; ")
    assert (
        "redirect_uri=https%3A%2F%2Frouter.example%2Fapi%2Fv1%2Fauth%2Fgithub%2Fcallback" in answer.headers["location"]
    )


@pytest.mark.parametrize(
    "then",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
     "javascript:x", "", "keys", "/a\r\nset-cookie: x=y", "/" + "a" * 400, "/..//evil.example\\@"],
)  # fmt: skip
def test_a_sign_in_leads_to_no_other_site(
    site: Site, github: GithubEmulator, browser: httpx2.Client, then: str
) -> None:
    """Whatever is asked for: to the first page then."""
    rule(site, logins=[github.account.login])
    assert signs_in(browser, then) == "/"


@pytest.mark.parametrize(
    ("rules", "changes"),
    [
        ({"organisations": ["Acme"]}, {"organisations": ["other", "acme"]}),
        ({"organisations": ["acme"]}, {"private_organisations": ["ACME"]}),
        ({"organisations": ["acme-150"]}, {"organisations": [f"acme-{number}" for number in range(199)]}),
        ({"email_domains": ["Example.com"]}, {}),
        ({"email_domains": ["@example.com"]}, {}),
    ],
    ids=["organisation", "private", "many organisations", "domain", "domain with @"],
)
def test_lists_of_organisations_and_domains_let_in(
    site: Site, github: GithubEmulator, browser: httpx2.Client, rules: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Whatever the case."""
    for name, value in changes.items():
        setattr(github.account, name, value)
    rule(site, **rules, approval=False)
    assert signs_in(browser) == "/"
    assert browser.get(ME).json()["status"] == "active"


def mails(*pairs: tuple[str, bool, bool]) -> list[dict[str, Any]]:
    """Addresses: text, primary, verified."""
    return [{"email": text, "primary": primary, "verified": verified} for text, primary, verified in pairs]


@pytest.mark.parametrize(
    ("rules", "changes"),
    [
        ({"logins": ["somebody"]}, {}),
        ({"organisations": ["acme"]}, {"organisations": ["acme-2", "acm"]}),
        ({"organisations": ["acme"]}, {"hidden_organisations": ["acme"]}),
        ({"email_domains": ["example.com"]}, {"emails": mails(("a@example.com", True, False))}),
        ({"email_domains": ["example.com"]},
         {"emails": mails(("a@evil.example", True, True), ("a@example.com", False, True))}),
        ({"email_domains": ["example.com"]}, {"emails": mails(("a@sub.example.com", True, True))}),
        ({"email_domains": ["example.com"]}, {"emails": mails(("a@notexample.com", True, True))}),
        ({"email_domains": ["example.com"]}, {"emails": []}),
        ({}, {}),
    ],
    ids=["login", "organisation", "organisation that hides", "unverified mail", "other mail", "subdomain",
         "longer domain", "no mail", "no list"],
)  # fmt: skip
def test_whom_no_list_names_is_turned_away(
    site: Site, github: GithubEmulator, browser: httpx2.Client, rules: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Without leaving a user behind."""
    for name, value in changes.items():
        setattr(github.account, name, value)
    rule(site, **rules, approval=False)
    assert signs_in(browser) == "/login?outcome=not_allowed"
    assert users.by_github_id(site.router.services.engine, github.account.id) is None
    assert browser.get(ME).status_code == 401


def test_others_may_ask_and_wait(site: Site, github: GithubEmulator, browser: httpx2.Client) -> None:
    """Once in the queue, however often; an administrator's word lets them in."""
    for _ in range(2):
        assert signs_in(browser) == "/login?outcome=pending"
        assert browser.get(ME).status_code == 401
    waiting = user_of(site, github)
    with site.client_of("admin") as api:
        queue = api.get("/api/v1/users", params={"status": "pending", "q": github.account.login}).json()["items"]
        assert [item["id"] for item in queue] == [waiting.id]
        assert api.patch(f"/api/v1/users/{waiting.id}", json={"status": "active"}).status_code == 200
    assert signs_in(browser) == "/"
    assert browser.get(ME).json()["id"] == waiting.id


def test_who_waits_is_let_in_by_a_list_too(site: Site, github: GithubEmulator, browser: httpx2.Client) -> None:
    """At the next sign-in."""
    assert signs_in(browser) == "/login?outcome=pending"
    rule(site, logins=[github.account.login])
    assert signs_in(browser) == "/"


def test_the_queue_has_an_end(
    site: Site, github: GithubEmulator, browser: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers do not fill the database."""
    waiting = users.count_pending(site.router.services.engine)
    monkeypatch.setattr("ccrouter.admin.github_admission.WAITING", waiting)
    assert signs_in(browser) == "/login?outcome=queue_full"
    assert users.by_github_id(site.router.services.engine, github.account.id) is None


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [({"status": "disabled"}, "disabled"), ({"deleted": True}, "not_allowed")],
)
def test_who_is_disabled_or_deleted_stays_out(
    site: Site, github: GithubEmulator, browser: httpx2.Client, changes: dict[str, Any], outcome: str
) -> None:
    """Also where a list names them."""
    rule(site, logins=[github.account.login])
    assert signs_in(browser) == "/"
    user = user_of(site, github)
    with site.client_of("admin") as api:
        if changes.pop("deleted", False):
            assert api.delete(f"/api/v1/users/{user.id}").status_code == 204
        else:
            api.patch(f"/api/v1/users/{user.id}", json=changes)
    assert browser.get(ME).status_code == 401
    assert signs_in(browser) == f"/login?outcome={outcome}"


def test_the_lists_hold_at_each_sign_in(site: Site, github: GithubEmulator, browser: httpx2.Client) -> None:
    """Whoever has left is out, but for administrators, who could not be let in again."""
    rule(site, organisations=["acme"], approval=False)
    github.account.organisations = ["acme"]
    assert signs_in(browser) == "/"
    github.account.organisations = []
    assert signs_in(browser) == "/login?outcome=not_allowed"
    users.change(site.router.services.engine, user_of(site, github).id, {"role": "admin"})
    assert signs_in(browser) == "/"
    users.change(site.router.services.engine, user_of(site, github).id, {"role": "member"})


def test_a_person_is_a_number_and_never_a_login(site: Site, github: GithubEmulator, browser: httpx2.Client) -> None:
    """A renamed account is the same user; who takes the login afterwards is another, and so is a user made here."""
    engine = site.router.services.engine
    first_name = github.account.login
    rule(site, logins=[first_name, "renamed"])
    assert signs_in(browser) == "/"
    first = user_of(site, github)
    github.account.login = "renamed"
    assert signs_in(browser) == "/"
    assert user_of(site, github).id == first.id
    assert (user_of(site, github).login, user_of(site, github).github_login) == (first_name, "renamed")
    github.account.id, github.account.login = github.account.id + 1, first_name
    assert signs_in(browser) == "/"
    second = user_of(site, github)
    assert (second.id != first.id, second.login) == (True, f"{first_name}-{github.account.id}")
    local = users.create(engine, f"Local-{uuid7().hex[-8:]}", role="admin")
    github.account.id, github.account.login = github.account.id + 1, local.login.lower()
    rule(site, logins=[local.login])
    assert signs_in(browser) == "/"
    assert (browser.get(ME).json()["role"], browser.get(ME).json()["id"] == local.id) == ("member", False)


def test_the_login_admin_on_github_is_not_the_administrator(
    site: Site, github: GithubEmulator, browser: httpx2.Client
) -> None:
    """Another user, without rights."""
    github.account.login = "admin"
    rule(site, logins=["admin"])
    assert signs_in(browser) == "/"
    me = browser.get(ME).json()
    assert (me["login"], me["role"]) == (f"admin-{github.account.id}", "member")


def test_a_new_member_has_the_limits_of_the_settings(
    site: Site, github: GithubEmulator, browser: httpx2.Client
) -> None:
    """Over all own keys."""
    with site.client_of("admin") as api:
        api.put("/api/v1/settings", json={"members": {"limits": {"rpm": 7}}})
        rule(site, logins=[github.account.login])
        assert signs_in(browser) == "/"
        api.put("/api/v1/settings", json={"members": None})
    assert browser.get(ME).json()["limits"]["rpm"] == 7


@pytest.mark.parametrize(
    ("scenario", "outcome"),
    [
        ("denies", "denied"),
        ("expired", "expired"),
        ("away", "github_away"),
        ("page", "github_away"),
        ("rate_limited", "rate_limited"),
        ("rate_limited_429", "rate_limited"),
        ("refused_token", "github_refused"),
        ("bad_callback", "github_refused"),
    ],
)
def test_what_goes_wrong_on_github_is_told(
    site: Site, github: GithubEmulator, browser: httpx2.Client, scenario: str, outcome: str
) -> None:
    """Each in words that the pages know; nobody is signed in, and the next try works."""
    rule(site, logins=[github.account.login])
    github.script(scenario)
    assert signs_in(browser) == f"/login?outcome={outcome}"
    assert browser.get(ME).status_code == 401
    github.scenario = ""
    assert signs_in(browser) == "/"


def test_an_application_that_may_not_read_mail_lets_in_by_login(
    site: Site, github: GithubEmulator, browser: httpx2.Client
) -> None:
    """It has no address then."""
    rule(site, logins=[github.account.login], email_domains=["example.com"])
    github.script("no_mail_permission")
    assert signs_in(browser) == "/"
    assert browser.get(ME).json()["email"] is None


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"github_client_secret": "wrong"}, "github_refused"),
        ({"github_url": f"http://127.0.0.1:{closed_port()}"}, "github_away"),
    ],
)
def test_what_is_set_up_wrongly_is_told(
    embedded: EmbeddedServices,
    upstream: FakeUpstream,
    github: GithubEmulator,
    fields: dict[str, Any],
    outcome: str,
) -> None:
    """A wrong secret, and an address where nobody is."""
    settings = github_settings(github.url, **fields)
    with running_router(embedded, upstream, **settings) as router, router.client() as browser:
        there = urlsplit(to_github(browser))
        path = on_github(browser, f"{github.url}{there.path}?{there.query}")
        assert back(browser, path) == f"/login?outcome={outcome}"


def test_without_github_there_is_no_such_way(embedded: EmbeddedServices, upstream: FakeUpstream) -> None:
    """Neither offered nor open."""
    with running_router(embedded, upstream) as router, router.client() as browser:
        for path in (START, f"{CALLBACK}?code=x&state=y"):
            assert browser.get(path).headers["location"] == f"{PAGES}/login?outcome=github_off"
        assert browser.get("/api/v1/meta").json()["sign_in"] == ["password"]


def test_github_is_offered_where_it_is_set_up(browser: httpx2.Client) -> None:
    """With the address where it begins."""
    assert browser.get("/api/v1/meta").json()["sign_in"] == ["password", "github"]
    offered = browser.get("/api/v1/auth/providers").json()["items"]
    assert offered[1] == {"id": "github", "name": "GitHub", "url": START}


# What somebody else may try


def test_a_state_of_another_browser_is_refused(site: Site, github: GithubEmulator, browser: httpx2.Client) -> None:
    """Nobody is signed in as somebody else by an address that is sent to him."""
    rule(site, logins=[github.account.login])
    path = on_github(browser, to_github(browser))
    with site.router.client() as victim:
        assert back(victim, path) == "/login?outcome=state"
        to_github(victim)
        assert back(victim, path) == "/login?outcome=state"
        assert victim.get(ME).status_code == 401


@pytest.mark.parametrize("state", ["", "x", "a.b.c", "forged"])
def test_a_state_that_is_not_ours_is_refused(site: Site, browser: httpx2.Client, state: str) -> None:
    """Also one that is signed with another secret."""
    to_github(browser)
    if state == "forged":
        state = Tickets("x" * 40).write_state(browser.cookies[NONCE_COOKIE], "/")
    assert back(browser, f"{CALLBACK}?code=x&state={state}") == "/login?outcome=state"


def test_a_state_is_of_one_use(site: Site, github: GithubEmulator, browser: httpx2.Client) -> None:
    """The way back leads in once; also a browser that keeps its cookie finds the code used."""
    rule(site, logins=[github.account.login])
    there = to_github(browser)
    nonce = browser.cookies[NONCE_COOKIE]
    path = on_github(browser, there)
    assert back(browser, path) == "/"
    assert back(browser, path) == "/login?outcome=state"
    browser.cookies.set(NONCE_COOKIE, nonce)
    assert back(browser, path) == "/login?outcome=expired"


def test_a_code_of_another_browser_does_not_fit(site: Site, github: GithubEmulator, browser: httpx2.Client) -> None:
    """Stolen, and put into the thief's own sign-in: the verifier is another (PKCE)."""
    rule(site, logins=[github.account.login])
    stolen = parse_qs(urlsplit(on_github(browser, to_github(browser))).query)["code"][0]
    with site.router.client() as thief:
        state = parse_qs(urlsplit(to_github(thief)).query)["state"][0]
        assert back(thief, f"{CALLBACK}?code={stolen}&state={state}") == "/login?outcome=expired"


def test_a_ticket_is_of_one_use_and_of_one_minute(
    site: Site, github: GithubEmulator, browser: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of it opens no second session, an old one none at all."""
    rule(site, logins=[github.account.login])
    browser.get(on_github(browser, to_github(browser)))
    ticket = browser.cookies[TICKET_COOKIE]

    def finish(_: int) -> str:
        with site.router.client(cookie=f"{TICKET_COOKIE}={ticket}") as client:
            return str(client.get(FINISH).headers["location"]).removeprefix(PAGES)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(finish, range(4))) == ["/", *["/login?outcome=expired"] * 3]
    monkeypatch.setattr("ccrouter.access.tickets.TICKET_S", -1)
    assert signs_in(browser) == "/login?outcome=expired"
    assert browser.get(FINISH).headers["location"] == f"{PAGES}/login?outcome=expired"


@pytest.mark.parametrize("kind", ["state", "foreign", "session"])
def test_what_is_no_ticket_of_ours_opens_nothing(
    site: Site, github: GithubEmulator, browser: httpx2.Client, kind: str
) -> None:
    """Neither a state, another installation's ticket, nor a session's token; and a ticket is no token."""
    rule(site, logins=[github.account.login])
    person: dict[str, Any] = {
        "github_id": 1, "login": "a", "name": None, "avatar_url": None, "email": None, "organisations": [], "then": "/",
    }  # fmt: skip
    false = {
        "state": Tickets("j" * 40).write_state("nonce", "/"),
        "foreign": Tickets("x" * 40).write_ticket(**person),
        "session": site.sign_in()["access_token"],
    }[kind]
    with site.router.client(cookie=f"{TICKET_COOKIE}={false}") as client:
        assert client.get(FINISH).headers["location"] == f"{PAGES}/login?outcome=expired"
    ticket = Tickets("j" * 40).write_ticket(**person)
    assert browser.get(ME, headers={"authorization": f"Bearer {ticket}"}).status_code == 401


def test_two_first_sign_ins_at_once_make_one_user(site: Site, github: GithubEmulator) -> None:
    """Two windows of one person."""
    rule(site, logins=[github.account.login])

    def sign_in(_: int) -> str:
        with site.router.client(**{"x-forwarded-for": an_address()}) as client:
            return signs_in(client)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(sign_in, range(4))) == ["/"] * 4


def test_a_sign_in_is_in_the_audit_log(site: Site, github: GithubEmulator, browser: httpx2.Client) -> None:
    """Who was made, who signed in, and how."""
    rule(site, logins=[github.account.login])
    signs_in(browser)
    user = user_of(site, github)
    with site.client_of("admin") as api:
        made = api.get("/api/v1/audit", params={"object_id": user.id}).json()["items"]
        began = api.get("/api/v1/audit", params={"actor": user.id}).json()["items"]
    assert [(entry["action"], entry["actor"]["login"]) for entry in made] == [("user.create", "GitHub sign-in")]
    assert [(entry["action"], entry["after"]["by"]) for entry in began] == [("session.start", "github")]
