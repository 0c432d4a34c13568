"""The request log in months, by the time that its ids carry."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_MOST = 240
"""Months; where ids lie farther apart some clock was wrong, and the oldest rows stay in the default part."""


def upgrade() -> None:
    """Rows that are there are moved; indexes stay what they are."""
    connection = op.get_bind()
    indexes = connection.execute(
        sa.text(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'request_log' "
            "AND schemaname = current_schema() AND indexname <> 'pk_request_log'"
        )
    ).all()
    op.execute("ALTER TABLE request_log RENAME TO request_log_whole")
    op.execute("ALTER TABLE request_log_whole RENAME CONSTRAINT pk_request_log TO pk_request_log_whole")
    for name, _ in indexes:
        op.execute(f'DROP INDEX "{name}"')
    op.execute("CREATE TABLE request_log (LIKE request_log_whole INCLUDING DEFAULTS) PARTITION BY RANGE (id)")
    op.execute("CREATE TABLE request_log_default PARTITION OF request_log DEFAULT")
    for begin, end in _months(connection):
        op.execute(
            f"CREATE TABLE request_log_{begin:%Y_%m} PARTITION OF request_log "
            f"FOR VALUES FROM ('{_first_id(begin)}') TO ('{_first_id(end)}')"
        )
    op.execute("INSERT INTO request_log SELECT * FROM request_log_whole")
    op.execute("ALTER TABLE request_log ADD CONSTRAINT pk_request_log PRIMARY KEY (id)")
    for _, definition in indexes:
        connection.exec_driver_sql(definition)
    op.execute("DROP TABLE request_log_whole")


def _months(connection: sa.Connection) -> list[tuple[datetime, datetime]]:
    """From the oldest row's month to the one after the next."""
    now, oldest = connection.execute(
        sa.text("SELECT now(), (SELECT id FROM request_log_whole ORDER BY id LIMIT 1)")
    ).one()
    began = now if oldest is None else min(now, datetime.fromtimestamp((oldest.int >> 80) / 1000, UTC))
    months = [_month(began)]
    while months[-1] < _next(_next(_month(now))):
        months.append(_next(months[-1]))
    return [(month, _next(month)) for month in months[-_MOST:]]


def _month(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next(month: datetime) -> datetime:
    return (month + timedelta(days=32)).replace(day=1)


def _first_id(moment: datetime) -> UUID:
    return UUID(int=int(moment.timestamp() * 1000) << 80)
