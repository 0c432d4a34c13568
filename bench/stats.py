"""How long statistics take over the hourly sums of ten million requests: 300 days, 200 keys, some 1.2 million sums.

    python -m bench.stats                # makes the sums in a PostgreSQL of its own, measures, deletes them
    python -m bench.stats --days 30      # a short run
    python -m bench.stats --url postgresql://…   # over what is in a database of yours

Ends with 1 where a question of up to 30 days takes longer than the goal.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text

from ccrouter.embedded import EmbeddedServices
from ccrouter.metering.periods import Period, cut, suited_bucket
from ccrouter.storage import cuts, outlook, stats
from ccrouter.storage.engine import make_engine
from ccrouter.storage.migrate import migrate
from ccrouter.storage.stats import StatFilters

GOAL_MS = 50
_SAMPLES = 20
_ZONE = ZoneInfo("Europe/Berlin")
_FILL = """
INSERT INTO usage_hours (
    hour, key_id, user_id, model, platform, credential_id, requests, ok, errors, aborted, limited, input_tokens,
    output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, web_searches,
    cost, cost_input, cost_output, cost_cache_read, cost_cache_write, cost_other, unpriced, duration_ms_sum,
    ttft_ms_sum, ttft_count, latency_buckets)
SELECT hour, md5('key' || key)::uuid, md5('user' || mod(key, 50))::uuid, 'model-' || model,
    'platform-' || mod(credential, 6),
    md5('credential' || credential)::uuid, 8, 7, 1, 0, 0, 4000, 9000, 300000, 20000, 0, 3000, 0, 0.3456789123,
    0.012, 0.1356789123, 0.09, 0.108, 0, (random() < 0.01)::int, 90000, 9000, 8,
    ARRAY(SELECT (random() * 1.2)::bigint FROM generate_series(1, 23) WHERE key IS NOT NULL)
FROM (
    SELECT DISTINCT hour, key, model, credential FROM (
        SELECT hour, floor(200 * pow(random(), 3))::int AS key, floor(9 * pow(random(), 2))::int AS model,
            floor(20 * pow(random(), 1.5))::int AS credential
        FROM generate_series(CAST(:since AS timestamptz), CAST(:until AS timestamptz) - interval '1 hour', '1 hour')
            AS hour, generate_series(1, 170)
    ) AS drawn
) AS sums ORDER BY hour
"""


def fill(engine: Engine, until: datetime, days: int) -> None:
    """Makes the sums, and their cuts as the worker does."""
    began = time.monotonic()
    since = until - timedelta(days=days)
    while since < until:
        end = min(since + timedelta(days=10), until)
        with engine.begin() as connection:
            connection.execute(text(_FILL), {"since": since, "until": end})
        since = end
    print(f"  sums made, {time.monotonic() - began:.0f} s", flush=True)
    cuts.cut_hours(engine, datetime.now(UTC))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("usage_hours", "usage_cuts"):
            connection.exec_driver_sql(f"VACUUM ANALYZE {table}")
            rows = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            print(f"  {table}: {rows:,} rows, {time.monotonic() - began:.0f} s", flush=True)


def questions(engine: Engine, until: datetime, days: int) -> dict[str, Callable[[], object]]:
    """What the pages ask."""
    period, everybody = Period(until - timedelta(days=days), until), StatFilters()
    borders, _ = cut(period, suited_bucket(period), _ZONE)
    with engine.connect() as connection:
        row = connection.exec_driver_sql(
            "SELECT key_id, user_id FROM usage_hours WHERE hour = (SELECT max(hour) FROM usage_hours) LIMIT 1"
        ).one()
    key, user = StatFilters(key_id=str(row.key_id)), StatFilters(user_id=str(row.user_id))
    return {
        "summary": lambda: stats.by_model(engine, period, everybody),
        "summary of a key": lambda: stats.by_model(engine, period, key),
        "summary of a member": lambda: stats.by_model(engine, period, user),
        "cost over time": lambda: stats.read(engine, period, everybody, "cost", borders=borders),
        "cost over time by model": lambda: stats.read(
            engine, period, everybody, "cost", borders=borders, group_by=["model"], most=6
        ),
        "tokens over time by key": lambda: stats.read(
            engine, period, everybody, "tokens", borders=borders, group_by=["key"], most=6
        ),
        "latency over time": lambda: stats.read(engine, period, everybody, "latency", borders=borders),
        "cost by credential": lambda: stats.read(engine, period, everybody, "cost", group_by=["credential"], most=50),
        "cost by key and model": lambda: stats.read(
            engine, period, everybody, "cost", group_by=["key", "model"], most=50
        ),
        "forecast": lambda: outlook.forecast(engine, everybody, until, _ZONE),
    }


def measure(engine: Engine, until: datetime, days: int) -> bool:
    """Prints median and 95th percentile of each question; says whether the goal holds where it is set."""
    good = True
    for name, ask in questions(engine, until, days).items():
        taken = []
        for _ in range(_SAMPLES):
            began = time.monotonic()
            ask()
            taken.append((time.monotonic() - began) * 1000)
        p95 = statistics.quantiles(taken, n=20)[-1]
        late = p95 > GOAL_MS and days <= 30
        good = good and not late
        print(
            f"  {days:>3} days  {name:26} {statistics.median(taken):8.1f} ms  p95 {p95:8.1f} ms{'  LATE' * late}",
            flush=True,
        )
    return good


def run(url: str, days: int, *, fills: bool) -> bool:
    """Makes what is to be measured, and measures."""
    engine = make_engine(url, pool_size=0)
    if fills:
        migrate(url)
        fill(engine, datetime.now(UTC).replace(minute=0, second=0, microsecond=0), days)
    engine.dispose()
    engine = make_engine(url, pool_size=2)
    with engine.connect() as connection:
        until = connection.exec_driver_sql("SELECT max(hour) + interval '1 hour' FROM usage_hours").scalar_one()
    held = [measure(engine, until, asked) for asked in (1, 7, 30, 90, 300) if asked <= days]
    engine.dispose()
    return all(held)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=300)
    parser.add_argument("--url")
    asked = parser.parse_args()
    if asked.url is not None:
        sys.exit(0 if run(asked.url, asked.days, fills=False) else 1)
    with tempfile.TemporaryDirectory(prefix="ccr-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedServices(Path(folder) / "data") as services:
            good = run(services.database_url, asked.days, fills=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
