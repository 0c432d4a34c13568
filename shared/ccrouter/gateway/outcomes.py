"""How tries ended, told to the pool of credentials and to the memory of conversations."""

from dataclasses import replace

from ccrouter.errors import AnsweredWithError, StreamBroken, Trouble, UpstreamError, UpstreamTimeout
from ccrouter.gateway.call import Call
from ccrouter.metering.record import Attempt
from ccrouter.platforms.contract import COUNT_TOKENS, Ask
from ccrouter.ports import Outside
from ccrouter.routing.condition import Failure
from ccrouter.routing.plan import Candidate

_OF_MESSAGES_ALONE = frozenset({Trouble.THROTTLED, Trouble.EXHAUSTED})
"""Counting tokens has limits of its own: what it meets says nothing about messages, nor does its success."""
_OF_A_MODEL = frozenset({AnsweredWithError.outcome, StreamBroken.outcome, UpstreamTimeout.outcome})
"""These come from a model that was reached; the credential's other models may fare better."""
_SIGNED = (b'"signature"', b'"redacted_thinking"')
"""Only a history with one of these can hold thinking of another platform."""


class Outcomes:
    """Knows what each outcome means; the story only says that there is one."""

    def __init__(self, outside: Outside) -> None:
        self._states = outside.states
        self._conversations = outside.conversations

    async def told_of_moves(self, ask: Ask, candidate: Candidate) -> Ask:
        """The same question, saying whether its conversation was answered elsewhere too (`product.md` §4)."""
        credential = candidate.credential
        if credential is None or not ask.conversation or not any(sign in ask.request.body for sign in _SIGNED):
            return ask
        answered_by = await self._conversations.answered_by(_name(ask))
        return replace(ask, moved=bool(answered_by - {credential.id}))

    def answered(
        self, call: Call, ask: Ask, candidate: Candidate, attempt: Attempt, failure: UpstreamError | None
    ) -> None:
        """An answer has been carried, whole or as far as it came; `failure` is what broke it on the way."""
        credential = candidate.credential
        if credential is None:
            return
        if failure is None and (attempt.outcome != "ok" or call.facts.error_type is not None):
            error_type, reason = call.facts.error_type or "api_error", attempt.reason or attempt.outcome
            failure = AnsweredWithError(error_type, reason)
        if failure is not None:
            self.failed(call, candidate, failure)
            return
        if ask.operation == COUNT_TOKENS:
            return
        self._states.succeeded(credential, candidate.target.model, call.try_began_s)
        if ask.conversation:
            self._conversations.note(_name(ask), credential.id)

    def failed(self, call: Call, candidate: Candidate, failure: UpstreamError) -> None:
        """A try has failed for good on its credential."""
        credential, model = candidate.credential, candidate.target.model
        if credential is None:
            return
        consequence = failure.consequence
        if call.record.kind == COUNT_TOKENS and consequence.trouble in _OF_MESSAGES_ALONE:
            return
        if failure.outcome in _OF_A_MODEL and not consequence.scope:
            consequence = replace(consequence, scope=model)
        self._states.failed(
            credential, Failure(consequence, model, call.conversation, failure.message, call.try_began_s)
        )


def _name(ask: Ask) -> str:
    return f"{ask.key_id}\0{ask.conversation}"
