"""Restoring and purging deleted objects, the same for every kind of them."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Query, Request
from sqlalchemy import Connection

from ccrouter.admin.audit_routes import note
from ccrouter.admin.editing import not_found
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import Problem
from ccrouter.clock import rfc3339
from ccrouter.storage import tombstones
from ccrouter.storage.tombstones import Deletable, Standing

Deleted = Annotated[bool, Query(description="List what was deleted in the last 30 days in place of what is in use")]


def restore(
    needs: Needs,
    request: Request,
    what: Deletable,
    object_id: str,
    *,
    before: Callable[[Connection], None] = lambda _: None,
) -> None:
    """Brings a deleted object back. Raises Problem 404, 409 where it is not deleted, 410 where it was purged.

    `before` is asked first, in the same transaction, and may raise too.
    """
    with needs.engine.begin() as connection:
        name = _deleted(connection, request, what, object_id).name
        before(connection)
        tombstones.restore(connection, what, object_id)
        note(connection, request, f"{what.kind}.restore", object_id, after={"name": name})


def purge(needs: Needs, request: Request, what: Deletable, object_id: str) -> None:
    """Ends a deleted object for good. Raises as `restore` does."""
    with needs.engine.begin() as connection:
        name = _deleted(connection, request, what, object_id).name
        tombstones.purge(connection, what, object_id)
        note(connection, request, f"{what.kind}.purge", object_id, before={"name": name})


def _deleted(connection: Connection, request: Request, what: Deletable, object_id: str) -> Standing:
    found, user = tombstones.standing_of(connection, what, object_id), request.state.user
    if found is None or (user.role != ADMIN and found.owner_id != user.id):
        raise not_found(what.kind)
    if found.purged_at is not None:
        raise Problem(410, f"This {what.kind} was purged at {rfc3339(found.purged_at)} and cannot come back.")
    if found.deleted_at is None:
        raise Problem(409, f"This {what.kind} is not deleted.", code="not_deleted")
    return found
