"""Limits of users: what all their keys together may spend."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """No limits for those who are there."""
    op.add_column("users", sa.Column("limits", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False))
