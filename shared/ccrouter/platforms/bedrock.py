"""Amazon Bedrock: Claude behind InvokeModel, signed or with a Bedrock key, in AWS frames (bedrock.md)."""

import base64
from functools import cached_property
from urllib.parse import quote

import msgspec

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.betas import named_betas
from ccrouter.dialects.anthropic.clouds import BEDROCK
from ccrouter.dialects.anthropic.encode import encode, urls_of
from ccrouter.dialects.anthropic.framed import OWN_PREFIX, FramedStream
from ccrouter.dialects.anthropic.healing import rejects_thinking
from ccrouter.dialects.anthropic.whole import read_message
from ccrouter.errors import RequestTooLarge, StreamBroken, UpstreamError, UpstreamRefused
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.messages.facts import StreamFacts
from ccrouter.platforms.anthropic import Anthropic
from ccrouter.platforms.bedrock_access import bedrock_host, with_access
from ccrouter.platforms.bedrock_errors import read_refusal, refusal
from ccrouter.platforms.bedrock_messages import open_messages
from ccrouter.platforms.bedrock_models import bedrock_model
from ccrouter.platforms.contract import COUNT_TOKENS, NOTHING, Aim, Ask, CannedAnswer, Exchange, Found, Needs, Whole
from ccrouter.platforms.counting import COUNT_WITHIN_S, Uncountable, estimated_count

EVENT_STREAM = "application/vnd.amazon.eventstream"
_OPTION_HEADERS = {
    "service_tier": "x-amzn-bedrock-service-tier",
    "latency": "x-amzn-bedrock-performanceconfig-latency",
    "guardrail": "x-amzn-bedrock-guardrailidentifier",
    "guardrail_version": "x-amzn-bedrock-guardrailversion",
    "trace": "x-amzn-bedrock-trace",
}
"""The headers of a credential's options (bedrock.md §1)."""
_LONGEST_COUNTED_ID = 256


class Bedrock:
    """See `platforms.contract.Platform`."""

    name = "bedrock"

    def __init__(self) -> None:
        self._uncountable = Uncountable()
        self._memory = Anthropic()

    def needs(self, ask: Ask, aim: Aim, credential: Credential) -> Needs:
        """URLs: Bedrock takes images and documents inside the request only."""
        if credential.options.get("door") == "messages":
            return NOTHING
        urls = urls_of(ask.request)
        return Needs(urls=urls) if urls else NOTHING

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> Exchange | CannedAnswer:
        """See `Platform.open`."""
        if credential.options.get("door") == "messages":
            return open_messages(ask, aim, credential, self._memory)
        exchange = BedrockExchange(ask, aim, credential, found, self._uncountable)
        if ask.operation == COUNT_TOKENS and not exchange.can_count:
            return estimated_count(ask.request)
        return exchange


