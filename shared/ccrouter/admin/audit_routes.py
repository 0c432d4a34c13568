"""The audit log, and how routes write to it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection

from ccrouter.admin.audit_schemas import AuditActor, AuditView
from ccrouter.admin.editing import Cursor, Limit, Since, Until, bad_cursor
from ccrouter.admin.needs import Needs
from ccrouter.admin.schemas import Page
from ccrouter.storage import audit
from ccrouter.storage.audit import AuditFilters, Entry


def audit_routes(needs: Needs) -> APIRouter:
    """The route `/audit`."""
    routes = APIRouter(prefix="/audit", tags=["audit"])

    @routes.get("", operation_id="listAudit", summary="List the audit log")
    def list_audit(
        since: Since = None,
        until: Until = None,
        actor: Annotated[str | None, Query(max_length=200, description="A user's id or login")] = None,
        action: Annotated[str | None, Query(max_length=100, description="Such as `key.change`")] = None,
        kind: Annotated[str | None, Query(max_length=100, description="Kind of object, such as `key`")] = None,
        object_id: Annotated[str | None, Query(max_length=200, description="Changes of this object")] = None,
        failed: Annotated[bool | None, Query(description="Only what was refused, or only what was done")] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[AuditView]:
        """Who changed what, newest first, with the members before and after."""
        filters = AuditFilters(
            since=since, until=until, actor=actor, action=action, kind=kind, object_id=object_id, failed=failed
        )
        try:
            page = audit.find(needs.engine, filters, cursor=cursor, limit=limit)
        except ValueError as error:
            raise bad_cursor(error) from None
        return Page(items=[_view(entry) for entry in page.items], next_cursor=page.next_cursor)

    return routes


def note(
    connection: Connection,
    request: Request,
    action: str,
    object_id: str | None,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Writes an entry about what the user of this request does, in the transaction of the change."""
    audit.note(
        connection,
        actor=request.state.user,
        action=action,
        kind=action.partition(".")[0],
        object_id=object_id,
        before=before,
        after=after,
        client_ip=request.state.client_ip,
    )


def _view(entry: Entry) -> AuditView:
    return AuditView(
        id=entry.id,
        at=entry.at,
        actor=AuditActor(id=entry.actor_id, login=entry.actor),
        action=entry.action,
        kind=entry.kind,
        object_id=entry.object_id,
        failed=entry.failed,
        before=entry.before,
        after=entry.after,
        client_ip=entry.client_ip,
    )
