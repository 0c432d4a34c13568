"""How long the request log takes to answer over ten million rows: lists by every filter, sums, conversations, export.

    python bench/logs.py                  # makes the rows in a PostgreSQL of its own, measures, deletes them
    python bench/logs.py --rows 100000    # a short run
    python bench/logs.py --url postgresql://… [--fill]   # a database of yours; --fill makes the rows in it first

Ends with 1 where a page takes longer than the goal or a month of the log is read whole.
"""

import argparse
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, event, text

from bench.log_rows import CREDENTIALS, DAYS, KEYS, USERS, fill
from ccrouter.admin.log_views import log_view
from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import uuid7
from ccrouter.storage import log_export, log_lists, log_sessions, log_sums
from ccrouter.storage.engine import make_engine
from ccrouter.storage.log_filters import LogFilters
from ccrouter.storage.migrate import migrate
from ccrouter.storage.rows import write_cursor

GOAL_MS = 100
_SAMPLES = 10
_MODELS = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "gemini-3-pro", "gpt-5.2-codex", "unknown-1")
_PLATFORMS = ("anthropic", "bedrock", "vertex", "gemini", "openai", "kiro", "antigravity")

Sample = Callable[[random.Random, list[str]], dict[str, Any]]


def _id(kind: int, most: int) -> Callable[[random.Random], tuple[str, ...]]:
    return lambda pick: (f"{kind:08x}-0000-7000-8000-{int(most * pick.random() ** 2):012x}",)


_key, _user, _credential = _id(1, KEYS), _id(2, USERS), _id(3, CREDENTIALS)


def _period(pick: random.Random) -> dict[str, Any]:
    begin = datetime.now(UTC) - timedelta(days=pick.uniform(1, DAYS))
    return {"since": begin, "until": begin + timedelta(days=pick.choice((0.1, 1, 7, 30)))}


_ALONE: dict[str, Sample] = {
    "(none)": lambda pick, _: {},
    "from, to": lambda pick, _: _period(pick),
    "key_id": lambda pick, _: {"key_id": _key(pick)},
    "key_id (three)": lambda pick, _: {"key_id": _key(pick) + _key(pick) + _key(pick)},
    "user_id": lambda pick, _: {"user_id": _user(pick)},
    "platform": lambda pick, _: {"platform": (pick.choice(_PLATFORMS),)},
    "model": lambda pick, _: {"model": (pick.choice(_MODELS),)},
    "model (two)": lambda pick, _: {"model": tuple(pick.sample(_MODELS, 2))},
    "credential_id": lambda pick, _: {"credential_id": _credential(pick)},
    "status": lambda pick, _: {"status": (pick.choice(("ok", "error", "aborted", "limited", "running")),)},
    "status (failed)": lambda pick, _: {"status": ("error", "aborted", "limited")},
    "kind": lambda pick, _: {"kind": (pick.choice(("messages", "count_tokens", "test")),)},
    "session_id": lambda pick, sessions: {"session_id": (pick.choice(sessions),)},
    "q: session": lambda pick, sessions: {"q": pick.choice(sessions)[: pick.choice((36, 13))]},
    "q: id": lambda pick, _: {"q": f"req_{uuid7(datetime.now(UTC) - timedelta(days=pick.uniform(0, DAYS))).hex[:10]}"},
    "q: rare word": lambda pick, _: {"q": f"incident-{pick.randrange(5000)}"},
    "q: common word": lambda pick, _: {"q": pick.choice(("claude", "cli", "opus", "overload", "gpt"))},
    "q: words": lambda pick, _: {
        "q": f"person-{pick.randrange(USERS)} {pick.choice(('overloaded', 'haiku', 'codex'))}"
    },
    "q: nothing": lambda pick, _: {"q": pick.choice(("nonsense", "claude nonsense", "zz"))},
    "min_cost": lambda pick, _: {"min_cost": Decimal(pick.choice(("0.001", "0.02", "0.1", "0.13", "5")))},
    "min_duration_ms": lambda pick, _: {"min_duration_ms": pick.choice((100, 30_000, 200_000, 420_000, 900_000))},
    "stream": lambda pick, _: {"stream": pick.random() < 0.5},
    "retried": lambda pick, _: {"retried": pick.random() < 0.8},
}
_TOGETHER: dict[str, Sample] = {
    "key, failed": lambda pick, _: {"key_id": _key(pick), "status": ("error", "limited")},
    "key, model": lambda pick, _: {"key_id": _key(pick), "model": (pick.choice(_MODELS),)},
    "key, period": lambda pick, _: {"key_id": _key(pick), **_period(pick)},
    "model, error": lambda pick, _: {"model": (pick.choice(_MODELS),), "status": ("error",)},
    "platform, slow": lambda pick, _: {"platform": (pick.choice(_PLATFORMS),), "min_duration_ms": 200_000},
    "credential, retried": lambda pick, _: {"credential_id": _credential(pick), "retried": True},
    "model, platform, ok": lambda pick, _: {
        "model": (pick.choice(_MODELS),),
        "platform": (pick.choice(_PLATFORMS),),
        "status": ("ok",),
    },
    "period, failed": lambda pick, _: {**_period(pick), "status": ("error", "aborted", "limited")},
    "period, q": lambda pick, _: {**_period(pick), "q": "overloaded"},
    "key, q": lambda pick, _: {"key_id": _key(pick), "q": f"incident-{pick.randrange(5000)}"},
    "user, expensive": lambda pick, _: {"user_id": _user(pick), "min_cost": Decimal("0.12")},
    "whole, kind": lambda pick, _: {"stream": False, "kind": ("messages",)},
}


