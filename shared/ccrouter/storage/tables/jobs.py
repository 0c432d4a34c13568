"""Long work, and the files it makes."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
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
    made("created_at"),
    moment("started_at"),
    moment("ended_at"),
    moment("leased_until"),
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
    made("created_at"),
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
