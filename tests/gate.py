"""A TCP forwarder that stands before a server and can be shut, so that tests see what happens while it is away."""

import asyncio
import contextlib
import gc
import socket
import threading
from collections.abc import Coroutine
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit

SOCKETS_LEFT_OPEN = "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
"""A filter for tests of outages: the driver of PostgreSQL leaves the socket of a broken connection to the collector."""


class Gate:
    """Forwards to the server of a URL. `url` is that URL with the gate's own port.

    `shut` refuses new connections and breaks the ones there are; `silence` takes them, and nothing ever comes through.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._behind = (parts.hostname, parts.port)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        user, _, _ = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self._port}"))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._silent = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0

    def __enter__(self) -> "Gate":
        self._thread.start()
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        # Now, under the filter of this test, and not in the middle of another one.
        gc.collect()

    def open(self) -> None:
        """Lets everything through again; what was silent stays so."""
        self._run(self._open())

    def shut(self) -> None:
        """The server is away."""
        self._run(self._shut())

    def silence(self) -> None:
        """The server is there and does not answer."""
        self._silent = True

    def _run(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        self._silent = False
        if self._server is None:
            self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._port)

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        # One turn, so that the forwarding tasks see it.
        await asyncio.sleep(0.02)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        behind_reader, behind_writer = await asyncio.open_connection(*self._behind)
        self._writers |= {writer, behind_writer}
        try:
            await asyncio.gather(self._pump(reader, behind_writer), self._pump(behind_reader, writer))
        finally:
            self._writers -= {writer, behind_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if not self._silent:
                    writer.write(data)
                    await writer.drain()
        writer.close()