class Report:
    """Figures as lines of a table, and what was amiss."""

    def __init__(self, engine: Engine) -> None:
        self.amiss: list[str] = []
        self._engine = engine
        with engine.connect() as connection:
            filled = "SELECT relname FROM pg_class WHERE relname ~ '^request_log_[0-9_]+$' AND reltuples > 1000"
            self._filled = connection.exec_driver_sql(filled).scalars().all()

    def add(self, what: str, took_ms: list[float], goal_ms: float | None = GOAL_MS) -> None:
        """One line."""
        p95 = sorted(took_ms)[max(0, round(len(took_ms) * 0.95) - 1)]
        mark = ""
        if goal_ms is not None and p95 > goal_ms:
            mark = f"  > {goal_ms:.0f}"
            self.amiss.append(f"{what}: p95 {p95:.0f} ms")
        middle = statistics.median(took_ms)
        print(f"{what:44} {middle:8.1f} {p95:8.1f} {max(took_ms):8.1f}{mark}", flush=True)

    @contextmanager
    def plans(self, what: str, shown: bool) -> Iterator[None]:
        """Looks at the plans of the statements within: none may read a month of the log row by row."""
        seen: list[tuple[str, Any]] = []

        def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
            if statement.startswith("SELECT"):
                seen.append((statement, parameters))

        event.listen(self._engine, "before_cursor_execute", keep)
        try:
            yield
        finally:
            event.remove(self._engine, "before_cursor_execute", keep)
        with self._engine.connect() as connection:
            connection.exec_driver_sql("SET LOCAL max_parallel_workers_per_gather = 0")
            for statement, parameters in seen:
                lines = connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {statement}", parameters).scalars().all()
                whole = [line for line in lines if any(f"Seq Scan on {month} " in line for month in self._filled)]
                if whole:
                    self.amiss.append(f"{what}: {whole[0].strip()}")
                if shown:
                    print("\n".join(f"    {line}" for line in lines))


def measure(engine: Engine, url: str, *, plans: bool, only: str) -> list[str]:
    """Prints all figures; returns what was amiss."""
    report, pick = Report(engine), random.Random(7)
    sessions = _some_sessions(engine, pick)
    print(f"{'milliseconds':44} {'median':>8} {'p95':>8} {'max':>8}")
    for who in ("administrator", "member"):
        for name, sample in (_ALONE | _TOGETHER).items():
            if only in f"{who}: {name}" and not (who == "member" and ("credential" in name or "user" in name)):
                _measure_list(report, f"{who}: {name}", sample, who, sessions, engine, pick, plans)
    _measure_rest(report, engine, pick, sessions, plans=plans, only=only)
    if only in "export":
        _measure_export(report, url)
    return report.amiss


def _measure_list(
    report: Report, what: str, sample: Sample, who: str, sessions: list[str], engine: Engine, pick: random.Random,
    plans: bool,
) -> None:  # fmt: skip
    for page in ("first", "deep"):
        took = []
        for number in range(_SAMPLES):
            filters = LogFilters(**{"user_id": _user(pick) if who == "member" else (), **sample(pick, sessions)})
            deep = uuid7(datetime.now(UTC) - timedelta(days=pick.uniform(0, DAYS)))
            cursor = write_cursor(deep) if page == "deep" else None
            with report.plans(what, plans and number < 2):
                began = time.perf_counter()
                found = log_lists.find(engine, filters, cursor=cursor, limit=50)
                msgspec.json.encode([log_view(row, "admin", "none").model_dump(mode="json") for row in found.items])
                took.append((time.perf_counter() - began) * 1000)
        report.add(f"{what}, {page} page", took)


