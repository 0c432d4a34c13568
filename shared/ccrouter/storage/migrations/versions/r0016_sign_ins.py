"""Sign-ins to platforms that a person confirms in a browser."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """None is open yet."""
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'pending'")),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("user_code", sa.Text),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("state_digest", sa.Text),
        sa.Column("credential_id", sa.Uuid),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ask_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ins"),
        sa.UniqueConstraint("state_digest", name="uq_sign_ins_state_digest"),
        sa.CheckConstraint("state IN ('pending', 'done', 'failed')", name="ck_sign_ins_state"),
    )
