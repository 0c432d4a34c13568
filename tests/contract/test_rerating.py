"""Pricing stored requests anew: rows and sums change together, and the report says by how much."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from ccrouter.ids import request_id_of, uuid7
from ccrouter.messages.request import MessagesRequest
from ccrouter.metering.meter import meter
from ccrouter.metering.prices import PriceRow, PriceTable, Rates
from ccrouter.metering.record import CallRecord, encode_record
from ccrouter.storage import logs, rerating
from ccrouter.storage.rerating import RerateFilters
from ccrouter.storage.totals import differences

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = RerateFilters(since=NOON, until=NOON + timedelta(days=1))
KEYS = [str(uuid7()) for _ in range(3)]
ASKED = b'{"model":"m","max_tokens":1,"messages":[]}'


def a_table(version: str, **prices: str) -> PriceTable:
    """Models with one price for everything but output, which costs twice as much."""
    rows = [
        PriceRow(platform="anthropic", model=model, rates=Rates(input=Decimal(price), output=2 * Decimal(price)))
        for model, price in prices.items()
    ]
    return PriceTable(version=version, rows=tuple(rows))


OLD, NEW = a_table("old", a="1", b="2", d="4"), a_table("new", a="1", b="3", c="5")


def a_record(at: datetime = NOON, prices: PriceTable = OLD, **fields: Any) -> CallRecord:
    """A record as the meter makes it."""
    record_id = uuid7(at)
    raw, metered = fields.pop("raw", {"input_tokens": 1000, "output_tokens": 500}), fields.pop("metered", {})
    values: dict[str, Any] = {
        "id": record_id, "at": at, "kind": "messages", "request_id": request_id_of(record_id), "platform": "anthropic",
        "key_id": KEYS[0], "key_name": "first",
    }  # fmt: skip
    record = CallRecord(**(values | fields))
    asked = metered.pop("request", ASKED)
    meter(record, raw, MessagesRequest(asked), prices, final=True, **metered)
    return record


def store(engine: Engine, *records: CallRecord) -> None:
    """Stores records with their sums."""
    logs.insert_many(engine, [encode_record(record) for record in records])


def cost_of(engine: Engine, record: CallRecord) -> tuple[str, str | None, str | None]:
    """State, amount and version of a stored record's cost."""
    found = logs.get(engine, str(record.id))
    assert found is not None
    cost = found.cost
    return (
        found.cost_state,
        None if cost is None else f"{cost.total.normalize():f}",
        None if cost is None else cost.price_version,
    )


def assert_equal(engine: Engine) -> None:
    """Sums equal rows."""
    assert differences(engine, NOON - timedelta(days=1), NOON + timedelta(days=2)) == []


def test_prices_change_what_rows_cost_and_name_their_version(engine: Engine) -> None:
    """A dearer model, a new one, one whose price is gone, one that stays as it is."""
    records = {model: a_record(model=model) for model in "abcd"}
    store(engine, *records.values())
    assert cost_of(engine, records["c"]) == ("unpriced", None, None)
    said = rerating.rerate(engine, DAY, NEW, dry_run=True)
    assert cost_of(engine, records["b"]) == ("priced", "0.004", "old")
    done = rerating.rerate(engine, DAY, NEW, dry_run=False)
    assert msgspec.structs.replace(done, dry_run=True) == said
    assert [cost_of(engine, records[model]) for model in "abcd"] == [
        ("priced", "0.002", "old"),
        ("priced", "0.006", "new"),
        ("priced", "0.01", "new"),
        ("priced", "0.008", "old"),
    ]
    total = done.total
    assert (total.rows, total.changed, total.newly_priced, total.still_unpriced, total.kept) == (4, 1, 1, 0, 1)
    assert (total.before, total.after) == (Decimal("0.014"), Decimal("0.026"))
    assert [(line.name, line.after - line.before) for line in done.models[:2]] == [
        ("c", Decimal("0.010")), ("b", Decimal("0.002")),
    ]  # fmt: skip
    assert [(line.id, line.name, line.rows) for line in done.keys] == [(KEYS[0], "first", 4)]
    assert_equal(engine)
    assert logs.spent_since(engine, NOON, key_id=KEYS[0]) == total.after
    again = rerating.rerate(engine, DAY, NEW, dry_run=False).total
    assert (again.changed, again.newly_priced, again.after) == (0, 0, total.after)


