"""Sign-ins to platforms that a person has still to confirm."""

from sqlalchemy import CheckConstraint, Column, LargeBinary, Table, Text, Uuid, text

from ccrouter.storage.tables.base import made, metadata, moment

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("platform", Text, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('pending', 'done', 'failed')", name="state"),
        nullable=False,
        server_default=text("'pending'"),
    ),
    Column("url", Text, nullable=False),
    Column("user_code", Text),
    Column("sealed", LargeBinary),
    Column("state_digest", Text, unique=True),
    Column("credential_id", Uuid),
    Column("error", Text),
    made("created_at"),
    moment("expires_at", required=True),
    moment("ask_at"),
)
"""`sealed` is gone when the sign-in has ended. An open one that is past `expires_at` has expired."""
