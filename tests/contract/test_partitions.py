"""The log in months: made ahead, filled from the default part, dropped whole; no row is lost on the way."""

import asyncio
import importlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, text
from tests.contract.adapters import a_call_log
from tests.services import empty_database, some_settings

from ccrouter.clock import utc_now
from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import request_id_of, uuid7
from ccrouter.metering.record import CallRecord, Cost, encode_record
from ccrouter.services import Services
from ccrouter.storage import logs, partitions, settings
from ccrouter.storage.engine import make_engine
from ccrouter.storage.partitions import Month, month_of, months_from
from ccrouter.storage.totals import differences
from ccrouter.worker.log_months import keep_months

VERSIONS = Path(logs.__file__).parent / "migrations" / "versions"
OLD = datetime(2021, 3, 31, 23, 59, 59, 999_000, tzinfo=UTC)
KEY = str(uuid7())


def a_record(at: datetime) -> CallRecord:
    """A record of this moment that cost a dollar."""
    record_id, zero = uuid7(at), Decimal(0)
    cost = Cost(
        total=Decimal(1), input=Decimal(1), output=zero, cache_read=zero, cache_write=zero, other=zero, rates={},
        currency="USD", price_version="v",
    )  # fmt: skip
    return CallRecord(
        id=record_id, at=at, kind="messages", request_id=request_id_of(record_id), key_id=KEY, cost=cost,
        cost_state="priced",
    )  # fmt: skip


def store(engine: Engine, *moments: datetime) -> None:
    """One row of each moment."""
    logs.insert_many(engine, [encode_record(a_record(at)) for at in moments])


def parts(engine: Engine) -> dict[str, int]:
    """How many rows stand in which part; empty ones are left out."""
    with engine.connect() as connection:
        found = connection.execute(text("SELECT tableoid::regclass::text AS part FROM request_log")).scalars().all()
    return dict(Counter(found))


def test_a_row_stands_in_its_month(engine: Engine) -> None:
    """This month and the two after it are there from the first start on; what fits none is kept all the same."""
    now = utc_now()
    ahead = months_from(now, 3)
    assert partitions.kept(engine) == ahead
    store(engine, now, ahead[1].begin, ahead[2].end - timedelta(milliseconds=1), ahead[2].end, OLD)
    assert parts(engine) == {**{month.table: 1 for month in ahead}, "request_log_default": 2}


def test_rows_move_into_their_month_when_it_is_made(engine: Engine) -> None:
    """To the millisecond, and no sum changes; a second time nothing is made."""
    store(engine, OLD, OLD + timedelta(milliseconds=1), OLD + timedelta(days=1))
    assert partitions.strays(engine, utc_now()) == [month_of(OLD), month_of(OLD + timedelta(days=1))]
    assert partitions.make(engine, [month_of(OLD)]) == [month_of(OLD)]
    assert partitions.make(engine, [month_of(OLD)]) == []
    assert parts(engine) == {"request_log_2021_03": 1, "request_log_default": 2}
    assert differences(engine, OLD - timedelta(days=1), OLD + timedelta(days=3)) == []
    store(engine, OLD)
    assert parts(engine)["request_log_2021_03"] == 2


def test_of_many_who_make_a_month_one_does(engine: Engine) -> None:
    """Several processes see at once that it is missing."""
    store(engine, *[OLD] * 20)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: partitions.make(engine, [month_of(OLD)]), range(4)))
    assert sorted(made) == [[], [], [], [month_of(OLD)]]
    assert parts(engine) == {"request_log_2021_03": 20}


def test_a_month_is_made_while_rows_come_for_it(engine: Engine, tmp_path: Path) -> None:
    """Whoever is at work then loses nothing and is told nothing."""
    records = [a_record(OLD) for _ in range(300)]

    async def run() -> None:
        async with a_call_log(engine, tmp_path) as log:
            making = asyncio.create_task(asyncio.to_thread(partitions.make, engine, [month_of(OLD)]))
            for start in range(0, 300, 5):
                await asyncio.gather(*(log.record(record) for record in records[start : start + 5]))
            await making

    asyncio.run(run())
    assert parts(engine) == {"request_log_2021_03": 300}
    assert differences(engine, OLD - timedelta(days=1), OLD + timedelta(days=1)) == []
    assert list(tmp_path.glob("*.jsonl")) == []


