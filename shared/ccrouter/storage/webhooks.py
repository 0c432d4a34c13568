"""Webhooks as stored: who is told of what, and the deliveries that wait, went well or failed.

A delivery is `waiting` until an answer of 2xx (`delivered`) or its last try (`failed`). Whoever sends takes a lease
first: a process that dies over it leaves it to the next one, so that an event may come twice, under the same id.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, any_, delete, func, insert, literal, select, text, update

from ccrouter.clock import rfc3339
from ccrouter.credentials.vault import Vault
from ccrouter.ids import uuid7
from ccrouter.storage.rows import Page, begun, read_page, uuid_of
from ccrouter.storage.tables import webhook_deliveries, webhooks
from ccrouter.webhooks import GONE, Outcome

RETRY_AFTER_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""How long after each failed try the next one comes: the schedule that the specification proposes, over three days."""
_FAILING_FOR = timedelta(days=3)
_LEASE = timedelta(seconds=120)
_AT_ONCE = 20

_CLAIM = text(
    """
    UPDATE webhook_deliveries d SET tries = tries + 1, next_at = clock_timestamp() + :lease
    FROM webhooks w
    WHERE w.id = d.webhook_id AND d.id IN (
        SELECT id FROM webhook_deliveries WHERE state = 'waiting' AND next_at <= clock_timestamp()
        ORDER BY next_at LIMIT :most FOR UPDATE SKIP LOCKED
    )
    RETURNING d.id, d.webhook_id, d.event_id, d.body, d.tries, w.url, w.secret_sealed
    """
)


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook without its secret. `failing_since`: nothing was accepted since then."""

    id: str
    name: str
    url: str
    events: list[str]
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook; what is known of an answer is that of the last try."""

    id: str
    event_id: str
    kind: str
    body: str
    state: str
    tries: int
    next_at: datetime | None
    status: int | None
    response: str | None
    error: str | None
    duration_ms: int | None
    created_at: datetime
    ended_at: datetime | None


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is to be tried now."""

    id: UUID
    webhook_id: UUID
    event_id: UUID
    body: str
    tries: int
    url: str
    secret: str


def context_of(webhook_id: object) -> str:
    """What a secret is bound to."""
    return f"webhook:{webhook_id}"


def create(connection: Connection, vault: Vault, secret: str, *, name: str, url: str, events: Sequence[str]) -> Webhook:
    """Stores a webhook with its secret."""
    webhook_id = uuid7()
    row = connection.execute(
        insert(webhooks)
        .values(
            id=webhook_id,
            name=name,
            url=url,
            events=list(events),
            secret_sealed=vault.seal(secret.encode(), context_of(webhook_id)),
        )
        .returning(webhooks)
    ).one()
    return _webhook_of(row)


def find(engine: Engine, *, cursor: str | None = None, limit: int = 50) -> Page[Webhook]:
    """Webhooks, newest first. Raises ValueError for a bad cursor."""
    with engine.connect() as connection:
        return read_page(connection, select(webhooks), webhooks.c.id, cursor, limit, _webhook_of)


def every(connection: Connection) -> list[Webhook]:
    """All webhooks, the first ones first."""
    return [_webhook_of(row) for row in connection.execute(select(webhooks).order_by(webhooks.c.id))]


def count(connection: Connection) -> int:
    """How many there are."""
    return connection.execute(select(func.count()).select_from(webhooks)).scalar_one()


def get(place: Engine | Connection, webhook_id: str) -> Webhook | None:
    """The webhook with this id."""
    with begun(place) as connection:
        row = connection.execute(select(webhooks).where(webhooks.c.id == uuid_of(webhook_id))).one_or_none()
    return None if row is None else _webhook_of(row)


def secret_of(engine: Engine, vault: Vault, webhook_id: str) -> str:
    """The secret of a webhook that is there."""
    with engine.connect() as connection:
        sealed = connection.execute(
            select(webhooks.c.secret_sealed).where(webhooks.c.id == uuid_of(webhook_id))
        ).scalar_one()
    return vault.open(bytes(sealed), context_of(webhook_id)).decode()


def change(
    connection: Connection, webhook_id: str, fields: dict[str, Any], *, if_updated_at: datetime | None = None
) -> bool:
    """Sets members; False where it is not there (any more), or was changed meanwhile.

    One that is enabled begins anew; of one that is disabled, nothing waits any longer.
    """
    values = dict(fields)
    if fields.get("enabled"):
        values |= {"disabled_reason": None, "failing_since": None}
    query = update(webhooks).where(webhooks.c.id == uuid_of(webhook_id))
    if if_updated_at is not None:
        query = query.where(webhooks.c.updated_at == if_updated_at)
    changed = connection.execute(query.values(**values, updated_at=func.clock_timestamp())).rowcount
    if changed and fields.get("enabled") is False:
        _give_up_waiting(connection, uuid_of(webhook_id))
    return bool(changed)


def remove(connection: Connection, webhook_id: str, *, if_updated_at: datetime | None = None) -> bool:
    """Deletes a webhook with its deliveries; False as for `change`."""
    query = delete(webhooks).where(webhooks.c.id == uuid_of(webhook_id))
    if if_updated_at is not None:
        query = query.where(webhooks.c.updated_at == if_updated_at)
    return bool(connection.execute(query).rowcount)


def deliveries(engine: Engine, webhook_id: str, *, cursor: str | None = None, limit: int = 50) -> Page[Delivery]:
    """What was sent to a webhook or waits to be, newest first. Raises ValueError for a bad cursor."""
    query = select(webhook_deliveries).where(webhook_deliveries.c.webhook_id == uuid_of(webhook_id))
    with engine.connect() as connection:
        return read_page(connection, query, webhook_deliveries.c.id, cursor, limit, _delivery_of)


def queue(connection: Connection, event_id: UUID, kind: str, at: datetime, data: dict[str, Any]) -> int:
    """Has an event told to all who want to know; says how many they are."""
    wanting = connection.execute(
        select(webhooks.c.id).where(webhooks.c.enabled, literal(kind) == any_(webhooks.c.events))
    ).scalars()
    rows = [
        {"id": uuid7(), "webhook_id": webhook_id, "event_id": event_id, "kind": kind, "body": body_of(kind, at, data),
         "next_at": at}
        for webhook_id in wanting
    ]  # fmt: skip
    if rows:
        connection.execute(insert(webhook_deliveries), rows)
    return len(rows)


def body_of(kind: str, at: datetime, data: dict[str, Any]) -> str:
    """An event as it is sent."""
    return msgspec.json.encode({"type": kind, "timestamp": rfc3339(at), "data": data}).decode()


def note_test(
    connection: Connection, webhook_id: str, event_id: UUID, kind: str, body: str, outcome: Outcome
) -> Delivery:
    """Keeps how a test went; it is not repeated."""
    row = connection.execute(
        insert(webhook_deliveries)
        .values(
            id=uuid7(),
            webhook_id=uuid_of(webhook_id),
            event_id=event_id,
            kind=kind,
            body=body,
            state="delivered" if outcome.delivered else "failed",
            tries=1,
            ended_at=func.clock_timestamp(),
            **_told(outcome),
        )
        .returning(webhook_deliveries)
    ).one()
    return _delivery_of(row)


def claim(engine: Engine, vault: Vault) -> list[Due]:
    """Takes deliveries whose time has come. Raises VaultError where the master key is another one."""
    with engine.begin() as connection:
        rows = connection.execute(_CLAIM, {"lease": _LEASE, "most": _AT_ONCE}).all()
    return [
        Due(
            id=row.id,
            webhook_id=row.webhook_id,
            event_id=row.event_id,
            body=row.body,
            tries=row.tries,
            url=row.url,
            secret=vault.open(bytes(row.secret_sealed), context_of(row.webhook_id)).decode(),
        )
        for row in rows
    ]


def settle(engine: Engine, due: Due, outcome: Outcome) -> None:
    """Notes how a try went, and when the next one comes. A webhook that takes nothing for days is disabled."""
    with engine.begin() as connection:
        if outcome.delivered:
            _end(connection, due, outcome, "delivered")
            connection.execute(update(webhooks).where(webhooks.c.id == due.webhook_id).values(failing_since=None))
            return
        since = connection.execute(
            update(webhooks)
            .where(webhooks.c.id == due.webhook_id)
            .values(failing_since=func.coalesce(webhooks.c.failing_since, func.clock_timestamp()))
            .returning(webhooks.c.failing_since)
        ).scalar_one_or_none()
        if since is None:
            # It was deleted meanwhile, and its deliveries with it.
            return
        if due.tries <= len(RETRY_AFTER_S) and outcome.status != GONE:
            wait_s = max(_spread(RETRY_AFTER_S[due.tries - 1]), outcome.retry_after_s or 0)
            connection.execute(
                update(webhook_deliveries)
                .where(webhook_deliveries.c.id == due.id, webhook_deliveries.c.state == "waiting")
                .values(next_at=func.clock_timestamp() + timedelta(seconds=wait_s), **_told(outcome))
            )
            return
        _end(connection, due, outcome, "failed")
        now = connection.execute(select(func.clock_timestamp())).scalar_one()
        if outcome.status == GONE:
            _disable(connection, due.webhook_id, "Its address answered 410: it wants nothing any more.")
        elif now - since >= _FAILING_FOR:
            _disable(connection, due.webhook_id, "Its address has accepted nothing for three days.")


def drop_ended(engine: Engine, before: datetime) -> int:
    """Forgets deliveries that ended before a moment; says how many."""
    with engine.begin() as connection:
        return connection.execute(delete(webhook_deliveries).where(webhook_deliveries.c.ended_at < before)).rowcount


def _end(connection: Connection, due: Due, outcome: Outcome, state: str) -> None:
    connection.execute(
        update(webhook_deliveries)
        .where(webhook_deliveries.c.id == due.id)
        .values(state=state, next_at=None, ended_at=func.clock_timestamp(), **_told(outcome))
    )


def _disable(connection: Connection, webhook_id: UUID, reason: str) -> None:
    connection.execute(
        update(webhooks)
        .where(webhooks.c.id == webhook_id)
        .values(enabled=False, disabled_reason=reason, updated_at=func.clock_timestamp())
    )
    _give_up_waiting(connection, webhook_id)


def _give_up_waiting(connection: Connection, webhook_id: UUID | None) -> None:
    connection.execute(
        update(webhook_deliveries)
        .where(webhook_deliveries.c.webhook_id == webhook_id, webhook_deliveries.c.state == "waiting")
        .values(state="failed", next_at=None, error="The webhook was disabled.", ended_at=func.clock_timestamp())
    )


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "status": outcome.status,
        "response": outcome.response,
        "error": outcome.error,
        "duration_ms": outcome.duration_ms,
    }


def _spread(seconds: float) -> float:
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - only spreads the tries


def _webhook_of(row: Any) -> Webhook:
    values = row._asdict()
    del values["secret_sealed"]
    return Webhook(**{**values, "id": str(row.id)})


def _delivery_of(row: Any) -> Delivery:
    values = row._asdict()
    del values["webhook_id"]
    return Delivery(**{**values, "id": str(row.id), "event_id": str(row.event_id)})
