"""Kiro: Claude models behind one streaming operation, by API key or sign-in (kiro.md)."""

import dataclasses
import logging
import uuid

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.encode import urls_of
from ccrouter.dialects.kiro.decoder import Expected, KiroDecoder
from ccrouter.dialects.kiro.errors import (
    IMPROPERLY_FORMED,
    SCHEMA,
    SIGNATURE,
    USED_UP,
    KiroRefused,
    Situation,
    broken,
    read_refusal,
    refusal,
)
from ccrouter.dialects.kiro.models import WINDOWS, kiro_model
from ccrouter.dialects.kiro.request import AS_IS, Manner, Mending, encode, without_nul
from ccrouter.dialects.translated import TranslatedStream
from ccrouter.errors import UpstreamError, UpstreamRefused
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.messages.estimate import estimate_input
from ccrouter.messages.writer import MessageWriter
from ccrouter.platforms.contract import COUNT_TOKENS, NOTHING, Aim, Ask, CannedAnswer, Exchange, Found, Needs, Whole
from ccrouter.platforms.counting import estimated_count
from ccrouter.platforms.empty_message import empty_message
from ccrouter.platforms.kiro_account import KiroAccount, is_used_up, known_models, renewed_at
from ccrouter.platforms.kiro_throttles import LongThrottles

EVENT_STREAM = "application/vnd.amazon.eventstream"
# kiro.md §13: the official client waits 90 s for the first event, and five minutes where a stream has stalled.
_HEAD_WITHIN_S = 60.0
_FIRST_WITHIN_S = 90.0
_SILENCE_WITHIN_S = 300.0
_WHOLE_WITHIN_S = 900.0

_log = logging.getLogger(__name__)


class Kiro:
    """See `platforms.contract.Platform`."""

    name = "kiro"

    def __init__(self) -> None:
        self._throttles = LongThrottles()

    def needs(self, ask: Ask, aim: Aim, credential: Credential) -> Needs:
        """URLs: Kiro takes images and documents inside the request only."""
        urls = urls_of(ask.request) if ask.operation != COUNT_TOKENS else ()
        return Needs(urls=urls) if urls else NOTHING

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> Exchange | CannedAnswer:
        """See `Platform.open`. There is no operation that counts, and no prompt cache that could be warmed."""
        if ask.operation == COUNT_TOKENS:
            return estimated_count(ask.request)
        if ask.request.member("max_tokens") == 0:
            return empty_message(ask.request.model, stream=ask.request.stream)
        return KiroExchange(ask, aim, credential, found, self._throttles)


class KiroExchange:
    """See `platforms.contract.Exchange`."""

    stream_types = frozenset({EVENT_STREAM})

    def __init__(
        self,
        ask: Ask,
        aim: Aim,
        credential: Credential,
        found: Found,
        throttles: LongThrottles,
        mending: Mending = AS_IS,
        call_id: str = "",
    ) -> None:
        self._ask = ask
        self._aim = aim
        self._account = KiroAccount(credential)
        self._found = found
        self._throttles = throttles
        self._mending = mending
        self._call_id = call_id or str(uuid.uuid4())
        document = ask.request.document
        if b"\\u0000" in ask.request.body:
            document = without_nul(document)
        self._document = document
        options = credential.options
        model = kiro_model(aim.model)
        entry = known_models(credential.auth).get(model.id, {})
        self._window = entry.get("window") or WINDOWS.get(model.id)
        manner = Manner(
            model=model,
            origin=str(options.get("origin", "AI_EDITOR")),
            thinking=str(options.get("thinking", "auto")),
            schemas_as_is=options.get("schema_mode") == "passthrough",
            profile_arn=self._account.profile_arn,
            effort=aim.effort,
            fields_schema=entry.get("fields_schema"),
            session=ask.request.session_id,
            whose=f"{credential.id}\0{ask.key_id}",
        )
        self._encoded = encode(document, manner, found.media, mending)

    def request(self) -> HttpRequest:
        """The request; it asks for a stream, since there is nothing else. Raises UpstreamRefused for a used-up plan."""
        if is_used_up(self._account.credential.auth):
            said = {"message": "The plan of this Kiro account is used up.", "reason": USED_UP}
            raise refusal("ServiceQuotaExceededException", said, self._situation())
        headers = [
            ("content-type", "application/json"),
            ("accept", EVENT_STREAM),
            *self._account.headers(),
            ("amz-sdk-invocation-id", self._call_id),
            ("amz-sdk-request", "attempt=1; max=1"),
            ("x-amzn-kiro-agent-mode", "vibe"),
        ]
        credential = self._account.credential
        if credential.options.get("opt_out"):
            headers.append(("x-amzn-codewhisperer-optout", "true"))
        return HttpRequest(
            "POST",
            f"{self._account.runtime_url}/generateAssistantResponse",
            headers,
            self._encoded.body,
            open_network=credential.open_network,
            head_within_s=_HEAD_WITHIN_S,
            silence_within_s=_SILENCE_WITHIN_S,
            first_within_s=_FIRST_WITHIN_S,
            whole_within_s=_WHOLE_WITHIN_S,
        )

    def stream(self) -> TranslatedStream:
        """A decoder over a fresh writer. The account has answered."""
        self._throttles.end(self._account.credential.id)
        writer = MessageWriter(model=self._ask.request.model, input_tokens=estimate_input(self._document), tag="kiro")
        thinking, stops = self._encoded.thinking, self._document.get("stop_sequences")
        expected = Expected(
            self._encoded.names,
            self._situation(),
            shows_thinking=thinking.asked,
            tags=thinking.is_emulated,
            stop_sequences=[stop for stop in stops if isinstance(stop, str)] if isinstance(stops, list) else (),
            window=self._window,
        )
        return TranslatedStream(KiroDecoder(writer, expected), writer)

    def read_whole(self, body: bytes) -> Whole:
        """Kiro has no answers in one piece."""
        raise broken("Kiro answered with JSON instead of a stream.")

    def read_refusal(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        """An exception as an error of Anthropic's."""
        refused = read_refusal(status, headers, body, self._situation())
        if refused.is_throttle and self._throttles.note(self._account.credential.id, utc_now()):
            refused.consequence = dataclasses.replace(refused.consequence, renews="usage")
        if IMPROPERLY_FORMED in refused.message.lower():
            _log.warning("Kiro calls a request improperly formed, without a reason: %s", self._encoded.shape)
        return refused

    def answer_headers(self, headers: Headers) -> Headers:
        """The request's id; everything else is the platform's."""
        request_id = header(headers, "x-amzn-requestid")
        return () if request_id is None else (("request-id", request_id),)

    def mend(self, refusal: UpstreamRefused) -> Exchange | None:
        """Once without reasoning, once with stricter schemas, where the service names these."""
        reason = refusal.reason if isinstance(refusal, KiroRefused) else ""
        mending = self._mending
        if reason == SIGNATURE and self._encoded.has_reasoning:
            mending = dataclasses.replace(mending, without_reasoning=True)
        elif reason == SCHEMA and not mending.strict_schemas:
            mending = dataclasses.replace(mending, strict_schemas=True)
        if mending == self._mending:
            return None
        return KiroExchange(
            self._ask, self._aim, self._account.credential, self._found, self._throttles, mending, self._call_id
        )

    def count_instead(self, failure: UpstreamError) -> CannedAnswer | None:
        """The estimate."""
        return estimated_count(self._ask.request)

    def _situation(self) -> Situation:
        auth = self._account.credential.auth
        return Situation(self._aim.model, utc_now(), renewed_at(auth), can_renew="refresh_token" in auth)