def test_months_are_dropped_whole_and_their_sums_stay(engine: Engine) -> None:
    """A month that has not wholly passed keeps its rows, in the default part too."""
    following = month_of(OLD).end
    partitions.make(engine, [month_of(OLD)])
    store(engine, OLD, OLD - timedelta(days=40), following + timedelta(days=5), utc_now())
    assert partitions.drop_before(engine, following - timedelta(milliseconds=1)) == []
    assert partitions.drop_before(engine, following + timedelta(days=20)) == [month_of(OLD)]
    assert parts(engine) == {"request_log_default": 1, month_of(utc_now()).table: 1}
    assert logs.spent_since(engine, None, key_id=KEY) == 4


def test_nobody_waits_long_for_a_month_to_be_dropped(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long reader keeps the drop off, not the drop the writers."""
    monkeypatch.setattr(partitions, "_LOCK_WITHIN", "50ms")
    partitions.make(engine, [month_of(OLD)])
    with engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM request_log"))
        with pytest.raises(Exception, match="lock timeout"):
            partitions.drop_before(engine, utc_now() - timedelta(days=40))
        store(engine, OLD)
    assert month_of(OLD) in partitions.kept(engine)


@pytest.fixture
def before_months(embedded: EmbeddedServices) -> Iterator[Engine]:
    """A database as it was before the log had months."""
    with empty_database(embedded) as url:
        engine = make_engine(url, pool_size=0)
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            for path in sorted(VERSIONS.glob("r[0-9]*.py")):
                if path.stem.endswith("_months"):
                    break
                revision(path.stem).upgrade()
        yield engine


def revision(name: str) -> Any:
    """The module of a revision."""
    return importlib.import_module(f"ccrouter.storage.migrations.versions.{name}")


def test_the_migration_moves_the_rows_that_are_there(before_months: Engine) -> None:
    """Each into its month, and every index is there again."""
    (name,) = (path.stem for path in VERSIONS.glob("r[0-9]*_months.py"))
    engine = before_months

    def indexes() -> set[str]:
        with engine.connect() as connection:
            found = connection.execute(text("SELECT indexname FROM pg_indexes WHERE tablename = 'request_log'"))
            return set(found.scalars())

    before = indexes()
    row = "(:id, now(), 'messages', 'r', false, 'ok', 'none', '{}', 1, '[]')"
    fields = "(id, at, kind, request_id, stream, status, cost_state, timings, duration_ms, attempts)"
    moments = [OLD, OLD + timedelta(milliseconds=1), utc_now()]
    with engine.begin() as connection:
        for at in moments:
            connection.execute(text(f"INSERT INTO request_log {fields} VALUES {row}"), {"id": uuid7(at)})
        with Operations.context(MigrationContext.configure(connection)):
            revision(name).upgrade()
    assert parts(engine) == {month_of(at).table: 1 for at in moments}
    assert indexes() == before
    assert partitions.kept(engine)[-1] == months_from(utc_now(), 3)[-1]
    assert partitions.kept(engine)[0] == Month(datetime(2021, 3, 1, tzinfo=UTC), datetime(2021, 4, 1, tzinfo=UTC))


def test_the_chore_makes_moves_and_drops(
    database_url: str, embedded: EmbeddedServices, engine: Engine, tmp_path: Path
) -> None:
    """Months ahead are made, strays moved; old months go only where the settings say how long rows are kept."""
    services = Services.build(some_settings(database_url, embedded.redis_url, tmp_path))
    now = utc_now()
    store(engine, OLD, now - timedelta(days=70), now)
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {months_from(now, 3)[2].table}"))
    keep_months(services)
    assert partitions.kept(engine) == [month_of(OLD), month_of(now - timedelta(days=70)), *months_from(now, 3)]
    settings.put(engine, "retention", {"rows_days": 100})
    keep_months(services)
    assert parts(engine) == {month_of(now - timedelta(days=70)).table: 1, month_of(now).table: 1}
    services.engine.dispose()
