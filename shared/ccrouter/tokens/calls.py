"""Calls to sign-in services: short, repeated twice where that may help (kiro.md §3.7)."""

import asyncio
from collections.abc import Sequence

from ccrouter.errors import SignInFailed, StreamBroken, UpstreamForbidden, UpstreamTimeout, UpstreamUnreachable
from ccrouter.http import Headers, HttpRequest
from ccrouter.ports import SendUpstream

_WITHIN_S = 30.0
_PAUSES_S = (0.5, 2.0)
_LARGEST = 4 * 1024 * 1024

Answer = tuple[int, Headers, bytes]


class ServiceCalls:
    """Sends requests; network failures, 429 and 5xx are tried again after a pause."""

    def __init__(self, upstream: SendUpstream, *, pauses_s: Sequence[float] = _PAUSES_S) -> None:
        self._upstream = upstream
        self._pauses_s = tuple(pauses_s)

    async def ask(self, request: HttpRequest) -> Answer:
        """Status, headers and body of the answer. Raises SignInFailed where there is none."""
        for pause_s in (*self._pauses_s, None):
            try:
                answer = await self._once(request)
            except UpstreamForbidden as failure:
                raise SignInFailed(failure.message, needs_login=False) from failure
            except (UpstreamUnreachable, UpstreamTimeout, StreamBroken, TimeoutError) as failure:
                if pause_s is None:
                    said = getattr(failure, "message", f"No answer within {_WITHIN_S:g} s.")
                    raise SignInFailed(
                        f"The sign-in service could not be reached: {said}", needs_login=False
                    ) from failure
            else:
                if pause_s is None or (answer[0] != 429 and answer[0] < 500):
                    return answer
            await asyncio.sleep(pause_s)
        raise AssertionError("the last try returns or raises")

    async def _once(self, request: HttpRequest) -> Answer:
        async with asyncio.timeout(_WITHIN_S):
            response = await self._upstream.send(request)
            try:
                return response.status, response.headers, await response.read_all(_LARGEST, _WITHIN_S)
            finally:
                response.close()
