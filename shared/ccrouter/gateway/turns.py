"""One candidate's turn: signing in, opening exchanges, sending, and all that is tried once more on one credential."""

import asyncio
from collections.abc import Awaitable, Callable

from ccrouter.clock import monotonic_s
from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.stream import AnthropicStream
from ccrouter.dialects.anthropic.whole import read_message
from ccrouter.errors import UpstreamError
from ccrouter.gateway.attachments import fetch_all
from ccrouter.gateway.call import Call
from ccrouter.gateway.canned import CannedResponse
from ccrouter.gateway.once_more import OnceMore, Step
from ccrouter.gateway.outcomes import Outcomes
from ccrouter.gateway.patience import Patience
from ccrouter.gateway.relay import Relay
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.messages.facts import StreamFacts
from ccrouter.platforms.contract import COUNT_TOKENS, NOTHING, Aim, Ask, CannedAnswer, Exchange, Found, Whole
from ccrouter.platforms.registry import SELF_ANSWERING, platform_named
from ccrouter.ports import Outside, Reply, UpstreamResponse
from ccrouter.routing.mapping import Target
from ccrouter.routing.plan import Candidate

REFUSAL_LIMIT = 8 * 1024 * 1024
"""An error answer longer than this is not read to its end."""
_REFUSAL_SILENCE_S = 60.0
_MAY_STAY = ("project", "usage")
"""Members of `auth` that may be found to be as they were: then another try would meet the same refusal."""


class Turns:
    """Takes the turns of candidates; `write` makes a call's record durable before the answer's last bytes leave."""

    def __init__(self, outside: Outside, outcomes: Outcomes, write: Callable[[Call], Awaitable[None]]) -> None:
        self._outside = outside
        self._outcomes = outcomes
        self._write = write

    async def take(self, call: Call, ask: Ask, candidate: Candidate, reply: Reply, *, may_fall_back: bool) -> None:
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
                step = once_more.after(failure, opened) if call.may_ask(target.platform) else Step()
                if step.renew:
                    renewed = await self._renewed(call, candidate, credential, step.renew)
                    if step.renew in _MAY_STAY and renewed.auth.get(step.renew) == credential.auth.get(step.renew):
                        raise
                    credential = renewed
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
                    self._write,
                    may_fall_back=may_fall_back,
                    go_on=lambda request: self._go_on(request, exchange),
                    remember=lambda remembered: self._outside.memory.remember(ask.key_id, remembered),
                    patience=Patience(request, began_s),
                )
                await relay.run(exchange)
                self._outcomes.answered(call, ask, candidate, attempt, relay.failure)
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
        relay = Relay(call, attempt, response, answer.headers, reply, self._write, may_fall_back=False)
        if (header(answer.headers, "content-type") or "").startswith("text/event-stream"):
            await relay.run_stream(AnthropicStream())
        else:
            body = await response.read_all(REFUSAL_LIMIT, 0.0)
            await relay.run_whole(Whole(body, read_message(body, counts=call.record.kind == COUNT_TOKENS)))


def _upstream_id(headers: Headers) -> str | None:
    """The platform's own id for the request, under the names that platforms use."""
    for name in ("request-id", "x-amzn-requestid", "x-request-id", "x-cloudaicompanion-trace-id"):
        if (value := header(headers, name)) is not None:
            return value
    return None
