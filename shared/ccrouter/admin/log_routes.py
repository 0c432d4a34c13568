"""The request log."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from ccrouter.admin.editing import Cursor, Limit, bad_cursor, not_found
from ccrouter.admin.log_filters import Filters
from ccrouter.admin.log_views import log_view
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import invalid
from ccrouter.admin.schemas import LogView, Page
from ccrouter.storage import captures, log_lists, logs

_SINCE = """For a live tail: what was stored since, oldest first. First the id of a row (the newest you have), then
`next_cursor` of the answer before, which then is never null. Rows of the last ten seconds come again: put each in the
place of the one with its id. An answer with as many rows as `limit` has more behind it."""


def log_routes(needs: Needs) -> APIRouter:
    """The routes under `/logs`."""
    routes = APIRouter(prefix="/logs", tags=["logs"])

    @routes.get("", operation_id="listLogs", summary="List requests")
    def list_logs(
        request: Request,
        filters: Filters,
        since: Annotated[str | None, Query(max_length=200, description=_SINCE)] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[LogView]:
        """Requests, newest first; a member's own. All filters given must fit a row.

        With `since` it is a live tail instead: what was stored since, in that order, so that requests which took long
        are not missed.
        """
        role = request.state.user.role
        if since is not None and cursor is not None:
            raise invalid("since", "is given in place of cursor, not beside it")
        try:
            if since is None:
                page = log_lists.find(needs.engine, filters, cursor=cursor, limit=limit)
            else:
                page = log_lists.tail(needs.engine, filters, since, limit)
        except ValueError as error:
            if since is not None:
                raise invalid("since", str(error)) from None
            raise bad_cursor(error) from None
        states = captures.states_of(needs.engine, page.items)
        return Page(items=[log_view(row, role, states[row.id]) for row in page.items], next_cursor=page.next_cursor)

    @routes.get("/{log_id}", operation_id="getLog", summary="Show a request")
    def get_log(log_id: str, request: Request) -> LogView:
        """One request with its attempts; a member's own."""
        user = request.state.user
        row = logs.get(needs.engine, log_id)
        if row is None or (user.role != ADMIN and row.user_id != user.id):
            raise not_found("log row")
        return log_view(row, user.role, captures.states_of(needs.engine, [row])[row.id])

    return routes
