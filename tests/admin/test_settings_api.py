"""The settings of an installation over the admin API."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete
from tests.admin.site import Site, assert_problem

from ccrouter.admin import settings_schemas
from ccrouter.clock import utc_now
from ccrouter.storage import audit, site_settings
from ccrouter.storage.audit import AuditFilters
from ccrouter.storage.tables import settings

SETTINGS = "/api/v1/settings"


@pytest.fixture(autouse=True)
def _as_before(site: Site) -> Iterator[None]:
    """What these tests set must not hold for others."""
    yield
    with site.router.services.engine.begin() as connection:
        connection.execute(delete(settings).where(settings.c.name.in_(site_settings.NAMES)))


def test_what_is_set_is_kept_and_the_rest_has_its_default(api: httpx2.Client) -> None:
    """Members left out stay; a topic is set whole; null puts a default back; every answer has an ETag."""
    fresh = api.get(SETTINGS)
    assert fresh.headers["etag"]
    default = fresh.json()
    assert default["time_zone"] == "UTC"
    assert default["retention"] == {"rows_days": None, "capture_days": 7}
    mapping = {"haiku": [{"platform": "sandbox", "model": "sandbox"}]}
    body = {
        "default_mapping": mapping, "time_zone": "Europe/Berlin", "public_url": "https://router.example.com/",
        "retention": {"rows_days": 30}, "alerts": {"thresholds": [90, 50, 90]},
        "members": {"max_keys": 3, "limits": {"rpm": 60, "spend": {"day": "2.50"}}},
        "github": {"logins": [" octocat "], "approval": False},
    }  # fmt: skip
    answer = api.put(SETTINGS, json=body)
    assert answer.status_code == 200, answer.text
    found = api.get(SETTINGS).json()
    assert found == answer.json()
    assert (found["default_mapping"], found["time_zone"]) == (mapping, "Europe/Berlin")
    assert found["public_url"] == "https://router.example.com"
    assert found["retention"] == {"rows_days": 30, "capture_days": 7}
    assert found["alerts"] == {"thresholds": [50, 90]}
    assert found["members"]["limits"] == {"rpm": 60, "spend": {"day": "2.50"}}
    assert (found["github"]["logins"], found["github"]["approval"]) == (["octocat"], False)
    meta = api.get("/api/v1/meta").json()
    assert (meta["public_url"], meta["time_zone"]) == ("https://router.example.com", "Europe/Berlin")
    kept = api.put(SETTINGS, json={"members": {"max_keys": 4}, "time_zone": None}).json()
    assert (kept["members"]["max_keys"], kept["members"]["limits"]) == (4, {})
    assert (kept["time_zone"], kept["retention"]) == ("UTC", found["retention"])


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"colour": "red"}, "colour"),
        ({"members": {"colour": 1}}, "members.colour"),
        ({"members": {"max_keys": -1}}, "members.max_keys"),
        ({"members": {"limits": {"rpm": 0}}}, "members.limits.rpm"),
        ({"members": {"allowed_platforms": ["sandbox", "nowhere"]}}, "members.allowed_platforms[1]"),
        ({"members": {"mapping": {"opus": [{"platform": "nowhere", "model": "m"}]}}},
         "members.mapping.opus[0].platform"),
        ({"default_mapping": {"opus": [{"platform": "nowhere", "model": "m"}]}}, "default_mapping.opus[0].platform"),
        ({"default_mapping": {"opus": 1}}, "default_mapping.opus"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"public_url": "ftp://example.com"}, "public_url"),
        ({"public_url": "https://user:pw@example.com"}, "public_url"),
        ({"retention": {"rows_days": 0}}, "retention.rows_days"),
        ({"alerts": {"thresholds": [0]}}, "alerts.thresholds[0]"),
        ({"github": {"logins": ["a\0b"]}}, "github.logins[0]"),
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_cannot_be_is_named(api: httpx2.Client, body: dict[str, Any], named: str) -> None:
    """And nothing of the body is set."""
    before = api.get(SETTINGS).json()
    assert_problem(api.put(SETTINGS, json={"time_zone": "Asia/Tokyo"} | body), 422, "invalid", named)
    assert api.get(SETTINGS).json() == before


def test_of_two_who_edit_one_version_the_second_is_told(api: httpx2.Client) -> None:
    """412, also where another member was set meanwhile."""
    version = api.get(SETTINGS).headers["etag"]
    assert api.put(SETTINGS, json={"time_zone": "Asia/Tokyo"}, headers={"if-match": version}).status_code == 200
    late = api.put(SETTINGS, json={"alerts": {"thresholds": [10]}}, headers={"if-match": version})
    assert_problem(late, 412, "changed_meanwhile")
    assert api.get(SETTINGS).json()["alerts"] == {"thresholds": [50, 80, 100]}


def test_what_the_environment_decides_is_said_and_not_changed(
    site: Site, api: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is named; its value, where it is a secret, is not."""
    services = site.router.services
    given = dataclasses.replace(services.settings, admin_password="a-secret-word", frontend_url="https://x.example")
    monkeypatch.setattr(services, "settings", given)
    answer = api.get(SETTINGS)
    assert answer.json()["environment"] == [
        {"variable": "FRONTEND_URL", "setting": "public_url"},
        {"variable": "ADMIN_PASSWORD", "setting": "admin_password"},
    ]
    assert answer.json()["public_url"] == "https://x.example"
    assert "a-secret-word" not in answer.text
    refused = api.put(SETTINGS, json={"public_url": "https://y.example"})
    document = assert_problem(refused, 422, "invalid", "public_url")
    assert document["errors"][0]["code"] == "set_by_environment"
    assert "FRONTEND_URL" in document["detail"]


def test_a_change_is_in_the_audit_log(site: Site, api: httpx2.Client) -> None:
    """With what it was before."""
    api.put(SETTINGS, json={"time_zone": "Asia/Tokyo", "alerts": {"thresholds": [50, 80, 100]}})
    entry = audit.find(site.router.services.engine, AuditFilters(action="settings.change", actor="admin")).items[0]
    assert entry.before == {"time_zone": "UTC"}
    assert entry.after == {"time_zone": "Asia/Tokyo"}
    assert (utc_now() - entry.at).total_seconds() < 60


def test_members_neither_read_nor_change_them(member_api: httpx2.Client) -> None:
    """403."""
    assert_problem(member_api.get(SETTINGS), 403, "forbidden")
    assert_problem(member_api.put(SETTINGS, json={}), 403, "forbidden")


@pytest.mark.parametrize(
    ("topic", "schema"),
    [
        ("github", settings_schemas.GithubSettings),
        ("members", settings_schemas.MemberSettings),
        ("retention", settings_schemas.RetentionSettings),
        ("alerts", settings_schemas.AlertSettings),
    ],
)
def test_what_is_described_is_what_is_read(topic: str, schema: Any) -> None:
    """The API's members and defaults are those of the value that the router goes by."""
    kind = site_settings.TOPICS[topic]
    assert schema().model_dump() == {name: getattr(kind(), name) for name in kind.__struct_fields__}
