"""What is made of the request log over the admin API: sums, conversations, files."""

import csv
import dataclasses
import io
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site, assert_problem
from tests.contract.log_rows import CREDENTIAL, KEY, NOON, cost_of, some_rows

from ccrouter.ids import uuid7
from ccrouter.messages.usage import Usage
from ccrouter.storage.users import User
from ccrouter.worker.job_runner import JobRunner

LOGS, SESSIONS = "/api/v1/logs", "/api/v1/sessions"
FULL: dict[str, Any] = {
    "key_id": KEY,
    "key_name": "laptop",
    "credential_id": CREDENTIAL,
    "credential_name": "main account",
    "platform": "anthropic",
    "model": "claude-opus-5-5",
    "usage": Usage(input_tokens=1, output_tokens=2),
    "cost": cost_of("0.50"),
    "cost_state": "priced",
    "duration_ms": 1500,
}

Store = Callable[..., str]


@pytest.fixture
def store(site: Site, member: User) -> Store:
    """Stores a record of the member's; returns its id."""

    def put(minute: float = 0, **fields: Any) -> str:
        row = {"at": NOON + timedelta(minutes=minute), "user_id": member.id, "user_login": member.login}
        return some_rows(site.router.services.engine, [row | fields])[0]

    return put


def rows_of(answer: httpx2.Response) -> list[dict[str, str]]:
    """The rows of a file."""
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def test_a_summary_sums_what_the_filters_leave(api: httpx2.Client, member: User, store: Store) -> None:
    """With a histogram of the period that is asked for."""
    for minute in (0, 30, 90):
        store(minute, **FULL)
    store(91, status="error")
    period = {"from": "2026-11-23T12:00:00Z", "to": "2026-11-24T12:00:00Z", "user_id": member.id}
    summary = api.get(f"{LOGS}/summary", params=period).json()
    assert (summary["from"], summary["to"], summary["bucket_s"]) == (
        "2026-11-23T12:00:00.000Z", "2026-11-24T12:00:00.000Z", 3600,
    )  # fmt: skip
    assert summary["complete"]
    sums = summary["sums"]
    assert (sums["requests"], sums["ok"], sums["errors"], sums["cost"]) == (4, 3, 1, "1.5")
    assert sums["usage"]["output_tokens"] == 6
    assert [bucket["sums"]["requests"] for bucket in summary["buckets"][:3]] == [2, 2, 0]
    assert len(summary["buckets"]) == 24
    assert api.get(f"{LOGS}/summary", params=period | {"status": "error"}).json()["sums"]["requests"] == 1


def test_members_sum_the_own_rows(member: User, member_api: httpx2.Client, store: Store) -> None:
    """Whatever they ask for."""
    store(**FULL)
    store(**FULL | {"user_id": str(uuid7())})
    assert member_api.get(f"{LOGS}/summary").json()["sums"]["requests"] == 1
    assert member_api.get(f"{LOGS}/summary", params={"user_id": str(uuid7())}).json()["sums"]["requests"] == 0
    answer = member_api.get(f"{LOGS}/summary", params={"credential_id": CREDENTIAL})
    assert_problem(answer, 403, "forbidden", "credential_id")


def test_a_session_shows_its_agents_as_a_tree(api: httpx2.Client, member: User, store: Store) -> None:
    """With what each of them, and all together, came to; the list has the sums alone."""
    session_id = f"with/slash {uuid7()}"
    store(0, session_id=session_id, **FULL)
    store(1, session_id=session_id, agent_id="a", **FULL)
    store(2, session_id=session_id, agent_id="b", parent_agent_id="a", **FULL | {"model": "claude-haiku-4-5"})
    tree = api.get(f"{SESSIONS}/{session_id}").json()
    assert (tree["id"], tree["agents"], tree["sums"]["cost"]) == (session_id, 2, "1.5")
    assert (tree["duration_ms"], tree["main"]["sums"]["cost"]) == (121_500, "0.5")
    (agent,) = tree["children"]
    (below,) = agent["children"]
    assert (agent["id"], below["id"], below["models"], below["children"]) == ("a", "b", ["claude-haiku-4-5"], [])
    page = api.get(SESSIONS, params={"user_id": member.id}).json()
    assert page == {
        "items": [{name: value for name, value in tree.items() if name not in ("main", "children")}],
        "next_cursor": None,
    }
    assert_problem(api.get(SESSIONS, params={"cursor": "nonsense"}), 400, "bad_cursor")


