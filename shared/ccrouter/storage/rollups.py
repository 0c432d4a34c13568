"""Hourly sums of the request log (`usage_hours`), written with the rows they count.

Strategy: each statement that stores rows adds those it really stored, and no others, in the same transaction; so a
record that comes twice counts once, and the sums always equal the rows. Rows are taken in the order of their ids and
sums in the order of their keys, all rows before any sum: two writers wait for each other but never in a circle. Whoever
changes stored rows changes the sums in the same transaction, rows first.
"""

from collections.abc import Sequence

from ccrouter.storage.tables import ROLLUP_KEY, request_log, usage_hours

LATENCY_BOUNDS_MS = (
    *(100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 20_000, 30_000),
    *(45_000, 60_000, 90_000, 120_000, 180_000, 300_000, 600_000),
)
"""Of `latency_buckets`: the first counts durations below the first bound, the last those from the last bound on."""

COUNTED_KINDS = ("messages", "test")
"""Token counts cost nothing and use nothing; a client that asks for many would drown what the sums are for."""

_TOKENS = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    *("reasoning_tokens", "web_searches"),
)
COST_ITEMS = ("input", "output", "cache_read", "cache_write", "other")
_BOUNDS = f"ARRAY[{', '.join(map(str, LATENCY_BOUNDS_MS))}]::bigint[]"
MEASURES = {
    "requests": "count(*)",
    "ok": "count(*) FILTER (WHERE status = 'ok')",
    "errors": "count(*) FILTER (WHERE status = 'error')",
    "aborted": "count(*) FILTER (WHERE status = 'aborted')",
    "limited": "count(*) FILTER (WHERE status = 'limited')",
    **{name: f"coalesce(sum({name}), 0)" for name in _TOKENS},
    "cost": "coalesce(sum(cost_total), 0)",
    **{f"cost_{item}": f"coalesce(sum((cost->>'{item}')::numeric), 0)" for item in COST_ITEMS},
    "unpriced": "count(*) FILTER (WHERE cost_state = 'unpriced')",
    "duration_ms_sum": "sum(duration_ms)",
    "ttft_ms_sum": "coalesce(sum(ttft_ms), 0)",
    "ttft_count": "count(ttft_ms)",
    "latency_buckets": "ARRAY["
    + ", ".join(f"count(*) FILTER (WHERE bucket = {number})" for number in range(len(LATENCY_BOUNDS_MS) + 1))
    + "]",
}
"""How each column of the sums is made from rows."""

_COUNTED = tuple(name for name in MEASURES if name != "latency_buckets")
_BUCKETS_ADDED = ", ".join(
    f"usage_hours.latency_buckets[{number}] + excluded.latency_buckets[{number}]"
    for number in range(1, len(LATENCY_BOUNDS_MS) + 2)
)
_NEEDED = sorted(
    {"at", "kind", "status", "cost_total", "cost", "cost_state", "duration_ms", "ttft_ms", *_TOKENS}
    | set(ROLLUP_KEY[1:])
)
NEEDED_COLUMNS: Sequence[str] = tuple(column.name for column in request_log.columns if column.name in _NEEDED)
"""What the sums need of a row."""


def summed(source: str) -> str:
    """A query for the sums of rows; `source` names a table or a common table expression, or is a query in brackets."""
    key = ", ".join(ROLLUP_KEY)
    measures = ", ".join(f"{expression} AS {name}" for name, expression in MEASURES.items())
    kinds = ", ".join(f"'{kind}'" for kind in COUNTED_KINDS)
    # The hour is cut in UTC whatever the session's time zone is: half-hour zones would cut elsewhere.
    return (
        f"SELECT {key}, {measures} FROM ("  # noqa: S608 - names of this module's own columns
        "SELECT *, date_trunc('hour', at, 'UTC') AS hour, "
        f"width_bucket(duration_ms, {_BOUNDS}) AS bucket FROM {source} AS rows WHERE kind IN ({kinds})"
        f") AS rows GROUP BY {key}"
    )


def adding(source: str) -> str:
    """A statement that adds the sums of rows to those that are there."""
    key = ", ".join(ROLLUP_KEY)
    changed = ", ".join(f"{name} = usage_hours.{name} + excluded.{name}" for name in _COUNTED)
    return (
        f"INSERT INTO usage_hours ({key}, {', '.join(MEASURES)}) {summed(source)} ORDER BY {key} "
        f"ON CONFLICT ({key}) DO UPDATE SET {changed}, latency_buckets = ARRAY[{_BUCKETS_ADDED}]"
    )


def adding_costs(source: str) -> str:
    """A statement that adds what rows cost more than before.

    `source` has their columns as they were, and `more` and `more_…` for each item.
    """
    key = ", ".join(ROLLUP_KEY)
    more = {
        "cost": "sum(more)",
        **{f"cost_{item}": f"sum(more_{item})" for item in COST_ITEMS},
        "unpriced": "-count(*) FILTER (WHERE cost_state = 'unpriced')",
    }
    none = {name: f"array_fill(0, ARRAY[{len(LATENCY_BOUNDS_MS) + 1}])" if name == "latency_buckets" else "0"
            for name in MEASURES}  # fmt: skip
    values = none | more
    changed = ", ".join(f"{name} = usage_hours.{name} + excluded.{name}" for name in more)
    return (
        f"INSERT INTO usage_hours ({key}, {', '.join(values)}) "  # noqa: S608 - names of this module's own columns
        f"SELECT {key}, {', '.join(values.values())} FROM (SELECT *, date_trunc('hour', at, 'UTC') AS hour "
        f"FROM {source}) AS rows GROUP BY {key} ORDER BY {key} ON CONFLICT ({key}) DO UPDATE SET {changed}"
    )


if {column.name for column in usage_hours.columns} != {*ROLLUP_KEY, *MEASURES}:
    raise AssertionError("usage_hours has columns that nobody fills")
