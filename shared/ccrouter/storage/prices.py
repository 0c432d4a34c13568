"""Price versions: every sync or edit adds a whole table, so that a cost can name the prices that made it."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, insert, select

from ccrouter.clock import rfc3339
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.prices import PriceRow, PriceTable
from ccrouter.storage.rows import begun
from ccrouter.storage.tables import price_rows, price_versions

BUILT_IN = "built-in"
_LOCK = 0x7072696365
"""One version at a time, so that two who change the same one are told so."""


class PriceVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version. `list_version` names its list prices, which stay the same where only own prices change."""

    id: str
    list_version: str
    created_at: datetime | None
    source: str
    note: str | None


class StaleVersion(Exception):
    """Another version has come into force since the one that was to be changed."""


def current(place: Engine | Connection) -> PriceVersion:
    """The version in force; where nothing was ever stored, the one that comes with the program."""
    found = versions(place, limit=1)
    if found:
        return found[0]
    builtin = builtin_table().version
    return PriceVersion(id=builtin, list_version=builtin, created_at=None, source=BUILT_IN, note=None)


def current_version(place: Engine | Connection) -> str | None:
    """The id of the newest version, None where nothing was ever stored."""
    found = versions(place, limit=1)
    return found[0].id if found else None


def versions(place: Engine | Connection, limit: int) -> list[PriceVersion]:
    """The versions that were stored last, newest first."""
    newest = price_versions.c.created_at.desc(), price_versions.c.id.desc()
    with begun(place) as connection:
        rows = connection.execute(select(price_versions).order_by(*newest).limit(limit)).all()
    return [PriceVersion(**row._asdict()) for row in rows]


def get(place: Engine | Connection, version: str) -> PriceVersion | None:
    """The version with this id."""
    with begun(place) as connection:
        row = connection.execute(select(price_versions).where(price_versions.c.id == version)).one_or_none()
    return None if row is None else PriceVersion(**row._asdict())


def load(place: Engine | Connection, version: str) -> PriceTable:
    """All rows of a version, in their order."""
    query = select(price_rows.c.row, price_rows.c.own).where(price_rows.c.version == version)
    with begun(place) as connection:
        rows = connection.execute(query.order_by(price_rows.c.position)).all()
    own, listed = ([msgspec.convert(row.row, PriceRow) for row in rows if row.own is which] for which in (True, False))
    return PriceTable(version=version, rows=tuple(listed), own=tuple(own))


def load_current(place: Engine | Connection) -> PriceTable:
    """The table in force."""
    version = current_version(place)
    return builtin_table() if version is None else load(place, version)


def load_known(place: Engine | Connection, version: str) -> PriceTable:
    """A version as `current` names it: the one that comes with the program need not be stored."""
    return builtin_table() if version == builtin_table().version else load(place, version)


def put_list(place: Engine | Connection, table: PriceTable, source: str, note: str | None = None) -> PriceVersion:
    """Puts list prices in force beside the own ones; changes nothing where they are in force already."""
    with begun(place) as connection:
        _wait_for_turn(connection)
        newest = current(connection)
        if newest.created_at is not None and newest.list_version == table.version:
            return newest
        own = load_current(connection).own
        return _store(connection, msgspec.structs.replace(table, own=own), table.version, source, note)


def put_own(
    place: Engine | Connection,
    own: tuple[PriceRow, ...],
    source: str,
    note: str | None = None,
    *,
    if_version: str | None = None,
) -> PriceVersion:
    """Puts other own prices in force before the list's. Raises StaleVersion where `if_version` no longer is."""
    with begun(place) as connection:
        _wait_for_turn(connection)
        newest = current(connection)
        if if_version not in (None, newest.id):
            raise StaleVersion(newest.id)
        table = msgspec.structs.replace(load_current(connection), own=own)
        return _store(connection, table, newest.list_version, source, note)


def _wait_for_turn(connection: Connection) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _store(connection: Connection, table: PriceTable, list_version: str, source: str, note: str | None) -> PriceVersion:
    now = connection.execute(select(func.clock_timestamp())).scalar_one()
    version = PriceVersion(
        # A list by itself has its own name; whatever follows it is told apart by its moment.
        id=list_version
        if not table.own and get(connection, list_version) is None
        else f"{list_version}@{rfc3339(now)}",
        list_version=list_version,
        created_at=now,
        source=source,
        note=note,
    )
    connection.execute(insert(price_versions).values(**msgspec.structs.asdict(version)))
    rows = [(True, row) for row in table.own] + [(False, row) for row in table.rows]
    if rows:
        connection.execute(
            insert(price_rows), [_row(version.id, position, own, row) for position, (own, row) in enumerate(rows)]
        )
    return version


def _row(version: str, position: int, own: bool, row: PriceRow) -> dict[str, Any]:
    return {
        "version": version,
        "position": position,
        "platform": row.platform,
        "model": row.model,
        "own": own,
        "row": msgspec.to_builtins(row, str_keys=True),
    }
