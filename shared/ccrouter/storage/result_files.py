"""Files that jobs make, kept in PostgreSQL in parts: neither writing nor reading one holds more than a part."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from ccrouter.ids import uuid7
from ccrouter.ports import ResultFile
from ccrouter.storage.rows import uuid_of
from ccrouter.storage.tables import result_files, result_parts

if TYPE_CHECKING:
    from sqlalchemy import Engine

_PART = 512 * 1024


class DbResultFiles:
    """Implements `ports.ResultFiles`."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def write(self, job_id: str, name: str, media_type: str, chunks: Iterable[bytes]) -> None:
        """See `ResultFiles.write`."""
        file_id, parts, size = uuid7(), 0, 0
        with self._engine.begin() as connection:
            connection.execute(
                insert(result_files).values(id=file_id, job_id=uuid_of(job_id), name=name, media_type=media_type)
            )
        for parts, data in enumerate(_parts(chunks), 1):
            size += len(data)
            with self._engine.begin() as connection:
                connection.execute(insert(result_parts).values(file_id=file_id, number=parts, data=data))
        with self._engine.begin() as connection:
            connection.execute(update(result_files).where(result_files.c.id == file_id).values(parts=parts, size=size))

    def open(self, job_id: str) -> ResultFile | None:
        """See `ResultFiles.open`."""
        with self._engine.connect() as connection:
            row = connection.execute(
                select(result_files)
                .where(result_files.c.job_id == uuid_of(job_id), result_files.c.parts.is_not(None))
                .order_by(result_files.c.id.desc())
                .limit(1)
            ).one_or_none()
        if row is None:
            return None
        return ResultFile(row.name, row.media_type, row.size, self._read(row.id, row.parts))

    def drop_older(self, before: datetime) -> int:
        """See `ResultFiles.drop_older`."""
        with self._engine.begin() as connection:
            return connection.execute(delete(result_files).where(result_files.c.created_at < before)).rowcount

    def _read(self, file_id: UUID, parts: int) -> Iterator[bytes]:
        for number in range(1, parts + 1):
            # A connection for each part: whoever reads slowly must not keep one from the others.
            with self._engine.connect() as connection:
                yield bytes(
                    connection.execute(
                        select(result_parts.c.data).where(
                            result_parts.c.file_id == file_id, result_parts.c.number == number
                        )
                    ).scalar_one()
                )


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        while len(gathered) >= _PART:
            yield bytes(gathered[:_PART])
            del gathered[:_PART]
    if gathered:
        yield bytes(gathered)
