"""The list of requests: filters, parts, and sums."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, update
from tests.contract.log_rows import CREDENTIAL, KEY, NOON, USER, a_row, cost_of

from ccrouter.access.keys import new_secret
from ccrouter.ids import uuid7
from ccrouter.metering.record import Attempt
from ccrouter.storage import keys, log_lists, logs, partitions, users
from ccrouter.storage.log_filters import LogFilters, settle
from ccrouter.storage.tables import request_log

NO_ID = "this is no id"
UNKNOWN_ID = "01a20fa1-1e64-758e-be7d-0f5c33ab1360"


ATTEMPT = Attempt(platform="anthropic", model="m")


@pytest.mark.parametrize(
    "filters",
    [
        {"key_id": (KEY,)},
        {"key_id": (NO_ID, UNKNOWN_ID, KEY)},
        {"user_id": (USER,)},
        {"credential_id": (CREDENTIAL,)},
        {"platform": ("anthropic",)},
        {"model": ("m",)},
        {"status": ("error",)},
        {"status": ("error", "limited")},
        {"kind": ("test",)},
        {"session_id": ("s",)},
        {"stream": True},
        {"retried": True},
        {"q": "m anthropic-error"},
        {"min_cost": Decimal("0.5")},
        {"min_duration_ms": 1000},
        {"since": NOON, "until": NOON + timedelta(milliseconds=1)},
        {"key_id": (KEY,), "status": ("error",), "stream": True, "retried": True},
    ],
    ids=lambda filters: "+".join(filters),
)
def test_each_filter_finds_its_rows_and_no_others(engine: Engine, filters: dict[str, Any]) -> None:
    """Alone and together."""
    a_row(engine, NOON - timedelta(milliseconds=1), attempts=[ATTEMPT])
    a_row(engine, NOON + timedelta(milliseconds=1), cost=cost_of("0.49"), duration_ms=999, key_id=str(uuid7()))
    wanted = a_row(
        engine, NOON, key_id=KEY, user_id=USER, credential_id=CREDENTIAL, platform="anthropic", model="m",
        status="error", kind="test", session_id="s", stream=True, cost=cost_of("0.5"), duration_ms=1000,
        error_type="anthropic_error", error_message="m", attempts=[ATTEMPT, ATTEMPT],
    )  # fmt: skip
    page = log_lists.find(engine, LogFilters(**filters))
    assert [str(row.id) for row in page.items] == [wanted]


@pytest.mark.parametrize("name", ["key_id", "user_id", "credential_id"])
def test_a_filter_for_what_is_no_id_finds_nothing(engine: Engine, name: str) -> None:
    """Not the rows that have none."""
    a_row(engine, NOON)
    filters: dict[str, Any] = {name: (NO_ID,)}
    assert log_lists.find(engine, LogFilters(**filters)).items == []


SESSION = "5e2f2a68-7f9c-4cf8-9b43-2a0f0cbd1a3f"


@pytest.mark.parametrize(
    "q",
    [
        "claude-opus-4-5", "OPUS", "opu", "alice lapt", "opus 4 5", "claude-cli/2.1.330", "claude-cli", "laptop",
        "alice overloaded", SESSION, SESSION.replace("-", ""), SESSION[:13], SESSION.upper(), "req_011CSHo",
        "011cshoeeqs",
        "agent-7", "生产", "环境", "übung", "Übun", "overloaded, laptop!",
        "{id}", "{request_id}", "{hex}", "{beginning}", "{request_id} laptop",
    ],
)  # fmt: skip
def test_a_row_is_found_by_its_words(engine: Engine, q: str) -> None:
    """By whole words and their beginnings, whatever stands between them, in any order; by ids whole or begun."""
    others = {"requested_model": "claude-sonnet-4", "key_name": "lap top", "client": "curl/8.1", "user_login": "bob"}
    a_row(engine, NOON - timedelta(days=1), **others, error_message="产品 环球", session_id=SESSION[::-1])
    wanted = a_row(
        engine, NOON, requested_model="claude-opus-4-5", model="gemini-3", key_name="laptop 生产环境",
        user_login="alice", client="claude-cli/2.1.330 (external, cli)", session_id=SESSION, agent_id="agent-7",
        upstream_request_id="req_011CSHoEeqs5C35K2UUqR7Fy", error_type="overloaded_error", error_message="Übung x",
    )  # fmt: skip
    hexes = wanted.replace("-", "")
    asked = q.format(id=wanted, request_id=f"req_{hexes}", hex=hexes, beginning=wanted[:11])
    assert [str(row.id) for row in log_lists.find(engine, LogFilters(q=asked)).items] == [wanted]


@pytest.mark.parametrize(
    "q", ["aptop", "opus 6", "lap alice", "o", "alice bob", "'", "a' | 'b", "\\", "laptopz:*", "& | !", "zz"]
)
def test_a_search_for_what_no_row_says_finds_nothing(engine: Engine, q: str) -> None:
    """The middle of a word, half of what is asked, one letter, and the marks of the database's own search."""
    a_row(engine, NOON, requested_model="claude-opus-4-5", key_name="laptop-x", user_login="alice")
    assert log_lists.find(engine, LogFilters(q=q)).items == []


def test_texts_of_any_length_and_script_can_be_stored(engine: Engine) -> None:
    """What makes words of them must never keep a row from being written."""
    texts = ["x" * 100_000, "ü" * 5_000, "生" * 5_000, "-" * 5_000, " ", "\\'\"\n\t", "😀" * 3_000, "a.b@c/d?e=f"]
    made = [a_row(engine, NOON, error_type="e", error_message=text, session_id=text) for text in texts]
    assert len(log_lists.find(engine, LogFilters(), limit=50).items) == len(made)


