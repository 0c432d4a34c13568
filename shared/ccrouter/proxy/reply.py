"""The client's side of a request over ASGI."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ccrouter.http import Headers

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


STALL_LIMIT_S = 300.0
"""A client that reads nothing for so long is given up: as long as clients themselves wait for us.

One on a laptop that sleeps comes back later to a connection that is gone anyway."""
_LOOKS = 4
"""How often in that time somebody looks: a timer for each piece that is sent would cost more than the sending."""


class AsgiReply:
    """See `ports.Reply`.

    From `watch` on, a client that leaves cancels the task that answers it, until `let_go`; one that reads nothing for
    too long cancels it whenever that is.
    `can_cut` is False where the server in front cannot break a connection off (Lambda Web Adapter).
    """

    def __init__(self, receive: Receive, send: Send, *, can_cut: bool) -> None:
        self._receive = receive
        self._send = send
        self._can_cut = can_cut
        self._watcher: asyncio.Task[None] | None = None
        self._answering: asyncio.Task[Any] | None = None
        self._sending: asyncio.Task[Any] | None = None
        self._look_out: asyncio.TimerHandle | None = None
        self._given = self._taken = 0
        """How many messages the server was given, and how many it has taken: it waits until the client has read."""
        self._stuck_at = self._stuck_looks = 0
        self.gone = False
        self.started = False

    def pass_through(self, station: Callable[[Send], Send]) -> None:
        """From here on all that is sent goes through a station first."""
        self._send = station(self._send)

    def watch(self) -> None:
        """Begins to notice a client that leaves; the request's body must have been read."""
        self._answering = asyncio.current_task()
        self._watcher = asyncio.create_task(self._wait_for_disconnect())

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        self._sending = asyncio.current_task()
        self._look_later()
        self._given += 1
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            }
        )
        self._taken = self._given

    async def send(self, data: bytes) -> None:
        self._given += 1
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._taken = self._given

    async def finish(self, data: bytes = b"") -> None:
        self._watch_no_more()
        self._given += 1
        await self._send({"type": "http.response.body", "body": data, "more_body": False})
        self._taken = self._given

    async def cut(self, ending: bytes) -> None:
        if not self._can_cut:
            await self.finish(ending)
            return
        # A body that is left without its end makes the server close the connection: the client sees it break.
        self._watch_no_more()

    def let_go(self) -> None:
        self._answering = None

    def close(self) -> None:
        """Stops watching."""
        self._watch_no_more()
        if self._look_out is not None:
            self._look_out.cancel()

    def _look_later(self) -> None:
        self._look_out = asyncio.get_running_loop().call_later(STALL_LIMIT_S / _LOOKS, self._look)

    def _look(self) -> None:
        # Counting looks instead of asking for the time leaves a piece of a stream two additions.
        is_stuck = self._given != self._taken
        self._stuck_looks = self._stuck_looks + 1 if is_stuck and self._stuck_at == self._given else 0
        self._stuck_at = self._given
        if self._stuck_looks < _LOOKS or self._sending is None:
            self._look_later()
            return
        self.gone = True
        self._sending.cancel()

    def _watch_no_more(self) -> None:
        self.let_go()
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._answering is not None:
            self._answering.cancel()
