"""What was captured of requests."""

from sqlalchemy import Column, LargeBinary, Table, Uuid

from ccrouter.storage.tables.base import metadata

captures = Table(
    "captures",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""The id is the request's: a capture is found, and grows old, by it."""