def test_a_tail_gives_what_was_stored_since_in_that_order(engine: Engine) -> None:
    """Also a request that began long before and ended now, which a list by time shows further down."""
    newest = a_row(engine, NOON)
    late = a_row(engine, NOON - timedelta(hours=1))
    later = a_row(engine, NOON + timedelta(seconds=1))
    page = log_lists.tail(engine, LogFilters(), newest)
    assert [str(row.id) for row in page.items] == [late, later]
    assert page.next_cursor is not None
    again = log_lists.tail(engine, LogFilters(), page.next_cursor)
    # What was stored within the last seconds comes again, since more of it may become visible.
    assert [str(row.id) for row in again.items] == [late, later]


def test_a_tail_goes_on_through_more_than_a_part_holds(engine: Engine) -> None:
    """However much was stored in the last seconds: a full part is followed by what comes after it."""
    made = [a_row(engine, NOON + timedelta(seconds=number)) for number in range(8)]
    seen, since = [], made[0]
    for _ in range(3):
        page = log_lists.tail(engine, LogFilters(), since, 3)
        seen += [str(row.id) for row in page.items]
        since = page.next_cursor or ""
    assert seen == made[1:]
    with engine.begin() as connection:
        connection.execute(update(request_log).values(stored_at=request_log.c.stored_at - timedelta(minutes=1)))
    last = a_row(engine, NOON)
    page = log_lists.tail(engine, LogFilters(), since, 3)
    assert [str(row.id) for row in page.items] == [last]
    with engine.begin() as connection:
        connection.execute(update(request_log).values(stored_at=request_log.c.stored_at - timedelta(minutes=1)))
    page = log_lists.tail(engine, LogFilters(), page.next_cursor or "", 3)
    assert page.items == []


@pytest.mark.parametrize("since", ["nonsense", "", "AAAA", "x" * 32])
def test_a_tail_from_nowhere_is_refused(engine: Engine, since: str) -> None:
    """Rather than answered with everything."""
    with pytest.raises(ValueError, match="neither"):
        log_lists.tail(engine, LogFilters(), since)


def test_pages_go_on_over_months_and_beside_them(engine: Engine) -> None:
    """Newest first, each row once: of months that are there, and of those for which none was made."""
    first = NOON - timedelta(days=200)
    partitions.make(engine, partitions.months_from(first + timedelta(days=32), 5))
    made = [a_row(engine, first + timedelta(days=9 * number), model="m") for number in range(20)]
    a_row(engine, NOON)
    for beside in (True, False):
        if not beside:
            partitions.make(engine, partitions.months_from(first, 2))
        seen: list[str] = []
        cursor = None
        while True:
            page = log_lists.find(engine, LogFilters(model=("m",)), cursor=cursor, limit=3)
            seen += [str(row.id) for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == list(reversed(made)), beside


def test_rows_are_read_in_parts_while_others_come(engine: Engine) -> None:
    """No row twice, none left out."""
    ids = [a_row(engine, NOON + timedelta(seconds=number)) for number in range(5)]
    first = log_lists.find(engine, LogFilters(), limit=2)
    a_row(engine, NOON + timedelta(hours=1))
    second = log_lists.find(engine, LogFilters(), cursor=first.next_cursor, limit=3)
    assert [str(row.id) for row in (*first.items, *second.items)] == list(reversed(ids))
    assert second.next_cursor is None


def test_what_keys_have_spent_is_summed_exactly(engine: Engine) -> None:
    """From a moment on, per key; a key without rows is not in the sum."""
    other = str(uuid7())
    for at, key, amount in (
        (NOON, KEY, "0.1"),
        (NOON, KEY, "0.2"),
        (NOON, other, "5"),
        (NOON - timedelta(1), KEY, "9"),
    ):
        a_row(engine, at, key_id=key, cost=cost_of(amount))
    a_row(engine, NOON, key_id=KEY)
    assert logs.spent_by_keys(engine, [KEY, other, str(uuid7())], NOON) == {
        KEY: (Decimal("0.3"), 3), other: (Decimal(5), 1),
    }  # fmt: skip


def test_a_row_that_is_not_there(engine: Engine) -> None:
    """By no id."""
    assert logs.get(engine, NO_ID) is None
    assert logs.get(engine, UNKNOWN_ID) is None


def test_keys_of_others_are_not_looked_through_for_a_member(engine: Engine) -> None:
    """All their rows would be read to find that none is the member's. Keys that are gone may still be asked for."""
    owner, other = users.create(engine, "owner"), users.create(engine, "other")
    mine, theirs = (keys.create(engine, user.id, new_secret(), {"name": "k"}).id for user in (owner, other))
    wanted = a_row(engine, NOON, key_id=mine, user_id=owner.id)
    gone = a_row(engine, NOON - timedelta(days=1), key_id=KEY, user_id=owner.id)
    a_row(engine, NOON, key_id=theirs, user_id=other.id)
    with engine.connect() as connection:
        settled = settle(connection, LogFilters(user_id=(owner.id,), key_id=(theirs, mine, KEY)))
    assert settled.key_id == (mine, KEY)
    for asked, expected in (((theirs,), []), ((theirs, mine), [wanted]), ((KEY,), [gone])):
        found = log_lists.find(engine, LogFilters(user_id=(owner.id,), key_id=asked)).items
        assert [str(row.id) for row in found] == expected
