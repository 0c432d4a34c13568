"""Accounts on platforms."""

from sqlalchemy import ARRAY, Boolean, Column, Integer, LargeBinary, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from ccrouter.storage.tables.base import EMPTY_OBJECT, made, metadata, moment

credentials = Table(
    "credentials",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("base_url", Text),
    Column("auth_sealed", LargeBinary, nullable=False),
    Column("options", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("weight", Integer, nullable=False, server_default=text("1")),
    Column("max_concurrency", Integer),
    Column("models", ARRAY(Text)),
    Column("origin", Text, nullable=False, server_default="api"),
    Column("blocked_reason", Text),
    moment("blocked_at"),
    made("created_at"),
    made("updated_at"),
    moment("deleted_at"),
    moment("blocked_until"),
)
