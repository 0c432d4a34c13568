"""What the story of a request needs from outside, as small protocols; adapters live in `storage` and `upstream`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ccrouter.access.keys import ApiKey
from ccrouter.credentials.kinds import Credential
from ccrouter.http import Headers, HttpRequest
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.record import CallRecord
from ccrouter.routing.mapping import Mapping


class UpstreamResponse(Protocol):
    """An answer whose head has arrived; the body is read piece by piece."""

    status: int
    headers: Headers
    connect_ms: int

    async def read(self, timeout_s: float) -> bytes | None:
        """The next bytes, `b""` at the end, None after `timeout_s` seconds of silence (reading may go on).

        Raises StreamBroken when the connection breaks off.
        """

    async def read_all(self, limit: int, timeout_s: float) -> bytes:
        """The whole body. Raises StreamBroken where it is cut or over `limit` bytes, UpstreamTimeout on silence."""

    def close(self) -> None:
        """Ends the exchange; the platform sees the connection close unless the body was read to its end."""


class SendUpstream(Protocol):
    """Sends a request to a platform."""

    async def send(self, request: HttpRequest) -> UpstreamResponse:
        """Answers when the response's head is there.

        Raises UpstreamUnreachable, UpstreamTimeout or UpstreamForbidden.
        """


@dataclass(frozen=True, slots=True)
class RoutingData:
    """What routing and pricing need to know, at most 5 seconds old."""

    credentials: Sequence[Credential]
    """Enabled credentials of all platforms, highest priority first."""
    default_mapping: Mapping
    prices: PriceTable


class Directory(Protocol):
    """Who may ask, and where requests can go."""

    async def find_key(self, digest: str) -> ApiKey | None:
        """The key with this SHA-256 (hexadecimal), at most 5 seconds old. Raises StorageAway when nobody knows."""

    async def routing(self) -> RoutingData:
        """Credentials, default mapping and prices. Raises StorageAway only when they were never read."""


class CallLog(Protocol):
    """Where records go."""

    async def record(self, record: CallRecord) -> None:
        """Returns when the record is durable. Never raises: what the database refuses now goes to the outbox."""


class Reply(Protocol):
    """The client's side of one request; a door implements it."""

    gone: bool
    """Whether the client has left."""
    started: bool
    """Whether status and headers have been sent."""

    async def start(self, status: int, headers: Headers) -> None:
        """Sends status and headers."""

    async def send(self, data: bytes) -> None:
        """Sends a piece of the body; waits while the client is slow."""

    async def finish(self, data: bytes = b"") -> None:
        """Sends the last piece and ends the body."""

    async def cut(self, ending: bytes) -> None:
        """Breaks the connection off, so that the client sees what the platform did.

        Where the server cannot break off (Lambda), `ending` is sent instead and ends the body.
        """

    def let_go(self) -> None:
        """From here on a client that leaves interrupts nothing: the record is being written."""


class RefusalCap(Protocol):
    """Bounds the rows that callers without a valid key can cause."""

    async def admit(self, client_ip: str) -> bool:
        """Whether another row may be written for this address: 60 a minute (`product.md` §6). Never raises."""
