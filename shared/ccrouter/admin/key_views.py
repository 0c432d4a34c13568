"""Keys as the API shows them: with what they have used this month, and what their mappings lack."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from fastapi import Request
from sqlalchemy import Connection, Engine

from ccrouter.admin.editing import month_start, not_found
from ccrouter.admin.mapping_warnings import mapping_warnings
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.schemas import KeyView, MonthView, UserRef, decimal_text
from ccrouter.clock import utc_now
from ccrouter.storage import credentials, keys, logs
from ccrouter.storage.credentials import StoredCredential
from ccrouter.storage.keys import CHANGEABLE, StoredKey


def key_views(engine: Engine, found: Sequence[StoredKey]) -> list[KeyView]:
    """These keys, in this order."""
    if not found:
        return []
    spent = logs.spent_by_keys(engine, [key.id for key in found], month_start(utc_now()))
    there = credentials.not_deleted(engine)
    return [_view(key, there, *spent.get(key.id, (Decimal(0), 0))) for key in found]


def key_view(engine: Engine, key: StoredKey) -> KeyView:
    """One key."""
    return key_views(engine, [key])[0]


def visible_key(place: Engine | Connection, key_id: str, request: Request) -> StoredKey:
    """A key that this user may see, deleted or not. Raises Problem 404."""
    key, user = keys.get(place, key_id), request.state.user
    if key is None or (user.role != ADMIN and key.owner_id != user.id):
        raise not_found("key")
    return key


def changeable_key(place: Engine | Connection, key_id: str, request: Request) -> StoredKey:
    """A key that this user may change. Raises Problem 404."""
    key = visible_key(place, key_id, request)
    if key.deleted_at is not None:
        raise not_found("key")
    return key


def audited(key: StoredKey) -> dict[str, Any]:
    """What the audit log keeps of a key."""
    return {name: getattr(key, name) for name in sorted(CHANGEABLE)} | {"owner": key.owner_login}


def _view(key: StoredKey, there: Sequence[StoredCredential], cost: Decimal, requests: int) -> KeyView:
    former_until = key.former_until
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
        warnings=mapping_warnings(key.mapping, there),
        former_secret_until=former_until if former_until is not None and former_until > utc_now() else None,
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        deleted_at=key.deleted_at,
    )
