"""Claude on Vertex AI, managed by Google: Anthropic's stream behind Google's address and sign-in (vertex-claude.md)."""

import re
from urllib.parse import quote

import msgspec

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import Credential, VertexOptions
from ccrouter.dialects.anthropic.betas import named_betas
from ccrouter.dialects.anthropic.clouds import VERTEX
from ccrouter.dialects.anthropic.encode import Encoded, encode, urls_of
from ccrouter.dialects.anthropic.errors import read_error
from ccrouter.dialects.anthropic.healing import rejects_thinking
from ccrouter.dialects.anthropic.mended import KnownEventsStream
from ccrouter.dialects.anthropic.models import claude_model
from ccrouter.dialects.anthropic.whole import read_message
from ccrouter.dialects.gemini.errors import refusal as google_refusal
from ccrouter.dialects.gemini.google_error import decode_body, read_google_error
from ccrouter.errors import (
    Consequence,
    InvalidRequest,
    RequestTooLarge,
    Trouble,
    UpstreamError,
    UpstreamRefused,
    Verdict,
)
from ccrouter.http import Headers, HttpRequest
from ccrouter.platforms.anthropic import RETURNED
from ccrouter.platforms.anthropic_errors import read_refusal
from ccrouter.platforms.contract import COUNT_TOKENS, NOTHING, Aim, Ask, CannedAnswer, Exchange, Found, Needs, Whole
from ccrouter.platforms.counting import COUNT_WITHIN_S, Uncountable, estimated_count
from ccrouter.platforms.vertex_place import vertex_base, vertex_project

_COUNTS_SURELY = "us-east5"
"""Counting is not available on every location; where it is not, this one is asked (vertex-claude.md §6)."""
_NOT_COUNTED = frozenset({400, 404, 405, 501})
_SUFFIX = re.compile(r"\[[0-9a-z]+\]$")
_DATED = re.compile(r"-(20\d{6})$")
_NOT_ADMITTED = re.compile(r"(?i)not enabled|has not been used|accept\b.{0,40}\bterms|model garden")
_NOT_SERVED = re.compile(r"(?i)not servable in region")


class VertexClaude:
    """See `platforms.contract.Platform`: the part of `vertex` that serves models of Claude."""

    name = "vertex"

    def __init__(self) -> None:
        self._uncountable = Uncountable()

    def needs(self, ask: Ask, aim: Aim, credential: Credential) -> Needs:
        """URLs: Vertex takes images and documents of Claude inside the request only."""
        urls = urls_of(ask.request)
        return Needs(urls=urls) if urls else NOTHING

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> Exchange | CannedAnswer:
        """See `Platform.open`."""
        if "access_token" not in credential.auth:
            raise InvalidRequest(
                "model: Claude on the platform vertex needs a Google sign-in; the credential has an express key only."
            )
        if ask.operation == COUNT_TOKENS and (credential.id, aim.model) in self._uncountable:
            return estimated_count(ask.request)
        return VertexClaudeExchange(ask, aim, credential, found, self._uncountable)


