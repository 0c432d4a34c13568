"""Notes the four legs of one request while they pass, for a key that asks for it.

Strategy: nothing here is in the way of a request whose key does not capture: it is told by another gateway, over ports
that are not wrapped. Bytes are only held, up to the limit for a body and the bound over all requests; everything that
takes time (secrets, compression, encryption, the database) comes after the answer.
"""

from ccrouter.captures.legs import UPSTREAM_REQUEST, UPSTREAM_RESPONSE, Captured, OpenLeg, is_wanted
from ccrouter.gateway.call import Call
from ccrouter.http import Headers, HttpRequest
from ccrouter.ports import Captures, SendUpstream, UpstreamResponse

_PIECE_COSTS = 64
"""What holding a piece takes beside its bytes: a stream has thousands of small ones."""


class Capture:
    """The capture of one request; `mode` is its key's."""

    def __init__(self, captures: Captures, call: Call, mode: str) -> None:
        self._captures = captures
        self._call = call
        self._mode = mode
        self._legs: list[OpenLeg] = []
        self._held = 0
        self._dropped = False
        call.record.capture = mode

    def open(self, leg: OpenLeg) -> OpenLeg:
        """Another leg has begun."""
        self._legs.append(leg)
        return leg

    def add(self, leg: OpenLeg, piece: bytes) -> None:
        """So much of a leg's body has passed."""
        leg.size += len(piece)
        room = self._captures.limit - leg.kept
        if self._dropped or room <= 0 or not piece:
            return
        kept = piece[:room]
        if not self._captures.take(len(kept) + _PIECE_COSTS):
            self._drop()
            return
        self._held += len(kept) + _PIECE_COSTS
        leg.kept += len(kept)
        leg.pieces.append(kept)

    def noting(self, upstream: SendUpstream) -> SendUpstream:
        """The way to the platforms, with what passes noted."""
        return _NotedUpstream(upstream, self)

    def begin_try(self, request: HttpRequest) -> OpenLeg:
        """A request to a platform; an answer that goes on in another request makes several for one try."""
        attempt = len(self._call.record.attempts) - 1
        leg = self.open(
            OpenLeg(UPSTREAM_REQUEST, attempt, request.method, request.url, headers=request.headers, ended=True)
        )
        self.add(leg, request.body)
        return leg

    def end(self) -> None:
        """The request is over: what its key does not want is forgotten, the rest goes to be stored."""
        record = self._call.record
        # Without a record it failed in a way that nobody foresaw, which is what captures are for.
        unwanted = self._call.recorded and not is_wanted(self._mode, record.status)
        if unwanted or self._dropped:
            self._forget()
            return
        self._captures.keep(Captured(record.id, record.at, self._legs, self._held))

    def _drop(self) -> None:
        self._dropped = True
        self._forget()

    def _forget(self) -> None:
        self._captures.give_back(self._held)
        self._held = 0
        self._legs = []


class _NotedUpstream:
    """See `ports.SendUpstream`."""

    def __init__(self, upstream: SendUpstream, capture: Capture) -> None:
        self._upstream = upstream
        self._capture = capture

    async def send(self, request: HttpRequest) -> UpstreamResponse:
        asked = self._capture.begin_try(request)
        response = await self._upstream.send(request)
        leg = OpenLeg(UPSTREAM_RESPONSE, asked.attempt, status=response.status, headers=response.headers)
        return _NotedResponse(response, self._capture, self._capture.open(leg))


class _NotedResponse:
    """See `ports.UpstreamResponse`."""

    def __init__(self, response: UpstreamResponse, capture: Capture, leg: OpenLeg) -> None:
        self.status = response.status
        self.headers: Headers = response.headers
        self.connect_ms = response.connect_ms
        self._response = response
        self._capture = capture
        self._leg = leg

    async def read(self, timeout_s: float) -> bytes | None:
        piece = await self._response.read(timeout_s)
        if piece:
            self._capture.add(self._leg, piece)
        elif piece is not None:
            self._leg.ended = True
        return piece

    async def read_all(self, limit: int, timeout_s: float) -> bytes:
        body = await self._response.read_all(limit, timeout_s)
        self._capture.add(self._leg, body)
        self._leg.ended = True
        return body

    def close(self) -> None:
        self._response.close()
