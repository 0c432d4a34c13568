"""What all tables share."""

from sqlalchemy import Column, DateTime, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

EMPTY_LIST = text("'{}'")
EMPTY_OBJECT = text("'{}'")
_NOW = text("now()")


def moment(name: str, *, required: bool = False) -> Column[object]:
    """A column for a moment."""
    return Column(name, DateTime(timezone=True), nullable=not required)


def made(name: str) -> Column[object]:
    """A column for the moment at which a row was made."""
    return Column(name, DateTime(timezone=True), nullable=False, server_default=_NOW)
