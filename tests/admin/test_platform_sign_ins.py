"""Signing in to a platform over the admin API: a person confirms, and a credential comes of it, once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from sqlalchemy import text, update
from tests.admin.site import Site, assert_problem
from tests.emulators.antigravity import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, AntigravityEmulator
from tests.emulators.kiro import KiroEmulator

from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage import audit, credentials, sign_ins
from ccrouter.storage.audit import AuditFilters
from ccrouter.storage.tables import sign_ins as table

SIGN_INS = "/api/v1/credentials/sign-in"


@pytest.fixture
def kiro() -> Iterator[KiroEmulator]:
    """Kiro's sign-in service."""
    with KiroEmulator() as emulator:
        yield emulator


@pytest.fixture
def google() -> Iterator[AntigravityEmulator]:
    """Google's token endpoint, and a person who agrees."""
    with AntigravityEmulator() as emulator:
        yield emulator


def begin(api: httpx2.Client, **fields: Any) -> dict[str, Any]:
    """A new sign-in as the API answers."""
    answer = api.post(SIGN_INS, json=fields)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{SIGN_INS}/{document['id']}"
    return document


def begin_google(api: httpx2.Client, google: AntigravityEmulator, **fields: Any) -> dict[str, Any]:
    """A new sign-in at Google."""
    given = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "options": google.options, "name": "research"}
    return begin(api, platform="antigravity", **(given | fields))


def ask_at_once(site: Site, sign_in_id: str) -> None:
    """As if the time had passed that the service wants between two questions."""
    with site.router.services.engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == sign_in_id).values(ask_at=utc_now()))
    # What is kept beside it tells the same time.
    services = site.router.services
    secret = sign_ins.take_turn(services.engine, services.vault, sign_in_id, utc_now())
    assert secret is not None
    secret["device"]["next_ask_s"] = 0.0
    sign_ins.ask_later(services.engine, services.vault, sign_in_id, secret, utc_now())


def test_a_person_confirms_a_code_and_kiro_gives_a_credential(
    site: Site, api: httpx2.Client, kiro: KiroEmulator
) -> None:
    """Pending until then, however often it is asked; the service is asked no more often than it wants."""
    begun = begin(api, platform="kiro", name="team", options={"token_url": kiro.url}, region="eu-west-1")
    assert (begun["flow"], begun["state"], begun["user_code"]) == ("device", "pending", "ABCD-EFGH")
    assert begun["url"].startswith("https://device.sso.example/")
    url = f"{SIGN_INS}/{begun['id']}"
    for _ in range(3):
        assert api.get(url).json() == begun
    asked = [seen.path for seen in kiro.seen].count("/token")
    assert asked <= 1
    kiro.approved = True
    for _ in range(2):
        ask_at_once(site, begun["id"])
        done = api.get(url).json()
    assert (done["state"], done["error"]) == ("done", None)
    services = site.router.services
    opened = credentials.open_one(services.engine, services.vault, done["credential_id"])
    assert opened is not None
    assert (opened.name, opened.platform, opened.options) == ("team", "kiro", {"token_url": kiro.url})
    assert opened.auth["refresh_token"] == kiro.refresh_token
    assert (opened.auth["auth_method"], opened.auth["auth_region"]) == ("idc", "eu-west-1")
    assert api.get(url).json() == done
    (entry,) = audit.find(services.engine, AuditFilters(object_id=done["credential_id"])).items
    assert (entry.actor, entry.action) == ("admin", "credential.create")
    credentials.soft_delete(services.engine, done["credential_id"])


def test_many_who_ask_at_once_ask_the_service_once(site: Site, api: httpx2.Client, kiro: KiroEmulator) -> None:
    """Over all processes, and one credential comes of it."""
    begun = begin(api, platform="kiro", name="once", options={"token_url": kiro.url})
    kiro.approved, kiro._polls = True, 1
    ask_at_once(site, begun["id"])
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.get(f"{SIGN_INS}/{begun['id']}").json(), range(6)))
    assert [seen.path for seen in kiro.seen].count("/token") == 1
    done = api.get(f"{SIGN_INS}/{begun['id']}").json()
    assert done["state"] == "done"
    assert {answer["credential_id"] for answer in answers} <= {None, done["credential_id"]}
    made = [item for item in credentials.find(site.router.services.engine, limit=200).items if item.name == "once"]
    assert [item.id for item in made] == [done["credential_id"]]
    credentials.soft_delete(site.router.services.engine, made[0].id)


def test_a_service_that_refuses_is_told_in_its_words(api: httpx2.Client, kiro: KiroEmulator) -> None:
    """The sign-in has failed, and there is nothing to open."""
    begun = begin(api, platform="kiro", name="x", options={"token_url": f"{kiro.url}/nowhere"})
    assert (begun["state"], begun["url"], begun["credential_id"]) == ("failed", None, None)
    assert "sign-in service answered" in begun["error"]


