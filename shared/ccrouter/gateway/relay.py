"""Carries one answer from a platform to the client: streams as they come, JSON whole, pings into silence.

Until the first event that decides anything nothing leaves, so that the next candidate can still be tried; the wait ends
20 s after the platform's status (`product.md` §4). `message_stop`, or a JSON body, waits for the record.
"""

from collections.abc import Awaitable, Callable

import msgspec

from ccrouter.clock import monotonic_s
from ccrouter.dialects.anthropic.errors import error_event, read_error
from ccrouter.errors import AnsweredWithError, StreamBroken, UpstreamError, UpstreamTimeout
from ccrouter.gateway.answers import answer_headers
from ccrouter.gateway.call import Call
from ccrouter.http import Headers, header
from ccrouter.messages.usage import merge_usage
from ccrouter.metering.record import Attempt
from ccrouter.platforms.contract import MESSAGES, AnswerStream
from ccrouter.ports import Reply, UpstreamResponse

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
PING_AFTER_S = 15.0
BEGIN_WITHIN_S = 20.0
SILENCE_LIMIT_S = 600.0
"""A platform that sends nothing for so long is given up; clients only allow 300 s, but our pings keep them waiting."""
JSON_LIMIT = 64 * 1024 * 1024
_UNDECIDED_LIMIT = 256 * 1024
"""An event stream whose first event is longer than this is none."""
_TRAIL_S = 1.0
"""How long what may follow `message_stop` (an end of stream, usually already there) is waited for."""

STREAM_HEADERS: Headers = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))

Write = Callable[[Call], Awaitable[None]]


class Relay:
    """One answer. `write` makes the call's record durable."""

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
    ) -> None:
        self._call = call
        self._attempt = attempt
        self._response = response
        self._headers = headers
        self._reply = reply
        self._write = write
        self._may_fall_back = may_fall_back
        self._opened_s = monotonic_s()

    async def run(self, stream: AnswerStream) -> None:
        """Carries the whole answer. Raises UpstreamError only as long as the client has been sent nothing."""
        kind = (header(self._response.headers, "content-type") or "").partition(";")[0].strip().lower()
        if not kind:
            kind = "text/event-stream" if self._call.record.stream else "application/json"
        if kind == "text/event-stream":
            await self._relay_stream(stream)
        elif kind == "application/json":
            await self._relay_json()
        else:
            raise StreamBroken(f"The platform answered with {kind} instead of a message.")

    async def _relay_stream(self, stream: AnswerStream) -> None:
        self._call.facts = stream.facts
        try:
            await self._begin(stream)
            if self._reply.started:
                await self._go_on(stream)
        except (StreamBroken, UpstreamTimeout) as error:
            if not self._reply.started:
                raise
            await self._break_off(stream, error)
            return
        if not stream.facts.stopped:
            await self._end_without_stop(stream)
            return
        await self._settle("ok")
        await self._reply.send(stream.take_held())
        await self._follow(stream)
        await self._reply.finish()

    async def _begin(self, stream: AnswerStream) -> None:
        """Waits for the first event that decides, then begins the answer; returns without that at the stream's end."""
        waiting = b""
        while True:
            left = BEGIN_WITHIN_S - (monotonic_s() - self._opened_s)
            chunk = await self._response.read(max(left, 0.0)) if left > 0 else None
            if chunk == b"":
                break
            if chunk is not None:
                waiting += stream.feed(chunk)
            if stream.first_event is not None:
                self._refuse_first_error(stream)
                await self._start(waiting)
                self._note_content(stream)
                return
            if len(waiting) > _UNDECIDED_LIMIT:
                raise StreamBroken("The platform sent no event stream, although it said so.")
            if chunk is None:
                await self._start(waiting + (PING if stream.between_events else b""))
                return
        if waiting or self._may_fall_back:
            raise StreamBroken("The platform ended its answer before its first event.")

    async def _go_on(self, stream: AnswerStream) -> None:
        """Sends on what comes until `message_stop` or the end."""
        response, reply, facts = self._response, self._reply, stream.facts
        silent_since = monotonic_s()
        while not facts.stopped:
            chunk = await response.read(PING_AFTER_S)
            if chunk:
                out = stream.feed(chunk)
                if out:
                    await reply.send(out)
                if self._call.record.ttft_ms is None:
                    self._note_content(stream)
                silent_since = monotonic_s()
            elif chunk is not None:
                return
            elif monotonic_s() - silent_since > SILENCE_LIMIT_S:
                raise UpstreamTimeout("The platform went silent during its answer.")
            elif stream.between_events:
                await reply.send(PING)

    async def _follow(self, stream: AnswerStream) -> None:
        """Passes on what still comes after `message_stop`; the answer is complete, so a break is no fault."""
        try:
            while chunk := await self._response.read(_TRAIL_S):
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
            self._call.record.http_status = self._response.status
        await self._settle("error")
        if not self._reply.started:
            # An empty stream goes through as one: clients know what to do with it (19-error-behaviour, empty200).
            await self._start(b"")
        await self._reply.finish(stream.take_held())

    async def _break_off(self, stream: AnswerStream, error: UpstreamError) -> None:
        """The connection broke in mid-stream: the client's breaks too, since that is what its recovery is made for."""
        facts = stream.facts
        facts.error_type, facts.error_message = error.kind, error.message
        self._attempt.outcome, self._attempt.reason = error.outcome, error.message
        await self._settle("error")
        ending = error_event(error.kind, error.message, self._call.record.request_id)
        await self._reply.cut(ending if stream.between_events else b"\n\n" + ending)

    def _refuse_first_error(self, stream: AnswerStream) -> None:
        if stream.first_event == "error" and self._may_fall_back:
            raise AnsweredWithError(stream.facts.error_type or "api_error", stream.facts.error_message or "")

    async def _start(self, waiting: bytes) -> None:
        record = self._call.record
        record.http_status = self._response.status
        await self._reply.start(
            self._response.status, (*answer_headers(self._headers, record.request_id), *STREAM_HEADERS)
        )
        if waiting:
            await self._reply.send(waiting)

    def _note_content(self, stream: AnswerStream) -> None:
        if stream.facts.content_began:
            record = self._call.record
            record.ttft_ms = self._call.since_arrival_ms()
            record.timings.first_token_ms = round((monotonic_s() - self._opened_s) * 1000)

    async def _relay_json(self) -> None:
        body = await self._response.read_all(JSON_LIMIT, SILENCE_LIMIT_S)
        facts = self._call.facts
        try:
            document = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise StreamBroken("The platform's answer is not a JSON object.")
        error = read_error(body)
        if error is not None:
            if self._may_fall_back:
                raise AnsweredWithError(*error)
            facts.error_type, facts.error_message = error
            self._attempt.outcome, self._attempt.reason = AnsweredWithError.outcome, facts.error_message
        elif self._call.record.kind == MESSAGES:
            merge_usage(facts.usage, document.get("usage"))
            reason = document.get("stop_reason")
            facts.stop_reason = reason if isinstance(reason, str) else None
            facts.stopped = True
        record = self._call.record
        record.http_status = self._response.status
        await self._settle("ok" if error is None else "error")
        await self._reply.start(self._response.status, answer_headers(self._headers, record.request_id, len(body)))
        await self._reply.finish(body)

    async def _settle(self, status: str) -> None:
        self._call.record.status = status
        self._reply.let_go()
        await self._write(self._call)
