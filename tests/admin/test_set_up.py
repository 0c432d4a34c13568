"""The first administrator of an installation, made by whoever knows the one-time code."""

import ipaddress
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import delete
from tests.admin.site import Site, assert_problem
from tests.services import PASSWORD, running_router
from tests.upstream import FakeUpstream

from ccrouter.admin.attempts import ATTEMPTS
from ccrouter.embedded import EmbeddedServices
from ccrouter.storage import first_admin, users
from ccrouter.storage.tables import users as table

SET_UP = "/api/v1/setup"


@pytest.fixture(scope="module")
def _empty_site(embedded: EmbeddedServices, _shared_upstream: FakeUpstream) -> Iterator[Site]:
    trusted = (ipaddress.ip_network("127.0.0.0/8"),)
    with running_router(embedded, _shared_upstream, trusted_proxies=trusted) as router:
        yield Site(router)


@pytest.fixture
def site(_empty_site: Site) -> Site:
    """An installation without people."""
    with _empty_site.router.services.engine.begin() as connection:
        connection.execute(delete(table))
    return _empty_site


def a_code(site: Site) -> str:
    """What a start would print."""
    code = first_admin.new_code(site.router.services.engine)
    assert code is not None
    return code


def body(code: str, **fields: Any) -> dict[str, Any]:
    """A set-up with this code."""
    return {"code": code, "password": PASSWORD} | fields


def test_the_code_makes_the_first_administrator(site: Site) -> None:
    """Who is signed in by it, and signs in with the password afterwards; then set-up is closed."""
    with site.visitor() as client:
        before = client.get("/api/v1/meta").json()
        assert (before["setup_open"], before["sign_in"]) == (True, [])
        answer = client.post(SET_UP, json=body(a_code(site), name="Ada"))
        assert answer.status_code == 201, answer.text
        user = answer.json()["user"]
        assert (user["login"], user["role"], user["status"], user["name"]) == ("admin", "admin", "active", "Ada")
        assert client.get("/api/v1/auth/me").json()["id"] == user["id"]
        after = client.get("/api/v1/meta").json()
        assert (after["setup_open"], after["sign_in"]) == (False, ["password"])
    assert site.sign_in("admin")["user"]["id"] == user["id"]
    assert first_admin.new_code(site.router.services.engine) is None


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} "])
def test_a_code_is_taken_however_it_is_typed(site: Site, typed: Any) -> None:
    """Its letters count."""
    with site.visitor() as client:
        assert client.post(SET_UP, json=body(typed(a_code(site)))).status_code == 201


def test_a_code_is_of_one_use(site: Site) -> None:
    """And those that other processes have printed end with it."""
    codes = [a_code(site), a_code(site)]
    with site.visitor() as client:
        assert client.post(SET_UP, json=body(codes[1])).status_code == 201
        for code in codes:
            assert_problem(client.post(SET_UP, json=body(code)), 409, "setup_closed")
        with site.router.services.engine.begin() as connection:
            connection.execute(delete(table))
        for code in codes:
            assert_problem(client.post(SET_UP, json=body(code)), 403, "wrong_setup_code")


def test_the_last_few_codes_hold(site: Site) -> None:
    """Of many starts; older ones do not."""
    codes = [a_code(site) for _ in range(6)]
    with site.visitor() as client:
        assert_problem(client.post(SET_UP, json=body(codes[0])), 403, "wrong_setup_code")
        assert client.post(SET_UP, json=body(codes[1])).status_code == 201


def test_a_wrong_code_is_tried_ten_times(site: Site) -> None:
    """From one address; then the right one has to wait as well."""
    code = a_code(site)
    with site.visitor() as client:
        for _ in range(ATTEMPTS):
            assert_problem(client.post(SET_UP, json=body("AAAAA-AAAAA-AAAAA-AAAAA")), 403, "wrong_setup_code")
        answer = client.post(SET_UP, json=body(code))
        assert_problem(answer, 429, "too_many_attempts")
        assert int(answer.headers["retry-after"]) > 0
    assert users.count_admins(site.router.services.engine) == 0
    with site.visitor() as client:
        assert client.post(SET_UP, json=body(code)).status_code == 201


def test_without_a_printed_code_nothing_opens(site: Site) -> None:
    """Also not the empty one."""
    with site.visitor() as client:
        for code in ("", "-", "AAAAA"):
            assert_problem(client.post(SET_UP, json=body(code)), 403, "wrong_setup_code")


def test_of_two_who_claim_it_one_is_first(site: Site) -> None:
    """With the same code at the same moment."""
    code = a_code(site)

    def claim(_: int) -> int:
        with site.visitor() as client:
            return client.post(SET_UP, json=body(code)).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(claim, range(4))) == [201, 409, 409, 409]


def test_a_former_admin_gets_the_name_back(site: Site) -> None:
    """Where all administrators are gone, the operator's code opens the installation again."""
    engine = site.router.services.engine
    former = users.create(engine, "admin", role="admin", status="disabled")
    with site.visitor() as client:
        assert client.post(SET_UP, json=body(a_code(site))).json()["user"]["id"] == former.id


@pytest.mark.parametrize(
    ("changes", "field"), [({"password": "short"}, "password"), ({"code": "A" * 101}, "code"), ({"x": 1}, "x")]
)
def test_a_set_up_names_what_cannot_be(site: Site, changes: dict[str, Any], field: str) -> None:
    """The code is not used up by it."""
    code = a_code(site)
    with site.visitor() as client:
        assert_problem(client.post(SET_UP, json=body(code) | changes), 422, "invalid", field)
        assert client.post(SET_UP, json=body(code)).status_code == 201


def test_the_code_is_not_stored(site: Site) -> None:
    """Only its hash; and no setting shows it."""
    code = a_code(site).replace("-", "")
    with site.router.services.engine.connect() as connection:
        stored = str(connection.exec_driver_sql("SELECT value FROM settings").all())
    assert code not in stored.replace("-", "")
    with site.visitor() as client:
        client.post(SET_UP, json=body(code))
        token = site.sign_in()["access_token"]
        shown = client.get("/api/v1/settings", headers={"authorization": f"Bearer {token}"})
        assert "setup_codes" not in shown.text
        audit = client.get("/api/v1/audit", headers={"authorization": f"Bearer {token}"}).json()["items"]
    assert [(entry["action"], entry["actor"]["login"]) for entry in audit[-1:]] == [("user.create", "set-up")]