def test_members_see_the_own_sessions(member: User, member_api: httpx2.Client, store: Store) -> None:
    """Others' are not there, like those that never were."""
    mine, theirs = str(uuid7()), str(uuid7())
    store(session_id=mine, **FULL)
    store(session_id=theirs, **FULL | {"user_id": str(uuid7())})
    page = member_api.get(SESSIONS)
    assert [item["id"] for item in page.json()["items"]] == [mine]
    assert "main account" not in page.text
    for session_id in (theirs, "nonsense"):
        assert_problem(member_api.get(f"{SESSIONS}/{session_id}"), 404, "not_found")


def test_a_file_holds_what_the_filters_leave(api: httpx2.Client, member: User, store: Store) -> None:
    """All of it, as an attachment; and that it was taken is noted."""
    made = [store(number, **FULL, status=("ok", "error")[number % 2]) for number in range(6)]
    answer = api.get(f"{LOGS}/export.csv", params={"user_id": member.id, "status": "ok"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="requests-')
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = rows_of(answer)
    assert [row["id"] for row in rows] == [made[4], made[2], made[0]]
    assert (rows[0]["credential"], rows[0]["cost"]) == ("main account", "0.5")
    bare = api.get(f"{LOGS}/export.csv", params={"user_id": member.id, "status": "ok", "bom": "false"})
    assert bare.content == answer.content.removeprefix(b"\xef\xbb\xbf")
    entry = api.get("/api/v1/audit", params={"action": "logs.export"}).json()["items"][0]
    assert (entry["after"]["status"], entry["after"]["user_id"]) == (["ok"], [member.id])


def test_members_export_the_own_rows_without_credentials(member_api: httpx2.Client, store: Store) -> None:
    """Neither as a column nor as a filter."""
    mine = store(**FULL)
    store(**FULL | {"user_id": str(uuid7())})
    answer = member_api.get(f"{LOGS}/export.csv")
    assert [row["id"] for row in rows_of(answer)] == [mine]
    assert b"credential" not in answer.content
    assert b"main account" not in answer.content
    assert member_api.get(f"{LOGS}/export.csv", params={"credential_id": CREDENTIAL}).status_code == 403


def test_only_so_many_files_are_made_at_once(site: Site, api: httpx2.Client, member: User) -> None:
    """Each keeps a connection busy. A reader that leaves in the middle makes room for the next."""
    site_engine = site.router.services.engine
    row = FULL | {"at": NOON, "user_id": member.id, "error_message": "x " * 4000}
    for _ in range(5):
        some_rows(site_engine, [row] * 1000)
    parameters = {"user_id": member.id}
    with (
        api.stream("GET", f"{LOGS}/export.csv", params=parameters) as first,
        api.stream("GET", f"{LOGS}/export.csv", params=parameters) as second,
    ):
        assert (first.status_code, second.status_code) == (200, 200)
        refused = api.get(f"{LOGS}/export.csv", params=parameters)
        assert_problem(refused, 429, "too_many_exports")
        assert refused.headers["retry-after"] == "30"
    give_up = time.monotonic() + 10
    while (answer := api.get(f"{LOGS}/export.csv", params=parameters)).status_code == 429:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert len(rows_of(answer)) == 5000


def test_where_answers_are_bounded_a_job_makes_the_file(
    site: Site, api: httpx2.Client, member: User, member_api: httpx2.Client, store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """As on AWS Lambda: the answer is the job, its result the same file; nobody else's."""
    mine = store(**FULL)
    services = site.router.services
    monkeypatch.setattr(services, "settings", dataclasses.replace(services.settings, on_lambda=True))
    answer = member_api.get(f"{LOGS}/export.csv")
    assert answer.status_code == 202
    job = answer.json()
    assert job["kind"] == "logs.export"
    JobRunner(services).run_waiting()
    job = member_api.get(f"/api/v1/jobs/{job['id']}").json()
    assert job["state"] == "done", job
    result = member_api.get(job["result_url"])
    assert [row["id"] for row in rows_of(result)] == [mine]
    assert b"main account" not in result.content
    with site.client_of(site.new_user().login) as stranger:
        assert stranger.get(job["result_url"]).status_code == 404
