"""Anthropic's API and every address that speaks it: the same bytes under another key (anthropic-passthrough.md §2)."""

from collections import OrderedDict
from urllib.parse import urlsplit

import msgspec

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.betas import named_betas
from ccrouter.dialects.anthropic.errors import foreign_message
from ccrouter.dialects.anthropic.fields import Path, droppable, halves_of
from ccrouter.dialects.anthropic.healing import refused_field, rejects_thinking
from ccrouter.dialects.anthropic.mended import MendedStream
from ccrouter.dialects.anthropic.passthrough import Changes, pass_through
from ccrouter.dialects.anthropic.stream import AnthropicStream
from ccrouter.dialects.anthropic.whole import read_message
from ccrouter.errors import AnsweredWithError, UpstreamError, UpstreamRefused
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.platforms.anthropic_errors import read_refusal
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
from ccrouter.platforms.counting import Uncountable, estimated_count

BASE_URL = "https://api.anthropic.com"
DEFAULT_VERSION = "2023-06-01"
_OWN_DOMAIN = "anthropic.com"

# anthropic-messages.md §3: the client speaks, so what tells about it goes on; credentials, cookies, hop-by-hop headers
# and other `x-` headers stay here.
_FORWARDED = frozenset({"accept", "content-type", "user-agent", "x-app"})
_FORWARDED_PREFIXES = ("anthropic-", "x-claude-code-", "x-claude-1p-", "x-stainless-")

# §10: the rest either discloses the operator's account or belongs to the other connection.
RETURNED = frozenset({"content-type", "request-id", "retry-after", "retry-after-ms", "x-should-retry"})
_LIMIT_HEADERS = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-")

_OAUTH_MARK = "sk-ant-oat"
_OAUTH_BETA = "oauth-2025-04-20"
"""What tokens of a sign-in need beside Bearer (anthropic-passthrough.md §2)."""
_CANNOT_COUNT = frozenset({404, 405, 501})
_UNKNOWN_MODEL = "model:"


class Anthropic:
    """Pass-through: the request's bytes but for the model's name, the answer's bytes as they come.

    It remembers what compatible addresses have refused: fields, and counting.
    """

    name = "anthropic"

    def __init__(self) -> None:
        self.uncountable = Uncountable()
        self.refused_fields = RefusedFields()

    def needs(self, ask: Ask, aim: Aim, credential: Credential) -> Needs:
        """Nothing: the bytes go on as they are."""
        return NOTHING

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> Exchange | CannedAnswer:
        """See `Platform.open`."""
        if ask.operation == COUNT_TOKENS and (credential.id, credential.base_url or "") in self.uncountable:
            return estimated_count(ask.request)
        return AnthropicExchange(ask, aim, credential, self)


class RefusedFields:
    """Remembers which fields an address refuses for a model; in memory, for each process."""

    _MOST = 500

    def __init__(self) -> None:
        self._paths: OrderedDict[tuple[str, str], frozenset[Path]] = OrderedDict()

    def of(self, credential: Credential, model: str) -> frozenset[Path]:
        """The paths to leave out."""
        return self._paths.get((credential.id, model), frozenset())

    def add(self, credential: Credential, model: str, path: Path) -> None:
        """The address refused this one."""
        where = (credential.id, model)
        self._paths[where] = self.of(credential, model) | {path}
        if len(self._paths) > self._MOST:
            self._paths.popitem(last=False)


