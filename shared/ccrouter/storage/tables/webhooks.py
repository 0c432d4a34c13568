"""What people are told of, who is told, and how that went."""

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ccrouter.storage.tables.base import made, metadata, moment

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("disabled_reason", Text),
    moment("failing_since"),
    made("created_at"),
    made("updated_at"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Uuid, primary_key=True),
    made("at"),
    Column("kind", Text, nullable=False),
    Column("occasion", Text, nullable=False, unique=True),
    Column("data", JSONB, nullable=False),
)
"""An occasion is told of once, whoever finds it and however often: that its row is there already says so."""

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("webhook_id", ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
        nullable=False,
        server_default="waiting",
    ),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    moment("next_at"),
    Column("status", Integer),
    Column("response", Text),
    Column("error", Text),
    Column("duration_ms", Integer),
    made("created_at"),
    moment("ended_at"),
    Index(None, "webhook_id", "id"),
    Index("ix_webhook_deliveries_waiting", "next_at", postgresql_where=text("state = 'waiting'")),
)
"""`status`, `response`, `error` and `duration_ms` are those of the last try."""
