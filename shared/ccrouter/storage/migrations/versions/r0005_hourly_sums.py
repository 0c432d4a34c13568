"""Hourly sums of the request log, and those of the rows that are there."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_BOUNDS = (
    *(100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 20_000, 30_000),
    *(45_000, 60_000, 90_000, 120_000, 180_000, 300_000, 600_000),
)
_KEY = ("hour", "key_id", "user_id", "model", "platform", "credential_id")
_KEPT = ("requests", "ok", "errors", "aborted", "limited")
_TOKENS = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    *("reasoning_tokens", "web_searches"),
)
_COSTS = ("input", "output", "cache_read", "cache_write", "other")
_MOMENTS = ("unpriced", "duration_ms_sum", "ttft_ms_sum", "ttft_count")


def upgrade() -> None:
    """The sums are made from the log."""
    op.create_table(
        "usage_hours",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("platform", sa.Text(), nullable=True),
        sa.Column("credential_id", sa.Uuid(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in (*_KEPT, *_TOKENS)),
        sa.Column("cost", sa.Numeric(precision=20, scale=10), nullable=False),
        *(sa.Column(f"cost_{item}", sa.Numeric(), nullable=False) for item in _COSTS),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _MOMENTS),
        sa.Column("latency_buckets", sa.ARRAY(sa.BigInteger()), nullable=False),
    )
    op.create_index("uq_usage_hours", "usage_hours", list(_KEY), unique=True, postgresql_nulls_not_distinct=True)
    op.create_index(op.f("ix_usage_hours_key_id_hour"), "usage_hours", ["key_id", "hour"])
    op.create_index(op.f("ix_usage_hours_user_id_hour"), "usage_hours", ["user_id", "hour"])
    # The rows of busy hours change with each commit: with room beside them no index has to follow.
    op.execute("ALTER TABLE usage_hours SET (fillfactor = 70)")
    by_status = {"ok": "ok", "errors": "error", "aborted": "aborted", "limited": "limited"}
    buckets = ", ".join(f"count(*) FILTER (WHERE bucket = {number})" for number in range(len(_BOUNDS) + 1))
    sums = [
        "count(*)",
        *(f"count(*) FILTER (WHERE status = '{by_status[name]}')" for name in _KEPT[1:]),
        *(f"coalesce(sum({name}), 0)" for name in _TOKENS),
        "coalesce(sum(cost_total), 0)",
        *(f"coalesce(sum((cost->>'{item}')::numeric), 0)" for item in _COSTS),
        "count(*) FILTER (WHERE cost_state = 'unpriced')",
        "sum(duration_ms)",
        "coalesce(sum(ttft_ms), 0)",
        "count(ttft_ms)",
        f"ARRAY[{buckets}]",
    ]
    op.execute(
        f"INSERT INTO usage_hours SELECT {', '.join(_KEY)}, {', '.join(sums)} FROM ("  # noqa: S608 - no values in it
        "SELECT *, date_trunc('hour', at, 'UTC') AS hour, "
        f"width_bucket(duration_ms, ARRAY{list(_BOUNDS)}::bigint[]) AS bucket "
        f"FROM request_log WHERE kind IN ('messages', 'test')) AS rows GROUP BY {', '.join(_KEY)}"
    )
