"""Changing many keys at once, and trying one as a client would."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from ccrouter.access.keys import ApiKey
from ccrouter.admin.audit_routes import note
from ccrouter.admin.checks import stored_limits
from ccrouter.admin.key_fields import mapping_field
from ccrouter.admin.key_schemas import BatchInput, BatchItem, BatchView, KeyTestAttempt, KeyTestInput, KeyTestView
from ccrouter.admin.key_views import audited, changeable_key, key_views
from ccrouter.admin.member_rules import member_fields, read_rules
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import FieldError, Problem
from ccrouter.admin.schemas import ErrorView, decimal_text
from ccrouter.clock import utc_now
from ccrouter.gateway import try_key
from ccrouter.metering.record import CallRecord
from ccrouter.storage import keys
from ccrouter.storage.keys import StoredKey
from ccrouter.storage.users import User

_MOST_TAGS = 50


def key_batch_routes(needs: Needs) -> APIRouter:
    """The routes `/api-keys/batch` and `/api-keys/{id}/test`."""
    routes = APIRouter(prefix="/api-keys", tags=["keys"])

    @routes.post("/batch", operation_id="changeKeys", summary="Change many keys at once")
    def change_keys(body: BatchInput, request: Request) -> BatchView:
        """Enable, disable, delete, tag, limit, map or end many keys; in force everywhere within 5 seconds.

        All or nothing: where one key cannot be changed, none is, and the errors name each that stood in the way as
        `ids[n]`.
        """
        fields = _fields(body, request.state.user)
        results: dict[str, str] = {}
        with needs.engine.begin() as connection:
            held = _held(connection, body.ids, request)
            for key in held:
                results[key.id] = _apply(connection, key, body, fields, request)
            found = [keys.get(connection, key.id) for key in held]
        for key in held:
            for digest in key.digests:
                needs.forget_key(digest)
        there = [key for key in found if key is not None and key.deleted_at is None]
        views = {view.id: view for view in key_views(needs.engine, there)}
        return BatchView(
            items=[BatchItem(id=key.id, result=results[key.id], key=views.get(key.id)) for key in held]
        )  # fmt: skip

    @routes.post("/{key_id}/test", operation_id="testKey", summary="Try a key's mapping")
    async def test_key(key_id: str, request: Request, body: KeyTestInput | None = None) -> KeyTestView:
        """Send a real request for one token through the key's mapping and limits.

        It is logged as kind `test` and counts as any other request of the key. Where the key may be used from, and by
        which clients, is not asked; that a key is disabled or has ended stands among the warnings.
        """
        stored = await run_in_threadpool(changeable_key, needs.engine, key_id, request)
        key = await run_in_threadpool(keys.find_by_digest, needs.engine, stored.digest)
        if key is None:
            raise Problem(404, "There is no such key.")
        record = await try_key(key, (body or KeyTestInput.model_validate({})).model, needs.outside)
        return _tested(record, key, is_admin=request.state.user.role == ADMIN)

    def _fields(body: BatchInput, user: User) -> dict[str, Any]:
        given = body.model_fields_set
        fields: dict[str, Any] = {}
        if user.role != ADMIN:
            ruled: dict[str, Any] = {name: getattr(body, name) for name in ("limits", "mapping") if name in given}
            ruled = member_fields(read_rules(needs.engine), user, ruled, new=False)
            body = body.model_copy(update=ruled)
        if body.enabled is not None:
            fields["enabled"] = body.enabled
        if "expires_at" in given:
            fields["expires_at"] = body.expires_at
        if "limits" in given:
            fields["limits"] = stored_limits(body.limits)
        if "mapping" in given:
            fields["mapping"] = mapping_field(needs, body.mapping)
        return fields

    return routes


def _held(connection: Connection, ids: list[str], request: Request) -> list[StoredKey]:
    """The keys, held until the transaction ends. Raises Problem 422 that names each which is not there."""
    found, errors, user = [], [], request.state.user
    # Locked in the order of their ids, so that two who change the same keys never wait in a circle.
    held = {key_id: keys.hold(connection, key_id) for key_id in sorted(set(ids))}
    for index, key_id in enumerate(ids):
        key = held[key_id]
        if key is None or key.deleted_at is not None or (user.role != ADMIN and key.owner_id != user.id):
            errors.append(FieldError(field=f"ids[{index}]", code="not_found", message="there is no such key"))
        elif key_id in ids[:index]:
            errors.append(FieldError(field=f"ids[{index}]", code="repeated", message="is named twice"))
        else:
            found.append(key)
    if errors:
        raise Problem(422, "; ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)
    return found


def _apply(connection: Connection, key: StoredKey, body: BatchInput, fields: dict[str, Any], request: Request) -> str:
    """Changes one key; says what came of it."""
    if body.delete:
        keys.soft_delete(connection, key.id)
        note(connection, request, "key.delete", key.id, before=audited(key))
        return "deleted"
    removed = set(body.remove_tags)
    tags = [tag for tag in dict.fromkeys([*key.tags, *body.add_tags]) if tag not in removed]
    if len(tags) > _MOST_TAGS:
        error = FieldError(
            field="add_tags", code="too_many", message=f"«{key.name}» would have more than {_MOST_TAGS} tags"
        )
        raise Problem(422, f"{error.field}: {error.message}", errors=[error])
    wanted = fields | {"tags": tags}
    changes = {name: value for name, value in wanted.items() if value != getattr(key, name)}
    if not changes:
        return "unchanged"
    keys.change(connection, key.id, changes)
    note(connection, request, "key.change", key.id, before=audited(key), after=audited(key) | changes)
    return "changed"


def _tested(record: CallRecord, key: ApiKey, *, is_admin: bool) -> KeyTestView:
    failed = record.status != "ok"
    return KeyTestView(
        ok=not failed,
        http_status=record.http_status,
        error=ErrorView(type=record.error_type or "", message=record.error_message or "") if failed else None,
        rule=record.rule,
        slot=record.slot,
        platform=record.platform,
        model=record.model,
        duration_ms=record.duration_ms,
        cost=None if record.cost is None else decimal_text(record.cost.total),
        attempts=[
            KeyTestAttempt(
                platform=attempt.platform,
                model=attempt.model,
                credential=attempt.credential_name if is_admin else None,
                outcome=attempt.outcome,
                status=attempt.status,
                ms=attempt.ms,
                reason=attempt.reason,
            )
            for attempt in record.attempts
        ],
        warnings=_warnings(key),
        log_id=str(record.id),
    )


def _warnings(key: ApiKey) -> list[str]:
    now = utc_now()
    found = []
    if not key.enabled:
        found.append("The key is disabled: clients are refused with 401.")
    if key.expires_at is not None and key.expires_at <= now:
        found.append("The key has ended: clients are refused with 401.")
    if not key.owner_active:
        found.append("The key's owner is not active: clients are refused with 401.")
    if key.allowed_ips:
        found.append(f"Clients must come from {', '.join(key.allowed_ips)}.")
    if key.allowed_clients:
        found.append(f"Clients must be {', '.join(key.allowed_clients)}.")
    return found
