"""The table of what was purged."""

from sqlalchemy import Column, Table, Text, Uuid

from ccrouter.storage.tables.base import metadata, moment

tombstones = Table(
    "tombstones",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("owner_id", Uuid),
    moment("deleted_at", required=True),
    moment("purged_at", required=True),
)
"""What is left of purged objects: not even their names."""
