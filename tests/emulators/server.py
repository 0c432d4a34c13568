"""What every emulator is made of: an aiohttp application on a port of its own, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web

CUT = "cut"
"""In a script of chunks: the connection is closed here without the end that the head promised."""
STALL = "stall"
"""In a script of chunks: nothing more comes until the other side leaves."""

Call = tuple[str, dict[str, Any]]
"""A tool's name and its arguments."""


@dataclass
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    client_left: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


class Emulator:
    """Base of the emulators: a subclass adds its routes and answers.

    Use as a context manager. `seen` lists the requests, `violations` what a request must not have been; a test reads
    both. `reset` forgets them. `scenarios` are what `script` takes.
    """

    scenarios: Collection[str] = ()

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.violations: list[str] = []
        self.refusals: list[Any] = []
        """Errors that the next requests get instead, as the emulator's class says."""
        self.call: Call | None = None
        """What `tool_loop` calls; without one the first tool that is offered."""
        self.calls: list[Call] = []
        """What `tool_call` calls, one after another, whatever results have come."""
        self._scenes: list[str] = []
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None

    def routes(self) -> Iterable[web.RouteDef]:
        """The addresses of the service."""
        raise LookupError(f"{type(self).__name__} has no routes")

    def script(self, *scenarios: str) -> None:
        """What the next requests get, in order; afterwards text."""
        assert set(scenarios) <= set(self.scenarios), scenarios
        self._scenes = list(scenarios)

    def reset(self) -> None:
        """Forgets what was seen, and what was to come."""
        self.seen.clear()
        self.violations.clear()
        self.call, self.calls = None, []
        self._scenes, self.refusals = [], []

    def next_scene(self) -> str:
        """What this request gets; `tool_loop` stays."""
        scene = self._scenes.pop(0) if self._scenes else "text"
        if scene == "tool_loop" and not self._scenes:
            self._scenes = ["tool_loop"]
        return scene

    def next_call(self, scene: str) -> Call | None:
        """What a scene calls."""
        return self.calls.pop(0) if scene == "tool_call" and self.calls else self.call

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def note(self, request: web.Request) -> Seen:
        """Reads a request and keeps it."""
        seen = Seen(
            request.method,
            request.raw_path.partition("?")[0],
            dict(request.query),
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        self.seen.append(seen)
        return seen

    async def stream(
        self, request: web.Request, seen: Seen, content_type: str, chunks: Iterable[bytes | float | str]
    ) -> web.StreamResponse:
        """Answers 200 with these chunks; a number waits for seconds, CUT and STALL do as they say."""
        response = web.StreamResponse(headers={"content-type": content_type})
        await response.prepare(request)
        try:
            for chunk in chunks:
                if isinstance(chunk, bytes):
                    await response.write(chunk)
                    await asyncio.sleep(0)
                elif chunk == CUT:
                    if request.transport is not None:
                        request.transport.close()
                    return response
                elif chunk == STALL:
                    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
                        await asyncio.sleep(0.02)
                    raise ConnectionResetError
                else:
                    await asyncio.sleep(float(chunk))
            await response.write_eof()
        except (ConnectionResetError, asyncio.CancelledError):
            seen.client_left.set()
            raise
        return response

    async def _start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes(list(self.routes()))
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        await web.SockSite(self._runner, listening).start()
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"


def cuts(data: bytes, size: int) -> list[bytes]:
    """The data in pieces of this size; 0 leaves it whole."""
    return [data] if size == 0 else [data[at : at + size] for at in range(0, len(data), size)]
