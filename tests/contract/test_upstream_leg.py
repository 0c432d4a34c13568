"""The upstream leg on real sockets: what it sends, and how a connection and an answer end."""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.contract.platform_server import (
    CHUNKED,
    HELLO,
    LOOPBACK,
    Exchange,
    Leg,
    Server,
    a_request,
    answering,
    run,
)
from tests.raw_platform import closed_port

from ccrouter import upstream as leg
from ccrouter.errors import StreamBroken, UpstreamTimeout, UpstreamUnreachable
from ccrouter.http import header


def test_what_is_sent_is_what_was_built() -> None:
    """No header of the library's own, the query as it is, the body with its length."""

    async def work(server: Server, upstream: Leg) -> None:
        response = await upstream.send(a_request(server.url, b'{"a": 1}'))
        assert await response.read_all(100, 1) == b"Hello"
        host = server.url.removeprefix("http://")
        (sent,) = server.requests
        head, _, body = sent.partition(b"\r\n\r\n")
        assert body == b'{"a": 1}'
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /v1/messages?beta=true HTTP/1.1"
        assert sorted(line.lower() for line in lines[1:]) == ["content-length: 8", f"host: {host}", "x-api-key: k"]
        assert (response.status, header(response.headers, "x-answer")) == (200, "1")

    run(answering(HELLO), work)


def test_a_large_body_arrives_whole() -> None:
    """Also where it is written piece by piece."""
    body = bytes(range(256)) * 20_000

    async def work(server: Server, upstream: Leg) -> None:
        await upstream.send(a_request(server.url, body))
        assert server.requests[0].endswith(b"\r\n\r\n" + body)
        assert b"transfer-encoding" not in server.requests[0][:500].lower()

    run(answering(HELLO), work)


def test_connections_are_used_again() -> None:
    """A connection goes back when its answer was read to its end; cookies are not kept."""

    async def work(server: Server, upstream: Leg) -> None:
        for _ in range(3):
            response = await upstream.send(a_request(server.url))
            await response.read_all(100, 1)
            response.close()
        assert (len(server.requests), server.connections) == (3, 1)
        assert b"cookie" not in server.requests[2].lower()

    with_cookie = HELLO.replace(b"x-answer: 1", b"set-cookie: a=b")
    run(answering(with_cookie, with_cookie, HELLO), work)


def test_a_pooled_connection_that_closed_is_replaced_once() -> None:
    """The platform closed it while it was idle: nobody has seen the request yet."""

    async def work(server: Server, upstream: Leg) -> None:
        for _ in range(3):
            response = await upstream.send(a_request(server.url))
            assert await response.read_all(100, 1) == b"Hello"
        assert server.connections == 3

    def serve(server: Server) -> Exchange:
        async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.take(reader)
            writer.write(HELLO)
            # Closes only when the next request comes, so that the pool cannot know.
            await reader.read(1)

        return exchange

    run(serve, work)


def breaking(after_s: float, beginning: bytes = b"") -> Callable[[Server], Exchange]:
    """The first connection answers, reads a second request, works on it, begins an answer or not, and closes.

    Those after it only read.
    """

    def serve(server: Server) -> Exchange:
        async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if server.connections == 1:
                await server.take(reader)
                writer.write(HELLO)
                await writer.drain()
            await server.take(reader)
            await asyncio.sleep(after_s)
            writer.write(beginning)
            await writer.drain()

        return exchange

    return serve


@pytest.mark.parametrize(
    ("after_s", "beginning", "method", "times"),
    [
        (0.0, b"", "POST", 3),
        (0.5, b"", "POST", 2),
        (0.0, b"HTTP/1.1 200 OK\r\nx-a", "POST", 2),
        (0.5, b"", "GET", 3),
    ],
    ids=["at once", "after some work", "within the answer", "harmless twice"],
)
def test_a_request_that_was_read_is_not_sent_twice(
    monkeypatch: pytest.MonkeyPatch, after_s: float, beginning: bytes, method: str, times: int
) -> None:
    """A platform may have begun to work, and to count, when a pooled connection breaks later than at once."""
    monkeypatch.setattr(leg, "_REPEAT_WITHIN_S", 0.4)

    async def work(server: Server, upstream: Leg) -> None:
        request = replace(a_request(server.url), method=method)
        await (await upstream.send(request)).read_all(100, 1)
        with pytest.raises(UpstreamUnreachable):
            await upstream.send(request)
        assert len(server.requests) == times

    run(breaking(after_s, beginning), work)


def test_a_fresh_connection_that_closes_is_no_reason_to_ask_twice() -> None:
    """The platform may have begun to work."""

    async def work(server: Server, upstream: Leg) -> None:
        with pytest.raises(UpstreamUnreachable):
            await upstream.send(a_request(server.url))
        assert (server.connections, len(server.requests)) == (1, 1)

    run(answering(b"", close=True), work)


def test_nobody_there_is_said_with_the_name_only() -> None:
    """The sentence is for the row: host and cause, no secret, no stack."""

    async def work() -> None:
        upstream = Leg(LOOPBACK)
        with pytest.raises(UpstreamUnreachable, match=r"^No answer from 127\.0\.0\.1: .+\.$"):
            await upstream.send(a_request(f"http://127.0.0.1:{closed_port()}"))
        await upstream.close()

    asyncio.run(work())


