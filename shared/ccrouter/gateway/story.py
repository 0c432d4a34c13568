"""The story of one request: plan, attempt, fall back, record. All I/O goes through the ports.

Strategy: candidates are tried in order until one begins to answer; that is the only loop, and once an event has left
for the client nothing else is tried. Whatever happens, exactly one record is written, before the last bytes leave.
"""

import asyncio
import logging
from dataclasses import replace

from ccrouter.access.keys import ApiKey
from ccrouter.clock import monotonic_s
from ccrouter.errors import ApiError, QuotaUsedUp, StorageAway, UpstreamError, UpstreamRefused, Verdict
from ccrouter.gateway.answers import error_answer, own_error, refusal_answer, router_fault, stopping, storage_away
from ccrouter.gateway.call import Call
from ccrouter.gateway.capturing import Capture
from ccrouter.gateway.outcomes import Outcomes
from ccrouter.gateway.turns import Turns
from ccrouter.messages.estimate import roughly
from ccrouter.metering.rating import prompt_cost
from ccrouter.platforms.contract import COUNT_TOKENS, Ask
from ccrouter.ports import Outside, Reply
from ccrouter.routing.mapping import resolve
from ccrouter.routing.plan import Candidate, Line, plan
from ccrouter.routing.pool import all_full

_log = logging.getLogger("ccrouter.gateway")


class Gateway:
    """Answers requests. One for a process; it keeps nothing between requests itself."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._outcomes = Outcomes(outside)
        self._turns = Turns(outside, self._outcomes, self._write_as_is)

    def noting(self, capture: Capture) -> "Gateway":
        """The same, for one request whose exchanges with platforms are captured."""
        return Gateway(replace(self._outside, upstream=capture.noting(self._outside.upstream)))

    async def answer(self, call: Call, ask: Ask, key: ApiKey, reply: Reply) -> None:
        """Answers a request of a valid key and writes its record.

        Raises nothing but CancelledError, and that only when the server itself is stopping.
        """
        call.ask = ask
        self._outside.tally.in_flight += 1
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
        finally:
            self._outside.tally.in_flight -= 1

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
            is_limit = error.status == 429 and not isinstance(error, QuotaUsedUp)
            await self._write(call, "limited" if is_limit else "error")
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
        record.timings.admission_ms = call.since_arrival_ms()
        await self._admit(call, ask, key, planned[0])
        # Only now: who waited in the queue of a key finds other accounts ready.
        states, line = self._outside.states, Line(self._outside.states.choose(planned))
        is_begun = False
        last: tuple[UpstreamError, Candidate] | None = None

        def is_free(candidate: Candidate, leaving: Candidate) -> bool:
            return call.may_ask(candidate.target.platform) and states.is_free(candidate, leaving)

        while True:
            candidate, verdict = line.current, Verdict.NEXT_CREDENTIAL
            # At once after the choice: whoever chooses next must see that this one goes ahead.
            call.try_began_s = states.begin(candidate)
            try:
                if not is_begun:
                    await self._outside.call_log.begin(call.opened(candidate))
                    is_begun = True
                if await self._take_place(call, candidate):
                    await self._turns.take(call, ask, candidate, reply, may_fall_back=line.has_more(is_free))
                    return
            except UpstreamError as failure:
                self._outcomes.failed(call, candidate, failure)
                verdict, last = failure.verdict, (failure, candidate)
            finally:
                states.end(candidate)
                await self._give_place_back(call)
            if not line.move_on(verdict, is_free):
                break
        if last is None:
            raise all_full(planned)
        await self._fail(call, *last, reply)

    async def _take_place(self, call: Call, candidate: Candidate) -> bool:
        """Whether the credential serves one more request, as far as the other processes know."""
        credential = candidate.credential
        if credential is None or credential.max_concurrency is None:
            return True
        call.place = await self._outside.places.take(credential, credential.max_concurrency)
        return call.place is not None

    async def _give_place_back(self, call: Call) -> None:
        place, call.place = call.place, None
        if place is not None:
            await self._outside.places.give_back(place)

    async def _admit(self, call: Call, ask: Ask, key: ApiKey, first: Candidate) -> None:
        """Takes a place under the key's limits, or raises LimitReached; says in the record how long it waited."""
        if ask.operation == COUNT_TOKENS:
            await self._outside.limits.admit_count(key)
            return
        began_s = monotonic_s()
        tokens = roughly(ask.request.body)
        cost = prompt_cost(tokens, first.target.platform, first.target.model, call.record.at, call.prices)
        call.lease = await self._outside.limits.admit(call.record.id, key, tokens, cost)
        if call.lease is not None:
            call.record.timings.queue_ms = round((monotonic_s() - began_s) * 1000)

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
        self._outside.tally.note(call.record)
        try:
            await self._outside.call_log.record(call.record)
        finally:
            if call.lease is not None:
                # After the record: a spend counter that has to be read anew is then read with this request in it.
                await self._outside.limits.settle(call.lease, *call.used())
            await self._give_place_back(call)