class BedrockExchange:
    """See `platforms.contract.Exchange`."""

    stream_types = frozenset({EVENT_STREAM})

    def __init__(
        self,
        ask: Ask,
        aim: Aim,
        credential: Credential,
        found: Found,
        uncountable: Uncountable,
        *,
        without_thinking: bool = False,
    ) -> None:
        self._ask = ask
        self._aim = aim
        self._credential = credential
        self._found = found
        self._uncountable = uncountable
        self._without_thinking = without_thinking
        options = credential.options
        self._region = str(options.get("region", ""))
        self._model = bedrock_model(aim.model, options)
        self._body = self._encoded()

    @cached_property
    def can_count(self) -> bool:
        """Whether counting is worth a request: only foundation models are counted, and not everywhere."""
        foundation = self._model.foundation
        return (
            foundation is not None
            and len(foundation) <= _LONGEST_COUNTED_ID
            and (self._credential.id, foundation) not in self._uncountable
        )

    def request(self) -> HttpRequest:
        """The signed request; what is signed is what is sent."""
        credential, auth = self._credential, self._credential.auth
        url = f"{(credential.base_url or bedrock_host(self._region)).rstrip('/')}{self._path()}"
        headers = with_access(url, self._headers(), self._body, auth, region=self._region, service="bedrock")
        within_s = COUNT_WITHIN_S if self._ask.operation == COUNT_TOKENS else None
        return HttpRequest(
            "POST", url, headers, self._body, open_network=credential.open_network, head_within_s=within_s
        )

    def stream(self) -> FramedStream:
        """Fresh state for one streamed answer."""
        stream = FramedStream(self._refuse)
        self._place(stream.facts)
        return stream

    def read_whole(self, body: bytes) -> Whole:
        """Claude's message without what Bedrock adds; of a count, the number under Anthropic's name."""
        if self._ask.operation == COUNT_TOKENS:
            return _read_count(body)
        facts = read_message(body)
        self._place(facts)
        if OWN_PREFIX.encode() in body:
            members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            body = msgspec.json.encode({name: raw for name, raw in members.items() if not name.startswith(OWN_PREFIX)})
        return Whole(body, facts)

    def read_refusal(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        """An exception as an error of Anthropic's."""
        return read_refusal(status, headers, body, model=self._aim.model, now=utc_now())

    def answer_headers(self, headers: Headers) -> Headers:
        """The request's id; everything else is the platform's."""
        request_id = header(headers, "x-amzn-requestid")
        return () if request_id is None else (("request-id", request_id),)

    def mend(self, refused: UpstreamRefused) -> Exchange | None:
        """Once without thinking, where the conversation came from another place and its signatures do not fit here."""
        if self._without_thinking or not self._ask.moved or not rejects_thinking(refused):
            return None
        return BedrockExchange(
            self._ask, self._aim, self._credential, self._found, self._uncountable, without_thinking=True
        )

    def count_instead(self, failure: UpstreamError) -> CannedAnswer | None:
        """The estimate; where Bedrock says that it does not count this, it is not asked again for an hour."""
        if isinstance(failure, UpstreamRefused) and failure.status in (400, 403, 404):
            self._uncountable.note(self._credential.id, self._model.foundation or "")
        return estimated_count(self._ask.request)

    def _encoded(self) -> bytes:
        ask = self._ask
        encoded = encode(
            ask.request,
            BEDROCK,
            self._model.claude,
            named_betas(ask.headers),
            self._found.media,
            effort=self._aim.effort,
            without_thinking=self._without_thinking,
        )
        members = encoded.members
        if encoded.betas:
            members["anthropic_beta"] = encoded.betas
        if ask.operation == COUNT_TOKENS:
            # What is counted must be a whole InvokeModel body.
            inner = msgspec.json.encode({**members, "max_tokens": 1})
            body = msgspec.json.encode({"input": {"invokeModel": {"body": base64.b64encode(inner).decode()}}})
        else:
            body = msgspec.json.encode(members)
        if len(body) > BEDROCK.largest_body:
            raise RequestTooLarge(f"The request is larger than {BEDROCK.largest_body} bytes, the limit of Bedrock.")
        return body

    def _path(self) -> str:
        if self._ask.operation == COUNT_TOKENS:
            return f"/model/{quote(self._model.foundation or '', safe='')}/count-tokens"
        verb = "invoke-with-response-stream" if self._ask.request.stream else "invoke"
        return f"/model/{quote(self._model.id, safe='')}/{verb}"

    def _headers(self) -> list[tuple[str, str]]:
        streams = self._ask.request.stream and self._ask.operation != COUNT_TOKENS
        headers = [("content-type", "application/json"), ("accept", EVENT_STREAM if streams else "application/json")]
        if self._ask.operation != COUNT_TOKENS:
            options = self._credential.options
            headers += [(name, str(options[key])) for key, name in _OPTION_HEADERS.items() if options.get(key)]
            if metadata := options.get("request_metadata"):
                headers.append(("x-amzn-bedrock-request-metadata", msgspec.json.encode(metadata).decode()))
        return headers

    def _refuse(self, name: str, message: str) -> UpstreamError:
        return refusal(name, message, (), model=self._aim.model, now=utc_now())

    def _place(self, facts: StreamFacts) -> None:
        facts.place = self._model.place


def _read_count(body: bytes) -> Whole:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = None
    count = document.get("inputTokens") if isinstance(document, dict) else None
    if type(count) is not int:
        raise StreamBroken("The platform's answer is no token count.")
    return Whole(msgspec.json.encode({"input_tokens": count}), StreamFacts())
