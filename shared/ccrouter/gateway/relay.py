"""Carries one answer from a platform to the client: streams as they come, JSON whole, pings into silence.

Until the first event that decides anything nothing leaves, so that the next candidate can still be tried; the wait ends
20 s after the platform's status (`product.md` §4). `message_stop`, or a JSON body, waits for the record.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from ccrouter.clock import monotonic_s
from ccrouter.dialects.anthropic.errors import error_event
from ccrouter.dialects.anthropic.stream import PING
from ccrouter.dialects.fold import fold
from ccrouter.errors import AnsweredWithError, StreamBroken, UpstreamError
from ccrouter.gateway.answers import answer_headers
from ccrouter.gateway.call import Call
from ccrouter.gateway.patience import Patience
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.messages.facts import StreamFacts
from ccrouter.metering.record import Attempt
from ccrouter.platforms.contract import AnswerStream, Exchange, Whole
from ccrouter.ports import Reply, UpstreamResponse

PING_AFTER_S = 15.0
BEGIN_WITHIN_S = 20.0
JSON_LIMIT = 64 * 1024 * 1024
_UNDECIDED_LIMIT = 256 * 1024
"""An event stream whose first event is longer than this is none."""
_TRAIL_S = 1.0
"""How long what may follow `message_stop` (an end of stream, usually already there) is read."""

STREAM_HEADERS: Headers = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))

Write = Callable[[Call], Awaitable[None]]
GoOn = Callable[[HttpRequest], Awaitable[UpstreamResponse]]
Remember = Callable[[Mapping[str, bytes]], Awaitable[None]]


class Relay:
    """One answer. `write` makes the call's record durable; `go_on` sends the request for an answer's next part.

    `remember` keeps reasoning state for the conversation's next request.
    """

    def __init__(
        self,
        call: Call,
        attempt: Attempt,
        response: UpstreamResponse,
        headers: Headers,
        reply: Reply,
        write: Write,
        *,
        may_fall_back: bool,
        go_on: GoOn | None = None,
        remember: Remember | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._call = call
        self._attempt = attempt
        self.response = response
        """The response that is being read: another one after an answer went on in it."""
        self._headers = headers
        self._reply = reply
        self._write = write
        self._may_fall_back = may_fall_back
        self._go_on_with = go_on
        self._remember = remember
        self._opened_s = monotonic_s()
        self._patience = patience or Patience()
        self.failure: UpstreamError | None = None
        """What broke the answer after it had begun."""

    async def run(self, exchange: Exchange) -> None:
        """Carries the whole answer. Raises UpstreamError only as long as the client has been sent nothing."""
        kind = (header(self.response.headers, "content-type") or "").partition(";")[0].strip().lower()
        if kind in exchange.stream_types or (not kind and self._call.record.stream):
            await self.run_stream(exchange.stream())
        elif kind in ("application/json", ""):
            await self.run_whole(exchange.read_whole(await self._read_all()))
        else:
            raise StreamBroken(f"The platform answered with {kind} instead of a message.")

    async def _read_all(self) -> bytes:
        try:
            async with asyncio.timeout(self._patience.left_s()):
                return await self.response.read_all(JSON_LIMIT, self._patience.silence_s)
        except TimeoutError as error:
            raise self._patience.over() from error

    async def run_whole(self, whole: Whole) -> None:
        """Sends an answer in one piece."""
        await self._keep(whole.remembered)
        await self._send_whole(whole.body, whole.facts)

    async def run_stream(self, stream: AnswerStream) -> None:
        """Carries a streamed answer, folded for a client that wants it whole."""
        self._call.facts = stream.facts
        if stream.translated and not self._call.record.stream:
            await self._fold(stream)
            return
        try:
            await self._begin(stream)
            if self._reply.started:
                await self._continue(stream)
        except UpstreamError as error:
            if not self._reply.started:
                raise
            await self._break_off(stream, error)
            return
        if not stream.facts.stopped:
            await self._end_without_stop(stream)
            return
        await self._keep(stream.remembered)
        await self._settle("ok")
        await self._reply.send(stream.take_held())
        if not stream.translated:
            await self._follow(stream)
        await self._reply.finish()

    async def _begin(self, stream: AnswerStream) -> None:
        """Waits for the first event that decides, then begins the answer; returns without that at the stream's end."""
        waiting = b""
        while True:
            left = BEGIN_WITHIN_S - (monotonic_s() - self._opened_s)
            chunk = await self.response.read(max(left, 0.0)) if left > 0 else None
            if chunk == b"":
                waiting += await self._end_of_body(stream)
                if stream.first_event is None and stream.further is None:
                    _raise_failure(stream)
                    break
            elif chunk is not None:
                waiting += stream.feed(chunk)
                self._patience.heard()
            if stream.first_event is not None:
                self._refuse_first_error(stream)
                await self._start(waiting)
                self._note_content(stream)
                _raise_failure(stream)
                return
            _raise_failure(stream)
            if len(waiting) > _UNDECIDED_LIMIT:
                raise StreamBroken("The platform sent no event stream, although it said so.")
            if chunk is None:
                await self._start(waiting + stream.begin())
                return
        if waiting or self._may_fall_back:
            raise StreamBroken("The platform ended its answer before its first event.")

    async def _continue(self, stream: AnswerStream) -> None:
        """Sends on what comes until the answer is complete or the body ends."""
        while not stream.facts.stopped:
            if stream.ended:
                await self._send_if_any(await self._end_of_body(stream))
                _raise_failure(stream)
                return
            chunk = await self.response.read(self._patience.wait_s(PING_AFTER_S))
            if chunk:
                await self._send_if_any(stream.feed(chunk))
                if self._call.record.ttft_ms is None:
                    self._note_content(stream)
                _raise_failure(stream)
                self._patience.heard()
            elif chunk is not None:
                await self._send_if_any(await self._end_of_body(stream))
                _raise_failure(stream)
                if stream.further is None:
                    return
            else:
                self._patience.check()
                if stream.between_events:
                    await self._reply.send(PING)

    async def _end_of_body(self, stream: AnswerStream) -> bytes:
        """Closes the stream; where the message goes on in another answer, that one is read from here on."""
        out = stream.close()
        if stream.further is not None and self._go_on_with is not None:
            response = await self._go_on_with(stream.further)
            self.response.close()
            self.response = response
        return out

    async def _fold(self, stream: AnswerStream) -> None:
        """Reads a translated stream to its end and sends the message it makes; any failure is an error answer."""
        pieces, size = [], 0
        while True:
            chunk = b"" if stream.ended else await self.response.read(self._patience.wait_s())
            if chunk is None:
                raise self._patience.over()
            self._patience.heard()
            piece = stream.feed(chunk) if chunk else await self._end_of_body(stream)
            _raise_failure(stream)
            pieces.append(piece)
            size += len(piece)
            if size > JSON_LIMIT:
                raise StreamBroken(f"The platform's answer is longer than {JSON_LIMIT} bytes.")
            if not chunk and stream.further is None:
                break
        await self._keep(stream.remembered)
        await self._send_whole(msgspec.json.encode(fold(b"".join(pieces))), stream.facts)

    async def _follow(self, stream: AnswerStream) -> None:
        """Passes on what still comes after `message_stop` or an error; the answer has ended, so a break is no fault."""
        until_s = monotonic_s() + _TRAIL_S
        try:
            while (left := until_s - monotonic_s()) > 0 and (chunk := await self.response.read(left)):
                await self._reply.send(stream.feed(chunk) + stream.take_held())
        except StreamBroken:
            return

    async def _end_without_stop(self, stream: AnswerStream) -> None:
        facts = stream.facts
        if facts.error_type is None:
            facts.error_type = "api_error"
            facts.error_message = "The platform ended its answer before message_stop."
            self._attempt.outcome = "broken"
        elif stream.first_event == "error":
            self._attempt.outcome = AnsweredWithError.outcome
        self._attempt.reason = facts.error_message
        if not self._reply.started:
            self._call.record.http_status = self.response.status
        await self._settle("error")
        if not self._reply.started:
            # An empty stream goes through as one: clients know what to do with it (19-error-behaviour, empty200).
            await self._start(b"")
        if stream.ended and not stream.translated:
            await self._follow(stream)
        await self._reply.finish(stream.take_held())

    async def _break_off(self, stream: AnswerStream, error: UpstreamError) -> None:
        """The answer broke in mid-stream.

        Where the bytes are the platform's own, the client's connection breaks too, since that is what its recovery is
        made for; a translated answer ends with an error event, its open block left open (anthropic-passthrough.md §1).
        """
        facts, self.failure = stream.facts, error
        facts.error_type, facts.error_message = error.kind, error.message
        self._attempt.outcome, self._attempt.reason = error.outcome, error.message
        await self._settle("error")
        ending = error_event(error.kind, error.message, self._call.record.request_id)
        if stream.translated:
            await self._reply.finish(ending)
        else:
            await self._reply.cut(ending if stream.between_events else b"\n\n" + ending)

    def _refuse_first_error(self, stream: AnswerStream) -> None:
        if stream.first_event == "error" and self._may_fall_back:
            raise AnsweredWithError(stream.facts.error_type or "api_error", stream.facts.error_message or "")

    async def _start(self, waiting: bytes) -> None:
        record = self._call.record
        record.http_status = self.response.status
        headers = list(self._headers)
        if header(headers, "content-type") is None:
            headers.append(("content-type", "text/event-stream; charset=utf-8"))
        await self._reply.start(self.response.status, (*answer_headers(headers, record.request_id), *STREAM_HEADERS))
        if waiting:
            await self._reply.send(waiting)

    async def _send_if_any(self, data: bytes) -> None:
        if data:
            await self._reply.send(data)

    def _note_content(self, stream: AnswerStream) -> None:
        if stream.facts.content_began:
            record = self._call.record
            record.ttft_ms = self._call.since_arrival_ms()
            record.timings.first_token_ms = round((monotonic_s() - self._opened_s) * 1000)

    async def _send_whole(self, body: bytes, facts: StreamFacts) -> None:
        if facts.error_type is not None:
            if self._may_fall_back:
                raise AnsweredWithError(facts.error_type, facts.error_message or "")
            self._attempt.outcome, self._attempt.reason = AnsweredWithError.outcome, facts.error_message
        record = self._call.record
        self._call.facts = facts
        record.http_status = self.response.status
        await self._settle("ok" if facts.error_type is None else "error")
        await self._reply.start(self.response.status, answer_headers(self._headers, record.request_id, len(body)))
        await self._reply.finish(body)

    async def _keep(self, remembered: Mapping[str, bytes]) -> None:
        if remembered and self._remember is not None:
            await self._remember(remembered)

    async def _settle(self, status: str) -> None:
        self._call.record.status = status
        self._reply.let_go()
        await self._write(self._call)


def _raise_failure(stream: AnswerStream) -> None:
    if stream.failure is not None:
        raise stream.failure
