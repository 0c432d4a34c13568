"""Price versions: every sync or edit adds a whole table, so that a cost can name the prices that made it."""

import msgspec
from sqlalchemy import Engine, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from ccrouter.clock import utc_now
from ccrouter.metering.prices import PriceRow, PriceTable
from ccrouter.storage.tables import price_rows, price_versions


def current_version(engine: Engine) -> str | None:
    """The id of the newest version, None where nothing was ever stored."""
    with engine.connect() as connection:
        return connection.execute(
            select(price_versions.c.id)
            .order_by(price_versions.c.created_at.desc(), price_versions.c.id.desc())
            .limit(1)
        ).scalar_one_or_none()


def load(engine: Engine, version: str) -> PriceTable:
    """All rows of a version, in their order."""
    with engine.connect() as connection:
        rows = connection.execute(
            select(price_rows.c.row).where(price_rows.c.version == version).order_by(price_rows.c.position)
        ).scalars()
        return PriceTable(version=version, rows=tuple(msgspec.convert(row, PriceRow) for row in rows))


def put(engine: Engine, table: PriceTable, source: str, note: str | None = None) -> bool:
    """Makes a table the current one; False (and nothing written) where this version is stored already."""
    with engine.begin() as connection:
        made = connection.execute(
            upsert(price_versions)
            .values(id=table.version, created_at=utc_now(), source=source, note=note)
            .on_conflict_do_nothing(index_elements=["id"])
        ).rowcount
        if made and table.rows:
            connection.execute(
                insert(price_rows),
                [
                    {
                        "version": table.version,
                        "position": position,
                        "platform": row.platform,
                        "model": row.model,
                        "row": msgspec.to_builtins(row, str_keys=True),
                    }
                    for position, row in enumerate(table.rows)
                ],
            )
    return bool(made)
