"""Who changed what."""

from sqlalchemy import Boolean, Column, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from ccrouter.storage.tables.base import metadata, moment

audit = Table(
    "audit",
    metadata,
    Column("id", Uuid, primary_key=True),
    moment("at", required=True),
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
