"""The request log's writer on real PostgreSQL: one commit for many, nothing lost, nothing twice."""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text
from tests.contract.adapters import a_call_log, counted
from tests.raw_platform import closed_port
from tests.services import an_admin

from ccrouter.access.keys import new_secret
from ccrouter.clock import utc_now
from ccrouter.ids import request_id_of, uuid7
from ccrouter.messages.usage import Usage
from ccrouter.metering.record import Attempt, CallRecord, Cost, Timings, encode_record
from ccrouter.storage import call_log, keys, logs, partitions
from ccrouter.storage.engine import make_engine
from ccrouter.storage.outbox import Outbox
from ccrouter.storage.tables import request_log

AWAY = f"postgresql://u:p@127.0.0.1:{closed_port()}/x"


def a_record(**fields: Any) -> CallRecord:
    """A record of now."""
    record_id = uuid7()
    values: dict[str, Any] = {
        "id": record_id,
        "at": utc_now(),
        "kind": "messages",
        "request_id": request_id_of(record_id),
    }
    return CallRecord(**(values | fields))


FULL: dict[str, Any] = {
    "upstream_request_id": "req_up",
    "key_id": str(uuid7()),
    "key_name": "Schlüssel «1»",
    "user_id": str(uuid7()),
    "user_login": "ada",
    "session_id": "s",
    "agent_id": "a",
    "parent_agent_id": "p",
    "request_class": "main",
    "client": "claude-cli",
    "client_ip": "2001:db8::1",
    "requested_model": "opus 😀",
    "slot": "opus",
    "rule": "op*",
    "platform": "anthropic",
    "model": "claude-opus-5-5",
    "credential_id": str(uuid7()),
    "credential_name": "main",
    "stream": True,
    "status": "error",
    "http_status": 529,
    "stop_reason": "end_turn",
    "error_type": "overloaded_error",
    "error_message": "It's \"over\"loaded\n",
    "usage": Usage(
        input_tokens=1, output_tokens=2, cache_read_tokens=3, cache_write_5m_tokens=4, cache_write_1h_tokens=5,
        reasoning_tokens=6, web_searches=7,
    ),
    "usage_state": "partial",
    "usage_raw": {"input_tokens": 1, "iterations": [{"x": None}], "big": 10**25},
    "cost": Cost(
        total=Decimal("0.123456789012"), input=Decimal("0.1"), output=Decimal("0.000000000001"),
        cache_read=Decimal(0), cache_write=Decimal("0.02"), other=Decimal("0.003456789011"),
        rates={"input": "4"}, currency="USD", price_version="v",
    ),
    "cost_state": "priced",
    "timings": Timings(admission_ms=1, queue_ms=2, connect_ms=3, first_token_ms=4, generation_ms=5),
    "ttft_ms": 10,
    "duration_ms": 20,
    "attempts": [
        Attempt(
            platform="anthropic", model="m", credential_id="c", credential_name="n", outcome="refused", status=529,
            ms=5, reason="Overloaded",
        )
    ],
}  # fmt: skip


def count(engine: Engine) -> int:
    """How many rows there are."""
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(request_log)).scalar_one()


def write(engine: Engine, outbox: Path, records: Sequence[CallRecord]) -> None:
    """All at once through a call log that is closed afterwards."""

    async def run() -> None:
        async with a_call_log(engine, outbox) as log:
            await asyncio.gather(*(log.record(record) for record in records))

    asyncio.run(run())


def jsonl(outbox: Path) -> dict[str, list[str]]:
    """The files of an outbox with their lines."""
    return {path.name: [line for line in path.read_text().split("\n") if line] for path in outbox.glob("*.jsonl")}


@pytest.mark.parametrize("fields", [{}, FULL], ids=["empty", "full"])
def test_a_record_comes_back_as_it_was(engine: Engine, tmp_path: Path, fields: dict[str, Any]) -> None:
    """Every member, to the last digit of a cost, and readable as soon as the call has returned."""
    record = a_record(**fields)

    async def run() -> None:
        async with a_call_log(engine, tmp_path) as log:
            await log.record(record)
            assert logs.get(engine, str(record.id)) == record

    asyncio.run(run())


def test_a_crowd_shares_a_commit(engine: Engine, tmp_path: Path) -> None:
    """Far fewer statements than records, and each record is there."""
    with counted(engine, "INSERT INTO request_log") as sent:
        write(engine, tmp_path, [a_record() for _ in range(300)])
    assert count(engine) == 300
    assert len(sent) <= 3


def test_a_large_crowd_is_written_in_portions(engine: Engine, tmp_path: Path) -> None:
    """No statement grows without a bound."""
    with counted(engine, "INSERT INTO request_log") as sent:
        write(engine, tmp_path, [a_record() for _ in range(1200)])
    assert (count(engine), len(sent)) == (1200, 3)


