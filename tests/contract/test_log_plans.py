"""Every filter of the log is answered from an index, in each month."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from bench.log_rows import add_rows
from sqlalchemy import Engine, event
from tests.services import fresh_database

from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import uuid7
from ccrouter.storage import log_lists, log_sessions, log_sums, partitions
from ccrouter.storage.engine import make_engine
from ccrouter.storage.log_filters import LogFilters
from ccrouter.storage.rows import write_cursor

NOW = datetime.now(UTC).replace(day=15)
BEGIN = NOW - timedelta(days=40)
ROWS = 6000
LAST = write_cursor(uuid7(NOW))


@pytest.fixture(scope="module")
def filled(embedded: EmbeddedServices) -> Iterator[Engine]:
    """A log of two months; PostgreSQL reads it row by row only where it has no other way."""
    with fresh_database(embedded) as url:
        engine = make_engine(url, pool_size=1)
        partitions.make(engine, partitions.months_from(BEGIN, 2))
        add_rows(engine, 0, ROWS, BEGIN, timedelta(days=40) / ROWS)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE request_log")
        with engine.connect() as connection:
            connection.exec_driver_sql("SET enable_seqscan = off")
            connection.commit()
        yield engine
        engine.dispose()


def plan_of(engine: Engine, call: Any) -> str:
    """The plans of all that a call asks."""
    asked: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    try:
        call()
    finally:
        event.remove(engine, "before_cursor_execute", keep)
    with engine.connect() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {statement}", parameters).scalars().all()
            for statement, parameters in asked
            if "request_log" in statement
        ]
    return "\n".join(line for plan in plans for line in plan)


def whole_months(plan: str) -> list[str]:
    """The months that are read row by row."""
    return re.findall(r"Seq Scan on request_log_\w+", plan)


def an_id(kind: int, number: int) -> tuple[str]:
    """As the rows have them."""
    return (f"{kind:08x}-0000-7000-8000-{number:012x}",)


FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "pkey"),
    "from, to": ({"since": NOW - timedelta(days=20), "until": NOW - timedelta(days=10)}, "pkey"),
    "key_id": ({"key_id": an_id(1, 190)}, "key_id_id"),
    "user_id": ({"user_id": an_id(2, 49)}, "user_id_id"),
    "credential_id": ({"credential_id": an_id(3, 99)}, "credential_id_id"),
    "platform": ({"platform": ("antigravity",)}, "platform_id"),
    "model": ({"model": ("unknown",)}, "model_id"),
    "status": ({"status": ("running",)}, "status_id"),
    "status: ok": ({"status": ("ok",)}, "pkey"),
    "kind": ({"kind": ("test",)}, "kind_id"),
    "session_id": ({"session_id": ("s",)}, "session_id_id"),
    "q": ({"q": "nonsense"}, "log_words"),
    "q: id": ({"q": f"req_{uuid7(NOW).hex}"}, "log_words"),
    "min_cost": ({"min_cost": Decimal(5)}, "cost_total"),
    "min_duration_ms": ({"min_duration_ms": 10**6}, "duration_ms"),
    "stream": ({"stream": True}, "pkey"),
    "not stream": ({"stream": False}, "id_idx"),
    "retried": ({"retried": True}, "id_idx"),
    "not retried": ({"retried": False}, "pkey"),
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_has_its_index(filled: Engine, name: str) -> None:
    """A page, the first and one further down; of what is rare the filter's own index, of what is common the key."""
    fields, index = FILTERS[name]
    for cursor in (None, write_cursor(uuid7(NOW - timedelta(days=12)))):
        plan = plan_of(filled, lambda cursor=cursor: log_lists.find(filled, LogFilters(**fields), cursor=cursor))
        assert re.search(rf"Scan (Backward )?(using|on) request_log_\d+_\d+_\w*{index}", plan), plan
        assert not whole_months(plan), plan


@pytest.mark.parametrize("name", FILTERS)
def test_no_reader_of_filtered_rows_reads_whole_months(filled: Engine, name: str) -> None:
    """Tail, sums, conversations."""
    filters = LogFilters(**FILTERS[name][0])
    since = str(uuid7(NOW - timedelta(hours=1)))
    for call in (
        lambda: log_lists.tail(filled, filters, since),
        lambda: log_sums.summarize(filled, filters, NOW),
        lambda: log_sessions.find(filled, filters),
        lambda: log_sessions.get(filled, "s", filters.user_id),
    ):
        plan = plan_of(filled, call)
        assert not whole_months(plan), plan


def test_a_full_page_asks_for_one_month(filled: Engine) -> None:
    """Nobody looks into the months before, nor beside them."""
    common = plan_of(filled, lambda: log_lists.find(filled, LogFilters(key_id=an_id(1, 0)), cursor=LAST))
    assert len(set(re.findall(r"request_log_\d+_\d+\b", common))) == 1, common
    rare = plan_of(filled, lambda: log_lists.find(filled, LogFilters(model=("unknown",)), cursor=LAST))
    assert len(set(re.findall(r"request_log_\d+_\d+\b", rare))) == 2, rare
