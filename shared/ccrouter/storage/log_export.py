"""The request log as CSV: any number of rows, never more than a part of them in memory."""

from collections.abc import Callable, Generator
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Engine, Text, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import array

from ccrouter.messages.usage import Usage
from ccrouter.storage.log_filters import LogFilters, conditions, settle
from ccrouter.storage.tables import request_log

BOM = "\ufeff".encode()
"""What makes spreadsheet programs read a file as UTF-8."""
_ROWS_AT_ONCE = 2000
_LINE = "\r\n"

_Cell = ColumnElement[Any]
_log = request_log.c


def chunks(
    engine: Engine,
    filters: LogFilters,
    *,
    with_credentials: bool,
    bom: bool,
    progress: Callable[[datetime], None] | None = None,
) -> Generator[bytes, None, None]:
    """The rows that filters leave, newest first, below a line of names; `progress` hears back to when they go so far.

    The database makes the lines and keeps its place in them (a cursor), so that this process only passes them on. The
    connection is in use until the end: `engine` should be one whose connections nobody else waits for.
    """
    cells = _cells(with_credentials)
    line = func.array_to_string(array(list(cells.values())), ",", "") + literal(_LINE)
    with engine.connect() as connection:
        wanted = conditions(settle(connection, filters))
        query = select(line, _log.at).where(*wanted).order_by(_log.id.desc())
        rows = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query)
        yield (BOM if bom else b"") + (",".join(cells) + _LINE).encode()
        for part in rows.partitions():
            yield "".join(text for text, _ in part).encode()
            if progress is not None:
                progress(part[-1].at)


def job_arguments(filters: LogFilters, *, with_credentials: bool, bom: bool) -> dict[str, Any]:
    """What that job is told: the arguments of `chunks`, as JSON holds them."""
    return {"filters": msgspec.to_builtins(filters), "with_credentials": with_credentials, "bom": bom}


def file_name(moment: datetime) -> str:
    """What an export made at this moment is called."""
    return f"requests-{moment:%Y-%m-%d-%H%M%S}.csv"


def _cells(with_credentials: bool) -> dict[str, _Cell]:
    """The columns: a LogRow (`product.md` §7), flat."""
    return {
        "id": _plain(_log.id),
        "at": func.to_char(func.timezone("UTC", _log.at), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        **{name: _said(_log[name]) for name in ("kind", "status")},
        "http_status": _plain(_log.http_status),
        **{name: _said(_log[name]) for name in ("request_id", "upstream_request_id")},
        "key_id": _plain(_log.key_id),
        "key": _said(_log.key_name),
        "user_id": _plain(_log.user_id),
        "user": _said(_log.user_login),
        **{
            name: _said(_log[name])
            for name in (
                *("session_id", "agent_id", "parent_agent_id", "client", "client_ip"),
                *("requested_model", "slot", "rule", "platform", "model"),
            )
        },
        **_credential(with_credentials),
        "stream": _plain(_log.stream),
        **{name: _said(_log[name]) for name in ("stop_reason", "error_type", "error_message")},
        **{field.name: _plain(_log[field.name]) for field in msgspec.structs.fields(Usage)},
        "usage_state": _said(_log.usage_state),
        "cost": _plain(func.trim_scale(_log.cost_total)),
        **{f"cost_{item}": _amount(item) for item in ("input", "output", "cache_read", "cache_write", "other")},
        "cost_state": _said(_log.cost_state),
        "price_version": _said(_log.cost["price_version"].astext),
        "ttft_ms": _plain(_log.ttft_ms),
        "duration_ms": _plain(_log.duration_ms),
        "attempts": _plain(func.jsonb_array_length(_log.attempts)),
    }


def _credential(shown: bool) -> dict[str, _Cell]:
    return {"credential_id": _plain(_log.credential_id), "credential": _said(_log.credential_name)} if shown else {}


def _plain(value: ColumnElement[Any]) -> _Cell:
    """A number, an id or a truth value."""
    return cast(value, Text)


def _amount(item: str) -> _Cell:
    """One item of the cost, without exponent and without zeros at its end."""
    return _plain(func.trim_scale(cast(_log.cost[item].astext, _log.cost_total.type)))


def _said(value: ColumnElement[Any]) -> _Cell:
    """A text, quoted. Spreadsheet programs compute a cell that begins like a formula, and what a client or a platform
    said may be anybody's words: an apostrophe makes a text of it (OWASP, "CSV Injection")."""
    text = cast(value, Text)
    safe = case((text.regexp_match(r"^[=+@\t\r-]"), literal("'") + text), else_=text)
    quoted: _Cell = literal('"') + func.replace(safe, '"', '""') + literal('"')
    return quoted
