"""API keys."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from ccrouter.access.keys import new_secret
from ccrouter.admin.audit_routes import note
from ccrouter.admin.deletion import Deleted, purge, restore
from ccrouter.admin.editing import Cursor, IfMatch, Limit, bad_cursor, changed_meanwhile, check_version, etag
from ccrouter.admin.key_fields import key_fields
from ccrouter.admin.key_schemas import RotateInput
from ccrouter.admin.key_views import audited, changeable_key, key_view, key_views, visible_key
from ccrouter.admin.member_rules import check_new_keys, read_rules
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import invalid
from ccrouter.admin.schemas import KeyChanges, KeyInput, KeyView, NewKeyView, Page
from ccrouter.clock import utc_now
from ccrouter.storage import keys, tombstones, users
from ccrouter.storage.keys import KeyFilters, StoredKey


def key_routes(needs: Needs) -> APIRouter:
    """The routes under `/api-keys` for one key, and their list."""
    routes = APIRouter(prefix="/api-keys", tags=["keys"])

    @routes.get("", operation_id="listKeys", summary="List keys")
    def list_keys(
        request: Request,
        cursor: Cursor = None,
        limit: Limit = 50,
        deleted: Deleted = False,
        q: Annotated[
            str | None, Query(max_length=200, description="Part of a name, note, tag, prefix or owner")
        ] = None,
        tag: Annotated[str | None, Query(max_length=100, description="Keys with this tag")] = None,
        owner: Annotated[str | None, Query(max_length=200, description="A user's id or login")] = None,
        enabled: Annotated[bool | None, Query(description="Only enabled, or only disabled keys")] = None,
        platform: Annotated[
            str | None, Query(max_length=50, description="Keys whose own mapping names this platform")
        ] = None,
    ) -> Page[KeyView]:
        """Keys, newest first; a member's own."""
        user = request.state.user
        filters = KeyFilters(
            owner_id=None if user.role == ADMIN else user.id,
            deleted=deleted,
            q=q,
            tag=tag,
            owner=owner,
            enabled=enabled,
            platform=platform,
        )
        try:
            page = keys.find(needs.engine, filters, cursor=cursor, limit=limit)
        except ValueError as error:
            raise bad_cursor(error) from None
        return Page(items=key_views(needs.engine, page.items), next_cursor=page.next_cursor)

    @routes.post("", operation_id="createKey", summary="Make a key", status_code=201)
    def create_key(body: KeyInput, request: Request, response: Response) -> NewKeyView:
        """Make a key. The answer holds its secret, this once.

        Members make their own, within what `members` of the settings allows: 403 where they make none, 409 for one too
        many.
        """
        user = request.state.user
        owner_id = body.owner_id or user.id
        if user.role != ADMIN and owner_id != user.id:
            raise invalid("owner_id", "is for administrators to set; leave it out", code="for_administrators")
        fields = key_fields(needs, body, by=user, new=True)
        if users.by_id(needs.engine, owner_id) is None:
            raise invalid("owner_id", "there is no such user")
        secret = new_secret()
        with needs.engine.begin() as connection:
            _may_have_one_more(connection, request)
            key = keys.create(connection, owner_id, secret, fields)
            note(connection, request, "key.create", key.id, after=audited(key))
        response.headers["Location"] = f"/api/v1/api-keys/{key.id}"
        return _with_secret(key, secret, response)

    @routes.get("/{key_id}", operation_id="getKey", summary="Read a key")
    def get_key(key_id: str, request: Request, response: Response) -> KeyView:
        """One key, deleted ones included."""
        return _shown(visible_key(needs.engine, key_id, request), response)

    @routes.patch("/{key_id}", operation_id="changeKey", summary="Change a key")
    def change_key(
        key_id: str, body: KeyChanges, request: Request, response: Response, if_match: IfMatch = None
    ) -> KeyView:
        """Change a key; in force everywhere within 5 seconds. To disable it also ends its former secret."""
        fields = key_fields(needs, body, by=request.state.user)
        with needs.engine.begin() as connection:
            key = changeable_key(connection, key_id, request)
            if not keys.change(connection, key_id, fields, if_updated_at=check_version(if_match, key.updated_at)):
                raise changed_meanwhile()
            changed = changeable_key(connection, key_id, request)
            note(connection, request, "key.change", key_id, before=audited(key), after=audited(changed))
        _forget(key)
        return _shown(changed, response)

    @routes.delete("/{key_id}", operation_id="deleteKey", summary="Delete a key", status_code=204)
    def delete_key(key_id: str, request: Request, if_match: IfMatch = None) -> None:
        """Delete a key: its secret works no more. It can be restored for 30 days; its requests stay in the log."""
        with needs.engine.begin() as connection:
            key = changeable_key(connection, key_id, request)
            if not keys.soft_delete(connection, key_id, if_updated_at=check_version(if_match, key.updated_at)):
                raise changed_meanwhile()
            note(connection, request, "key.delete", key_id, before=audited(key))
        _forget(key)

    @routes.post("/{key_id}/restore", operation_id="restoreKey", summary="Restore a deleted key")
    def restore_key(key_id: str, request: Request, response: Response) -> KeyView:
        """Bring a deleted key back as it was; its secret works again within 5 seconds. 410 once it has been purged."""
        restore(needs, request, tombstones.KEYS, key_id, before=lambda held: _may_have_one_more(held, request))
        return _shown(visible_key(needs.engine, key_id, request), response)

    @routes.post("/{key_id}/purge", operation_id="purgeKey", summary="Purge a deleted key", status_code=204)
    def purge_key(key_id: str, request: Request) -> None:
        """End a deleted key for good, as happens by itself 30 days after its deletion; its requests stay in the log."""
        purge(needs, request, tombstones.KEYS, key_id)

    @routes.post("/{key_id}/rotate", operation_id="rotateKey", summary="Give a key another secret")
    def rotate_key(key_id: str, request: Request, response: Response, body: RotateInput | None = None) -> NewKeyView:
        """Give a key another secret. The answer holds it, this once.

        The former one works for `grace_s` seconds more, and no longer than until the key is rotated again, disabled or
        deleted; without `grace_s` it ends within 5 seconds.
        """
        secret, grace_s = new_secret(), 0 if body is None else body.grace_s
        until = utc_now() + timedelta(seconds=grace_s) if grace_s else None
        with needs.engine.begin() as connection:
            former = changeable_key(connection, key_id, request)
            keys.replace_secret(connection, key_id, secret, former_until=until)
            key = changeable_key(connection, key_id, request)
            note(
                connection,
                request,
                "key.rotate",
                key_id,
                before={"prefix": former.prefix, "former_secret_until": former.former_until},
                after={"prefix": key.prefix, "former_secret_until": key.former_until},
            )
        _forget(former)
        return _with_secret(key, secret, response)

    def _may_have_one_more(connection: Connection, request: Request) -> None:
        user = request.state.user
        if user.role != ADMIN:
            users.hold(connection, user.id)
            held = users.count_keys(connection, [user.id]).get(user.id, 0)
            check_new_keys(read_rules(connection), held)

    def _forget(key: StoredKey) -> None:
        for digest in key.digests:
            needs.forget_key(digest)

    def _shown(key: StoredKey, response: Response) -> KeyView:
        response.headers["ETag"] = etag(key.updated_at)
        return key_view(needs.engine, key)

    def _with_secret(key: StoredKey, secret: str, response: Response) -> NewKeyView:
        return NewKeyView(**_shown(key, response).model_dump(), key=secret)

    return routes
