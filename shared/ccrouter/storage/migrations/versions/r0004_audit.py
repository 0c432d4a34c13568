"""Who changed what, and when."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nothing that was changed before is known."""
    op.create_table(
        "audit",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text),
        sa.Column("failed", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("before", JSONB),
        sa.Column("after", JSONB),
        sa.Column("client_ip", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_actor_id_id", "audit", ["actor_id", "id"])
    op.create_index("ix_audit_kind_object_id_id", "audit", ["kind", "object_id", "id"])
    op.create_index("ix_audit_action_id", "audit", ["action", "id"])
