"""What was captured of requests, and which requests were to be captured."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Nothing of earlier requests was captured."""
    op.create_table(
        "captures",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_captures"),
    )
    # Encrypted bytes cannot be compressed; trying costs time for each row.
    op.execute("ALTER TABLE captures ALTER COLUMN sealed SET STORAGE EXTERNAL")
    op.add_column("request_log", sa.Column("capture", sa.Text, nullable=True))
