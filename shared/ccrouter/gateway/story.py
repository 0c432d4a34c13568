"""The story of one request: plan, attempt, fall back, record. All I/O goes through the ports.

Strategy: candidates are tried in order until one begins to answer; that is the only loop, and once an event has left
for the client nothing else is tried. Whatever happens, exactly one record is written, before the last bytes leave.
"""

import asyncio
import logging

from ccrouter.access.keys import ApiKey
from ccrouter.clock import monotonic_s
from ccrouter.dialects.anthropic.stream import StreamFacts
from ccrouter.errors import (
    ApiError,
    InternalFault,
    StorageAway,
    UpstreamError,
    UpstreamRefused,
    Verdict,
)
from ccrouter.gateway.answers import error_answer, own_error, refusal_answer, storage_away
from ccrouter.gateway.call import Call
from ccrouter.gateway.canned import CannedResponse
from ccrouter.gateway.relay import Relay
from ccrouter.http import header
from ccrouter.metering.meter import meter
from ccrouter.metering.record import Attempt
from ccrouter.platforms.contract import MESSAGES, Ask
from ccrouter.platforms.registry import PLATFORMS, SELF_ANSWERING
from ccrouter.ports import CallLog, Directory, Reply, SendUpstream
from ccrouter.routing.mapping import resolve
from ccrouter.routing.plan import Candidate, plan

REFUSAL_LIMIT = 8 * 1024 * 1024
"""An error answer longer than this is not read to its end."""
_REFUSAL_SILENCE_S = 60.0

_log = logging.getLogger("ccrouter.gateway")


class Gateway:
    """Answers requests. One for a process; it keeps nothing between requests."""

    def __init__(self, directory: Directory, upstream: SendUpstream, call_log: CallLog) -> None:
        self._directory = directory
        self._upstream = upstream
        self._call_log = call_log

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
            await self.note_abandoned(call)
            task = asyncio.current_task()
            if not reply.gone or task is None:
                raise
            task.uncancel()
        except Exception:
            _log.exception("request %s failed by a fault of the router", call.record.request_id)
            fault = InternalFault("The router failed to handle this request; its log names the reason.")
            if reply.started:
                call.facts.error_type, call.facts.error_message = fault.kind, fault.message
                await self._write(call, "error")
                await reply.cut(b"")
            else:
                await self.refuse(call, fault, reply)

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
        routing = await self._directory.routing()
        call.prices = routing.prices
        resolution = resolve(model, key.mapping, routing.default_mapping)
        record.slot, record.rule = resolution.slot, resolution.rule
        candidates = plan(model, resolution, key.mapping, routing.credentials, call.conversation)
        record.timings.admission_ms = call.since_arrival_ms()
        for position, candidate in enumerate(candidates):
            is_last = position == len(candidates) - 1
            try:
                await self._attempt(call, ask, candidate, reply, may_fall_back=not is_last)
            except UpstreamError as failure:
                if is_last or failure.verdict is Verdict.FINAL:
                    await self._fail(call, failure, candidate, reply)
                    return
            else:
                return

    async def _attempt(self, call: Call, ask: Ask, candidate: Candidate, reply: Reply, *, may_fall_back: bool) -> None:
        """One try. Raises UpstreamError as long as the client has been sent nothing."""
        target, credential, record = candidate.target, candidate.credential, call.record
        call.facts = StreamFacts()
        attempt = Attempt(
            platform=target.platform,
            model=target.model,
            credential_id=credential.id if credential else None,
            credential_name=credential.name if credential else None,
        )
        record.attempts.append(attempt)
        record.platform, record.model = target.platform, target.model
        record.credential_id, record.credential_name = attempt.credential_id, attempt.credential_name
        began_s = monotonic_s()
        try:
            if credential is None:
                await self._relay_canned(call, ask, candidate, attempt, reply, may_fall_back=may_fall_back)
                return
            platform = PLATFORMS[target.platform]
            response = await self._upstream.send(platform.build_request(ask, target.model, credential))
            try:
                attempt.status = response.status
                record.timings.connect_ms = response.connect_ms
                record.upstream_request_id = header(response.headers, "request-id")
                if response.status // 100 != 2:
                    body = await response.read_all(REFUSAL_LIMIT, _REFUSAL_SILENCE_S)
                    raise platform.read_refusal(response.status, response.headers, body, credential)
                headers = platform.answer_headers(response.headers, credential)
                relay = Relay(call, attempt, response, headers, reply, self._write_as_is, may_fall_back=may_fall_back)
                await relay.run(platform.stream())
            finally:
                response.close()
        except UpstreamError as failure:
            attempt.outcome, attempt.reason = failure.outcome, failure.message
            raise
        finally:
            attempt.ms = round((monotonic_s() - began_s) * 1000)

    async def _relay_canned(
        self, call: Call, ask: Ask, candidate: Candidate, attempt: Attempt, reply: Reply, *, may_fall_back: bool
    ) -> None:
        platform = SELF_ANSWERING[candidate.target.platform]
        answer = platform.answer(ask, candidate.target.model)
        attempt.status = answer.status
        response = CannedResponse(answer)
        relay = Relay(call, attempt, response, answer.headers, reply, self._write_as_is, may_fall_back=may_fall_back)
        await relay.run(platform.stream())

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
        """Completes the record from what was seen and makes it durable; a second call does nothing."""
        if call.recorded:
            return
        call.recorded = True
        record, facts = call.record, call.facts
        record.duration_ms = call.since_arrival_ms()
        if record.ttft_ms is not None:
            record.timings.generation_ms = record.duration_ms - record.ttft_ms
        if record.attempts and record.attempts[-1].ms == 0:
            record.attempts[-1].ms = record.duration_ms - (record.timings.admission_ms or 0)
        record.stop_reason = facts.stop_reason
        record.error_type, record.error_message = facts.error_type, facts.error_message
        if record.status == "aborted" and record.http_status is None:
            record.http_status = 499
        if record.kind == MESSAGES and call.ask is not None and call.prices is not None:
            meter(record, facts.usage, call.ask.request, call.prices, final=facts.stopped)
        await self._call_log.record(record)
