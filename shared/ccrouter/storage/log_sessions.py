"""Conversations: the rows of the log that share a session id, and the agents that took part in them.

A session is found at its newest row, so that a list of them is read like the log itself: newest first, a part at a
time, by the indexes of the log. Nothing is kept about sessions beside their rows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Interval, cast, exists, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from ccrouter.storage.log_filters import LogFilters, conditions, one_of_ids, settle
from ccrouter.storage.log_order import newest
from ccrouter.storage.log_sums import Sums, sums_of_rows
from ccrouter.storage.rollups import COUNTED_KINDS
from ccrouter.storage.rows import Page, read_cursor, write_cursor
from ccrouter.storage.tables import request_log

MOST_AGENTS = 500
"""Of one session in a tree."""
_DEEPEST = 20
"""Levels of a tree; agents further down stand at the last."""


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """What some rows of a session have in common: when, how much, what for."""

    first_at: datetime
    last_at: datetime
    sums: Sums
    models: list[str]
    platforms: list[str]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation. Key, user and client are those of its newest row; `agents` counts its sub-agents."""

    id: str
    key_id: str | None
    key_name: str | None
    user_id: str | None
    user_login: str | None
    client: str | None
    agents: int
    whole: Stretch


class Agent(msgspec.Struct, kw_only=True):
    """What an agent asked for, and those that it started. `id` None: the main conversation."""

    id: str | None
    own: Stretch | None
    children: "list[Agent]" = msgspec.field(default_factory=list)


def find(engine: Engine, filters: LogFilters, *, cursor: str | None = None, limit: int = 50) -> Page[Session]:
    """Sessions with a row that filters leave, by the newest such row; each as a whole. Raises ValueError for a bad
    cursor."""
    row, later = request_log.alias("row"), request_log.alias("later")
    before = None if cursor is None else read_cursor(cursor)
    with engine.connect() as connection:
        filters = settle(connection, filters)
        newer = select(literal(1)).where(
            later.c.session_id == row.c.session_id, later.c.id > row.c.id, *conditions(filters, later)
        )
        wanted = [row.c.session_id.is_not(None), *conditions(filters, row), ~exists(newer)]
        found = newest(connection, row, [row.c.id, row.c.session_id], wanted, limit + 1, before=before)
        shown = found[:limit]
        sessions = _read(connection, [session_id for _, session_id in shown], filters.user_id)
    # Rows may be dropped between the two statements.
    items = [sessions[session_id] for _, session_id in shown if session_id in sessions]
    return Page(items, write_cursor(shown[-1].id) if len(found) > limit else None)


def get(engine: Engine, session_id: str, user_ids: Sequence[str] = ()) -> tuple[Session, Agent] | None:
    """A session with its tree of agents; None where there is none, or none of these users'."""
    log = request_log.c
    with engine.connect() as connection:
        session = _read(connection, [session_id], user_ids).get(session_id)
        if session is None:
            return None
        rows = connection.execute(
            select(log.agent_id, func.max(log.parent_agent_id).label("parent_id"), *_stretch())
            .where(*_belongs([session_id], user_ids))
            .group_by(log.agent_id)
            .order_by(func.min(log.at), log.agent_id)
            .limit(MOST_AGENTS)
        ).all()
    return session, _tree(rows)


def _read(connection: Connection, session_ids: Sequence[str], user_ids: Sequence[str]) -> dict[str, Session]:
    log = request_log.c
    newest = {
        name: func.array_agg(aggregate_order_by(log[name], log.id.desc()))[1].label(name)
        for name in ("key_id", "key_name", "user_id", "user_login", "client")
    }
    agents = func.count(log.agent_id.distinct()).label("agents")
    rows = connection.execute(
        select(log.session_id, agents, *newest.values(), *_stretch())
        .where(*_belongs(session_ids, user_ids))
        .group_by(log.session_id)
    )
    return {row.session_id: _session_of(row) for row in rows}


def _belongs(session_ids: Sequence[str], user_ids: Sequence[str]) -> list[ColumnElement[bool]]:
    """Session ids are what clients say: rows of others that say the same are none of a member's business."""
    log = request_log.c
    owned = [one_of_ids(log.user_id, user_ids)] if user_ids else []
    return [log.session_id.in_(session_ids), *owned]


def _stretch() -> list[ColumnElement[Any]]:
    log = request_log.c
    duration = log.duration_ms * cast(literal("1 ms"), Interval)
    return [
        func.min(log.at).label("first_at"),
        func.max(log.at + duration).label("last_at"),
        *(func.array_agg(log[name].distinct()).filter(log[name].is_not(None)).label(f"{name}s") for name in _NAMES),
        *sums_of_rows(log, log.kind.in_(COUNTED_KINDS)),
    ]


_NAMES = ("model", "platform")


def _session_of(row: Any) -> Session:
    return Session(
        id=row.session_id,
        key_id=_text(row.key_id),
        key_name=row.key_name,
        user_id=_text(row.user_id),
        user_login=row.user_login,
        client=row.client,
        agents=row.agents,
        whole=_stretch_of(row),
    )


def _stretch_of(row: Any) -> Stretch:
    sums = Sums()
    sums.add(row)
    return Stretch(
        first_at=row.first_at, last_at=row.last_at, sums=sums, models=row.models or [], platforms=row.platforms or []
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _tree(rows: Sequence[Any]) -> Agent:
    """Puts agents below those that started them; one whose parent is unknown, or its own descendant, below the main
    conversation, which is there also where it asked for nothing itself."""
    agents = {row.agent_id: Agent(id=row.agent_id, own=_stretch_of(row)) for row in rows}
    root = agents.setdefault(None, Agent(id=None, own=None))
    parents = {row.agent_id: row.parent_id for row in rows if row.agent_id is not None}
    depths: dict[str | None, int] = {None: 0}
    for agent_id in parents:
        line: list[str] = []
        at: str | None = agent_id
        while at is not None and at in parents and at not in depths and at not in line:
            line.append(at)
            at = parents[at]
        above = at if at in depths else None
        for member in reversed(line):
            while depths[above] >= _DEEPEST:
                above = parents[above] if above is not None else None
            agents[above].children.append(agents[member])
            depths[member] = depths[above] + 1
            above = member
    return root
