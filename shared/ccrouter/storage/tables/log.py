"""The request log and its hourly sums."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    FromClause,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR, array

from ccrouter.storage.tables.base import made, metadata, moment

_log_usage = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")

request_log = Table(
    "request_log",
    metadata,
    Column("id", Uuid, primary_key=True),
    moment("at", required=True),
    Column("kind", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("upstream_request_id", Text),
    Column("key_id", Uuid),
    Column("key_name", Text),
    Column("user_id", Uuid),
    Column("user_login", Text),
    Column("session_id", Text),
    Column("agent_id", Text),
    Column("parent_agent_id", Text),
    Column("request_class", Text),
    Column("client", Text),
    Column("client_ip", Text),
    Column("requested_model", Text),
    Column("slot", Text),
    Column("rule", Text),
    Column("platform", Text),
    Column("model", Text),
    Column("credential_id", Uuid),
    Column("credential_name", Text),
    Column("stream", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("http_status", Integer),
    Column("stop_reason", Text),
    Column("error_type", Text),
    Column("error_message", Text),
    *(Column(name, BigInteger) for name in _log_usage),
    Column("reasoning_tokens", BigInteger),
    Column("web_searches", BigInteger),
    Column("usage_state", Text),
    Column("usage_raw", JSONB),
    Column("cost_total", Numeric(20, 10)),
    Column("cost", JSONB),
    Column("cost_state", Text, nullable=False),
    Column("timings", JSONB, nullable=False),
    Column("ttft_ms", BigInteger),
    Column("duration_ms", BigInteger, nullable=False),
    Column("attempts", JSONB, nullable=False),
    Column("capture", Text),
    made("stored_at"),
    # Ids carry the time they were made, so that every list is newest first by the key alone; each index below ends
    # in the id for the same reason.
    Index(None, "key_id", "id"),
    Index(None, "user_id", "id"),
    Index(None, "session_id", "id", postgresql_where=text("session_id IS NOT NULL")),
    Index(None, "credential_id", "id", postgresql_where=text("credential_id IS NOT NULL")),
    Index(None, "platform", "id", postgresql_where=text("platform IS NOT NULL")),
    Index(None, "model", "id", postgresql_where=text("model IS NOT NULL")),
    # What most rows share needs no index: any few of them are found by the key. What is rare does.
    Index(None, "status", "id", postgresql_where=text("status <> 'ok'")),
    Index(None, "kind", "id", postgresql_where=text("kind <> 'messages'")),
    Index("ix_request_log_whole", "id", postgresql_where=text("NOT stream")),
    Index("ix_request_log_retried", "id", postgresql_where=text("jsonb_array_length(attempts) > 1")),
    Index(None, "cost_total", postgresql_where=text("cost_total IS NOT NULL")),
    Index(None, "duration_ms"),
    Index(None, "stored_at"),
    postgresql_partition_by="RANGE (id)",
)
"""In months (`storage/partitions.py`).

References to keys, users and credentials are copies, not foreign keys: a row outlives what it speaks of."""


def log_words(log: FromClause) -> ColumnElement[Any]:
    """The words of a row that a search finds it by; the function is part of the database (`migrations`).

    Not the row's own id, which the key finds, and nothing that a member may not see.
    """
    ids = ("upstream_request_id", "session_id", "agent_id", "parent_agent_id")
    said = ("requested_model", "model", "key_name", "user_login", "client", "error_type", "error_message")
    texts = [array([log.c[name] for name in names]) for names in (ids, said)]
    return func.log_words(*texts, type_=TSVECTOR)


# Without its list of what is pending, which one writer in many would have to work off while an answer waits for it.
Index("ix_request_log_words", log_words(request_log), postgresql_using="gin", postgresql_with={"fastupdate": "off"})


def _measures() -> list[Column[Any]]:
    items = ("input", "output", "cache_read", "cache_write", "other")
    counts = ("requests", "ok", "errors", "aborted", "limited", *_log_usage, "reasoning_tokens", "web_searches")
    return [
        *(Column(name, BigInteger, nullable=False) for name in counts),
        Column("cost", Numeric(20, 10), nullable=False),
        *(Column(f"cost_{item}", Numeric, nullable=False) for item in items),
        *(
            Column(name, BigInteger, nullable=False)
            for name in ("unpriced", "duration_ms_sum", "ttft_ms_sum", "ttft_count")
        ),
        Column("latency_buckets", ARRAY(BigInteger), nullable=False),
    ]


ROLLUP_KEY = ("hour", "key_id", "user_id", "model", "platform", "credential_id")

usage_hours = Table(
    "usage_hours",
    metadata,
    moment("hour", required=True),
    Column("key_id", Uuid),
    Column("user_id", Uuid),
    Column("model", Text),
    Column("platform", Text),
    Column("credential_id", Uuid),
    *_measures(),
    Index("uq_usage_hours", *ROLLUP_KEY, unique=True, postgresql_nulls_not_distinct=True),
    Index(None, "key_id", "hour"),
    Index(None, "user_id", "hour"),
)
"""Sums of the log by hour and `ROLLUP_KEY`, written by `storage/rollups.py`; they stay when the rows have gone.

A refused request has no platform, one without a good key no key: such a row's key has NULLs, which are equal here."""

usage_cuts = Table(
    "usage_cuts",
    metadata,
    Column("cut", Text, nullable=False),
    moment("hour", required=True),
    Column("key_id", Uuid),
    Column("user_id", Uuid),
    Column("model", Text),
    Column("platform", Text),
    Column("credential_id", Uuid),
    *_measures(),
    Index(None, "cut", "hour"),
)
"""The hourly sums by fewer columns, for hours that are long over: what `storage/cuts.py` makes of `usage_hours`."""

usage_stale = Table("usage_stale", metadata, moment("hour", required=True), Index(None, "hour"))
"""Hours whose sums have changed late, so that their cuts no longer hold: a mark for every change, set by a trigger."""
