"""The request log over the admin API: filters, parts, and what a member sees."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site, assert_problem

from ccrouter.ids import request_id_of, uuid7
from ccrouter.messages.usage import Usage
from ccrouter.metering.record import Attempt, CallRecord, Cost, encode_record
from ccrouter.storage import logs
from ccrouter.storage.users import User

LOGS = "/api/v1/logs"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROW = {
    "id", "at", "kind", "request_id", "upstream_request_id", "key", "user", "session_id", "agent_id",
    "parent_agent_id", "client", "client_ip", "requested_model", "slot", "rule", "platform", "model", "credential",
    "stream", "status", "http_status", "stop_reason", "error", "usage", "usage_state", "cost", "cost_state", "timings",
    "ttft_ms", "duration_ms", "attempts", "capture",
}  # fmt: skip
COST = Cost(
    total=Decimal("0.50"), input=Decimal("0.4"), output=Decimal("0.1"), cache_read=Decimal(0), cache_write=Decimal(0),
    other=Decimal("0E-7"), rates={"input": "4"}, currency="USD", price_version="v1",
)  # fmt: skip

Store = Callable[..., str]


@pytest.fixture
def store(site: Site, member: User) -> Store:
    """Stores a record of the member's at a moment; returns its id."""

    def put(at: datetime = NOON, **fields: Any) -> str:
        record_id = uuid7(at)
        values: dict[str, Any] = {
            "id": record_id, "at": at, "kind": "messages", "request_id": request_id_of(record_id),
            "user_id": member.id, "user_login": member.login,
        }  # fmt: skip
        logs.insert_many(site.router.services.engine, [encode_record(CallRecord(**(values | fields)))])
        return str(record_id)

    return put


def ids(answer: httpx2.Response) -> list[str]:
    """The ids of a list."""
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


KEY, CREDENTIAL = "01a20fa3-6f38-786d-a4d2-491bb8bb1a47", "01a20fa3-6f38-7a85-a89a-08a636988d67"
FULL = {
    "key_id": KEY,
    "key_name": "laptop",
    "credential_id": CREDENTIAL,
    "credential_name": "main",
    "platform": "anthropic",
    "model": "claude-opus-5-5",
    "session_id": "session-1",
    "status": "error",
    "http_status": 529,
    "kind": "test",
    "stream": True,
    "error_type": "overloaded_error",
    "error_message": "Overloaded",
    "usage": Usage(input_tokens=1, output_tokens=2),
    "usage_state": "final",
    "cost": COST,
    "cost_state": "priced",
    "duration_ms": 1500,
    "attempts": [
        Attempt(platform="anthropic", model="m", credential_id=CREDENTIAL, credential_name="main", status=529, ms=7),
        Attempt(platform="anthropic", model="m", credential_id=CREDENTIAL, credential_name="main", status=529, ms=8),
    ],
}


def test_a_row_has_the_contracts_form(api: httpx2.Client, store: Store) -> None:
    """Money as decimal strings without zeros at their end, times in UTC with milliseconds, ids of version 7."""
    row_id = store(**FULL)
    row = api.get(f"{LOGS}/{row_id}").json()
    assert set(row) == ROW
    assert (row["at"], row["id"][14]) == ("2026-11-23T12:00:00.000Z", "7")
    assert row["key"] == {"id": KEY, "name": "laptop"}
    assert row["credential"] == {"id": CREDENTIAL, "name": "main"}
    assert row["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert row["cost"] == {
        "total": "0.5", "input": "0.4", "output": "0.1", "cache_read": "0", "cache_write": "0", "other": "0",
        "rates": {"input": "4"}, "currency": "USD", "price_version": "v1",
    }  # fmt: skip
    assert row["usage"]["input_tokens"] == 1
    attempt, _ = row["attempts"]
    assert (attempt["credential"], attempt["status"], attempt["ms"]) == ({"id": CREDENTIAL, "name": "main"}, 529, 7)
    bare = api.get(f"{LOGS}/{store()}").json()
    assert set(bare) == ROW
    assert (bare["key"], bare["usage"], bare["cost"], bare["error"], bare["attempts"]) == (None, None, None, None, [])


@pytest.mark.parametrize(
    "parameters",
    [
        {"key_id": KEY},
        {"platform": "anthropic"},
        {"model": "claude-opus-5-5"},
        {"credential_id": CREDENTIAL},
        {"status": "error"},
        {"kind": "test"},
        {"session_id": "session-1"},
        {"stream": "true"},
        {"retried": "true"},
        {"status": ["error", "limited"], "platform": ["kiro", "anthropic"]},
        {"q": "overloaded laptop"},
        {"min_cost": "0.5"},
        {"min_duration_ms": 1500},
        {"from": "2026-11-23T12:00:00Z", "to": "2026-11-23T12:00:00.001Z"},
        {"from": "2026-11-23T13:00:00+01:00", "to": "2026-11-23T13:00:01+01:00"},
        {"status": "error", "stream": "true", "min_cost": "0.1", "key_id": KEY},
    ],
    ids=str,
)
def test_each_filter_finds_its_rows(api: httpx2.Client, member: User, store: Store, parameters: dict[str, Any]) -> None:
    """Alone and together with others."""
    wanted = store(**FULL)
    store(NOON - timedelta(seconds=2))
    store(NOON + timedelta(seconds=2), key_id=str(uuid7()), duration_ms=1499)
    assert ids(api.get(LOGS, params={"user_id": member.id} | parameters)) == [wanted]


