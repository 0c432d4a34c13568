"""When a credential that is blocked for a used-up quota comes back by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Blocks that are there hold until somebody lifts them, as before."""
    op.add_column("credentials", sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True))
