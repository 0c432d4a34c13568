"""A platform in the test's own loop, and the upstream leg before it."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ccrouter.http import HttpRequest
from ccrouter.networks import Network
from ccrouter.upstream import AiohttpResponse, AiohttpUpstream

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-answer: 1\r\n\r\nHello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server in the test's own loop; `serve` is one connection's whole life."""

    def __init__(self, serve: Exchange) -> None:
        self._serve = serve
        self.requests: list[bytes] = []
        self.connections = 0
        self.arrived = asyncio.Event()
        self.ended = asyncio.Event()
        self.url = ""

    async def take(self, reader: asyncio.StreamReader) -> bytes:
        """The next request of a connection; raises IncompleteReadError when it is closed instead."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.requests.append(head + await reader.readexactly(length))
        self.arrived.set()
        return self.requests[-1]

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What the socket calls."""
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.ended.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(serve: Callable[[Server], Exchange]) -> AsyncIterator[Server]:
    """A server for one test."""
    server = Server(lambda reader, writer: serve(server)(reader, writer))
    listening = await asyncio.start_server(server.connection, "127.0.0.1", 0, limit=2**26)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()


def answering(*replies: bytes, close: bool = False) -> Callable[[Server], Exchange]:
    """Each request of a connection gets the next of these; then the connection closes, or waits for its end."""

    def serve(server: Server) -> Exchange:
        async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for reply in replies:
                await server.take(reader)
                writer.write(reply)
                await writer.drain()
            if not close:
                await server.take(reader)

        return exchange

    return serve


class Leg(AiohttpUpstream):
    """Closes what a test leaves open, as the gateway does."""

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__(networks)
        self._responses: list[AiohttpResponse] = []

    async def send(self, request: HttpRequest) -> AiohttpResponse:
        self._responses.append(await super().send(request))
        return self._responses[-1]

    async def close(self) -> None:
        for response in self._responses:
            response.close()
        await super().close()


def a_request(url: str, body: bytes = b"{}", **fields: Any) -> HttpRequest:
    """A request of the gateway's."""
    return HttpRequest("POST", f"{url}/v1/messages?beta=true", [("x-api-key", "k")], body, **fields)


def run(serve: Callable[[Server], Exchange], work: Callable[[Server, Leg], Coroutine[Any, Any, Any]]) -> Any:
    """Runs a test with a server and a leg that may reach it."""

    async def with_both() -> Any:
        upstream = Leg(LOOPBACK)
        async with serving(serve) as server:
            try:
                async with asyncio.timeout(15):
                    return await work(server, upstream)
            finally:
                await upstream.close()

    return asyncio.run(with_both())
