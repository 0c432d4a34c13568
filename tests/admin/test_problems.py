"""Errors of the admin API, its description, and its pages."""

import json
import re
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site, assert_problem

from ccrouter.admin.permissions import ANYONE, PERMISSIONS
from ccrouter.api import describe_api
from ccrouter.ids import uuid7
from ccrouter.storage import keys

KEYS = "/api/v1/api-keys"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v1/api-keys/", "/api/v2/logs"])
def test_what_is_not_there_is_a_problem_too(api: httpx2.Client, path: str) -> None:
    """Never HTML, never a redirect."""
    assert_problem(api.get(path), 404, "not_found")


def test_another_method_is_told_the_right_ones(api: httpx2.Client) -> None:
    """405 with `Allow`, which names every one."""
    answer = api.put(KEYS, json={})
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"
    one = api.request("OPTIONS", f"{KEYS}/{uuid7()}")
    assert_problem(one, 405, "method_not_allowed")
    assert set(one.headers["allow"].split(", ")) == {"GET", "PATCH", "DELETE"}
    inner = api.delete("/api/v1/credentials/sign-in/callback")
    assert_problem(inner, 405, "method_not_allowed")
    assert inner.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"enabled": 1}, "enabled"),
        ({"enabled": "true"}, "enabled"),
        ({"enabled": None}, "enabled"),
        ({"tags": None}, "tags"),
        ({"name": 5}, "name"),
        ({"expires_at": 4_000_000_000}, "expires_at"),
        ({"expires_at": "2999"}, "expires_at"),
        ({"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
    ],
    ids=str,
)
def test_a_member_is_of_its_type(api: httpx2.Client, body: dict[str, Any], named: str) -> None:
    """No text is taken for a number, no number for true, for a text or for a moment; null only where it says so."""
    assert_problem(api.post(KEYS, json={"name": "k"} | body), 422, "invalid", named)


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b"nonsense", b'{"name": "a",}', b"[" * 100_000, b'{"name": "\xff"}'],
    ids=lambda c: str(c[:9]),
)
def test_a_body_that_is_no_json_is_a_problem(api: httpx2.Client, content: bytes) -> None:
    """400, or 422 where nothing was sent."""
    answer = api.post(KEYS, content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_of_another_type_is_a_problem(api: httpx2.Client) -> None:
    """A form of another site cannot pass for JSON."""
    answer = api.post(KEYS, content=b'{"name": "k"}', headers={"content-type": "text/plain"})
    assert answer.status_code in (415, 422)
    assert answer.headers["content-type"] == "application/problem+json"


NUL_AND_HALVES = ["a\0b", "\ud800", "a\udc00b"]


@pytest.mark.parametrize("odd", NUL_AND_HALVES, ids=repr)
@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"name": "ODD"}, "name"),
        ({"note": "ODD"}, "note"),
        ({"tags": ["x", "ODD"]}, "tags[1]"),
        ({"allowed_models": ["ODD"]}, "allowed_models[0]"),
        ({"mapping": {"rules": [{"match": "ODD", "targets": []}]}}, "mapping.rules[0].match"),
        ({"mapping": {"opus": [{"platform": "sandbox", "model": "ODD"}]}}, "mapping.opus[0].model"),
        ({"mapping": {"ODD": []}}, "mapping"),
        ({"ODD": 1}, "body"),
    ],
    ids=str,
)
def test_texts_that_cannot_be_stored_are_refused_by_name(
    api: httpx2.Client, body: dict[str, Any], named: str, odd: str
) -> None:
    """PostgreSQL holds no U+0000, and half a surrogate is no character."""
    content = json.dumps({"name": "k"} | body).replace("ODD", json.dumps(odd)[1:-1])
    answer = api.post(KEYS, content=content, headers={"content-type": "application/json"})
    assert_problem(answer, 422, "invalid", named)


