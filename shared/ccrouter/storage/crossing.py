"""The one way from the event loop to blocking database calls."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ccrouter.errors import StorageAway

P = ParamSpec("P")
T = TypeVar("T")

_AWAY_CLASSES = ("08", "57", "53", "28", "3D")
"""SQLSTATE classes that speak of the server, not of the statement: connection, shutdown, resources, sign-in, no such
database."""


class ThreadCrossing:
    """A bounded pool of threads, one per database connection, so that no call waits for a connection."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="ccr-db")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a blocking call in a thread. Raises StorageAway where the database does not answer.

        A caller that is cancelled stops waiting; the call itself runs to its end.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: away_named(function)(*args, **kwargs)
        )

    async def run_within(self, limit_s: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for callers who cannot wait long: raises StorageAway also after `limit_s` seconds."""
        try:
            async with asyncio.timeout(limit_s):
                return await self.run(function, *args, **kwargs)
        except TimeoutError:
            raise StorageAway(f"PostgreSQL does not answer within {limit_s:g} s") from None

    def close(self) -> None:
        """Waits for the calls under way."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def away_named(function: Callable[P, T]) -> Callable[P, T]:
    """The same call, raising StorageAway for every way in which a database can be away."""

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (DBAPIError, PoolTimeout, OSError) as error:
            if is_away(error):
                raise StorageAway(f"PostgreSQL does not answer: {reason(error)}") from error
            raise

    return call


def is_away(error: BaseException) -> bool:
    """Whether an error says that the database cannot be reached, rather than that a statement is wrong."""
    if isinstance(error, (PoolTimeout, OSError, InterfaceError)):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = sqlstate(error)
    if state is not None:
        return state[:2] in _AWAY_CLASSES
    return error.connection_invalidated or isinstance(error, OperationalError)


def never_will(error: BaseException) -> bool:
    """Whether waiting cannot help: the server answered, and knows neither this user, this database nor TLS."""
    return isinstance(error, DBAPIError) and ((sqlstate(error) or "")[:2] in ("28", "3D") or _lacks_tls(error.orig))


def reason(error: BaseException) -> str:
    """The cause in a few words, without statement, parameters or address."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(original.__cause__, OSError):
        # The driver's own sentence only repeats the parameters of the connection.
        return original.__cause__.strerror or str(original.__cause__)
    if _lacks_tls(original):
        return "it does not speak TLS; where the network is your own, add ?sslmode=disable to DATABASE_URL"
    detail: Any = original.args[0] if original.args else type(original).__name__
    if isinstance(detail, dict):
        detail = detail.get("M", "error")
    return str(detail).splitlines()[0][:200]


def _lacks_tls(original: BaseException | None) -> bool:
    return original is not None and original.args[:1] == ("Server refuses SSL",)


def sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's code for the error, None where the server did not give one."""
    detail = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if isinstance(detail, dict):
        state = detail.get("C")
        return state if isinstance(state, str) else None
    return None
