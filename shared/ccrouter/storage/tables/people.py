"""People: who signs in, and from where."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from ccrouter.storage.tables.base import EMPTY_OBJECT, made, metadata, moment

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
    Column("limits", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    made("created_at"),
    moment("last_seen_at"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    made("created_at"),
    moment("expires_at", required=True),
    moment("revoked_at"),
    Column("user_agent", Text),
    Column("client_ip", Text),
)
