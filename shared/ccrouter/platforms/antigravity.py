"""Antigravity: Gemini and Claude behind Cloud Code Assist (antigravity.md). Off until the operator acknowledges.

It presents itself as what it is: its own name in the user agent and the envelope, no other product's identity.
"""

import dataclasses
import uuid
from typing import Any

import msgspec

from ccrouter import __version__
from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import AntigravityOptions, Credential
from ccrouter.dialects.gemini.google_error import GoogleError
from ccrouter.dialects.gemini.manner import AS_IS, Manner, Mended, Tuning
from ccrouter.dialects.gemini.request import Asked, max_tokens
from ccrouter.errors import NO_RETRY, Consequence, RequestTooLarge, Trouble, UpstreamRefused, Verdict
from ccrouter.http import Headers, HttpRequest
from ccrouter.messages.estimate import estimate_input
from ccrouter.messages.facts import StreamFacts
from ccrouter.platforms.antigravity_errors import refusal
from ccrouter.platforms.contract import (
    COUNT_TOKENS,
    NOTHING,
    Aim,
    Ask,
    CannedAnswer,
    Exchange,
    Found,
    Needs,
    Whole,
)
from ccrouter.platforms.counting import estimated_count
from ccrouter.platforms.empty_message import empty_message
from ccrouter.platforms.generate_content import GenerateExchange, Place, gemini_model, gemini_needs

BASE_URL = "https://cloudcode-pa.googleapis.com"
PRODUCT = "claude-code-router"
# antigravity.md §14.
_HEAD_WITHIN_S = 120.0
_SILENCE_WITHIN_S = 300.0
_WHOLE_WITHIN_S = 900.0
_LARGEST_BODY = 20 * 1024 * 1024
_FOREIGN_SIGNATURE = ("invalid `signature`", "signature is not valid", "corrupted thought signature")
_SESSIONS = uuid.UUID("6f5c1f0e-6f43-5d43-9d3e-0e8b0a6a9c11")
"""A namespace of our own, so that session ids say nothing outside."""


class Antigravity:
    """See `platforms.contract.Platform`. The model's name decides the family."""

    name = "antigravity"

    def needs(self, ask: Ask, aim: Aim, credential: Credential) -> Needs:
        """See `Platform.needs`."""
        manner = _manner(aim, AntigravityOptions())
        if manner.claude and ask.operation == COUNT_TOKENS:
            return NOTHING
        return gemini_needs(ask, gemini_model(aim.model), manner)

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> Exchange | CannedAnswer:
        """See `Platform.open`."""
        options = msgspec.convert(credential.options, AntigravityOptions)
        document = ask.request.document
        manner = _manner(aim, options)
        if ask.operation == COUNT_TOKENS:
            if manner.claude:
                return estimated_count(ask.request)
        elif max_tokens(document) == 0:
            return empty_message(ask.request.model, stream=ask.request.stream)
        asked = Asked(
            document,
            gemini_model(aim.model),
            aim.effort,
            manner,
            Tuning(
                head_room=options.head_room,
                safety=tuple(msgspec.to_builtins(setting) for setting in options.safety),
            ),
            found.remembered,
            found.media,
        )
        return CodeAssistExchange(ask, asked, credential, options)


