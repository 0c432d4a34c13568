"""The request log."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from ccrouter.admin.editing import Cursor, Limit, bad_cursor, not_found
from ccrouter.admin.job_routes import view_of
from ccrouter.admin.job_schemas import JobView
from ccrouter.admin.log_exports import Exports
from ccrouter.admin.log_filters import Filters
from ccrouter.admin.log_schemas import LogSummaryView
from ccrouter.admin.log_views import log_view, summary_view
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import invalid
from ccrouter.admin.schemas import LogView, Page
from ccrouter.clock import utc_now
from ccrouter.metering.record import CallRecord
from ccrouter.storage import audit, captures, jobs, log_export, log_lists, log_sums, logs
from ccrouter.storage.engine import make_engine
from ccrouter.storage.log_filters import LogFilters
from ccrouter.storage.running_rows import RUNNING, matching

_SINCE = """For a live tail: what was stored since, oldest first. First the id of a row (the newest you have), then
`next_cursor` of the answer before, which then is never null. Rows of the last ten seconds come again: put each in the
place of the one with its id. An answer with as many rows as `limit` has more behind it."""

_BOM = """Whether the file begins with a byte order mark, without which spreadsheet programs do not read it as UTF-8;
programs of your own may prefer it without"""


def log_routes(needs: Needs) -> APIRouter:
    """The routes under `/logs`."""
    routes = APIRouter(prefix="/logs", tags=["logs"])
    exports = Exports()

    @routes.get("", operation_id="listLogs", summary="List requests")
    def list_logs(
        request: Request,
        filters: Filters,
        since: Annotated[str | None, Query(max_length=200, description=_SINCE)] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[LogView]:
        """Requests, newest first; a member's own. All filters given must fit a row.

        Before them, on the first part of the list, stand those under way (status `running`), as far as they are known
        yet, half of the part at most. They are no rows yet: each gets its row, with the same id, when it has ended.

        With `since` it is a live tail instead: what was stored since, in that order, so that requests which took long
        are not missed.
        """
        role = request.state.user.role
        if since is not None and cursor is not None:
            raise invalid("since", "is given in place of cursor, not beside it")
        running = [] if since is not None or cursor is not None else _under_way(needs, filters, limit)
        try:
            if since is None and filters.status == (RUNNING,):
                page = log_lists.nothing()
            elif since is None:
                page = log_lists.find(needs.engine, filters, cursor=cursor, limit=limit - len(running))
            else:
                page = log_lists.tail(needs.engine, filters, since, limit)
        except ValueError as error:
            if since is not None:
                raise invalid("since", str(error)) from None
            raise bad_cursor(error) from None
        rows = [*running, *page.items]
        states = captures.states_of(needs.engine, rows)
        return Page(items=[log_view(row, role, states[row.id]) for row in rows], next_cursor=page.next_cursor)

    @routes.get("/summary", operation_id="summarizeLogs", summary="Sum requests up")
    def summarize_logs(filters: Filters) -> LogSummaryView:
        """A histogram and sums of the requests that the filters leave; a member's own.

        Buckets are as wide as the period asks for: 72 at most. Without `from` the period begins with the log.
        """
        return summary_view(log_sums.summarize(needs.engine, filters, utc_now()))

    @routes.get(
        "/export.csv",
        operation_id="exportLogs",
        summary="Export requests",
        response_class=StreamingResponse,
        responses={
            200: {"description": "The file", "content": {"text/csv": {"schema": {"type": "string"}}}},
            202: {"description": "The job that makes the file", "model": JobView},
        },
    )
    def export_logs(
        request: Request, filters: Filters, bom: Annotated[bool, Query(description=_BOM)] = True
    ) -> Response:
        """All requests that the filters leave, newest first, as CSV; a member's own.

        The first line names the columns. Cells that a spreadsheet program would compute begin with an apostrophe. On
        AWS Lambda, whose answers have a greatest length, the answer is 202 with a job, whose result is the file.
        """
        user = request.state.user
        arguments = {"with_credentials": user.role == ADMIN, "bom": bom}
        with needs.engine.begin() as connection:
            audit.note(
                connection,
                actor=user,
                action="logs.export",
                kind="logs",
                object_id=None,
                after=msgspec.to_builtins(filters),
                client_ip=request.state.client_ip,
            )
            if needs.settings.on_lambda:
                job = jobs.create(connection, jobs.EXPORT, user.id, log_export.job_arguments(filters, **arguments))
                return JSONResponse(view_of(job).model_dump(mode="json"), 202)
        # Its connection is in use until the last row: the pool's few are for others.
        engine = make_engine(needs.settings.database_url or "", pool_size=0)
        parts = log_export.chunks(engine, filters, **arguments)
        return exports.answer(parts, log_export.file_name(utc_now()), "text/csv")

    @routes.get("/{log_id}", operation_id="getLog", summary="Show a request")
    def get_log(log_id: str, request: Request) -> LogView:
        """One request with its attempts; a member's own."""
        user = request.state.user
        row = logs.get(needs.engine, log_id)
        if row is None:
            row = next((record for record in _under_way(needs, LogFilters()) if str(record.id) == log_id), None)
        if row is None or (user.role != ADMIN and row.user_id != user.id):
            raise not_found("log row")
        return log_view(row, user.role, captures.states_of(needs.engine, [row])[row.id])

    return routes


def _under_way(needs: Needs, filters: LogFilters, limit: int | None = None) -> list[CallRecord]:
    """Requests that run now; where rows may follow them, so many that half of the list is left."""
    found = matching(needs.under_way(), filters, utc_now())
    if found:
        ended = logs.stored(needs.engine, [record.id for record in found])
        found = [record for record in found if record.id not in ended]
    if limit is None:
        return found
    return found[: limit if filters.status == (RUNNING,) else limit // 2]