class VertexClaudeExchange:
    """See `platforms.contract.Exchange`."""

    stream_types = frozenset({"text/event-stream"})

    def __init__(
        self,
        ask: Ask,
        aim: Aim,
        credential: Credential,
        found: Found,
        uncountable: Uncountable,
        *,
        region: str | None = None,
        without_thinking: bool = False,
    ) -> None:
        self._ask = ask
        self._aim = aim
        self._credential = credential
        self._found = found
        self._uncountable = uncountable
        self._without_thinking = without_thinking
        self._options = msgspec.convert(credential.options, VertexOptions)
        self._region = region or self._options.region
        # Anthropic's dated names have an @ here.
        self._model = _DATED.sub(r"@\1", _SUFFIX.sub("", aim.model))
        self._encoded = self._encode()
        self._body = self._built()

    @property
    def _counts(self) -> bool:
        return self._ask.operation == COUNT_TOKENS

    def request(self) -> HttpRequest:
        """The request with Google's token; betas stay a header here."""
        credential = self._credential
        headers = [
            ("content-type", "application/json"),
            ("accept", "text/event-stream" if self._streams else "application/json"),
            ("accept-encoding", "identity"),
            ("authorization", f"Bearer {credential.auth['access_token']}"),
        ]
        # Counting refuses even betas that asking accepts (litellm#39597, claude-code#11154).
        if self._encoded.betas and not self._counts:
            headers.append(("anthropic-beta", ",".join(self._encoded.betas)))
        within_s = COUNT_WITHIN_S if self._counts else None
        return HttpRequest(
            "POST", self._url(), headers, self._body, open_network=credential.open_network, head_within_s=within_s
        )

    def stream(self) -> KnownEventsStream:
        """Fresh state for one streamed answer."""
        stream = KnownEventsStream()
        stream.facts.place = self._region
        return stream

    def read_whole(self, body: bytes) -> Whole:
        """The answer as it came; what it says is read from a copy."""
        facts = read_message(body, counts=self._counts)
        facts.place = self._region
        return Whole(body, facts)

    def read_refusal(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        """An error of Anthropic's shape as it came, Google's put into it."""
        model = self._aim.model
        if read_error(body) is not None:
            refused = read_refusal(status, headers, body, self.answer_headers(headers), model=model, now=utc_now())
        else:
            error = read_google_error(decode_body(body))
            refused = google_refusal(status, error, headers, body, model=model, now=utc_now())
        return _as_vertex_means(refused, model)

    def answer_headers(self, headers: Headers) -> Headers:
        """Those headers of an answer that a client may see."""
        return [(name, value) for name, value in headers if name in RETURNED]

    def mend(self, refused: UpstreamRefused) -> Exchange | None:
        """Counting at the place that surely counts; and once without thinking that came from another place."""
        if self._counts:
            if refused.status not in _NOT_COUNTED or self._region == _COUNTS_SURELY:
                return None
            return self._again(region=_COUNTS_SURELY, without_thinking=self._without_thinking)
        if self._without_thinking or not self._ask.moved or not rejects_thinking(refused):
            return None
        return self._again(region=self._region, without_thinking=True)

    def count_instead(self, failure: UpstreamError) -> CannedAnswer | None:
        """The estimate; where Vertex says that it does not count this, it is not asked again for an hour."""
        if isinstance(failure, UpstreamRefused) and failure.status in _NOT_COUNTED:
            self._uncountable.note(self._credential.id, self._aim.model)
        return estimated_count(self._ask.request)

    @property
    def _streams(self) -> bool:
        return self._ask.request.stream and not self._counts

    def _again(self, *, region: str, without_thinking: bool) -> "VertexClaudeExchange":
        return VertexClaudeExchange(
            self._ask,
            self._aim,
            self._credential,
            self._found,
            self._uncountable,
            region=region,
            without_thinking=without_thinking,
        )

    def _encode(self) -> Encoded:
        return encode(
            self._ask.request,
            VERTEX,
            claude_model(self._model),
            named_betas(self._ask.headers),
            self._found.media,
            effort=self._aim.effort,
            without_thinking=self._without_thinking,
        )

    def _built(self) -> bytes:
        members = self._encoded.members
        if self._counts:
            # Only here the model stands in the body.
            members = {**members, "model": self._model}
        body = msgspec.json.encode(members)
        if len(body) > VERTEX.largest_body:
            raise RequestTooLarge(f"The request is larger than {VERTEX.largest_body} bytes, the limit of Vertex AI.")
        return body

    def _url(self) -> str:
        credential = self._credential
        base = (credential.base_url or vertex_base(self._region)).rstrip("/")
        project = quote(vertex_project(credential, self._options), safe=":")
        models = f"{base}/v1/projects/{project}/locations/{self._region}/publishers/anthropic/models"
        if self._counts:
            return f"{models}/count-tokens:rawPredict"
        return f"{models}/{quote(self._model, safe='@')}:{'streamRawPredict' if self._streams else 'rawPredict'}"


def _as_vertex_means(refused: UpstreamRefused, model: str) -> UpstreamRefused:
    """The verdicts that are Vertex's own (vertex-claude.md §5)."""
    if refused.status == 404 or (refused.status == 400 and _NOT_SERVED.search(refused.message)):
        refused.verdict = Verdict.NEXT_TARGET
    elif refused.status == 403 and _NOT_ADMITTED.search(refused.message):
        # The project has to enable the model, or accept its terms, first.
        refused.verdict = Verdict.NEXT_TARGET
        refused.consequence = Consequence(Trouble.REFUSED, scope=model)
    elif refused.status == 401:
        refused.consequence = Consequence(Trouble.UNAUTHORIZED, renews="token")
    return refused