def test_many_rows_of_every_sort_keep_rows_and_sums_equal(engine: Engine) -> None:
    """Over several parts, also when it is begun again in the middle."""
    chance = random.Random(7)
    records = [
        a_record(
            NOON + timedelta(seconds=chance.randrange(10 * 3600)),
            chance.choice((OLD, NEW)),
            model=chance.choice("abcde"),
            key_id=chance.choice([*KEYS, None]),
            kind=chance.choice(("messages", "messages", "test", "count_tokens")),
            raw={
                name: chance.randrange(10**6) for name in ("input_tokens", "output_tokens", "cache_read_input_tokens")
            },
        )
        for _ in range(1600)
    ]
    store(engine, *records)
    counted = [record for record in records if record.kind != "count_tokens"]

    class Enough(Exception):
        pass

    def stop(_: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        rerating.rerate(engine, DAY, NEW, dry_run=False, looked_at=stop)
    assert_equal(engine)
    seen: list[int] = []
    report = rerating.rerate(engine, DAY, NEW, dry_run=False, looked_at=seen.append)
    assert seen == [500, 1000, len(counted)]
    assert report.total.rows == len(counted) == sum(line.rows for line in report.keys)
    assert report.total.after == sum(line.after for line in report.models)
    assert sum((logs.spent_since(engine, None, key_id=key) for key in KEYS), Decimal(0)) == sum(
        line.after for line in report.keys if line.id is not None
    )
    assert_equal(engine)


def test_only_what_is_asked_for_changes(engine: Engine) -> None:
    """A period, a key, a model, a platform, only what has no price yet."""
    record, late = a_record(model="b"), a_record(NOON + timedelta(days=1), model="b")
    unpriced = a_record(model="c", key_id=KEYS[1])
    store(engine, record, late, unpriced)
    for changes in ({"key_id": KEYS[2]}, {"key_id": "?"}, {"model": "a"}, {"platform": "gemini"}):
        filters = msgspec.structs.replace(DAY, **changes)
        assert rerating.rerate(engine, filters, NEW, dry_run=False).total.rows == rerating.count(engine, filters) == 0
    filters = msgspec.structs.replace(DAY, only_unpriced=True)
    assert rerating.count(engine, filters) == 1
    assert rerating.rerate(engine, filters, NEW, dry_run=False).total.newly_priced == 1
    filters = msgspec.structs.replace(DAY, key_id=KEYS[0], model="b", platform="anthropic")
    assert rerating.rerate(engine, filters, NEW, dry_run=False).total.changed == 1
    assert cost_of(engine, late) == ("priced", "0.004", "old")
    assert_equal(engine)


def test_a_row_tells_enough_to_be_priced_as_it_was(engine: Engine) -> None:
    """Caching for an hour that only the request named, the vendor, the model behind an address, what a vendor bills."""
    rates = Rates(input=Decimal(1), output=Decimal(1), cache_write_5m=Decimal(2), cache_write_1h=Decimal(3))
    rows = [PriceRow(platform=name, model="m", rates=rates) for name in ("anthropic", "bedrock", "deepseek")]
    old = PriceTable(version="old", rows=tuple(rows))
    hour = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}'  # noqa: E501
    written = {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 1000}
    records = [
        a_record(prices=old, model="m", raw=written, metered={"request": hour}),
        a_record(prices=old, model="m", raw=written),
        a_record(prices=old, platform="openai", model="m", raw=written, metered={"vendor": "deepseek"}),
        a_record(
            prices=old, platform="bedrock", model="arn:aws:x/1", raw=written, metered={"answered_as": "m"}
        ),
        a_record(
            prices=old, platform="openai", model="alias", raw=written,
            metered={"vendor": "deepseek", "answered_as": "m"},
        ),
        a_record(
            prices=old, platform="openai", model="m", raw=written,
            metered={"vendor": "openrouter", "billed_usd": Decimal("0.5")},
        ),
    ]  # fmt: skip
    assert [str(record.cost and record.cost.total) for record in records] == [
        "0.003002", "0.002002", "0.002002", "0.002002", "0.002002", "0.5",
    ]  # fmt: skip
    store(engine, *records)
    doubled = msgspec.structs.replace(
        old, version="new", rows=tuple(msgspec.structs.replace(row, us_factor=Decimal(2)) for row in rows)
    )
    total = rerating.rerate(engine, DAY, doubled, dry_run=False).total
    assert (total.rows, total.changed, total.kept, total.before) == (6, 0, 1, total.after)
