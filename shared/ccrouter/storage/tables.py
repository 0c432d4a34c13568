"""The tables, as the newest migration leaves them. A test compares the two."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_EMPTY_LIST = text("'{}'")
_EMPTY_OBJECT = text("'{}'")
_NOW = text("now()")


def _moment(name: str, *, required: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=not required)


def _made(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=_NOW)


users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("login", Text, nullable=False, unique=True),
    Column("name", Text),
    Column("role", Text, CheckConstraint("role IN ('admin', 'member')", name="role"), nullable=False),
    Column(
        "status", Text, CheckConstraint("status IN ('active', 'pending', 'disabled')", name="status"), nullable=False
    ),
    Column("password_hash", Text),
    Column("language", Text),
    Column("theme", Text),
    Column("limits", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    _made("created_at"),
    _moment("last_seen_at"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    _made("created_at"),
    _moment("expires_at", required=True),
    _moment("revoked_at"),
    Column("user_agent", Text),
    Column("client_ip", Text),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("owner_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    _moment("expires_at"),
    Column("tags", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    Column("mapping", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("limits", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("allowed_models", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    Column("allowed_clients", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    Column("allowed_ips", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    Column("capture", Text, nullable=False, server_default="none"),
    Column("note", Text),
    _made("created_at"),
    _made("updated_at"),
    _moment("last_used_at"),
    _moment("deleted_at"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("base_url", Text),
    Column("auth_sealed", LargeBinary, nullable=False),
    Column("options", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("weight", Integer, nullable=False, server_default=text("1")),
    Column("max_concurrency", Integer),
    Column("models", ARRAY(Text)),
    Column("origin", Text, nullable=False, server_default="api"),
    Column("blocked_reason", Text),
    _moment("blocked_at"),
    _made("created_at"),
    _made("updated_at"),
    _moment("deleted_at"),
    _moment("blocked_until"),
)

settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    _made("updated_at"),
)

price_versions = Table(
    "price_versions",
    metadata,
    Column("id", Text, primary_key=True),
    _made("created_at"),
    Column("source", Text, nullable=False),
    Column("note", Text),
)

price_rows = Table(
    "price_rows",
    metadata,
    Column("version", ForeignKey("price_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("row", JSONB, nullable=False),
)

_log_usage = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")

request_log = Table(
    "request_log",
    metadata,
    Column("id", Uuid, primary_key=True),
    _moment("at", required=True),
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
    # Ids carry the time they were made, so that every list is newest first by the key alone; each index below ends
    # in the id for the same reason.
    Index(None, "key_id", "id"),
    Index(None, "user_id", "id"),
    Index(None, "session_id", "id", postgresql_where=text("session_id IS NOT NULL")),
    Index(None, "credential_id", "id", postgresql_where=text("credential_id IS NOT NULL")),
    Index("ix_request_log_failed", "id", postgresql_where=text("status <> 'ok'")),
)
"""References to keys, users and credentials are copies, not foreign keys: a row outlives what it speaks of."""

audit = Table(
    "audit",
    metadata,
    Column("id", Uuid, primary_key=True),
    _moment("at", required=True),
    Column("actor_id", Uuid),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("object_id", Text),
    Column("failed", Boolean, nullable=False, server_default=text("false")),
    Column("before", JSONB),
    Column("after", JSONB),
    Column("client_ip", Text),
    Index(None, "actor_id", "id"),
    Index(None, "kind", "object_id", "id"),
    Index(None, "action", "id"),
)
"""Here too users and objects are copies: an entry outlives them."""

ROLLUP_KEY = ("hour", "key_id", "user_id", "model", "platform", "credential_id")

usage_hours = Table(
    "usage_hours",
    metadata,
    _moment("hour", required=True),
    Column("key_id", Uuid),
    Column("user_id", Uuid),
    Column("model", Text),
    Column("platform", Text),
    Column("credential_id", Uuid),
    *(Column(name, BigInteger, nullable=False) for name in ("requests", "ok", "errors", "aborted", "limited")),
    *(Column(name, BigInteger, nullable=False) for name in (*_log_usage, "reasoning_tokens", "web_searches")),
    Column("cost", Numeric(20, 10), nullable=False),
    *(
        Column(f"cost_{item}", Numeric, nullable=False)
        for item in ("input", "output", "cache_read", "cache_write", "other")
    ),
    Column("unpriced", BigInteger, nullable=False),
    Column("duration_ms_sum", BigInteger, nullable=False),
    Column("ttft_ms_sum", BigInteger, nullable=False),
    Column("ttft_count", BigInteger, nullable=False),
    Column("latency_buckets", ARRAY(BigInteger), nullable=False),
    Index("uq_usage_hours", *ROLLUP_KEY, unique=True, postgresql_nulls_not_distinct=True),
    Index(None, "key_id", "hour"),
    Index(None, "user_id", "hour"),
)
"""Sums of the log by hour and `ROLLUP_KEY`, written by `storage/rollups.py`; they stay when the rows have gone.

A refused request has no platform, one without a good key no key: such a row's key has NULLs, which are equal here."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner_id", Uuid),
    Column("arguments", JSONB, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="state"),
        nullable=False,
        server_default="queued",
    ),
    Column("progress", Double, nullable=False, server_default=text("0")),
    Column("result_url", Text),
    Column("error", Text),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    _made("created_at"),
    _moment("started_at"),
    _moment("ended_at"),
    _moment("leased_until"),
    Index(None, "owner_id", "id"),
    Index("ix_jobs_open", "id", postgresql_where=text("state IN ('queued', 'running')")),
)

result_files = Table(
    "result_files",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("parts", Integer),
    Column("size", BigInteger),
    _made("created_at"),
    Index(None, "job_id", "id"),
)
"""A file without `parts` is not whole."""

result_parts = Table(
    "result_parts",
    metadata,
    Column("file_id", ForeignKey("result_files.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

chores = Table(
    "chores",
    metadata,
    Column("name", Text, primary_key=True),
    _moment("began_at", required=True),
    _moment("ended_at"),
    Column("failure", Text),
)
"""When each chore of `ccrouter.worker` was done last, and what came in its way."""
