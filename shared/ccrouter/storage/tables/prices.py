"""What models cost, version by version."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ccrouter.storage.tables.base import made, metadata

price_versions = Table(
    "price_versions",
    metadata,
    Column("id", Text, primary_key=True),
    made("created_at"),
    Column("source", Text, nullable=False),
    Column("note", Text),
    Column("list_version", Text, nullable=False),
)

price_rows = Table(
    "price_rows",
    metadata,
    Column("version", ForeignKey("price_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("row", JSONB, nullable=False),
    Column("own", Boolean, nullable=False, server_default=text("false")),
)