def test_rows_are_read_in_parts(api: httpx2.Client, member: User, store: Store) -> None:
    """Newest first, every row once, also with a filter."""
    made = [store(NOON + timedelta(seconds=number), status=("ok", "error")[number % 2]) for number in range(10)]
    seen: list[str] = []
    parameters: dict[str, Any] = {"user_id": member.id, "status": "ok", "limit": 2}
    while True:
        page = api.get(LOGS, params=parameters)
        seen += ids(page)
        if page.json()["next_cursor"] is None:
            break
        parameters["cursor"] = page.json()["next_cursor"]
    assert seen == list(reversed(made[::2]))


@pytest.mark.parametrize(
    ("parameters", "status", "fields"),
    [
        ({"from": "yesterday"}, 422, ("from",)),
        ({"from": "2026-11-23T12:00:00"}, 422, ("from",)),
        ({"to": "1969"}, 422, ("to",)),
        ({"status": "fine"}, 422, ("status[0]",)),
        ({"kind": "other"}, 422, ("kind[0]",)),
        ({"stream": "perhaps"}, 422, ("stream",)),
        ({"min_cost": "-1"}, 422, ("min_cost",)),
        ({"min_cost": "NaN"}, 422, ("min_cost",)),
        ({"min_duration_ms": "-1"}, 422, ("min_duration_ms",)),
        ({"limit": "201"}, 422, ("limit",)),
        ({"q": "..."}, 422, ("q",)),
        ({"since": "nonsense"}, 422, ("since",)),
        ({"since": KEY, "cursor": "AAAAAAAAAAAAAAAAAAAAAA"}, 422, ("since",)),
        ({"cursor": "nonsense"}, 400, ()),
        ({"sesion_id": "x", "key": "x"}, 422, ("sesion_id", "key")),
        ({"limit": ["10", "20"]}, 422, ("limit",)),
    ],
    ids=str,
)
def test_a_filter_that_cannot_be_is_named(
    api: httpx2.Client, parameters: dict[str, Any], status: int, fields: tuple[str, ...]
) -> None:
    """Rather than left out silently."""
    assert_problem(api.get(LOGS, params=parameters), status, "invalid" if status == 422 else "bad_cursor", *fields)


@pytest.mark.parametrize("name", ["key_id", "user_id", "credential_id", "session_id", "platform", "model"])
def test_a_filter_for_nothing_finds_nothing(api: httpx2.Client, store: Store, name: str) -> None:
    """Not everything, and not what has no such member."""
    store()
    for value in ("nonsense", str(uuid7()), ""):
        assert ids(api.get(LOGS, params={name: value})) == [], repr(value)


def test_a_member_sees_the_own_rows_without_credentials(
    site: Site, api: httpx2.Client, member: User, member_api: httpx2.Client, store: Store
) -> None:
    """Whatever is asked for: others' rows, and whose credential answered, are not told."""
    other = site.new_user()
    mine, others = store(**FULL), store(user_id=other.id)
    nobodys = store(user_id=None)
    assert ids(member_api.get(LOGS)) == [mine]
    # Another's id finds what an unknown one finds; both are told from the member's own.
    for asked, expected in ((other.id, []), (str(uuid7()), []), (member.id, [mine]), ([other.id, member.id], [mine])):
        assert ids(member_api.get(LOGS, params={"user_id": asked})) == expected
    row = member_api.get(f"{LOGS}/{mine}").json()
    assert (row["credential"], row["attempts"][0]["credential"]) == (None, None)
    assert CREDENTIAL not in member_api.get(LOGS).text
    # Neither can be found out by asking for one, or for a word of its name.
    for credential_id in (CREDENTIAL, str(uuid7()), "nonsense"):
        answer = member_api.get(LOGS, params={"credential_id": credential_id})
        assert_problem(answer, 403, "forbidden", "credential_id")
    assert ids(api.get(LOGS, params={"q": "main", "user_id": member.id})) == []
    for row_id in (others, nobodys, str(uuid7()), "nonsense"):
        assert_problem(member_api.get(f"{LOGS}/{row_id}"), 404, "not_found")
    assert api.get(f"{LOGS}/{nobodys}").status_code == 200


def test_a_live_tail_goes_on_where_it_was(api: httpx2.Client, member: User, store: Store) -> None:
    """From the newest row that is known, then from the cursor of each answer, which is never null."""
    newest = store()
    parameters = {"user_id": member.id, "since": newest}
    before = api.get(LOGS, params=parameters)
    assert ids(before) == []
    made = [store(NOON - timedelta(minutes=5)), store(NOON + timedelta(minutes=5))]
    after = api.get(LOGS, params=parameters | {"since": before.json()["next_cursor"]})
    assert [row for row in ids(after) if row != newest] == made
    assert after.json()["next_cursor"]


def test_no_call_ignores_a_parameter(site: Site, api: httpx2.Client) -> None:
    """Whatever is asked: a name that the call does not know is named, also where it knows none; strangers first of all
    are told to sign in."""
    for path in ("/api/v1/api-keys", "/api/v1/credentials", "/api/v1/platforms", "/api/v1/auth/me", "/api/v1/meta"):
        assert_problem(api.get(path, params={"nmae": "x"}), 422, "invalid", "nmae")
    with site.visitor() as visitor:
        assert visitor.get(LOGS, params={"nmae": "x"}).status_code == 401
