"""The upstream leg: sends requests to platforms with aiohttp; knows no protocol and no routing.

Addresses that administrators enter may be public ones only, checked for literal addresses before and for names at
connect time (anthropic-passthrough.md §3); addresses from the operator's environment are not restricted.
"""

import asyncio
import io
import ipaddress
import socket
from collections.abc import Sequence
from types import SimpleNamespace

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from ccrouter.clock import monotonic_s
from ccrouter.errors import StreamBroken, UpstreamForbidden, UpstreamTimeout, UpstreamUnreachable
from ccrouter.http import Headers, HttpRequest, decode_headers
from ccrouter.networks import Network, is_allowed

CONNECT_TIMEOUT_S = 10
HEAD_TIMEOUT_S = 600
"""How long a platform may take to begin its answer: the SDKs' own limit (anthropic-messages.md §14)."""
_KEEP_ALIVE_S = 50
"""Below the usual 60 s of servers, so that a pooled connection is rarely closed under a request."""
_REPEAT_WITHIN_S = 1.0
"""How soon a connection must break for the request not to have been read (docs/decisions/0008)."""
_READ_BUFFER = 256 * 1024
_LARGE_BODY = 1024 * 1024

_AUTO_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class AiohttpUpstream:
    """One connection pool for restricted and one for unrestricted addresses, made at the first request."""

    def __init__(self, private_networks: Sequence[Network]) -> None:
        self._private_networks = tuple(private_networks)
        self._guarded: aiohttp.ClientSession | None = None
        self._open: aiohttp.ClientSession | None = None

    async def send(self, request: HttpRequest) -> "AiohttpResponse":
        """See `ports.SendUpstream`. A pooled connection that was closed already when it was taken is replaced once."""
        url = URL(request.url, encoded=True)
        if not request.open_network:
            self._check_literal(url)
        session = self._session(request.open_network)
        began = monotonic_s()
        within_s = request.head_within_s or HEAD_TIMEOUT_S
        for last_try in (False, True):
            connection = SimpleNamespace(reused=False)
            sent_s = monotonic_s()
            try:
                async with asyncio.timeout(within_s):
                    response = await session.request(
                        request.method,
                        url,
                        # A file is written piece by piece; bytes would be copied into the socket's buffer at once.
                        data=request.body if len(request.body) < _LARGE_BODY else io.BytesIO(request.body),
                        headers=request.headers,
                        allow_redirects=False,
                        skip_auto_headers=_AUTO_HEADERS,
                        trace_request_ctx=connection,
                    )
            except UpstreamForbidden:
                raise
            except TimeoutError as error:
                if isinstance(error, aiohttp.ConnectionTimeoutError):
                    raise UpstreamUnreachable(f"No connection to {url.host} within {CONNECT_TIMEOUT_S} s.") from error
                raise UpstreamTimeout(f"{url.host} sent no answer within {within_s:g} s.") from error
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if connection.reused and not last_try and _was_unread(request, error, monotonic_s() - sent_s):
                    continue
                raise UpstreamUnreachable(_sentence(url, error)) from error
            except (aiohttp.ClientError, ValueError) as error:
                raise UpstreamUnreachable(_sentence(url, error)) from error
            return AiohttpResponse(response, connect_ms=round((monotonic_s() - began) * 1000))
        raise AssertionError("the second try returns or raises")

    async def close(self) -> None:
        """Closes the pools."""
        for session in (self._guarded, self._open):
            if session is not None:
                await session.close()
        self._guarded = self._open = None

    def _session(self, open_network: bool) -> aiohttp.ClientSession:
        if open_network:
            if self._open is None:
                self._open = _new_session(None)
            return self._open
        if self._guarded is None:
            self._guarded = _new_session(_GuardedResolver(self._private_networks))
        return self._guarded

    def _check_literal(self, url: URL) -> None:
        try:
            address = ipaddress.ip_address(url.host or "")
        except ValueError:
            return
        if not is_allowed(address, self._private_networks):
            raise _forbidden(url.host or "", str(address))


class AiohttpResponse:
    """See `ports.UpstreamResponse`."""

    def __init__(self, response: aiohttp.ClientResponse, connect_ms: int) -> None:
        self._response = response
        self.status = response.status
        self.headers: Headers = decode_headers(response.raw_headers)
        self.connect_ms = connect_ms

    async def read(self, timeout_s: float) -> bytes | None:
        content = self._response.content
        try:
            waiting = content.read_nowait()
            if waiting or content.at_eof():
                return waiting
            async with asyncio.timeout(timeout_s):
                return await content.readany()
        except TimeoutError:
            return None
        except (aiohttp.ClientError, OSError) as error:
            raise StreamBroken(f"The connection to {self._response.url.host} broke off during the answer.") from error

    async def read_all(self, limit: int, timeout_s: float) -> bytes:
        pieces = []
        size = 0
        while (piece := await self.read(timeout_s)) != b"":
            if piece is None:
                raise UpstreamTimeout(f"{self._response.url.host} went silent during the answer.")
            size += len(piece)
            if size > limit:
                raise StreamBroken(f"The answer of {self._response.url.host} is longer than {limit} bytes.")
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        # A response read to its end has given its connection back already; then this does nothing.
        self._response.close()


class _GuardedResolver(AbstractResolver):
    """Resolves names to addresses that are allowed, at the moment of connecting: a name may change its address."""

    def __init__(self, private_networks: Sequence[Network]) -> None:
        self._private_networks = private_networks
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [
            result for result in found if is_allowed(ipaddress.ip_address(result["host"]), self._private_networks)
        ]
        if not allowed:
            raise _forbidden(host, ", ".join(result["host"] for result in found))
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


def _new_session(resolver: AbstractResolver | None) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()

    async def mark_reused(
        _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
    ) -> None:
        context.trace_request_ctx.reused = True

    trace.on_connection_reuseconn.append(mark_reused)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, ttl_dns_cache=60, keepalive_timeout=_KEEP_ALIVE_S, resolver=resolver or ThreadedResolver()
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
        read_bufsize=_READ_BUFFER,
        trace_configs=[trace],
    )


def _was_unread(request: HttpRequest, error: aiohttp.ClientError, after_s: float) -> bool:
    """Whether a request on a pooled connection can be sent once more, since nobody has read it.

    A platform closes idle connections; a request that crosses that meets a reset at once. One that has read it and
    breaks off later may have begun to work, and to count. What is harmless twice (GET) aiohttp repeats by itself.
    """
    if request.method != "POST" or isinstance(error, aiohttp.ClientConnectorError):
        return False
    # aiohttp gives the head as far as it came, or a sentence where nothing came.
    answer_began = isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)
    return not answer_began and after_s < _REPEAT_WITHIN_S


def _forbidden(host: str, addresses: str) -> UpstreamForbidden:
    return UpstreamForbidden(
        f"The address {host} ({addresses}) lies in a private network. "
        "The operator may open it with CCR_PRIVATE_UPSTREAMS (link-local addresses never)."
    )


def _sentence(url: URL, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return f"No answer from {url.host}: {reason}."
