"""The request log over the API: rows and sums as their views."""

import msgspec

from ccrouter.admin.log_schemas import BucketView, LogSummaryView, SumsView
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.schemas import (
    AttemptView,
    CostView,
    ErrorView,
    LogView,
    Named,
    TimingsView,
    UsageView,
    UserRef,
    decimal_text,
)
from ccrouter.metering.record import CallRecord, Cost
from ccrouter.storage.captures import State
from ccrouter.storage.log_sums import Summary, Sums


def log_view(row: CallRecord, role: str, capture: State) -> LogView:
    """A row as this role may see it: members are not told whose credential answered."""
    shows_credentials = role == ADMIN
    return LogView(
        id=str(row.id),
        at=row.at,
        kind=row.kind,
        request_id=row.request_id,
        upstream_request_id=row.upstream_request_id,
        key=named(row.key_id, row.key_name),
        user=None if row.user_id is None else UserRef(id=row.user_id, login=row.user_login or ""),
        session_id=row.session_id,
        agent_id=row.agent_id,
        parent_agent_id=row.parent_agent_id,
        client=row.client,
        client_ip=row.client_ip,
        requested_model=row.requested_model,
        slot=row.slot,
        rule=row.rule,
        platform=row.platform,
        model=row.model,
        credential=named(row.credential_id, row.credential_name) if shows_credentials else None,
        stream=row.stream,
        status=row.status,
        http_status=row.http_status,
        stop_reason=row.stop_reason,
        error=None if row.error_type is None else ErrorView(type=row.error_type, message=row.error_message or ""),
        usage=None if row.usage is None else UsageView(**msgspec.structs.asdict(row.usage)),
        usage_state=row.usage_state,
        cost=None if row.cost is None else _cost(row.cost),
        cost_state=row.cost_state,
        timings=TimingsView(**msgspec.structs.asdict(row.timings)),
        ttft_ms=row.ttft_ms,
        duration_ms=row.duration_ms,
        attempts=[
            AttemptView(
                platform=attempt.platform,
                model=attempt.model,
                credential=named(attempt.credential_id, attempt.credential_name) if shows_credentials else None,
                outcome=attempt.outcome,
                status=attempt.status,
                ms=attempt.ms,
                reason=attempt.reason,
            )
            for attempt in row.attempts
        ],
        capture=capture,
    )


def named(thing_id: str | None, name: str | None) -> Named | None:
    """Something by its id and the name it had then; None where there was none."""
    return None if thing_id is None else Named(id=thing_id, name=name)


def _cost(cost: Cost) -> CostView:
    amounts = {
        name: decimal_text(getattr(cost, name))
        for name in ("total", "input", "output", "cache_read", "cache_write", "other")
    }
    return CostView(**amounts, rates=cost.rates, currency=cost.currency, price_version=cost.price_version)


def sums_view(sums: Sums) -> SumsView:
    """Sums as the API shows them."""
    return SumsView(
        **{name: getattr(sums, name) for name in ("requests", "ok", "errors", "aborted", "limited", "unpriced")},
        usage=UsageView(**{name: getattr(sums, name) for name in UsageView.model_fields}),
        cost=decimal_text(sums.cost),
    )


def summary_view(summary: Summary) -> LogSummaryView:
    """A summary as the API shows it."""
    return LogSummaryView.model_validate(
        {
            "from": summary.since,
            "to": summary.until,
            "bucket_s": int(summary.width.total_seconds()),
            "complete": summary.complete,
            "counted_from": summary.counted_from,
            "sums": sums_view(summary.total),
            "buckets": [BucketView(at=at, sums=sums_view(sums)) for at, sums in summary.buckets],
        }
    )