class CodeAssistExchange(GenerateExchange):
    """The dialect inside this host's envelope."""

    def __init__(
        self, ask: Ask, asked: Asked, credential: Credential, options: AntigravityOptions, mended: Mended = AS_IS
    ) -> None:
        self._credential = credential
        self._options = options
        base = (credential.base_url or BASE_URL).rstrip("/")
        place = Place(
            f"{base}/v1internal",
            (("authorization", f"Bearer {credential.auth.get('access_token', '')}"),),
            lambda body: body,
            credential.open_network,
            renews=("token", "project"),
        )
        super().__init__(ask, asked, place, 1, mended)
        # An answer is not continued on this host (antigravity.md §8).
        self._streams = ask.request.stream

    def request(self) -> HttpRequest:
        """See `Exchange.request`. Raises UpstreamRefused where this credential must not be used yet."""
        if not self._options.acknowledged:
            raise _not_yet(
                "The platform antigravity is switched off for this credential until an administrator has read its "
                "permission note and set options.acknowledged."
            )
        if not self._project:
            raise _not_yet(
                "No project is known for this credential of the platform antigravity: an administrator must set "
                "options.project or sign it in again."
            )
        request = super().request()
        if len(request.body) > _LARGEST_BODY:
            raise RequestTooLarge(f"The request is larger than {_LARGEST_BODY} bytes, the limit of antigravity.")
        return request

    @property
    def _project(self) -> str:
        return str(self._options.project or self._credential.auth.get("project") or "")

    def _send(self, verb: str, body: dict[str, Any]) -> HttpRequest:
        if verb == "countTokens":
            contents = [_as_plain(content) for content in body["contents"]]
            envelope: dict[str, Any] = {"request": {"model": f"models/{self._model}", "contents": contents}}
        else:
            envelope = {
                "model": self._model,
                "project": self._project,
                "requestId": str(uuid.uuid4()),
                "userAgent": PRODUCT,
                "request": {**body, "session_id": self._session()},
            }
            if self._options.credit_types:
                envelope["enabled_credit_types"] = list(self._options.credit_types)
        request = super()._send(verb, envelope)
        accepts = "text/event-stream" if verb.startswith("stream") else "application/json"
        own = (("user-agent", f"{PRODUCT}/{__version__}"), ("accept", accepts))
        request = dataclasses.replace(request, headers=(*request.headers, *own))
        if verb == "countTokens":
            return request
        return dataclasses.replace(
            request,
            head_within_s=_HEAD_WITHIN_S,
            silence_within_s=_SILENCE_WITHIN_S,
            whole_within_s=_WHOLE_WITHIN_S,
        )

    def _session(self) -> str:
        """Stable for a conversation, which helps the platform's cache; the client's own ids never leave."""
        asked = self._ask.request
        conversation = asked.session_id or f"{self._ask.key_id}:{asked.opening}"
        return str(uuid.uuid5(_SESSIONS, f"{self._credential.id}:{conversation}"))

    def _shown_model(self) -> str | None:
        return self._ask.request.model

    def _refusal(self, status: int, error: GoogleError | None, headers: Headers, body: bytes) -> UpstreamRefused:
        return refusal(status, error, headers, body, model=self._model, now=utc_now())

    def _mended_for(self, refusal: UpstreamRefused) -> Mended | None:
        said, mended = refusal.message.lower(), self._mended
        if self._asked.manner.claude:
            foreign = any(text in said for text in _FOREIGN_SIGNATURE) or "thinking.signature" in said
            if foreign and not mended.without_thinking:
                return dataclasses.replace(mended, without_thinking=True)
            return None
        if refusal.status == 400 and "level" in said and "thinking" in said and not mended.without_level:
            return dataclasses.replace(mended, without_level=True)
        found = super()._mended_for(refusal)
        # Tools are described by `parameters` here already.
        return None if found is None or found.plain_parameters else found

    def _once_more(self, mended: Mended) -> Exchange:
        return CodeAssistExchange(self._ask, self._asked, self._credential, self._options, mended)

    def _read_count(self, document: Any) -> Whole:
        """The platform counts contents alone: system and tools are estimated on top."""
        counted = super()._read_count(document)
        asked = self._ask.request.document
        beside = {name: asked[name] for name in ("system", "tools") if asked.get(name)}
        total: int = msgspec.json.decode(counted.body)["input_tokens"] + (estimate_input(beside) if beside else 0)
        return Whole(msgspec.json.encode({"input_tokens": total}), StreamFacts())


def _manner(aim: Aim, options: AntigravityOptions) -> Manner:
    claude = "claude" in aim.model
    return Manner("antigravity", claude=claude, code_assist=True, call_ids=claude or options.send_call_ids)


def _not_yet(message: str) -> UpstreamRefused:
    return UpstreamRefused(
        403,
        "permission_error",
        message,
        verdict=Verdict.NEXT_TARGET,
        headers=NO_RETRY,
        body=b"",
        on_credential=False,
        consequence=Consequence(Trouble.NONE),
    )


def _as_plain(content: dict[str, Any]) -> dict[str, Any]:
    """A content as counting takes it: without thoughts as such and without signatures."""
    parts = [
        {name: value for name, value in part.items() if name not in ("thought", "thoughtSignature")}
        for part in content["parts"]
    ]
    return {**content, "parts": parts}
