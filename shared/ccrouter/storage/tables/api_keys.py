"""Keys of the proxy."""

from sqlalchemy import ARRAY, Boolean, Column, ForeignKey, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from ccrouter.storage.tables.base import EMPTY_LIST, EMPTY_OBJECT, made, metadata, moment

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("owner_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    moment("expires_at"),
    Column("tags", ARRAY(Text), nullable=False, server_default=EMPTY_LIST),
    Column("mapping", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("limits", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    Column("allowed_models", ARRAY(Text), nullable=False, server_default=EMPTY_LIST),
    Column("allowed_clients", ARRAY(Text), nullable=False, server_default=EMPTY_LIST),
    Column("allowed_ips", ARRAY(Text), nullable=False, server_default=EMPTY_LIST),
    Column("capture", Text, nullable=False, server_default="none"),
    Column("note", Text),
    made("created_at"),
    made("updated_at"),
    moment("last_used_at"),
    moment("deleted_at"),
    Column("former_digest", Text, unique=True),
    moment("former_until"),
)
