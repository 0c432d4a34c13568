"""Makes the answer of a platform that answers by itself look like one from the network."""

from collections.abc import AsyncIterator

from ccrouter.errors import StreamBroken
from ccrouter.http import Headers
from ccrouter.platforms.contract import CannedAnswer


class CannedResponse:
    """See `ports.UpstreamResponse`; a canned answer is never silent, so no time limit is needed."""

    connect_ms = 0

    def __init__(self, answer: CannedAnswer) -> None:
        self.status = answer.status
        self.headers: Headers = answer.headers
        self._pieces: AsyncIterator[bytes] = answer.pieces

    async def read(self, timeout_s: float) -> bytes | None:
        return await anext(self._pieces, b"")

    async def read_all(self, limit: int, timeout_s: float) -> bytes:
        body = b"".join([piece async for piece in self._pieces])
        if len(body) > limit:
            raise StreamBroken(f"The answer is longer than {limit} bytes.")
        return body

    def close(self) -> None:
        """Nothing to end: nobody is at the other side."""
