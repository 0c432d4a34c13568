"""How a credential fared, read from the attempts of the request log."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from ccrouter.ids import uuid7

HALF_HOURS = 48
_ERRORS = 10

# The last attempt names its credential in the row; the earlier ones, which are those that failed, only in `attempts`.
_ATTEMPTS = """
FROM request_log r CROSS JOIN LATERAL jsonb_array_elements(r.attempts) AS a
WHERE r.id >= :since AND a->>'credential_id' = :credential_id
"""
_FAILED = "coalesce(a->>'outcome', 'ok') NOT IN ('ok', 'aborted')"
_COUNTS = text(
    "SELECT date_bin('30 minutes', r.at, TIMESTAMPTZ 'epoch') AS half_hour, count(*) AS attempts, "
    f"count(*) FILTER (WHERE {_FAILED}) AS failed {_ATTEMPTS} GROUP BY 1"
)
_LAST = text(
    "SELECT r.id, r.at, a->>'model' AS model, a->>'outcome' AS outcome, (a->>'status')::int AS status, "
    f"a->>'reason' AS reason {_ATTEMPTS} AND {_FAILED} ORDER BY r.id DESC LIMIT {_ERRORS}"
)


def half_hours(engine: Engine, credential_id: str, now: datetime) -> list[tuple[datetime, int, int]]:
    """The last 48 half hours, oldest first, the one that runs included: attempts, and how many failed."""
    runs = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)
    first = runs - timedelta(minutes=30 * (HALF_HOURS - 1))
    with engine.connect() as connection:
        rows = connection.execute(_COUNTS, {"since": _id_at(first), "credential_id": credential_id}).all()
    counted = {row.half_hour: (row.attempts, row.failed) for row in rows}
    moments = [first + timedelta(minutes=30 * index) for index in range(HALF_HOURS)]
    return [(moment, *counted.get(moment, (0, 0))) for moment in moments]


def last_errors(engine: Engine, credential_id: str, now: datetime) -> list[dict[str, Any]]:
    """The last failed attempts of a day, newest first."""
    since = _id_at(now - timedelta(days=1))
    with engine.connect() as connection:
        rows = connection.execute(_LAST, {"since": since, "credential_id": credential_id}).all()
    return [{**row._asdict(), "id": str(row.id)} for row in rows]


def _id_at(moment: datetime) -> Any:
    """An id of a moment's millisecond: rows that were made earlier have smaller ones."""
    made = uuid7(moment)
    return type(made)(int=made.int >> 80 << 80)
