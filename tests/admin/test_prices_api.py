"""Prices over the admin API: own ones before the list's, each change a version, and nobody overwrites unseen."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site, assert_problem
from tests.services import running_router
from tests.upstream import FakeUpstream

from ccrouter.clock import utc_now
from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import uuid7
from ccrouter.messages.request import MessagesRequest
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.meter import meter
from ccrouter.metering.record import CallRecord, encode_record
from ccrouter.storage import logs, prices, rerating
from ccrouter.worker.job_runner import JobRunner

PRICES = "/api/v1/prices"
OWN = {"platform": "anthropic", "model": "claude-x*", "rates": {"input": "1.50", "output": 6}}


@pytest.fixture(autouse=True)
def _no_own_prices(site: Site) -> Iterator[None]:
    yield
    prices.put_own(site.router.services.engine, (), "test")


def test_an_own_price_is_a_new_version_and_goes_before_the_list(site: Site, api: httpx2.Client) -> None:
    """With who set it and why; the version before can still be read."""
    api.put(PRICES, json={"own": []})
    before = api.get(PRICES)
    answer = api.put(PRICES, json={"own": [OWN], "note": "contract"}, headers={"If-Match": before.headers["etag"]})
    assert answer.status_code == 200, answer.text
    document, now = answer.json(), api.get(PRICES)
    assert now.json() == document
    assert now.headers["etag"] == answer.headers["etag"] == f'"{document["version"]["id"]}"'
    assert (document["version"]["source"], document["version"]["note"]) == ("admin", "contract")
    assert document["version"]["list_version"] == before.json()["version"]["list_version"]
    assert document["listed"] == before.json()["listed"]
    assert len(document["listed"]) >= len(builtin_table().rows)
    (own,) = document["own"]
    assert own["rates"] == {
        "input": "1.5", "output": "6", "cache_read": None, "cache_write_5m": None, "cache_write_1h": None,
    }  # fmt: skip
    assert document["versions"][0] == document["version"]
    found = api.get(f"{PRICES}/match", params={"platform": "anthropic", "model": "Claude-X-1"}).json()
    assert (found["own"], found["price"], found["version"]) == (True, own, document["version"]["id"])
    api.put(PRICES, json={"own": []})
    old = api.get(PRICES, params={"version": document["version"]["id"], "platform": "anthropic"}).json()
    assert (old["own"], {row["platform"] for row in old["listed"]}) == ([own], {"anthropic"})
    assert api.get(PRICES).json()["own"] == []
    (entry,) = api.get("/api/v1/audit", params={"object_id": document["version"]["id"]}).json()["items"]
    assert (entry["action"], entry["before"]["own"], len(entry["after"]["own"])) == ("prices.change", [], 1)


def test_what_comes_of_get_can_be_put(api: httpx2.Client) -> None:
    """A row of the list, taken as an own one, with every member it has."""
    (row,) = [
        row
        for row in api.get(PRICES, params={"platform": "vertex"}).json()["listed"]
        if row["model"] == "claude-haiku-5-5"
    ]
    assert row["long_rates"]
    assert row["place_factors"]
    assert api.put(PRICES, json={"own": [row]}).json()["own"] == [row]


def test_a_stale_edit_is_refused(api: httpx2.Client) -> None:
    """412, and nothing is changed."""
    tag = api.get(PRICES).headers["etag"]
    assert api.put(PRICES, json={"own": [OWN]}, headers={"If-Match": tag}).status_code == 200
    assert_problem(api.put(PRICES, json={"own": []}, headers={"If-Match": tag}), 412, "changed_meanwhile")
    assert len(api.get(PRICES).json()["own"]) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"platform": "nowhere"}, "own[1].platform"),
        ({"model": ""}, "own[1].model"),
        ({"rates": {"input": "1"}}, "own[1].rates.output"),
        ({"rates": {"input": "-1", "output": "1"}}, "own[1].rates.input"),
        ({"rates": {"input": "NaN", "output": "1"}}, "own[1].rates.input"),
        ({"rates": {"input": "1", "output": "1", "cached": "1"}}, "own[1].rates.cached"),
        ({"valid_from": "2026-01-02T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"}, "own[1]"),
        ({"valid_from": "2026-01-02"}, "own[1].valid_from"),
        ({"hours_utc": [4, 1]}, "own[1]"),
        ({"long_over_tokens": 5}, "own[1]"),
        ({"us_factor": "0"}, "own[1].us_factor"),
        ({"place_factors": {"eu": "x"}}, "own[1].place_factors.eu"),
        ({"web_search_usd": "1e7"}, "own[1].web_search_usd"),
    ],
    ids=str,
)
def test_a_price_that_cannot_be_is_named(api: httpx2.Client, changes: dict[str, Any], field: str) -> None:
    """By its place in the list and its member; nothing is stored."""
    was = api.get(PRICES).json()["version"]
    assert_problem(api.put(PRICES, json={"own": [OWN, OWN | changes]}), 422, "invalid", field)
    assert api.get(PRICES).json()["version"] == was


def test_a_sync_says_first_what_it_would_change(embedded: EmbeddedServices, upstream: FakeUpstream) -> None:
    """Then it is in force, own prices stay before it, and a second one changes nothing."""
    # On a router of its own: a database is synced once.
    with running_router(embedded, upstream) as router, Site(router).client_of("admin") as api:
        api.put(PRICES, json={"own": [OWN | {"model": "claude-opus-*"}]})
        said = api.post(f"{PRICES}/sync", json={"dry_run": True}).json()
        assert (said["dry_run"], said["in_force"]) == (True, False)
        assert said["version"] == api.get(PRICES).json()["version"]
        assert any(change["before"] == [] and change["after"] for change in said["changes"])
        assert all(change["before"] != change["after"] for change in said["changes"])
        done = api.post(f"{PRICES}/sync").json()
        assert (done["dry_run"], done["changes"]) == (False, said["changes"])
        assert done["version"]["list_version"] == said["list_version"] != said["version"]["list_version"]
        document = api.get(PRICES).json()
        assert (document["version"], document["version"]["source"], len(document["own"])) == (
            done["version"], "genai-prices", 1,
        )  # fmt: skip
        again = api.post(f"{PRICES}/sync").json()
        assert (again["in_force"], again["changes"], again["version"]) == (True, [], done["version"])


def test_an_unknown_version_or_model_is_said_to_be_none(api: httpx2.Client) -> None:
    """404, and a model without a price is no error."""
    assert_problem(api.get(PRICES, params={"version": "never"}), 404, "not_found")
    found = api.get(f"{PRICES}/match", params={"platform": "gemini", "model": "never"}).json()
    assert (found["price"], found["own"]) == (None, False)


def test_members_read_prices_and_change_none(api: httpx2.Client, member_api: httpx2.Client) -> None:
    """They see what they are billed by, but not what administrators wrote about it."""
    shown = api.put(PRICES, json={"own": [OWN | {"source": "secret contract"}], "note": "bargain"}).json()
    document = member_api.get(PRICES)
    assert (document.json()["listed"], document.json()["own"][0]["rates"]) == (
        shown["listed"], shown["own"][0]["rates"],
    )  # fmt: skip
    assert (document.json()["version"]["source"], document.json()["versions"]) == ("", [])
    assert "contract" not in document.text
    assert "bargain" not in document.text
    assert_problem(member_api.put(PRICES, json={"own": []}), 403, "forbidden")
    assert_problem(member_api.post(f"{PRICES}/sync"), 403, "forbidden")


def test_requests_are_priced_anew(site: Site, api: httpx2.Client) -> None:
    """First the difference, also by prices that are not in force; then rows, sums and the log."""
    model = f"m-{uuid7().hex}"
    record = CallRecord(
        id=uuid7(), at=utc_now(), kind="messages", request_id="req_x", platform="anthropic", model=model,
        key_id=str(uuid7()), key_name="k",
    )  # fmt: skip
    meter(
        record,
        {"input_tokens": 2000},
        MessagesRequest(b'{"model":"m","max_tokens":1,"messages":[]}'),
        builtin_table(),
        final=True,
    )
    logs.insert_many(site.router.services.engine, [encode_record(record)])
    asked = {"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "model": model}
    own = [OWN | {"model": model}]
    said = api.post(f"{PRICES}/rerate", json=asked | {"dry_run": True}).json()
    assert (said["total"]["still_unpriced"], said["total"]["difference"]) == (1, "0")
    said = api.post(f"{PRICES}/rerate", json=asked | {"dry_run": True, "own": own}).json()
    assert (said["total"]["newly_priced"], said["total"]["difference"]) == (1, "0.003")
    assert api.get(f"/api/v1/logs/{record.id}").json()["cost_state"] == "unpriced"
    version = api.put(PRICES, json={"own": own}).json()["version"]["id"]
    done = api.post(f"{PRICES}/rerate", json=asked).json()
    assert done == said | {"dry_run": False, "version": version}
    assert (done["keys"][0]["key"], done["models"][0]["model"]) == ({"id": record.key_id, "name": "k"}, model)
    row = api.get(f"/api/v1/logs/{record.id}").json()
    assert (row["cost_state"], row["cost"]["total"], row["cost"]["price_version"]) == ("priced", "0.003", version)
    (entry,) = api.get("/api/v1/audit", params={"action": "prices.rerate", "object_id": version}).json()["items"]
    assert entry["after"]["total"]["difference"] == "0.003"


def test_many_requests_are_priced_anew_by_a_job(
    site: Site, api: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """202 with the job, whose file is the report."""
    monkeypatch.setattr(rerating, "count", lambda *_: 10_001)
    asked = {"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "model": "none", "dry_run": True}
    answer = api.post(f"{PRICES}/rerate", json=asked | {"own": [OWN]})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"
    JobRunner(site.router.services).run_waiting()
    job = api.get(answer.headers["location"]).json()
    assert (job["state"], job["kind"]) == ("done", "prices.rerate")
    report = api.get(job["result_url"]).json()
    monkeypatch.undo()
    assert report == api.post(f"{PRICES}/rerate", json=asked).json()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"from": None}, "from"),
        ({"to": "2025-01-01T00:00:00Z"}, "body"),
        ({"own": [OWN]}, "body"),
        ({"dry_run": True, "own": [OWN | {"platform": "x"}]}, "own[0].platform"),
        ({"models": "x"}, "models"),
    ],
    ids=str,
)
def test_a_period_that_cannot_be_is_named(api: httpx2.Client, changes: dict[str, Any], field: str) -> None:
    """422, and nothing changes."""
    asked = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    assert_problem(api.post(f"{PRICES}/rerate", json=asked | changes), 422, "invalid", field)