@pytest.mark.parametrize("odd", NUL_AND_HALVES, ids=repr)
def test_odd_names_and_passwords_are_no_fault(site: Site, odd: str) -> None:
    """Anybody may send them to the sign-in."""
    content = json.dumps({"username": odd, "password": odd})
    with site.visitor() as client:
        answer = client.post("/api/v1/auth/login", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (401, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/v1/credentials?platform=%00", f"{KEYS}/%00", "/api/v1/logs?session_id=%00"])
def test_odd_addresses_are_no_fault(api: httpx2.Client, path: str) -> None:
    """They find nothing."""
    assert api.get(path).status_code in (200, 404, 422)


def test_a_body_has_a_limit(site: Site) -> None:
    """Also for those who are not signed in: nobody fills the memory by what he sends."""
    with site.visitor() as client:
        answer = client.post("/api/v1/auth/login", json={"username": "a", "password": "p" * 5_000_000})
    assert_problem(answer, 413, "too_large")


def test_a_body_that_announces_no_length_has_the_same_limit(site: Site) -> None:
    """Counted as it comes."""
    with site.visitor() as client:
        answer = client.post("/api/v1/auth/login", content=(b" " * 100_000 for _ in range(50)))
    assert_problem(answer, 413, "too_large")


def test_a_fault_says_nothing_about_its_cause(
    api: httpx2.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The cause is in the router's log, under the id that the caller is told."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("boom: secret")

    monkeypatch.setattr(keys, "find", fail)
    answer = api.get(KEYS)
    document = assert_problem(answer, 500, "internal_error")
    assert "boom" not in json.dumps(document)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert document["request_id"] in caplog.text
    assert "boom: secret" in caplog.text


@pytest.mark.parametrize("path", ["/api/v1/meta", KEYS, "/api/v1/nothing", "/api/openapi.json"])
def test_no_browser_keeps_frames_or_guesses_an_answer(api: httpx2.Client, path: str) -> None:
    """On every answer, errors included."""
    headers = api.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


# What the API says about itself


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return describe_api()


def operations(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Method, path and description by operation id."""
    return {
        operation["operationId"]: (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_description_is_served_as_it_is_printed(site: Site, document: dict[str, Any]) -> None:
    """By the running router, without signing in."""
    with site.visitor() as client:
        served = client.get("/api/openapi.json")
    assert served.headers["content-type"] == "application/json"
    assert served.json() == json.loads(json.dumps(document))


def test_the_description_is_whole(document: dict[str, Any]) -> None:
    """Version 3.1; every reference leads somewhere; every operation has a sentence, an answer and an error."""
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Claude Code Router"
    schemas = document["components"]["schemas"]
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        assert reference.removeprefix("#/components/schemas/") in schemas
    for name, (_method, path, operation) in operations(document).items():
        assert operation["summary"], name
        assert operation["description"], name
        assert any(status[0] in "23" for status in operation["responses"]), name
        assert "application/problem+json" in operation["responses"]["default"]["content"], name
        placeholders = set(re.findall(r"{(\w+)}", path))
        declared = {item["name"] for item in operation.get("parameters", []) if item["in"] == "path"}
        assert placeholders == declared, name


def test_every_operation_has_its_row_of_permissions(document: dict[str, Any]) -> None:
    """None is open by oversight; the description says which need a token."""
    found = operations(document)
    assert set(found) == set(PERMISSIONS)
    open_ones = {name for name, (_method, _path, operation) in found.items() if operation["security"] == []}
    assert open_ones == {name for name, who in PERMISSIONS.items() if who == ANYONE}


def test_the_page_of_the_description_needs_no_other_server(site: Site) -> None:
    """Its scripts and styles are ours, none is inline, and the policy forbids others."""
    with site.visitor() as client:
        page = client.get("/api/docs")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(assets) == 3
        assert all(asset.startswith("/api/docs/") for asset in assets)
        assert not re.search(r"<script[^>]*>[^<]", page.text)
        assert "script-src 'self'" in page.headers["content-security-policy"]
        sizes = {asset: len(client.get(asset).raise_for_status().content) for asset in assets}
        kinds = {asset: client.get(asset).headers["content-type"].partition(";")[0] for asset in assets}
    assert sizes["/api/docs/swagger-ui-bundle.min.js"] > 100_000
    assert set(kinds.values()) == {"text/javascript", "text/css"}
