"""The story of one request: plan, attempt, fall back, record. All I/O goes through the ports.

Strategy: candidates are tried in order until one begins to answer; that is the only loop, and once an event has left
for the client nothing else is tried. Whatever happens, exactly one record is written, before the last bytes leave.
"""

import asyncio
import logging

from ccrouter.access.keys import ApiKey
from ccrouter.clock import monotonic_s
from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.stream import AnthropicStream
from ccrouter.dialects.anthropic.whole import read_message
from ccrouter.errors import ApiError, StorageAway, UpstreamError, UpstreamRefused
from ccrouter.gateway.answers import error_answer, own_error, refusal_answer, router_fault, stopping, storage_away
from ccrouter.gateway.attachments import fetch_all
from ccrouter.gateway.call import Call
from ccrouter.gateway.canned import CannedResponse
from ccrouter.gateway.once_more import OnceMore
from ccrouter.gateway.outcomes import Outcomes
from ccrouter.gateway.relay import Relay
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.messages.facts import StreamFacts
from ccrouter.metering.rating import prompt_cost
from ccrouter.platforms.contract import COUNT_TOKENS, NOTHING, Aim, Ask, CannedAnswer, Exchange, Found, Whole
from ccrouter.platforms.registry import SELF_ANSWERING, platform_named
from ccrouter.ports import Outside, Reply, UpstreamResponse
from ccrouter.routing.mapping import Target, resolve
from ccrouter.routing.plan import Candidate, next_position, plan

REFUSAL_LIMIT = 8 * 1024 * 1024
"""An error answer longer than this is not read to its end."""
_REFUSAL_SILENCE_S = 60.0
_BYTES_PER_TOKEN = 4
"""For the reservation under a key's limits; what was used is booked in its place at the end."""

_log = logging.getLogger("ccrouter.gateway")


