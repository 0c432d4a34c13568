"""Statistics over the admin API: figures, lines and shares agree, and a member sees only what is theirs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from tests.admin.site import Site, assert_problem

from ccrouter.clock import rfc3339, utc_now
from ccrouter.ids import request_id_of, uuid7
from ccrouter.messages.usage import Usage
from ccrouter.metering.record import CallRecord, Cost, encode_record
from ccrouter.storage import keys, logs
from ccrouter.storage.users import User

STATS = "/api/v1/stats"
BERLIN = ZoneInfo("Europe/Berlin")
FIRST = datetime(2026, 10, 24, tzinfo=BERLIN).astimezone(UTC)
"""The day after it has 25 hours."""
PERIOD = {"from": rfc3339(FIRST), "to": rfc3339(datetime(2026, 10, 27, tzinfo=BERLIN)), "tz": "Europe/Berlin"}
ZERO = Decimal(0)


def a_cost(amount: str) -> Cost:
    """A cost, all of it output."""
    return Cost(
        total=Decimal(amount), input=ZERO, output=Decimal(amount), cache_read=ZERO, cache_write=ZERO, other=ZERO,
        rates={}, currency="USD", price_version="v",
    )  # fmt: skip


@pytest.fixture
def key_id(site: Site, member: User) -> str:
    """A key of the member, with requests in three days, and one of somebody else at the same time."""
    engine = site.router.services.engine
    key = keys.create(engine, member.id, f"sk-{uuid7()}", {"name": "laptop"})

    def record(at: datetime, **fields: Any) -> bytes:
        record_id = uuid7(at)
        values: dict[str, Any] = {
            "id": record_id, "at": at, "kind": "messages", "request_id": request_id_of(record_id), "key_id": key.id,
            "user_id": member.id, "platform": "anthropic", "model": "m", "credential_id": site.router.credential_id,
            "usage": Usage(input_tokens=10, output_tokens=5, cache_read_tokens=85), "duration_ms": 150, "ttft_ms": 50,
        }  # fmt: skip
        return encode_record(CallRecord(**(values | fields)))

    logs.insert_many(
        engine,
        [
            record(FIRST, cost=a_cost("1"), cost_state="priced"),
            record(FIRST + timedelta(hours=24 + 24.5), cost=a_cost("2"), cost_state="priced", model="n"),
            record(FIRST + timedelta(hours=72), cost_state="unpriced", model="o", status="error"),
            record(FIRST + timedelta(hours=72), platform=None, model=None, status="limited", usage=None),
            record(FIRST - timedelta(hours=1), cost=a_cost("4"), cost_state="priced"),
            record(FIRST, key_id=str(uuid7()), user_id=str(uuid7()), cost=a_cost("100"), cost_state="priced"),
        ],
    )
    return key.id


def test_a_summary_has_every_figure(api: httpx2.Client, key_id: str) -> None:
    """With the period before, and the models that have no price."""
    document = api.get(f"{STATS}/summary", params=PERIOD | {"key_id": key_id, "compare": "previous"}).json()
    assert (document["requests"], document["ok"], document["errors"], document["limited"]) == (4, 2, 1, 1)
    assert document["success_rate"] == pytest.approx(2 / 3)
    assert (document["tokens"]["total"], document["tokens"]["cache_read"]) == (300, 255)
    assert document["cache_hit_rate"] == pytest.approx(85 / 95)
    assert document["cost"] == {
        "total": "3", "input": "0", "output": "3", "cache_read": "0", "cache_write": "0", "other": "0",
    }  # fmt: skip
    assert (document["latency"]["mean_ms"], document["latency"]["ttft_mean_ms"]) == (150, 50)
    assert 100 < document["latency"]["p50_ms"] < document["latency"]["p95_ms"] <= 200
    assert document["unpriced"] == [{"platform": "anthropic", "model": "o", "requests": 1}]
    assert document["period"] == {
        "from": "2026-10-23T22:00:00.000Z", "to": "2026-10-26T23:00:00.000Z", "exact": True,
    }  # fmt: skip
    assert (document["previous"]["cost"]["total"], document["previous"]["period"]["to"]) == (
        "4", document["period"]["from"],
    )  # fmt: skip
    assert document["forecast"] is None


def test_days_of_a_series_are_those_of_the_zone(api: httpx2.Client, key_id: str) -> None:
    """The day on which the clocks are set back has 25 hours; empty buckets are 0; lines and total agree."""
    asked = PERIOD | {"key_id": key_id, "group_by": "model", "compare": "previous"}
    document = api.get(f"{STATS}/series", params=asked | {"bucket": "day"}).json()
    assert document["starts"] == ["2026-10-23T22:00:00.000Z", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"]
    assert [(line["group"]["id"], [point["value"] for point in line["points"]]) for line in document["groups"][:2]] == [
        ("n", ["0", "2", "0"]), ("m", ["1", "0", "0"]),
    ]  # fmt: skip
    assert document["total"]["value"] == "3"
    assert [point["value"] for point in document["previous"]["points"]] == ["0", "0", "4"]
    by_hour = api.get(f"{STATS}/series", params=asked | {"bucket": "hour"}).json()
    assert len(by_hour["starts"]) == len(by_hour["groups"][0]["points"]) == 24 + 25 + 24
    assert by_hour["total"] == document["total"]
    top = api.get(f"{STATS}/series", params=asked | {"bucket": "day", "top": 1}).json()
    assert [(line["other"], line["total"]["value"]) for line in top["groups"]] == [(False, "2"), (True, "1")]


@pytest.mark.parametrize("metric", ["cost", "tokens", "requests", "errors", "latency"])
def test_every_metric_agrees_with_the_summary(api: httpx2.Client, key_id: str, metric: str) -> None:
    """As lines and as shares."""
    asked = PERIOD | {"key_id": key_id}
    summary = api.get(f"{STATS}/summary", params=asked).json()
    expected = {
        "cost": summary["cost"]["total"],
        "tokens": summary["tokens"]["total"],
        "requests": summary["requests"],
        "errors": summary["errors"],
        "latency": summary["latency"]["p95_ms"],
    }[metric]
    series = api.get(f"{STATS}/series", params=asked | {"metric": metric, "bucket": "hour"}).json()
    assert (series["total"]["value"], series["groups"][0]["total"]["value"]) == (expected, expected)
    found = api.get(f"{STATS}/breakdown", params=asked | {"metric": metric, "group_by": ["platform", "model"]}).json()
    assert found["total"]["value"] == expected
    assert all([group["id"] for group in row["groups"]] for row in found["rows"])
    if metric != "latency":
        assert sum(row["share"] for row in found["rows"]) == pytest.approx(1)
        assert sum(Decimal(row["measure"]["value"]) for row in found["rows"]) == Decimal(expected)


def test_groups_have_names(site: Site, api: httpx2.Client, member: User, key_id: str) -> None:
    """Keys, users and credentials those they have now; the rest beyond the limit is one row."""
    asked = PERIOD | {"user_id": member.id, "metric": "requests"}
    found = api.get(f"{STATS}/breakdown", params=asked | {"group_by": ["key", "user"]}).json()
    assert [row["groups"] for row in found["rows"]] == [
        [{"id": key_id, "name": "laptop"}, {"id": member.id, "name": member.login}]
    ]
    by_credential = api.get(f"{STATS}/breakdown", params=asked | {"group_by": "credential"}).json()
    assert by_credential["rows"][0]["groups"] == [{"id": site.router.credential_id, "name": "fake platform"}]
    short = api.get(
        f"{STATS}/breakdown", params=asked | {"group_by": "model", "limit": 1, "compare": "previous"}
    ).json()
    assert [(row["other"], len(row["groups"]), row["measure"]["value"]) for row in short["rows"]][-1] == (True, 0, 3)
    assert (short["rows"][0]["previous"]["value"], short["previous_total"]["value"]) in [(0, 1), (1, 1)]


def test_a_member_sees_only_what_is_theirs(api: httpx2.Client, member_api: httpx2.Client, key_id: str) -> None:
    """Whatever is asked for, and nothing of credentials."""
    assert Decimal(api.get(f"{STATS}/summary", params=PERIOD).json()["cost"]["total"]) >= 103
    everybody = {"user_id": str(uuid7())}
    assert member_api.get(f"{STATS}/summary", params=PERIOD | everybody).json()["cost"]["total"] == "3"
    assert member_api.get(f"{STATS}/series", params=PERIOD | everybody).json()["total"]["value"] == "3"
    by_user = member_api.get(f"{STATS}/breakdown", params=PERIOD | {"group_by": "user"}).json()
    assert [row["measure"]["value"] for row in by_user["rows"]] == ["3"]
    for path in ("series", "breakdown"):
        assert_problem(member_api.get(f"{STATS}/{path}", params={"group_by": "credential"}), 403, "forbidden")


def test_the_month_is_foretold(api: httpx2.Client) -> None:
    """Where it is asked for."""
    month = api.get(f"{STATS}/summary", params={"forecast": True, "tz": "Asia/Tokyo"}).json()["forecast"]
    now = utc_now().astimezone(ZoneInfo("Asia/Tokyo"))
    assert month["from"] == rfc3339(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    assert Decimal(month["expected"]) >= Decimal(month["spent"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"tz": "Nowhere"}, "tz"),
        ({"to": "2026-01-01T00:00:00Z", "from": "2026-01-01T00:00:00Z"}, "to"),
        ({"bucket": "hour", "from": "2020-01-01T00:00:00Z"}, "bucket"),
        ({"bucket": "week"}, "bucket"),
        ({"metric": "speed"}, "metric"),
        ({"top": "51"}, "top"),
        ({"compare": "next"}, "compare"),
        ({"from": "2026-01-01"}, "from"),
        ({"group_by": "planet"}, "group_by"),
    ],
    ids=str,
)
def test_a_question_that_cannot_be_is_named(api: httpx2.Client, query: dict[str, str], field: str) -> None:
    """422 with the parameter."""
    assert_problem(api.get(f"{STATS}/series", params=query), 422, "invalid", field)
