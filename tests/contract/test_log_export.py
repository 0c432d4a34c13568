"""The log as CSV."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.contract.log_rows import CREDENTIAL, KEY, NOON, a_row, cost_of

from ccrouter.messages.usage import Usage
from ccrouter.metering.record import Attempt
from ccrouter.storage import log_export
from ccrouter.storage.engine import make_engine
from ccrouter.storage.log_filters import LogFilters


@pytest.fixture
def patient(database_url: str) -> Iterator[Engine]:
    """An engine as exports have it."""
    engine = make_engine(database_url, pool_size=0)
    yield engine
    engine.dispose()


def read(engine: Engine, filters: LogFilters | None = None, **options: Any) -> list[dict[str, str]]:
    """The rows of a file."""
    values = {"with_credentials": True, "bom": False} | options
    text = b"".join(log_export.chunks(engine, filters or LogFilters(), **values)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_each_row_is_a_line_under_the_names(engine: Engine, patient: Engine) -> None:
    """Newest first, values as the API writes them."""
    older = a_row(engine, NOON - timedelta(days=40))
    newer = a_row(
        engine, NOON, key_id=KEY, key_name="laptop", credential_id=CREDENTIAL, credential_name="main", stream=True,
        cost=cost_of("0.5000000"), cost_state="priced", usage=Usage(input_tokens=12, output_tokens=3),
        duration_ms=1500, attempts=[Attempt(platform="p", model="m")] * 2, error_message='two\nlines, "quoted"',
    )  # fmt: skip
    first, second = read(patient)
    assert (first["id"], second["id"]) == (newer, older)
    expected = {
        "at": "2026-11-23T12:00:00.000Z", "key": "laptop", "key_id": KEY, "credential": "main", "stream": "true",
        "cost": "0.5", "cost_input": "0.5", "cost_output": "0", "input_tokens": "12", "duration_ms": "1500",
        "attempts": "2", "error_message": 'two\nlines, "quoted"', "agent_id": "",
    }  # fmt: skip
    assert {name: first[name] for name in expected} == expected
    assert (second["cost"], second["input_tokens"], second["key"]) == ("", "", "")


@pytest.mark.parametrize("mark", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(engine: Engine, patient: Engine, mark: str) -> None:
    """What a client says, or a platform, or a key's name, is text in every spreadsheet program."""
    said = f"{mark}1+cmd|' /C calc'!A0"
    a_row(engine, NOON, session_id=said, client=said, key_name=said, error_message=f"fine {said}")
    (row,) = read(patient)
    assert row["session_id"] == row["client"] == row["key"] == "'" + said
    assert row["error_message"] == f"fine {said}"


def test_members_get_no_column_of_credentials(engine: Engine, patient: Engine) -> None:
    """Neither by name nor by content."""
    a_row(engine, NOON, credential_id=CREDENTIAL, credential_name="main account")
    (row,) = read(patient, with_credentials=False)
    assert not [name for name in row if "credential" in name]
    assert "main account" not in row.values()
    assert CREDENTIAL not in row.values()


def test_a_file_begins_with_a_mark_where_asked(patient: Engine) -> None:
    """Spreadsheet programs read it as UTF-8 only then; also a file without rows names its columns."""
    chunks = {
        bom: b"".join(log_export.chunks(patient, LogFilters(), with_credentials=False, bom=bom))
        for bom in (False, True)
    }
    assert chunks[True] == b"\xef\xbb\xbf" + chunks[False]
    assert chunks[False].startswith(b"id,at,kind,")
    assert chunks[False].endswith(b"\r\n")


def test_filters_hold_and_every_row_comes_once(
    engine: Engine, patient: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many parts it takes; each part tells back to when it goes."""
    monkeypatch.setattr(log_export, "_ROWS_AT_ONCE", 3)
    made = [a_row(engine, NOON + timedelta(minutes=n), status=("ok", "error")[n % 2]) for n in range(20)]
    reached: list[datetime] = []
    rows = read(patient, LogFilters(status=("error",), q=None), progress=reached.append)
    assert [row["id"] for row in rows] == list(reversed(made[1::2]))
    assert reached == sorted(reached, reverse=True)
    assert reached[-1] == NOON + timedelta(minutes=1)
    assert len(reached) == 4
