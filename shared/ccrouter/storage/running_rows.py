"""Requests under way as rows of the log's lists: those that its filters leave, as far as they are known yet."""

from datetime import datetime

from ccrouter.metering.record import CallRecord
from ccrouter.storage.log_filters import LogFilters
from ccrouter.storage.rows import uuid_of

RUNNING = "running"


def matching(running: list[CallRecord], filters: LogFilters, now: datetime) -> list[CallRecord]:
    """Those of them that the filters leave, each with how long it has taken so far.

    A search by words, and one by cost or by attempts, is for requests that have ended.
    """
    if filters.q is not None or filters.min_cost is not None or filters.retried:
        return []
    found = []
    for record in running:
        record.duration_ms = max(0, round((now - record.at).total_seconds() * 1000))
        if _fits(record, filters):
            found.append(record)
    return found


def _fits(record: CallRecord, filters: LogFilters) -> bool:
    ids = (
        (record.key_id, filters.key_id),
        (record.user_id, filters.user_id),
        (record.credential_id, filters.credential_id),
    )
    texts = (
        (record.platform, filters.platform),
        (record.model, filters.model),
        (RUNNING, filters.status),
        (record.kind, filters.kind),
        (record.session_id, filters.session_id),
    )
    return (
        all(own is not None and uuid_of(own) in map(uuid_of, wanted) for own, wanted in ids if wanted)
        and all(own in wanted for own, wanted in texts if wanted)
        and (filters.since is None or record.at >= filters.since)
        and (filters.until is None or record.at < filters.until)
        and (filters.stream is None or record.stream == filters.stream)
        and record.duration_ms >= (filters.min_duration_ms or 0)
    )
