"""What is known of people beside their login: mail, GitHub account, versions, deletion."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Two logins that differ only in case look alike to people, so that there is only one of them."""
    for name, kind in (
        ("email", sa.Text()),
        ("avatar_url", sa.Text()),
        ("github_id", sa.BigInteger()),
        ("github_login", sa.Text()),
        ("deleted_at", sa.DateTime(timezone=True)),
    ):
        op.add_column("users", sa.Column(name, kind))
    op.add_column(
        "users", sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()"))
    )
    op.create_unique_constraint("uq_users_github_id", "users", ["github_id"])
    op.create_index("ix_users_login_in_lower_case", "users", [sa.text("lower(login)")], unique=True)
