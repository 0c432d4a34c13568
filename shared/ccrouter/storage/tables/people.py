"""People: who signs in, and from where."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, Text, Uuid, text
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
    Column("email", Text),
    Column("avatar_url", Text),
    Column("github_id", BigInteger, unique=True),
    Column("github_login", Text),
    moment("deleted_at"),
    made("updated_at"),
    Index("ix_users_login_in_lower_case", text("lower(login)"), unique=True),
)
"""`github_id` is GitHub's number of the account, which stays where `github_login` may change hands."""

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