def test_a_record_that_cannot_be_stored_does_not_hold_up_the_others(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is set aside for a person to look at; its neighbours of the same commit are stored."""
    good = [a_record() for _ in range(5)]
    bad = a_record(key_id="this is no id", client="the bad one")
    write(engine, tmp_path, [*good[:2], bad, *good[2:]])
    assert count(engine) == 5
    (line,) = jsonl(tmp_path)["outbox.bad.jsonl"]
    assert json.loads(line)["client"] == "the bad one"
    assert "outbox.bad.jsonl" in caplog.text


def test_a_record_twice_is_one_row(engine: Engine, tmp_path: Path) -> None:
    """Where an answer of the database was lost, sending again is harmless."""
    record = a_record()
    write(engine, tmp_path, [record, record])
    write(engine, tmp_path, [record])
    assert count(engine) == 1


def test_while_postgresql_is_away_records_wait_on_the_disk(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call returns all the same; the next process brings them back, each once."""
    monkeypatch.setattr(call_log, "_REPLAY_EVERY_S", 0.05)
    away = make_engine(AWAY)
    write(away, tmp_path, [a_record() for _ in range(3)])
    write(away, tmp_path, [a_record()])
    away.dispose()
    assert sum(len(lines) for lines in jsonl(tmp_path).values()) == 4
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.jsonl")} == {0o600}

    async def start() -> None:
        async with a_call_log(engine, tmp_path):
            assert count(engine) >= 3
            await asyncio.sleep(0.2)

    asyncio.run(start())
    asyncio.run(start())
    assert count(engine) == 4
    assert jsonl(tmp_path) == {}


def test_two_processes_bring_an_outbox_back_once(engine: Engine, tmp_path: Path) -> None:
    """They share a directory; what the one replays the other leaves."""
    Outbox(tmp_path).append([encode_record(a_record()) for _ in range(700)])

    async def both() -> None:
        async with a_call_log(engine, tmp_path), a_call_log(engine, tmp_path):
            assert count(engine) == 700

    asyncio.run(both())
    assert jsonl(tmp_path) == {}


def test_a_replay_that_breaks_off_begins_anew(tmp_path: Path) -> None:
    """Nothing is forgotten before all of it is stored, and what comes meanwhile is not lost."""
    outbox = Outbox(tmp_path)
    lines = [encode_record(a_record()) for _ in range(3)]
    outbox.append(lines[:2])

    def fail(_lines: Sequence[bytes]) -> None:
        outbox.append(lines[2:])
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        outbox.replay(fail)
    stored: list[bytes] = []
    while outbox.has_any():
        outbox.replay(stored.extend)
    assert lines == stored


def test_a_line_that_a_crash_cut_off_is_set_aside(engine: Engine, tmp_path: Path) -> None:
    """The record that follows it is not swallowed."""
    outbox = Outbox(tmp_path)
    whole = encode_record(a_record())
    outbox.append([whole])
    with (tmp_path / "outbox.jsonl").open("ab") as file:
        file.write(whole[:40])
    outbox.append([encode_record(a_record())])
    write(engine, tmp_path, [])
    assert count(engine) == 2
    assert [whole[:40].decode()] == jsonl(tmp_path)["outbox.bad.jsonl"]


def test_without_database_and_disk_records_go_to_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last resort: the log of the container keeps them."""
    (tmp_path / "file").write_text("in the way")
    away = make_engine(AWAY)
    record = a_record(client="the last resort")
    write(away, tmp_path / "file" / "outbox", [record])
    away.dispose()
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["usage_record"]["id"] == str(record.id)


def test_a_straggler_after_the_end_is_not_lost(engine: Engine, tmp_path: Path) -> None:
    """A request that ends while the process stops still leaves its record."""

    async def run() -> None:
        async with a_call_log(engine, tmp_path) as log:
            await log.record(a_record())
            closing = asyncio.create_task(log.close())
            await asyncio.sleep(0)
            await log.record(a_record())
            await closing
            await log.record(a_record())

    asyncio.run(run())
    write(engine, tmp_path, [])
    assert count(engine) == 3


def test_the_last_use_of_a_key_is_noted_to_the_minute(engine: Engine, tmp_path: Path) -> None:
    """Not at each request, and never back in time."""
    admin = an_admin(engine)
    key = keys.create(engine, admin.id, new_secret(), {"name": "k"})
    at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def last_use(*moments: datetime) -> datetime | None:
        async def run() -> None:
            async with a_call_log(engine, tmp_path) as log:
                for moment in moments:
                    await log.record(a_record(key_id=key.id, at=moment))

        asyncio.run(run())
        found = keys.get(engine, key.id)
        assert found is not None
        return found.last_used_at

    assert last_use(at, at + timedelta(seconds=30)) == at
    assert last_use(at - timedelta(hours=1)) == at
    assert last_use(at, at + timedelta(seconds=61)) == at + timedelta(seconds=61)


def test_a_locked_key_holds_up_no_record(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody edits a key in an open transaction: its requests are recorded all the same."""
    monkeypatch.setattr(call_log, "_TOUCH_EVERY", timedelta(0))
    key = keys.create(engine, an_admin(engine).id, new_secret(), {"name": "k"})

    async def run() -> None:
        with engine.connect() as editor:
            editor.execute(text("SELECT * FROM api_keys FOR UPDATE"))
            async with a_call_log(engine, tmp_path) as log:
                began = time.monotonic()
                for _ in range(3):
                    await log.record(a_record(key_id=key.id))
                assert time.monotonic() - began < 2
                editor.rollback()

    asyncio.run(run())
    assert count(engine) == 3
    found = keys.get(engine, key.id)
    assert found is not None
    assert found.last_used_at is not None


def test_a_new_month_has_its_part_of_the_log(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no worker runs: who writes the log makes it, and moves what has come for it."""
    monkeypatch.setattr(call_log, "_REPLAY_EVERY_S", 0.01)
    later = utc_now() + timedelta(days=400)
    monkeypatch.setattr(call_log, "utc_now", lambda: later)

    async def run() -> None:
        async with a_call_log(engine, tmp_path) as log:
            await log.record(a_record(id=uuid7(later), at=later))
            give_up = time.monotonic() + 10
            while partitions.month_of(later) not in partitions.kept(engine):
                assert time.monotonic() < give_up
                await asyncio.sleep(0.02)

    asyncio.run(run())
    with engine.connect() as connection:
        part = connection.execute(text("SELECT tableoid::regclass::text FROM request_log")).scalar_one()
    assert part == partitions.month_of(later).table
