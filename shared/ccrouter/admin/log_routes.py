"""The request log."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request

from ccrouter.admin.editing import Cursor, Limit, bad_cursor, not_found
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import invalid
from ccrouter.admin.schemas import (
    AttemptView,
    AwareMoment,
    CostView,
    ErrorView,
    LogView,
    Named,
    Page,
    TimingsView,
    UsageView,
    UserRef,
    decimal_text,
)
from ccrouter.metering.record import CallRecord, Cost
from ccrouter.storage import captures, logs


def log_routes(needs: Needs) -> APIRouter:
    """The routes under `/logs`."""
    routes = APIRouter(prefix="/logs", tags=["logs"])

    @routes.get("", operation_id="listLogs")
    def list_logs(
        request: Request,
        since: Annotated[AwareMoment | None, Query(alias="from", description="Not before this moment")] = None,
        until: Annotated[AwareMoment | None, Query(alias="to", description="Before this moment")] = None,
        key_id: str | None = None,
        user_id: str | None = None,
        platform: str | None = None,
        model: str | None = None,
        credential_id: str | None = None,
        status: Literal["ok", "error", "aborted", "limited"] | None = None,
        kind: Literal["messages", "count_tokens", "test"] | None = None,
        session_id: str | None = None,
        stream: bool | None = None,
        min_cost: Annotated[Decimal | None, Query(ge=0, allow_inf_nan=False, description="USD")] = None,
        min_duration_ms: Annotated[int | None, Query(ge=0, le=10**9)] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[LogView]:
        """Requests, newest first; a member's own."""
        user = request.state.user
        for name, moment in (("from", since), ("to", until)):
            if moment is not None and not _fits_an_id(moment):
                raise invalid(name, "must lie after 1970")
        filters = logs.LogFilters(
            since=since,
            until=until,
            key_id=key_id,
            user_id=user_id if user.role == ADMIN else user.id,
            platform=platform,
            model=model,
            # A member is not told which credential answered, also not by trying filters.
            credential_id=credential_id if user.role == ADMIN else None,
            status=status,
            kind=kind,
            session_id=session_id,
            stream=stream,
            min_cost=min_cost,
            min_duration_ms=min_duration_ms,
        )
        try:
            page = logs.find(needs.engine, filters, cursor=cursor, limit=limit)
        except ValueError as error:
            raise bad_cursor(error) from None
        states = captures.states_of(needs.engine, page.items)
        return Page(items=[_view(row, user.role, states[row.id]) for row in page.items], next_cursor=page.next_cursor)

    @routes.get("/{log_id}", operation_id="getLog")
    def get_log(log_id: str, request: Request) -> LogView:
        """One request."""
        user = request.state.user
        row = logs.get(needs.engine, log_id)
        if row is None or (user.role != ADMIN and row.user_id != user.id):
            raise not_found("log row")
        return _view(row, user.role, captures.states_of(needs.engine, [row])[row.id])

    return routes


def _fits_an_id(moment: datetime) -> bool:
    return 0 <= moment.timestamp() * 1000 < 2**48


def _view(row: CallRecord, role: str, capture: captures.State) -> LogView:
    shows_credentials = role == ADMIN
    return LogView(
        id=str(row.id),
        at=row.at,
        kind=row.kind,
        request_id=row.request_id,
        upstream_request_id=row.upstream_request_id,
        key=_named(row.key_id, row.key_name),
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
        credential=_named(row.credential_id, row.credential_name) if shows_credentials else None,
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
                credential=_named(attempt.credential_id, attempt.credential_name) if shows_credentials else None,
                outcome=attempt.outcome,
                status=attempt.status,
                ms=attempt.ms,
                reason=attempt.reason,
            )
            for attempt in row.attempts
        ],
        capture=capture,
    )


def _named(thing_id: str | None, name: str | None) -> Named | None:
    return None if thing_id is None else Named(id=thing_id, name=name)


def _cost(cost: Cost) -> CostView:
    amounts = {
        name: decimal_text(getattr(cost, name))
        for name in ("total", "input", "output", "cache_read", "cache_write", "other")
    }
    return CostView(**amounts, rates=cost.rates, currency=cost.currency, price_version=cost.price_version)
