"""Statistics equal what one counts by hand over random requests, by every group and in every zone."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from ccrouter.ids import request_id_of, uuid7
from ccrouter.messages.usage import Usage
from ccrouter.metering.periods import Bucket, Period, cut, whole_hours
from ccrouter.metering.prices import PriceRow, PriceTable, Rates
from ccrouter.metering.record import CallRecord, Cost, encode_record
from ccrouter.storage import cuts, logs, outlook, stats
from ccrouter.storage.rollups import LATENCY_BOUNDS_MS
from ccrouter.storage.stats import Group, Metric, StatFilters, Sums

BEGIN = datetime(2026, 3, 25, tzinfo=UTC)
END = BEGIN + timedelta(days=8)
KEYS = [str(uuid7()) for _ in range(4)]
USERS = [str(uuid7()) for _ in range(2)]
ZERO = Decimal(0)


def a_cost(amount: Decimal, cache_read: Decimal = ZERO) -> Cost:
    """A cost of two items."""
    rest = amount - cache_read
    return Cost(
        total=amount, input=rest, output=ZERO, cache_read=cache_read, cache_write=ZERO, other=ZERO,
        rates={}, currency="USD", price_version="v",
    )  # fmt: skip


def a_record(at: datetime = BEGIN, **fields: Any) -> CallRecord:
    """A record."""
    record_id = uuid7(at)
    values: dict[str, Any] = {
        "id": record_id, "at": at, "kind": "messages", "request_id": request_id_of(record_id), "platform": "anthropic",
        "model": "m", "key_id": KEYS[0], "user_id": USERS[0],
    }  # fmt: skip
    return CallRecord(**(values | fields))


def store(engine: Engine, *records: CallRecord) -> None:
    """Stores them with their sums."""
    logs.insert_many(engine, [encode_record(record) for record in records])


def some_records(number: int) -> list[CallRecord]:
    """Records of every sort."""
    chance = random.Random(number)
    made = []
    for _ in range(number):
        platform = chance.choice(("anthropic", "gemini", None))
        made.append(
            a_record(
                BEGIN + timedelta(seconds=chance.randrange(8 * 86400)),
                key_id=chance.choice([*KEYS, None]),
                user_id=chance.choice([*USERS, None]),
                platform=platform,
                model=platform and chance.choice("mno"),
                status=chance.choice(("ok", "ok", "ok", "error", "aborted")) if platform else "limited",
                usage=Usage(input_tokens=chance.randrange(99), cache_read_tokens=chance.randrange(999)),
                cost=a_cost(Decimal(chance.randrange(1000)) / 1000) if platform else None,
                duration_ms=chance.randrange(20_000),
            )
        )
    return made


def value(metric: Metric, sums: Sums) -> Any:
    """The number of a metric."""
    return sums.tokens() if metric == "tokens" else sums[metric]


def counted(metric: Metric, record: CallRecord) -> Any:
    """What one record adds to it."""
    usage = record.usage or Usage()
    return {
        "cost": record.cost.total if record.cost else ZERO,
        "tokens": usage.prompt_tokens + usage.output_tokens,
        "requests": 1,
        "errors": int(record.status == "error"),
    }[metric]


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("metric", ["cost", "tokens", "requests", "errors"])
@pytest.mark.parametrize(
    ("zone", "bucket", "groups"),
    [
        ("UTC", "hour", []),
        ("Europe/Berlin", "day", ["model"]),
        ("Asia/Kolkata", "day", ["key"]),
        ("America/New_York", "month", ["user"]),
        ("UTC", "month", ["platform", "key"]),
    ],
    ids=str,
)
def test_sums_are_those_of_the_requests(
    engine: Engine, metric: Metric, zone: str, bucket: Bucket, groups: list[Group], is_cut: bool
) -> None:
    """By every bucket and group, those beyond the largest together, over the change of the clocks on 29 March.

    Also where hours are cut, and some of them have changed since.
    """
    records = some_records(300)
    if is_cut:
        store(engine, *records[50:])
        cuts.cut_hours(engine, BEGIN + timedelta(days=6))
    store(engine, *records)
    period = whole_hours(BEGIN + timedelta(hours=5), END, ZoneInfo(zone))
    borders, _ = cut(period, bucket, ZoneInfo(zone))
    fields = {"key": "key_id", "user": "user_id", "model": "model", "platform": "platform"}
    expected: Counter[Any] = Counter()
    for record in records:
        hour = record.at.replace(minute=0, second=0, microsecond=0)
        if hour >= period.since:
            number = sum(border <= hour for border in borders) - 1
            expected[number, tuple(getattr(record, fields[group]) for group in groups)] += counted(metric, record)
    whole = Counter[Any]()
    for (_, values), amount in expected.items():
        whole[values] += amount
    parts = stats.read(engine, period, StatFilters(), metric, borders=borders, group_by=groups, most=2)
    shown = {part.values for part in parts if part.values is not None}
    assert len(shown) == min(2, len(whole))
    assert sorted((whole[values] for values in shown), reverse=True) == [n for _, n in whole.most_common(2)]
    found: Counter[Any] = Counter()
    for part in parts:
        found[part.bucket, part.values] += value(metric, part.sums)
    told: Counter[Any] = Counter()
    for (number, values), amount in expected.items():
        told[number, values if values in shown else None] += amount
    assert {name: amount for name, amount in found.items() if amount} == {
        name: amount for name, amount in told.items() if amount
    }


@pytest.mark.parametrize(
    "filters",
    [
        {"key_id": KEYS[1]},
        {"user_id": USERS[1]},
        {"model": "n"},
        {"platform": "gemini"},
        {"key_id": KEYS[1], "platform": "gemini"},
        {"key_id": "no id"},
    ],
    ids=["key", "user", "model", "platform", "two", "nonsense"],
)
def test_filters_hold(engine: Engine, filters: dict[str, str]) -> None:
    """Alone and together; what is no id finds nothing."""
    records = some_records(200)
    store(engine, *records)
    period = Period(BEGIN, END)
    wanted = [r for r in records if all(getattr(r, name) == value for name, value in filters.items())]
    parts = stats.read(engine, period, StatFilters(**filters), "requests")
    assert [part.sums["requests"] for part in parts] == ([len(wanted)] if wanted else [])
    models = stats.by_model(engine, period, StatFilters(**filters))
    assert sum(sums["requests"] for sums in models.values()) == len(wanted)
    assert sum((sums["cost"] for sums in models.values()), ZERO) == sum((counted("cost", r) for r in wanted), ZERO)


def test_durations_are_found_within_their_bucket(engine: Engine) -> None:
    """Refusals do not count; the percentile lies in the bucket that holds it."""
    durations = [random.Random(3).randrange(400_000) for _ in range(200)] + [700_000] * 2
    store(
        engine,
        *(a_record(duration_ms=duration, ttft_ms=5) for duration in durations),
        *(a_record(duration_ms=1, platform=None, model=None, status="limited") for _ in range(500)),
    )
    (part,) = stats.read(engine, Period(BEGIN, END), StatFilters(), "latency")
    assert (part.sums["requests"], part.sums["duration_ms_sum"], part.sums["ttft_count"]) == (202, sum(durations), 202)
    bounds = (0, *LATENCY_BOUNDS_MS)
    for quantile in (0.1, 0.5, 0.95):
        exact, told = sorted(durations)[int(quantile * 202)], part.sums.duration_ms(quantile)
        low = max(bound for bound in bounds if bound <= exact)
        assert told is not None
        assert low <= told <= min(bound for bound in (*bounds, 10**9) if bound > exact)
    assert part.sums.duration_ms(1) == LATENCY_BOUNDS_MS[-1]
    assert Sums.none().duration_ms(0.5) is None


def test_nothing_is_nothing(engine: Engine) -> None:
    """An empty period has no parts."""
    assert stats.read(engine, Period(BEGIN, END), StatFilters(), "cost", borders=[BEGIN], group_by=["key"]) == []
    assert stats.by_model(engine, Period(BEGIN, END), StatFilters()) == {}


def test_what_caches_saved(engine: Engine) -> None:
    """At the price paid for fresh input, else the list's; nothing where nothing is known."""
    read = Usage(input_tokens=100, cache_read_tokens=1000)
    store(
        engine,
        a_record(model="paid", usage=read, cost=a_cost(Decimal("0.0025"), cache_read=Decimal("0.0005"))),
        a_record(model="listed", usage=Usage(cache_read_tokens=1000), cost=a_cost(Decimal("0.1"), Decimal("0.1"))),
        a_record(model="unknown", usage=Usage(cache_read_tokens=1000), cost=a_cost(Decimal("0.1"), Decimal("0.1"))),
        a_record(model="unpriced", usage=read, cost_state="unpriced"),
    )
    row = PriceRow(platform="anthropic", model="listed", rates=Rates(input=Decimal(300), output=Decimal(1)))
    models = stats.by_model(engine, Period(BEGIN, END), StatFilters())
    saved = outlook.cache_savings(models, PriceTable(version="v", rows=(row,)), END)
    # 0.002 for 100 fresh tokens makes 0.02 for 1000; 300 a million makes 0.3.
    assert saved == (Decimal("0.02") - Decimal("0.0005")) + (Decimal("0.3") - Decimal("0.1"))


