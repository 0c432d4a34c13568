"""What people should hear of, found in what is stored: budgets, blocked credentials, models without a price, old keys.

Each occasion has a name that holds all that makes it one, such as limit, window and threshold. Its row is written once
(the name is unique), in the same transaction as the deliveries of its event; so that it is told once, over processes,
restarts and whatever else.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, Table, func, select
from sqlalchemy.dialects.postgresql import insert

from ccrouter.access.limits import WINDOWS, read_limits, window_bounds
from ccrouter.clock import rfc3339
from ccrouter.ids import uuid7
from ccrouter.storage import webhooks
from ccrouter.storage.tables import alerts, api_keys, credentials, usage_hours, users

Kind = Literal["budget.reached", "credential.blocked", "model.unpriced", "key.expiring"]
KINDS: tuple[Kind, ...] = ("budget.reached", "credential.blocked", "model.unpriced", "key.expiring")
TEST = "webhook.test"

_EXPIRING_DAYS = (7, 1)
_UNPRICED_SINCE = timedelta(days=7)
"""A record may come late from the outbox; what is older has been told of."""


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell of, under a name that it never shares."""

    kind: Kind
    name: str
    data: dict[str, Any]


def tell(engine: Engine, occasions: Sequence[Occasion], now: datetime) -> int:
    """Has what nobody was told of yet told to those who want to know; says how many occasions were new."""
    new = 0
    with engine.begin() as connection:
        for occasion in occasions:
            event_id = uuid7()
            made = connection.execute(
                insert(alerts)
                .values(id=event_id, at=now, kind=occasion.kind, occasion=occasion.name, data=occasion.data)
                .on_conflict_do_nothing(index_elements=["occasion"])
            ).rowcount
            if made:
                webhooks.queue(connection, event_id, occasion.kind, now, occasion.data)
                new += 1
    return new


def occasions(engine: Engine, thresholds: Sequence[int], now: datetime) -> list[Occasion]:
    """All that there is to tell of now, known or not."""
    with engine.connect() as connection:
        return [
            *_budgets(connection, thresholds, now),
            *_blocked(connection),
            *_unpriced(connection, now),
            *_expiring(connection, now),
        ]


def _budgets(connection: Connection, thresholds: Sequence[int], now: datetime) -> Iterator[Occasion]:
    """Spend limits of which these hundredths are used up, of keys and of users."""
    for of, table, name, alive in (
        ("key", api_keys, api_keys.c.name, (api_keys.c.deleted_at.is_(None), api_keys.c.enabled)),
        ("user", users, users.c.login, (users.c.deleted_at.is_(None), users.c.status == "active")),
    ):
        for window in WINDOWS:
            limited = _limited(connection, table, name, alive, window)
            begins, ends = window_bounds(window, now)
            spent = _spent(connection, f"{of}_id", list(limited), begins)
            for owner, (called, limit) in limited.items():
                used = spent.get(owner, Decimal(0))
                for threshold in sorted(thresholds):
                    # Of a limit of nothing, everything is always used up, and nobody has to be told.
                    if not limit or used * 100 < limit * threshold:
                        continue
                    yield Occasion(
                        kind="budget.reached",
                        name=f"budget/{of}/{owner}/{window}/{begins and rfc3339(begins)}/{limit}/{threshold}",
                        data={
                            of: {"id": str(owner), "name": called},
                            "window": window,
                            "threshold_percent": threshold,
                            "limit_usd": _text(limit),
                            "spent_usd": _text(used),
                            "begins_at": begins and rfc3339(begins),
                            "resets_at": ends and rfc3339(ends),
                        },
                    )


def _limited(
    connection: Connection, table: Table, name: Any, alive: Sequence[Any], window: str
) -> dict[UUID, tuple[str, Decimal]]:
    amount = table.c.limits["spend"][window]
    rows = connection.execute(select(table.c.id, name, table.c.limits).where(*alive, amount.astext.is_not(None))).all()
    return {row[0]: (row[1], read_limits(row[2]).spend[window]) for row in rows}


def _spent(connection: Connection, column: str, owners: Sequence[UUID], since: datetime | None) -> dict[UUID, Decimal]:
    if not owners:
        return {}
    owner = usage_hours.c[column]
    query = select(owner, func.sum(usage_hours.c.cost)).where(owner.in_(owners)).group_by(owner)
    if since is not None:
        query = query.where(usage_hours.c.hour >= since)
    return {row[0]: Decimal(row[1]) for row in connection.execute(query).all()}


def _blocked(connection: Connection) -> Iterator[Occasion]:
    """Credentials that a platform has refused, until somebody sees to them or a known moment."""
    found = credentials.c
    rows = connection.execute(
        select(found.id, found.name, found.platform, found.blocked_at, found.blocked_reason, found.blocked_until).where(
            found.blocked_at.is_not(None), found.deleted_at.is_(None), found.enabled
        )
    ).all()
    for row in rows:
        yield Occasion(
            kind="credential.blocked",
            name=f"credential/{row.id}/{rfc3339(row.blocked_at)}",
            data={
                "credential": {"id": str(row.id), "name": row.name, "platform": row.platform},
                "reason": row.blocked_reason,
                "blocked_at": rfc3339(row.blocked_at),
                "until": row.blocked_until and rfc3339(row.blocked_until),
            },
        )


def _unpriced(connection: Connection, now: datetime) -> Iterator[Occasion]:
    """Models that answered without having a price."""
    sums = usage_hours.c
    rows = connection.execute(
        select(sums.platform, sums.model, func.min(sums.hour), func.sum(sums.unpriced))
        .where(sums.unpriced > 0, sums.hour >= now - _UNPRICED_SINCE)
        .group_by(sums.platform, sums.model)
    ).all()
    for platform, model, since, requests in rows:
        yield Occasion(
            kind="model.unpriced",
            name=f"model/{platform}/{model}",
            data={"platform": platform, "model": model, "since": rfc3339(since), "requests": int(requests)},
        )


def _expiring(connection: Connection, now: datetime) -> Iterator[Occasion]:
    """Keys that end soon, unless they were made for no longer."""
    found = api_keys.c
    rows = connection.execute(
        select(found.id, found.name, found.expires_at, found.created_at).where(
            found.deleted_at.is_(None),
            found.enabled,
            found.expires_at > now,
            found.expires_at <= now + timedelta(days=max(_EXPIRING_DAYS)),
        )
    ).all()
    for row in rows:
        for days in _EXPIRING_DAYS:
            moment = row.expires_at - timedelta(days=days)
            if row.created_at < moment <= now:
                yield Occasion(
                    kind="key.expiring",
                    name=f"key/{row.id}/{rfc3339(row.expires_at)}/{days}",
                    data={
                        "key": {"id": str(row.id), "name": row.name},
                        "expires_at": rfc3339(row.expires_at),
                        "within_days": days,
                    },
                )


def _text(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
