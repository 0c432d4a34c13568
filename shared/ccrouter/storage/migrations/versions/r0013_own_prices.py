"""Prices of the operator's own beside those of the list, and which list a version holds."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Every version so far was a list by itself."""
    op.add_column("price_versions", sa.Column("list_version", sa.Text))
    op.execute("UPDATE price_versions SET list_version = id")
    op.alter_column("price_versions", "list_version", nullable=False)
    op.add_column("price_rows", sa.Column("own", sa.Boolean, nullable=False, server_default=sa.text("false")))