@pytest.mark.parametrize(
    ("days_used", "spent", "expected"),
    [
        # 1 USD a day for the last ten days: four in April until the fifth, and 26 to come.
        (10, 4, 30),
        # Begun two days ago: two days are looked at.
        (2, 2, 28),
        (0, 0, 0),
    ],
)
def test_a_month_is_foretold(engine: Engine, days_used: int, spent: int, expected: int) -> None:
    """From the last seven days, in the zone's calendar."""
    zone = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 4, 5, tzinfo=zone).astimezone(UTC)
    store(
        engine, *(a_record(now - timedelta(hours=n + 1), cost=a_cost(Decimal(1) / 24)) for n in range(24 * days_used))
    )
    found = outlook.forecast(engine, StatFilters(key_id=KEYS[0]), now, zone)
    assert (found.begins, found.ends) == (
        datetime(2026, 4, 1, tzinfo=zone).astimezone(UTC), datetime(2026, 5, 1, tzinfo=zone).astimezone(UTC),
    )  # fmt: skip
    assert [round(found.spent, 6), round(found.expected, 6)] == [Decimal(spent), Decimal(expected)]
    assert outlook.forecast(engine, StatFilters(key_id=KEYS[1]), now, zone).expected == 0


def cut_sums(engine: Engine) -> list[Any]:
    """What each cut has altogether, which is the same of all."""
    names = ("requests", "cost", "cost_input", "input_tokens", "duration_ms_sum", "latency_buckets[9]")
    sums = ", ".join(f"sum({name})" for name in names)
    with engine.connect() as connection:
        return [
            *connection.exec_driver_sql(f"SELECT {sums} FROM usage_cuts GROUP BY cut").all(),
            *connection.exec_driver_sql(
                f"SELECT {sums} FROM usage_hours WHERE hour < (SELECT max(hour) FROM usage_cuts) + interval '1 hour'"
            ).all(),
        ]


