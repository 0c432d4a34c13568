"""A file that is made while it is sent: a few at a time, and whatever they hold is let go when the reader has gone."""

from collections.abc import AsyncIterator, Generator
from itertools import islice
from threading import BoundedSemaphore

import anyio
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ccrouter.admin.problems import Problem

_AT_ONCE = 2
"""Exports of one process: each keeps a connection to the database busy, for as long as its reader takes."""
_RETRY_S = 30


class Exports:
    """Gives out files made in parts."""

    def __init__(self) -> None:
        self._free = BoundedSemaphore(_AT_ONCE)

    def answer(self, parts: Generator[bytes, None, None], name: str, media_type: str) -> "_File":
        """The answer with these parts. Raises Problem 429 when as many as may be are under way."""
        if not self._free.acquire(blocking=False):
            raise Problem(
                429,
                f"{_AT_ONCE} exports are under way. Try again when one of them has ended.",
                code="too_many_exports",
                headers={"Retry-After": str(_RETRY_S)},
            )
        try:
            # Whatever is wrong shows at the first rows, while it can still be said.
            first = list(islice(parts, 2))
        except BaseException:
            self._free.release()
            raise
        return _File(first, parts, self._free, name, media_type)


class _File(StreamingResponse):
    def __init__(
        self,
        first: list[bytes],
        parts: Generator[bytes, None, None],
        held: BoundedSemaphore,
        name: str,
        media_type: str,
    ) -> None:
        self._first, self._parts, self._held = first, parts, held
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        super().__init__(self._read(), media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await run_in_threadpool(self._parts.close)
            finally:
                self._held.release()

    async def _read(self) -> AsyncIterator[bytes]:
        for part in self._first:
            yield part
        while (part := await run_in_threadpool(next, self._parts, b"")) != b"":
            yield part