class AnthropicExchange:
    """See `platforms.contract.Exchange`."""

    stream_types = frozenset({"text/event-stream"})

    def __init__(
        self, ask: Ask, aim: Aim, credential: Credential, platform: Anthropic, *, keeps_thinking: bool = True
    ) -> None:
        self.ask = ask
        self.aim = aim
        self.credential = credential
        self._platform = platform
        self._keeps_thinking = keeps_thinking
        self._model = aim.model
        self._tells_betas = bool(credential.options.get("forward_beta", True))
        self._refused = platform.refused_fields.of(credential, aim.model)

    def request(self) -> HttpRequest:
        """The client's request at the credential's address, with the credential in place of the client's key."""
        body = self._body()
        path = "/v1/messages/count_tokens" if self.ask.operation == COUNT_TOKENS else "/v1/messages"
        query = f"?{self.ask.query}" if self.ask.query else ""
        url = f"{self._base_url().rstrip('/')}{path}{query}"
        headers = self._authorized(url, self._headers(), body)
        return HttpRequest("POST", url, headers, body, open_network=self.credential.open_network)

    def stream(self) -> AnthropicStream:
        """Fresh state for one streamed answer."""
        return MendedStream() if is_compatible(self.credential) else AnthropicStream()

    def read_whole(self, body: bytes) -> Whole:
        """The answer as it came; what it says is read from a copy."""
        facts = read_message(body, counts=self.ask.operation == COUNT_TOKENS)
        if facts.error_type is None and not facts.usage and is_compatible(self.credential):
            _refuse_foreign_error(body)
        return Whole(body, facts)

    def read_refusal(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        """Anthropic's own errors keep every byte; others are put into the shape."""
        return read_refusal(status, headers, body, self.answer_headers(headers), model=self.aim.model, now=utc_now())

    def answer_headers(self, headers: Headers) -> Headers:
        """Those headers of an answer that a client may see; limits only where the credential's option says so."""
        shows_limits = bool(self.credential.options.get("forward_rate_limits"))
        return [
            (name, value)
            for name, value in headers
            if name in RETURNED or (shows_limits and name.startswith(_LIMIT_HEADERS))
        ]

    def mend(self, refusal: UpstreamRefused) -> Exchange | None:
        """A try without foreign thinking, after a move, or without a field that a compatible address does not know.

        All else is relayed: clients recover by the platform's own words.
        """
        if rejects_thinking(refusal):
            if not self.ask.moved or not self._keeps_thinking:
                return None
            return self._again(keeps_thinking=False)
        field = refused_field(refusal) if is_compatible(self.credential) else None
        path = None if field is None else droppable(field)
        if path is None or path in self._refused:
            return None
        self._platform.refused_fields.add(self.credential, self.aim.model, path)
        return self._again(keeps_thinking=self._keeps_thinking)

    def count_instead(self, failure: UpstreamError) -> CannedAnswer | None:
        """The estimate where an address does not count, which is remembered; else its error stands."""
        if not isinstance(failure, UpstreamRefused) or failure.status not in _CANNOT_COUNT:
            return None
        if failure.status == 404 and failure.message.startswith(_UNKNOWN_MODEL):
            return None
        self._platform.uncountable.note(self.credential.id, self.credential.base_url or "")
        return estimated_count(self.ask.request)

    def _again(self, *, keeps_thinking: bool) -> "AnthropicExchange":
        return type(self)(self.ask, self.aim, self.credential, self._platform, keeps_thinking=keeps_thinking)

    def _base_url(self) -> str:
        return self.credential.base_url or BASE_URL

    def _body(self) -> bytes:
        refused = self._refused
        if not self._tells_betas:
            refused |= halves_of(named_betas(self.ask.headers))
        changes = Changes(
            effort=self.aim.effort if self.ask.operation != COUNT_TOKENS else None,
            fields=refused,
            keeps_thinking=self._keeps_thinking,
            without_betas=not self._tells_betas,
        )
        return pass_through(self.ask.request, self._model, changes)

    def _headers(self) -> list[tuple[str, str]]:
        options = self.credential.options
        return forwarded_headers(self.ask.headers, version=options.get("anthropic_version"), betas=self._tells_betas)

    def _authorized(self, url: str, headers: list[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
        """The headers with the credential, in the one that fits it."""
        auth = self.credential.auth
        if "auth_token" not in auth:
            headers.append(("x-api-key", str(auth["api_key"])))
            return headers
        token = str(auth["auth_token"])
        headers.append(("authorization", f"Bearer {token}"))
        if token.startswith(_OAUTH_MARK) and _OAUTH_BETA not in named_betas(headers):
            betas = ",".join((*named_betas(headers), _OAUTH_BETA))
            headers = [
                *((name, value) for name, value in headers if name != "anthropic-beta"),
                ("anthropic-beta", betas),
            ]
        return headers


def is_compatible(credential: Credential) -> bool:
    """Whether the address is another's that speaks Anthropic's API, more or less (anthropic-passthrough.md §3)."""
    if credential.base_url is None:
        return False
    host = urlsplit(credential.base_url).hostname or ""
    return host != _OWN_DOMAIN and not host.endswith(f".{_OWN_DOMAIN}")


def forwarded_headers(headers: Headers, *, version: str | None = None, betas: bool = True) -> list[tuple[str, str]]:
    """What goes on of a client's headers to a platform that speaks Anthropic's API (anthropic-messages.md §3).

    `version` is sent in place of the client's; `betas` False keeps the client's betas here.
    """
    dropped = {"anthropic-beta"} if version is None else {"anthropic-beta", "anthropic-version"}
    kept = [
        (name, value)
        for name, value in headers
        if name in _FORWARDED or (name.startswith(_FORWARDED_PREFIXES) and name not in dropped)
    ]
    if betas and (line := header(headers, "anthropic-beta")) is not None:
        kept.append(("anthropic-beta", line))
    if header(kept, "anthropic-version") is None:
        kept.append(("anthropic-version", version or DEFAULT_VERSION))
    if header(kept, "content-type") is None:
        kept.append(("content-type", "application/json"))
    # Identity, so that a stream can be metered without decoding it (§12).
    kept.append(("accept-encoding", "identity"))
    return kept


def _refuse_foreign_error(body: bytes) -> None:
    """Raises AnsweredWithError where a body of success is an error in another API's shape."""
    document = msgspec.json.decode(body)
    if document.get("type") != "message" and document.get("error"):
        raise AnsweredWithError("api_error", foreign_message(500, "application/json", body))
