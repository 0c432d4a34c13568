"""Whose turn it is to do what must be done now and then: one process at a time, and once for all of them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from ccrouter.storage.crossing import reason
from ccrouter.storage.tables import chores

if TYPE_CHECKING:
    from sqlalchemy import Engine


def wait_s(engine: "Engine", name: str, every_s: float) -> float:
    """In how many seconds a chore is due, by the database's clock; 0 where it is now."""
    with engine.connect() as connection:
        age = connection.execute(
            select(func.extract("epoch", func.clock_timestamp() - chores.c.began_at)).where(chores.c.name == name)
        ).scalar_one_or_none()
    return 0.0 if age is None else max(0.0, every_s - float(age))


@contextmanager
def turn(engine: "Engine", name: str, every_s: float) -> Iterator[bool]:
    """Whether the caller has the turn; nobody else gets it until the context ends.

    False where another process is at it, or has been meanwhile. How the turn ended is kept; what is raised passes.
    """
    with engine.connect() as connection:
        # A connection of its own: the lock is gone with it, whatever happens, and the pool lacks none meanwhile.
        connection.detach()
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=b"chore").digest(), signed=True)
        taken = connection.execute(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}).scalar_one()
        connection.commit()
        if not taken or wait_s(engine, name, every_s) > 0:
            yield False
            return
        _note(engine, name, began=True)
        failure: str | None = "ended by force"
        try:
            yield True
            failure = None
        except Exception as error:
            failure = reason(error) or type(error).__name__
            raise
        finally:
            _note(engine, name, failure=failure)


def _note(engine: "Engine", name: str, *, began: bool = False, failure: str | None = None) -> None:
    now = func.clock_timestamp()
    values: dict[str, Any] = {"began_at": now} if began else {"ended_at": now, "failure": failure}
    added = insert(chores).values({"name": name, "began_at": now, **values})
    with engine.begin() as connection:
        connection.execute(added.on_conflict_do_update(index_elements=[chores.c.name], set_=values))
