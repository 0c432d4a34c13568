"""API keys."""

import ipaddress
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request, Response

from ccrouter.access.keys import new_secret
from ccrouter.admin.checks import check_mapping, stored_limits
from ccrouter.admin.deletion import Deleted, purge, restore
from ccrouter.admin.editing import (
    Cursor,
    IfMatch,
    Limit,
    bad_cursor,
    changed_meanwhile,
    check_version,
    etag,
    month_start,
    not_found,
)
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import invalid
from ccrouter.admin.schemas import (
    KeyChanges,
    KeyInput,
    KeyView,
    MonthView,
    NewKeyView,
    Page,
    RotateInput,
    UserRef,
    decimal_text,
)
from ccrouter.clock import utc_now
from ccrouter.storage import keys, logs, tombstones, users
from ccrouter.storage.keys import StoredKey

_NOT_YET = "is not available in this version"


def key_routes(needs: Needs) -> APIRouter:
    """The routes under `/api-keys`."""
    routes = APIRouter(prefix="/api-keys", tags=["keys"])

    @routes.get("", operation_id="listKeys")
    def list_keys(
        request: Request, cursor: Cursor = None, limit: Limit = 50, deleted: Deleted = False
    ) -> Page[KeyView]:
        """All keys, newest first; a member's own."""
        user = request.state.user
        owner_id = None if user.role == ADMIN else user.id
        try:
            page = keys.find(needs.engine, cursor=cursor, limit=limit, owner_id=owner_id, deleted=deleted)
        except ValueError as error:
            raise bad_cursor(error) from None
        return Page(items=_views(page.items), next_cursor=page.next_cursor)

    @routes.post("", operation_id="createKey", status_code=201)
    def create_key(body: KeyInput, request: Request, response: Response) -> NewKeyView:
        """Make a key. The answer holds its secret, this once."""
        fields = _fields(body)
        owner_id = body.owner_id or request.state.user.id
        if users.by_id(needs.engine, owner_id) is None:
            raise invalid("owner_id", "there is no such user")
        secret = new_secret()
        key = keys.create(needs.engine, owner_id, secret, fields)
        response.headers["Location"] = f"/api/v1/api-keys/{key.id}"
        response.headers["ETag"] = etag(key.updated_at)
        return NewKeyView(**_views([key])[0].model_dump(), key=secret)

    @routes.get("/{key_id}", operation_id="getKey")
    def get_key(key_id: str, request: Request, response: Response) -> KeyView:
        """One key."""
        key = keys.get(needs.engine, key_id)
        user = request.state.user
        if key is None or (user.role != ADMIN and key.owner_id != user.id):
            raise not_found("key")
        response.headers["ETag"] = etag(key.updated_at)
        return _views([key])[0]

    @routes.patch("/{key_id}", operation_id="changeKey")
    def change_key(key_id: str, body: KeyChanges, response: Response, if_match: IfMatch = None) -> KeyView:
        """Change a key; in force everywhere within 5 seconds."""
        key = _existing(key_id)
        fields = _fields(body)
        if not keys.change(needs.engine, key_id, fields, if_updated_at=check_version(if_match, key.updated_at)):
            raise changed_meanwhile()
        needs.forget_key(key.digest)
        key = _existing(key_id)
        response.headers["ETag"] = etag(key.updated_at)
        return _views([key])[0]

    @routes.delete("/{key_id}", operation_id="deleteKey", status_code=204)
    def delete_key(key_id: str, if_match: IfMatch = None) -> None:
        """Delete a key: its secret works no more. It can be restored for 30 days; its requests stay in the log."""
        key = _existing(key_id)
        if not keys.soft_delete(needs.engine, key_id, if_updated_at=check_version(if_match, key.updated_at)):
            raise changed_meanwhile()
        needs.forget_key(key.digest)

    @routes.post("/{key_id}/restore", operation_id="restoreKey", summary="Restore a deleted key")
    def restore_key(key_id: str, request: Request, response: Response) -> KeyView:
        """Bring a deleted key back as it was; its secret works again within 5 seconds. 410 once it has been purged."""
        restore(needs, request, tombstones.KEYS, key_id)
        key = _existing(key_id)
        response.headers["ETag"] = etag(key.updated_at)
        return _views([key])[0]

    @routes.post("/{key_id}/purge", operation_id="purgeKey", summary="Purge a deleted key", status_code=204)
    def purge_key(key_id: str, request: Request) -> None:
        """End a deleted key for good, as happens by itself 30 days after its deletion; its requests stay in the log."""
        purge(needs, request, tombstones.KEYS, key_id)

    @routes.post("/{key_id}/rotate", operation_id="rotateKey")
    def rotate_key(key_id: str, response: Response, body: RotateInput | None = None) -> NewKeyView:
        """Give a key another secret. The answer holds it, this once; the former one ends within 5 seconds."""
        key = _existing(key_id)
        if body is not None and body.grace_s:
            raise invalid("grace_s", f"{_NOT_YET}: the former secret ends at once; leave it out", code="not_available")
        secret = new_secret()
        if not keys.replace_secret(needs.engine, key_id, secret):
            raise not_found("key")
        needs.forget_key(key.digest)
        key = _existing(key_id)
        response.headers["ETag"] = etag(key.updated_at)
        return NewKeyView(**_views([key])[0].model_dump(), key=secret)

    def _existing(key_id: str) -> StoredKey:
        key = keys.get(needs.engine, key_id)
        if key is None or key.deleted_at is not None:
            raise not_found("key")
        return key

    def _views(found: list[StoredKey]) -> list[KeyView]:
        ids = [key.id for key in found]
        spent = logs.spent_by_keys(needs.engine, ids, month_start(utc_now())) if ids else {}
        return [_view(key, *spent.get(key.id, (Decimal(0), 0))) for key in found]

    def _fields(body: KeyChanges) -> dict[str, Any]:
        """The columns that a body sets, checked. Raises Problem 422."""
        fields = body.model_dump(exclude_unset=True, exclude={"owner_id"})
        for name in ("name", "enabled", "tags", "allowed_models", "allowed_clients", "allowed_ips", "capture"):
            if name in fields and fields[name] is None:
                raise invalid(name, "may not be null; leave it out to keep it")
        if "limits" in fields:
            fields["limits"] = stored_limits(fields["limits"])
        if "mapping" in fields:
            fields["mapping"] = fields["mapping"] or {}
            check_mapping(needs, fields["mapping"])
        for index, text in enumerate(fields.get("allowed_ips", [])):
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise invalid(
                    f"allowed_ips[{index}]", f"«{text}» is not a network such as 10.0.0.0/8 or an address"
                ) from None
        return fields

    return routes


def _view(key: StoredKey, cost: Decimal, requests: int) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        owner=UserRef(id=key.owner_id, login=key.owner_login, name=key.owner_name),
        enabled=key.enabled,
        expires_at=key.expires_at,
        tags=key.tags,
        mapping=key.mapping,
        limits=key.limits,
        allowed_models=key.allowed_models,
        allowed_clients=key.allowed_clients,
        allowed_ips=key.allowed_ips,
        capture=key.capture,
        note=key.note,
        month=MonthView(cost=decimal_text(cost), requests=requests),
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        deleted_at=key.deleted_at,
    )