def _measure_rest(
    report: Report, engine: Engine, pick: random.Random, sessions: list[str], *, plans: bool, only: str
) -> None:
    now = datetime.now(UTC)

    def days(count: float) -> dict[str, Any]:
        return {"since": now - timedelta(days=count)}

    calls: dict[str, tuple[Callable[[], object], float | None]] = {
        "live tail": (lambda: log_lists.tail(engine, LogFilters(), str(uuid7(now - timedelta(minutes=30)))), GOAL_MS),
        "live tail of a key": (
            lambda: log_lists.tail(engine, LogFilters(key_id=_key(pick)), str(uuid7(now - timedelta(hours=5)))),
            GOAL_MS,
        ),
        "sessions, first page": (lambda: log_sessions.find(engine, LogFilters()), None),
        "sessions, deep page": (
            lambda: log_sessions.find(
                engine, LogFilters(), cursor=write_cursor(uuid7(now - timedelta(days=pick.uniform(1, DAYS))))
            ),
            None,
        ),
        "sessions of a member": (lambda: log_sessions.find(engine, LogFilters(user_id=_user(pick))), None),
        "sessions of a key and model": (
            lambda: log_sessions.find(engine, LogFilters(key_id=_key(pick), model=(pick.choice(_MODELS[:5]),))),
            None,
        ),
        "session with its agents": (lambda: log_sessions.get(engine, pick.choice(sessions)), None),
        "summary of all, from hours": (lambda: log_sums.summarize(engine, LogFilters(), now), None),
        "summary of 30 days, from hours": (lambda: log_sums.summarize(engine, LogFilters(**days(30)), now), None),
        "summary of a key, 30 days": (
            lambda: log_sums.summarize(engine, LogFilters(key_id=_key(pick), **days(30)), now), None,
        ),
        "summary of a day": (lambda: log_sums.summarize(engine, LogFilters(**days(1)), now), None),
        "summary of failures, 30 days, from rows": (
            lambda: log_sums.summarize(engine, LogFilters(status=("error",), **days(30)), now), None,
        ),
        "summary of streams, 30 days, most rows": (
            lambda: log_sums.summarize(engine, LogFilters(stream=True, **days(30)), now), None,
        ),
    }  # fmt: skip
    for what, (call, goal_ms) in calls.items():
        if only not in what:
            continue
        took = []
        for number in range(_SAMPLES):
            with report.plans(what, plans and number == 0):
                began = time.perf_counter()
                call()
                took.append((time.perf_counter() - began) * 1000)
        report.add(what, took, goal_ms)


def _measure_export(report: Report, url: str, most: int = 1_000_000) -> None:
    engine = make_engine(url, pool_size=0)
    print("export: rows, megabytes, seconds, peak memory in MB")
    began, size, rows, told = time.perf_counter(), 0, 0, 0
    parts = log_export.chunks(engine, LogFilters(), with_credentials=True, bom=True)
    first = 0.0
    for part in parts:
        size += len(part)
        rows += part.count(b"\r\n")
        if rows >= told:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            first = first or peak
            print(f"  {rows:>9,} {size / 1e6:8.0f} {time.perf_counter() - began:8.1f} {peak:8.1f}", flush=True)
            told += most // 10
        if rows > most:
            break
    parts.close()
    if peak > first + 20:
        report.amiss.append(f"export: memory grew from {first:.0f} to {peak:.0f} MB")


def _some_sessions(engine: Engine, pick: random.Random) -> list[str]:
    found: list[str] = []
    with engine.connect() as connection:
        while len(found) < 100:
            at = uuid7(datetime.now(UTC) - timedelta(days=pick.uniform(0, DAYS)))
            row = text("SELECT session_id FROM request_log WHERE id < :at ORDER BY id DESC LIMIT 1")
            found += connection.execute(row, {"at": at}).scalars().all()
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--url", help="a database to use instead of one made for this")
    parser.add_argument("--fill", action="store_true", help="make the rows also in the database of --url")
    parser.add_argument("--plans", action="store_true", help="print query plans")
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    options = parser.parse_args()
    if options.url:
        return _run(options.url, options, make=options.fill)
    with tempfile.TemporaryDirectory(prefix="ccr-bench-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        with EmbeddedServices(Path(directory) / "data") as services:
            return _run(services.database_url, options, make=True)


def _run(url: str, options: argparse.Namespace, *, make: bool) -> int:
    migrate(url)
    if make:
        patient = make_engine(url, pool_size=0)
        fill(patient, options.rows)
        patient.dispose()
    engine = make_engine(url, pool_size=2, patient=True)
    amiss = measure(engine, url, plans=options.plans, only=options.only)
    engine.dispose()
    print("\n".join(["", *(f"AMISS {line}" for line in amiss)] if amiss else ["", "all goals are met"]))
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main())