class Gateway:
    """Answers requests. One for a process; it keeps nothing between requests itself."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._outcomes = Outcomes(outside)

    async def answer(self, call: Call, ask: Ask, key: ApiKey, reply: Reply) -> None:
        """Answers a request of a valid key and writes its record.

        Raises nothing but CancelledError, and that only when the server itself is stopping.
        """
        call.ask = ask
        try:
            await self._tell(call, ask, key, reply)
        except ApiError as error:
            await self.refuse(call, error, reply)
        except StorageAway:
            await self.refuse(call, storage_away(), reply)
        except asyncio.CancelledError:
            await self._end_cancelled(call, reply)
        except Exception:
            _log.exception("request %s failed by a fault of the router", call.record.request_id)
            fault = router_fault()
            if reply.started:
                reply.let_go()
                call.facts.error_type, call.facts.error_message = fault.kind, fault.message
                await self._write(call, "error")
                await reply.cut(b"")
            else:
                await self.refuse(call, fault, reply)

    async def _end_cancelled(self, call: Call, reply: Reply) -> None:
        """The client has left, or the server stops while it still waits.

        Raises CancelledError where a client is left with half an answer: its connection must break.
        """
        task = asyncio.current_task()
        if not reply.gone and not reply.started and task is not None:
            task.uncancel()
            if call.record.attempts:
                call.record.attempts[-1].outcome = "aborted"
            await self.refuse(call, stopping(), reply)
            return
        await self.note_abandoned(call)
        if not reply.gone or task is None:
            raise asyncio.CancelledError
        task.uncancel()

    async def refuse(self, call: Call, error: ApiError, reply: Reply, *, keep: bool = True) -> None:
        """Answers with one of our own errors; `keep` False writes no record (callers without a key, over their cap)."""
        record = call.record
        record.http_status = error.status
        call.facts.error_type, call.facts.error_message = error.kind, error.message
        reply.let_go()
        if keep:
            await self._write(call, "limited" if error.status == 429 else "error")
        headers, body = error_answer(error, record.request_id)
        await reply.start(error.status, headers)
        await reply.finish(body)

    async def _tell(self, call: Call, ask: Ask, key: ApiKey, reply: Reply) -> None:
        record, model = call.record, ask.request.model
        key.check_model(model)
        routing = await self._outside.directory.routing()
        call.prices = routing.prices
        resolution = resolve(model, key.mapping, routing.default_mapping)
        record.slot, record.rule = resolution.slot, resolution.rule
        planned = plan(model, resolution, key.mapping, routing.credentials, call.conversation)
        candidates = self._outside.states.choose(planned)
        record.timings.admission_ms = call.since_arrival_ms()
        await self._admit(call, ask, key, candidates[0])
        position = 0
        while True:
            candidate = candidates[position]
            is_last = position == len(candidates) - 1
            call.try_began_s = self._outside.states.begin(candidate)
            try:
                await self._try(call, ask, candidate, reply, may_fall_back=not is_last)
            except UpstreamError as failure:
                self._outcomes.failed(call, candidate, failure)
                following = next_position(candidates, position, failure.verdict)
                if following is None:
                    await self._fail(call, failure, candidate, reply)
                    return
                position = following
            else:
                return

    async def _admit(self, call: Call, ask: Ask, key: ApiKey, first: Candidate) -> None:
        """Takes a place under the key's limits, or raises LimitReached; says in the record how long it waited."""
        if ask.operation == COUNT_TOKENS:
            await self._outside.limits.admit_count(key)
            return
        began_s = monotonic_s()
        tokens = len(ask.request.body) // _BYTES_PER_TOKEN
        cost = prompt_cost(tokens, first.target.platform, first.target.model, call.record.at, call.prices)
        call.lease = await self._outside.limits.admit(key, tokens, cost)
        if call.lease is not None:
            call.record.timings.queue_ms = round((monotonic_s() - began_s) * 1000)

    async def _try(self, call: Call, ask: Ask, candidate: Candidate, reply: Reply, *, may_fall_back: bool) -> None:
        """All that is tried on one credential. Raises the last UpstreamError, if the client has been sent nothing.

        A platform may want its request changed, its token renewed or the same once more after a pause; each is tried
        only as often as the failure says (`errors.Consequence`).
        """
        target, credential = candidate.target, candidate.credential
        if credential is None:
            answer = SELF_ANSWERING[target.platform].answer(ask, target.model)
            await self._send_canned(call, candidate, answer, reply)
            return
        once_more = OnceMore()
        ask = await self._outcomes.told_of_moves(ask, candidate)
        credential = await self._signed_in(call, candidate, credential)
        opened = await self._open(ask, target, credential)
        while True:
            if isinstance(opened, CannedAnswer):
                await self._send_canned(call, candidate, opened, reply)
                return
            try:
                await self._attempt(call, ask, candidate, opened, reply, may_fall_back=may_fall_back)
                return
            except UpstreamError as failure:
                step = once_more.after(failure, opened)
                if step.renew:
                    credential = await self._renewed(call, candidate, credential, step.renew)
                    opened = await self._open(ask, target, credential)
                elif step.exchange is not None:
                    opened = step.exchange
                elif step.wait_s is not None:
                    await asyncio.sleep(step.wait_s)
                else:
                    instead = opened.count_instead(failure) if ask.operation == COUNT_TOKENS else None
                    if instead is None:
                        raise
                    opened = instead

    async def _signed_in(self, call: Call, candidate: Candidate, credential: Credential) -> Credential:
        try:
            return await self._outside.sign_ins.signed_in(credential)
        except UpstreamError as failure:
            call.note_failure(candidate, failure)
            raise

    async def _renewed(self, call: Call, candidate: Candidate, credential: Credential, what: str) -> Credential:
        try:
            return await self._outside.sign_ins.renew(credential, what)
        except UpstreamError as failure:
            call.note_failure(candidate, failure)
            raise

    async def _open(self, ask: Ask, target: Target, credential: Credential) -> Exchange | CannedAnswer:
        platform, aim = platform_named(target.platform), Aim(target.model, target.effort)
        needs = platform.needs(ask, aim, credential)
        found = Found()
        if needs is not NOTHING:
            media = await fetch_all(self._outside.media, needs.urls)
            remembered = await self._outside.memory.recall(ask.key_id, needs.tool_use_ids) if needs.tool_use_ids else {}
            found = Found(remembered, media)
        return platform.open(ask, aim, credential, found)

    async def _attempt(
        self, call: Call, ask: Ask, candidate: Candidate, exchange: Exchange, reply: Reply, *, may_fall_back: bool
    ) -> None:
        """One try. Raises UpstreamError as long as the client has been sent nothing."""
        record = call.record
        call.facts = StreamFacts()
        attempt = call.begin_attempt(candidate)
        began_s = monotonic_s()
        try:
            request = exchange.request()
            response = await self._outside.upstream.send(request)
            relay = None
            try:
                attempt.status = response.status
                record.timings.connect_ms = response.connect_ms
                record.upstream_request_id = _upstream_id(response.headers)
                if response.status // 100 != 2:
                    body = await response.read_all(REFUSAL_LIMIT, _REFUSAL_SILENCE_S)
                    raise exchange.read_refusal(response.status, response.headers, body)
                relay = Relay(
                    call,
                    attempt,
                    response,
                    exchange.answer_headers(response.headers),
                    reply,
                    self._write_as_is,
                    may_fall_back=may_fall_back,
                    go_on=lambda request: self._go_on(request, exchange),
                    remember=lambda remembered: self._outside.memory.remember(ask.key_id, remembered),
                    silence_within_s=request.silence_within_s,
                )
                await relay.run(exchange)
                self._outcomes.answered(call, ask, candidate, attempt)
            finally:
                (relay.response if relay else response).close()
        except UpstreamError as failure:
            attempt.outcome, attempt.reason = failure.outcome, failure.message
            raise
        finally:
            attempt.ms = round((monotonic_s() - began_s) * 1000)

    async def _go_on(self, request: HttpRequest, exchange: Exchange) -> UpstreamResponse:
        """The response with the next part of an answer."""
        response = await self._outside.upstream.send(request)
        if response.status // 100 != 2:
            try:
                body = await response.read_all(REFUSAL_LIMIT, _REFUSAL_SILENCE_S)
            finally:
                response.close()
            raise exchange.read_refusal(response.status, response.headers, body)
        return response

    async def _send_canned(self, call: Call, candidate: Candidate, answer: CannedAnswer, reply: Reply) -> None:
        """An answer of our own."""
        call.facts = StreamFacts()
        attempt = call.begin_attempt(candidate)
        attempt.status = answer.status
        response = CannedResponse(answer)
        relay = Relay(call, attempt, response, answer.headers, reply, self._write_as_is, may_fall_back=False)
        if (header(answer.headers, "content-type") or "").startswith("text/event-stream"):
            await relay.run_stream(AnthropicStream())
        else:
            body = await response.read_all(REFUSAL_LIMIT, 0.0)
            await relay.run_whole(Whole(body, read_message(body, counts=call.record.kind == COUNT_TOKENS)))

    async def _fail(self, call: Call, failure: UpstreamError, candidate: Candidate, reply: Reply) -> None:
        """The last attempt failed before anything was sent: the platform's own error, or ours."""
        if not isinstance(failure, UpstreamRefused) or failure.on_credential:
            await self.refuse(call, own_error(failure, candidate.target.platform), reply)
            return
        record = call.record
        record.http_status = failure.status
        call.facts.error_type, call.facts.error_message = failure.kind, failure.message
        reply.let_go()
        await self._write(call, "error")
        headers, body = refusal_answer(failure, record.request_id)
        await reply.start(failure.status, headers)
        await reply.finish(body)

    async def note_abandoned(self, call: Call) -> None:
        """Writes the record of a request whose client left."""
        if call.record.attempts:
            call.record.attempts[-1].outcome = "aborted"
        await self._write(call, "aborted")

    async def _write(self, call: Call, status: str) -> None:
        call.record.status = status
        await self._write_as_is(call)

    async def _write_as_is(self, call: Call) -> None:
        """Completes the record and makes it durable; a second call does nothing."""
        if not call.complete():
            return
        try:
            await self._outside.call_log.record(call.record)
        finally:
            if call.lease is not None:
                # After the record: a spend counter that has to be read anew is then read with this request in it.
                await self._outside.limits.settle(call.lease, *call.used())


def _upstream_id(headers: Headers) -> str | None:
    """The platform's own id for the request, under the names that platforms use."""
    for name in ("request-id", "x-amzn-requestid", "x-request-id", "x-cloudaicompanion-trace-id"):
        if (value := header(headers, name)) is not None:
            return value
    return None