def test_cuts_follow_what_is_written_late(engine: Engine) -> None:
    """Each has all requests once, when it was made and when it was made anew; nothing is left to be done."""
    records = some_records(200)
    store(engine, *records[:100])
    assert cuts.cut_hours(engine, BEGIN + timedelta(days=4, minutes=59)) > 0
    first = cut_sums(engine)
    assert (len(first), len(set(map(str, first)))) == (5, 1)
    with engine.connect() as connection:
        (last,) = connection.exec_driver_sql("SELECT max(hour) FROM usage_cuts").one()
    assert last < BEGIN + timedelta(days=4) - timedelta(hours=3)
    store(engine, *records)
    assert cuts.cut_hours(engine, BEGIN + timedelta(days=4)) > 0
    second = cut_sums(engine)
    assert (len(second), len(set(map(str, second)))) == (5, 1)
    assert second[0][0] > first[0][0]
    assert cuts.cut_hours(engine, BEGIN + timedelta(days=9)) > 0
    assert len(set(map(str, cut_sums(engine)))) == 1
    assert cuts.cut_hours(engine, BEGIN + timedelta(days=9)) == 0


def test_writers_and_the_one_who_cuts_do_not_miss_each_other(engine: Engine) -> None:
    """Late requests come in all the time while hours are cut again and again: in the end all are in every cut."""
    records = some_records(400)
    store(engine, *records[:100])
    cuts.cut_hours(engine, END + timedelta(days=1))
    with ThreadPoolExecutor(3) as pool:
        writing = [pool.submit(store, engine, *records[start : start + 10]) for start in range(100, 400, 10)]
        while not all(one.done() for one in writing):
            cuts.cut_hours(engine, END + timedelta(days=1))
            (part,) = stats.read(engine, Period(BEGIN, END), StatFilters(), "requests")
            assert 100 <= part.sums["requests"] <= 400
        for one in writing:
            one.result()
    cuts.cut_hours(engine, END + timedelta(days=1))
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT cut, sum(requests) FROM usage_cuts GROUP BY cut").all()
        assert {cut: int(requests) for cut, requests in found} == dict.fromkeys(cuts.CUTS, 400)
        assert connection.exec_driver_sql("SELECT count(*) FROM usage_stale").scalar_one() == 0
