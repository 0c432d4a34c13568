"""Former secrets of keys, which work for a while after another one was made."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """No key has one."""
    op.add_column("api_keys", sa.Column("former_digest", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("former_until", sa.DateTime(timezone=True), nullable=True))
    op.create_unique_constraint("uq_api_keys_former_digest", "api_keys", ["former_digest"])