def test_a_browser_comes_back_from_google_with_a_code(
    site: Site, api: httpx2.Client, google: AntigravityEmulator
) -> None:
    """It ends on the pages, without being signed in; the code and its state are good once."""
    begun = begin_google(api, google)
    assert (begun["flow"], begun["state"], begun["user_code"]) == ("code", "pending", None)
    assert CLIENT_SECRET not in str(begun)
    back = urlsplit(google.agree(begun["url"]))
    assert back.path == f"{SIGN_INS}/callback"
    with site.visitor() as browser:
        ended = browser.get(back.path, params=dict(parse_qsl(back.query)), follow_redirects=False)
        again = browser.get(back.path, params=dict(parse_qsl(back.query)), follow_redirects=False)
    assert ended.status_code == 303, ended.text
    assert ended.headers["location"].endswith(f"/platforms?sign_in={begun['id']}")
    assert_problem(again, 404, "not_found")
    done = api.get(f"{SIGN_INS}/{begun['id']}").json()
    assert (done["state"], done["error"]) == ("done", None)
    services = site.router.services
    opened = credentials.open_one(services.engine, services.vault, done["credential_id"])
    assert opened is not None
    assert opened.auth["refresh_token"] == REFRESH_TOKEN
    assert opened.options == google.options
    with services.engine.connect() as connection:
        kept = connection.execute(text("SELECT sealed, state_digest FROM sign_ins WHERE id = :id"), {"id": begun["id"]})
        assert kept.one() == (None, None)
    credentials.soft_delete(services.engine, done["credential_id"])


def test_the_address_a_browser_ended_on_can_be_pasted(
    site: Site, api: httpx2.Client, google: AntigravityEmulator
) -> None:
    """For OAuth clients that may only lead back to the own machine; it belongs to its own sign-in."""
    begun = begin_google(api, google, redirect_uri="http://localhost:8085/")
    other = begin_google(api, google, redirect_uri="http://localhost:8085/")
    address = google.agree(begun["url"])
    assert address.startswith("http://localhost:8085/?")
    assert_problem(api.post(f"{SIGN_INS}/{other['id']}", json={"url": address}), 404, "not_found")
    assert_problem(api.post(f"{SIGN_INS}/{begun['id']}", json={"url": "http://localhost:8085/"}), 422, "invalid", "url")
    done = api.post(f"{SIGN_INS}/{begun['id']}", json={"url": address}).json()
    assert done["state"] == "done"
    credentials.soft_delete(site.router.services.engine, done["credential_id"])


def test_a_refusal_at_google_and_a_wrong_code_end_a_sign_in(api: httpx2.Client, google: AntigravityEmulator) -> None:
    """With what Google said."""
    for answer, said in (("error=access_denied", "access_denied"), ("code=made-up", "Malformed auth code")):
        begun = begin_google(api, google)
        state = dict(parse_qsl(urlsplit(begun["url"]).query))["state"]
        ended = api.post(f"{SIGN_INS}/{begun['id']}", json={"url": f"https://x.example/?state={state}&{answer}"}).json()
        assert ended["state"] == "failed"
        assert said in ended["error"]


def test_a_credential_gets_new_tokens_and_keeps_what_it_has(
    site: Site, api: httpx2.Client, google: AntigravityEmulator
) -> None:
    """Its client is known; a block ends."""
    services = site.router.services
    auth = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": "1//old"}
    made = credentials.create(
        services.engine, services.vault, "antigravity", auth, {"name": "old", "options": google.options}
    )
    credentials.block(services.engine, made.id, "The sign-in has ended.")
    begun = begin(api, platform="antigravity", credential_id=made.id)
    back = urlsplit(google.agree(begun["url"]))
    done = api.post(f"{SIGN_INS}/{begun['id']}", json={"url": back.geturl()}).json()
    assert (done["state"], done["credential_id"]) == ("done", made.id)
    opened = credentials.open_one(services.engine, services.vault, made.id)
    assert opened is not None
    assert (opened.name, opened.auth["refresh_token"], opened.block) == ("old", REFRESH_TOKEN, None)
    credentials.soft_delete(services.engine, made.id)


def test_what_nobody_confirms_expires(site: Site, api: httpx2.Client, google: AntigravityEmulator) -> None:
    """And a code that comes later is not taken."""
    begun = begin_google(api, google)
    with site.router.services.engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == begun["id"]).values(expires_at=utc_now()))
    assert api.get(f"{SIGN_INS}/{begun['id']}").json()["state"] == "expired"
    late = api.post(f"{SIGN_INS}/{begun['id']}", json={"url": google.agree(begun["url"])})
    assert_problem(late, 404, "not_found")
    sign_ins.drop_older(site.router.services.engine, utc_now() + timedelta(hours=1))
    assert_problem(api.get(f"{SIGN_INS}/{begun['id']}"), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"platform": "kiro"}, "name"),
        ({"platform": "anthropic", "name": "x"}, "platform"),
        ({"platform": "kiro", "name": "x", "client_id": "y"}, "client_id"),
        ({"platform": "kiro", "name": "x", "options": {"colour": 1}}, "options.colour"),
        ({"platform": "kiro", "credential_id": "01a21062-a7c5-738d-b814-0d7d5836315f"}, "credential_id"),
        ({"platform": "antigravity", "name": "x", "client_id": "a", "client_secret": "b"}, "options.acknowledged"),
        ({"platform": "antigravity", "name": "x", "options": {"acknowledged": True}}, "client_id"),
        ({"platform": "antigravity", "name": "x", "region": "us-east-1"}, "region"),
    ],
    ids=str,
)
def test_what_cannot_work_is_named(api: httpx2.Client, body: dict[str, Any], named: str) -> None:
    """Before anything is asked; Antigravity stays off until the operator holds the right."""
    assert_problem(api.post(SIGN_INS, json=body), 422, "invalid", named)


def test_members_sign_in_to_no_platform(member_api: httpx2.Client) -> None:
    """They have no credentials."""
    assert_problem(member_api.post(SIGN_INS, json={"platform": "kiro", "name": "x"}), 403, "forbidden")
    assert_problem(member_api.get(f"{SIGN_INS}/{uuid7()}"), 403, "forbidden")
