"""Hourly sums by fewer columns, for statistics over long periods."""

from alembic import op

revision = "0017"
down_revision = "0016"

_EVENTS = (("added", "INSERT"), ("changed", "UPDATE"))


def upgrade() -> None:
    """The worker fills them; until then statistics read what they have read before.

    Whoever writes sums of an hour that is long over marks it in the same transaction, with a mark of its own: so nobody
    waits for another's, and none is taken away before the change is there to be seen.
    """
    op.execute("CREATE TABLE usage_cuts (cut text NOT NULL, LIKE usage_hours)")
    op.execute("CREATE INDEX ix_usage_cuts_cut_hour ON usage_cuts (cut, hour)")
    op.execute("CREATE TABLE usage_stale (hour timestamptz NOT NULL)")
    op.execute("CREATE INDEX ix_usage_stale_hour ON usage_stale (hour)")
    op.execute(
        """
        CREATE FUNCTION mark_stale_hours() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO usage_stale SELECT DISTINCT hour FROM written WHERE hour < now() - interval '2 hours';
            RETURN NULL;
        END $$
        """
    )
    for name, event in _EVENTS:
        op.execute(
            f"CREATE TRIGGER mark_stale_when_{name} AFTER {event} ON usage_hours "
            "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION mark_stale_hours()"
        )
