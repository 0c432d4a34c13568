"""Conversations: found by their rows, with the agents that took part."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.contract.log_rows import KEY, NOON, USER, a_row, cost_of

from ccrouter.ids import uuid7
from ccrouter.messages.usage import Usage
from ccrouter.storage import log_sessions
from ccrouter.storage.log_filters import LogFilters
from ccrouter.storage.log_sessions import Agent

OTHER = str(uuid7())


def found(engine: Engine, cursor: str | None = None, limit: int = 50, **filters: Any) -> list[str]:
    """The ids of sessions."""
    return [item.id for item in log_sessions.find(engine, LogFilters(**filters), cursor=cursor, limit=limit).items]


def shape(agent: Agent) -> Any:
    """A tree as ids."""
    return {child.id: shape(child) for child in agent.children}


def test_sessions_stand_by_their_newest_row(engine: Engine) -> None:
    """However their rows are mixed; rows without a session are none's."""
    for minute, session in enumerate(("a", "b", "a", None, "c", "b", "c", "a")):
        a_row(engine, NOON + timedelta(minutes=minute), session_id=session)
    assert found(engine) == ["a", "c", "b"]


def test_sessions_are_read_in_parts(engine: Engine) -> None:
    """Each once, also when one of them goes on meanwhile."""
    for minute in range(30):
        a_row(engine, NOON + timedelta(minutes=minute), session_id=f"s{minute % 7}")
    order = [f"s{minute % 7}" for minute in range(29, 22, -1)]
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page = log_sessions.find(engine, LogFilters(), cursor=cursor, limit=3)
        seen += [item.id for item in page.items]
        cursor = page.next_cursor
        if len(seen) == 3:
            a_row(engine, NOON + timedelta(hours=1), session_id=order[0])
    assert seen == order
    assert cursor is None
    with pytest.raises(ValueError, match="cursor"):
        found(engine, cursor="nonsense")


def test_a_session_is_shown_as_a_whole(engine: Engine) -> None:
    """What it came to is not cut by the filters that found it."""
    a_row(
        engine, NOON, session_id="s", model="m1", platform="anthropic", cost=cost_of("0.1"), duration_ms=500,
        usage=Usage(input_tokens=1, output_tokens=2), key_id=KEY, key_name="old name", user_id=USER, user_login="alice",
    )  # fmt: skip
    a_row(
        engine, NOON + timedelta(minutes=1), session_id="s", model="m2", platform="kiro", cost=cost_of("0.2"),
        duration_ms=90_000, agent_id="a", key_id=KEY, key_name="new name", user_id=USER, user_login="alice",
    )  # fmt: skip
    a_row(engine, NOON + timedelta(seconds=90), session_id="s", status="error", key_id=KEY)
    a_row(engine, NOON + timedelta(minutes=2), session_id="s", kind="count_tokens", key_name="new name", key_id=KEY)
    (session,) = log_sessions.find(engine, LogFilters(model=("m1",))).items
    whole = session.whole
    assert (session.id, session.key_name, session.agents) == ("s", "new name", 1)
    assert (whole.models, whole.platforms) == (["m1", "m2"], ["anthropic", "kiro"])
    assert (whole.first_at, whole.last_at) == (NOON, NOON + timedelta(minutes=2, seconds=30))
    assert (whole.sums.requests, whole.sums.errors, whole.sums.cost) == (3, 1, Decimal("0.3"))
    assert whole.sums.input_tokens == 1


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"user_id": (USER,)}, ["shared", "mine"]),
        ({"user_id": (OTHER,)}, ["shared"]),
        ({"status": ("error",)}, ["mine"]),
        ({"q": "opus"}, ["mine"]),
        ({"until": NOON + timedelta(minutes=2)}, ["shared", "mine"]),
        ({"since": NOON + timedelta(minutes=2)}, ["shared"]),
    ],
)
def test_filters_leave_sessions_with_such_a_row(engine: Engine, filters: dict[str, Any], expected: list[str]) -> None:
    """Those of the log."""
    a_row(engine, NOON, session_id="mine", user_id=USER, status="error", model="claude-opus-4")
    a_row(engine, NOON + timedelta(minutes=1), session_id="shared", user_id=USER)
    a_row(engine, NOON + timedelta(minutes=3), session_id="shared", user_id=OTHER)
    assert found(engine, **filters) == expected


def test_a_session_id_that_two_people_say_is_not_one_conversation(engine: Engine) -> None:
    """Clients choose it: a member is shown the own part, and of a session without one nothing."""
    a_row(engine, NOON, session_id="s", user_id=USER, cost=cost_of("0.1"), agent_id="mine")
    a_row(engine, NOON + timedelta(minutes=1), session_id="s", user_id=OTHER, cost=cost_of("5"), agent_id="theirs")
    (session,) = log_sessions.find(engine, LogFilters(user_id=(USER,))).items
    assert (session.whole.sums.cost, session.user_id) == (Decimal("0.1"), USER)
    mine = log_sessions.get(engine, "s", (USER,))
    assert mine is not None
    assert (mine[0].whole.sums.requests, shape(mine[1])) == (1, {"mine": {}})
    assert log_sessions.get(engine, "s", (str(uuid7()),)) is None
    everything = log_sessions.get(engine, "s")
    assert everything is not None
    assert everything[0].whole.sums.cost == Decimal("5.1")


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        ({}, {}),
        ({"a": None, "b": None}, {"a": {}, "b": {}}),
        ({"a": None, "b": "a", "c": "b", "d": "a"}, {"a": {"b": {"c": {}}, "d": {}}}),
        ({"c": "b", "b": "a", "a": None}, {"a": {"b": {"c": {}}}}),
        ({"a": "unknown"}, {"a": {}}),
        ({"a": "a"}, {"a": {}}),
        ({"a": "b", "b": "a"}, {"b": {"a": {}}}),
    ],
    ids=str,
)
def test_agents_stand_below_those_that_started_them(
    engine: Engine, parents: dict[str, str | None], expected: dict[str, Any]
) -> None:
    """In whatever order they come; what cannot be placed stands below the main conversation."""
    a_row(engine, NOON, session_id="s", model="main")
    for number, (agent_id, parent_id) in enumerate(parents.items(), 1):
        at = NOON + timedelta(minutes=number)
        a_row(engine, at, session_id="s", agent_id=agent_id, parent_agent_id=parent_id, model=agent_id)
        a_row(engine, at + timedelta(seconds=1), session_id="s", agent_id=agent_id, parent_agent_id=parent_id)
    result = log_sessions.get(engine, "s")
    assert result is not None
    session, main = result
    assert shape(main) == expected
    assert main.own is not None
    assert (main.own.sums.requests, main.own.models) == (1, ["main"])
    assert session.agents == len(parents)
    for child in main.children:
        assert child.own is not None
        assert (child.own.sums.requests, child.own.models) == (2, [child.id])


def test_no_chain_of_agents_is_too_deep_to_be_shown(engine: Engine) -> None:
    """A client may say that each started the next, a hundred times."""
    for number in range(60):
        at = NOON + timedelta(seconds=number)
        a_row(engine, at, session_id="s", agent_id=f"a{number}", parent_agent_id=f"a{number - 1}")
    result = log_sessions.get(engine, "s")
    assert result is not None
    session, main = result
    depth, seen, level = 0, 0, main.children
    while level:
        depth, seen, level = depth + 1, seen + len(level), [below for agent in level for below in agent.children]
    assert (depth, seen, session.agents) == (20, 60, 60)
    assert main.own is None