def test_a_connection_that_is_not_taken_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that drops packets."""
    monkeypatch.setattr(leg, "CONNECT_TIMEOUT_S", 0.3)

    async def work() -> None:
        upstream = Leg(LOOPBACK)
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            address = full.getsockname()
            waiting = [socket.socket() for _ in range(4)]
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(address)
            began = time.monotonic()
            with pytest.raises(UpstreamUnreachable, match=r"within 0\.3 s"):
                await upstream.send(a_request(f"http://127.0.0.1:{address[1]}"))
            assert time.monotonic() - began < 2
            for client in waiting:
                client.close()
        await upstream.close()

    asyncio.run(work())


def test_an_answer_that_does_not_begin_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the platform sees the connection close."""
    monkeypatch.setattr(leg, "HEAD_TIMEOUT_S", 0.2)

    async def work(server: Server, upstream: Leg) -> None:
        with pytest.raises(UpstreamTimeout, match=r"within 0\.2 s"):
            await upstream.send(a_request(server.url))
        async with asyncio.timeout(1):
            await server.ended.wait()

    run(answering(b""), work)


def test_a_platform_may_be_given_less_time() -> None:
    """By the request itself."""

    async def work(server: Server, upstream: Leg) -> None:
        with pytest.raises(UpstreamTimeout, match=r"within 0\.2 s"):
            await upstream.send(replace(a_request(server.url), head_within_s=0.2))

    run(answering(b""), work)


def test_a_request_that_is_cancelled_closes_the_connection() -> None:
    """Before the answer begins."""

    async def work(server: Server, upstream: Leg) -> None:
        task = asyncio.create_task(upstream.send(a_request(server.url)))
        await server.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(1):
            await server.ended.wait()

    run(answering(b""), work)


def test_an_answer_that_is_not_read_to_its_end_closes_the_connection() -> None:
    """Closing is what ends the platform's work."""

    async def work(server: Server, upstream: Leg) -> None:
        response = await upstream.send(a_request(server.url))
        assert await response.read(1) == b"Hel"
        response.close()
        async with asyncio.timeout(1):
            await server.ended.wait()

    run(answering(CHUNKED + b"3\r\nHel\r\n"), work)


def test_silence_is_told_and_reading_goes_on() -> None:
    """None after the given time; then what comes later."""

    def serve(server: Server) -> Exchange:
        async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.take(reader)
            writer.write(CHUNKED + b"1\r\na\r\n")
            await asyncio.sleep(0.3)
            writer.write(b"1\r\nb\r\n0\r\n\r\n")
            await server.take(reader)

        return exchange

    async def work(server: Server, upstream: Leg) -> None:
        response = await upstream.send(a_request(server.url))
        assert [await response.read(0.1) for _ in range(2)] == [b"a", None]
        assert await response.read(0) is None
        assert [await response.read(1) for _ in range(3)] == [b"b", b"", b""]

    run(serve, work)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_chunk_borders_carry_no_meaning(size: int) -> None:
    """Every byte, in order, whatever the framing."""
    body = "Grüße 世界 ".encode() * 20
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)

    async def work(server: Server, upstream: Leg) -> None:
        response = await upstream.send(a_request(server.url))
        received = b""
        while piece := await response.read(1):
            received += piece
        assert body == received

    run(answering(CHUNKED + chunks + b"0\r\n\r\n"), work)


def test_what_is_there_is_read_at_once() -> None:
    """One read brings all that has arrived, so that a burst is one write for the client."""
    chunks = b"".join(b"5\r\n%05d\r\n" % number for number in range(60))

    async def work(server: Server, upstream: Leg) -> None:
        response = await upstream.send(a_request(server.url))
        await asyncio.sleep(0.05)
        assert await response.read(1) == b"".join(b"%05d" % number for number in range(60))

    run(answering(CHUNKED + chunks + b"0\r\n\r\n"), work)


@pytest.mark.parametrize(
    "cut", [b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf", CHUNKED + b"8\r\nha", CHUNKED + b"4\r\nhalf\r\n"]
)
def test_an_answer_that_is_cut_is_never_taken_for_whole(cut: bytes) -> None:
    """Neither with a length nor in chunks."""

    async def work(server: Server, upstream: Leg) -> None:
        response = await upstream.send(a_request(server.url))
        with pytest.raises(StreamBroken, match=r"127\.0\.0\.1 broke off"):
            await response.read_all(1000, 1)

    run(answering(cut, close=True), work)


def test_a_body_is_read_up_to_a_limit() -> None:
    """Longer ones, and silent ones, are errors."""

    async def work(server: Server, upstream: Leg) -> None:
        response = await upstream.send(a_request(server.url))
        with pytest.raises(StreamBroken, match="longer than 4 bytes"):
            await response.read_all(4, 1)
        response.close()
        response = await upstream.send(a_request(server.url))
        assert await response.read_all(5, 1) == b"Hello"

    run(answering(HELLO, HELLO), work)

    async def wait(server: Server, upstream: Leg) -> None:
        response = await upstream.send(a_request(server.url))
        with pytest.raises(UpstreamTimeout, match="went silent"):
            await response.read_all(100, 0.1)
        response.close()

    run(answering(HELLO[:-2]), wait)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would see every secret, and go around the check of addresses."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def work(server: Server, upstream: Leg) -> None:
        assert (await upstream.send(a_request(server.url))).status == 200

    run(answering(HELLO), work)
