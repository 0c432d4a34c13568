"""Bedrock's other door: Anthropic's own API at AWS, the body as the client sent it (bedrock.md §1)."""

from urllib.parse import urlsplit

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.errors import read_error
from ccrouter.dialects.anthropic.stream import AnthropicStream
from ccrouter.errors import UpstreamRefused
from ccrouter.http import Headers, header
from ccrouter.platforms.anthropic import Anthropic, AnthropicExchange
from ccrouter.platforms.bedrock_access import bedrock_host, with_access
from ccrouter.platforms.bedrock_errors import read_refusal
from ccrouter.platforms.bedrock_models import bedrock_model
from ccrouter.platforms.contract import COUNT_TOKENS, Aim, Ask, CannedAnswer, Exchange, Whole
from ccrouter.platforms.counting import estimated_count

_MANTLE = "bedrock-mantle"
"""The host, and the service that is signed there; on bedrock-runtime it is `bedrock`."""


def open_messages(ask: Ask, aim: Aim, credential: Credential, memory: Anthropic) -> Exchange | CannedAnswer:
    """A try at this door. It has no counting, so that is estimated."""
    return (
        estimated_count(ask.request)
        if ask.operation == COUNT_TOKENS
        else MessagesExchange(ask, aim, credential, memory)
    )


class MessagesExchange(AnthropicExchange):
    """Pass-through under an AWS credential."""

    def __init__(
        self, ask: Ask, aim: Aim, credential: Credential, memory: Anthropic, *, keeps_thinking: bool = True
    ) -> None:
        super().__init__(ask, aim, credential, memory, keeps_thinking=keeps_thinking)
        self._known = bedrock_model(aim.model, credential.options)
        self._model = self._known.id
        self._region = str(credential.options.get("region", ""))

    def stream(self) -> AnthropicStream:
        """Fresh state for one streamed answer."""
        stream = super().stream()
        stream.facts.place = self._known.place
        return stream

    def read_whole(self, body: bytes) -> Whole:
        """The answer as it came."""
        whole = super().read_whole(body)
        whole.facts.place = self._known.place
        return whole

    def read_refusal(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        """Anthropic's errors as they came, AWS's by their table."""
        if read_error(body) is not None and header(headers, "x-amzn-errortype") is None:
            return super().read_refusal(status, headers, body)
        return read_refusal(status, headers, body, model=self.aim.model, now=utc_now())

    def _base_url(self) -> str:
        return f"{(self.credential.base_url or bedrock_host(self._region)).rstrip('/')}/anthropic"

    def _authorized(self, url: str, headers: list[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
        host = urlsplit(url).hostname or ""
        service = _MANTLE if host.startswith(_MANTLE) else "bedrock"
        return with_access(url, headers, body, self.credential.auth, region=self._region, service=service)
