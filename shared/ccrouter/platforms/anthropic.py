"""Anthropic's API and every address that speaks it: the same bytes under another key (anthropic-passthrough.md §2)."""

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.errors import foreign_message, kind_of, read_error
from ccrouter.dialects.anthropic.stream import AnthropicStream
from ccrouter.dialects.anthropic.whole import read_message
from ccrouter.errors import Consequence, Trouble, UpstreamError, UpstreamRefused, Verdict
from ccrouter.http import Headers, HttpRequest, header
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

BASE_URL = "https://api.anthropic.com"
DEFAULT_VERSION = "2023-06-01"

# anthropic-messages.md §3: the client speaks, so what tells about it goes on; credentials, cookies, hop-by-hop headers
# and other `x-` headers stay here.
_FORWARDED = frozenset({"accept", "content-type", "user-agent", "x-app"})
_FORWARDED_PREFIXES = ("anthropic-", "x-claude-code-", "x-claude-1p-", "x-stainless-")

# §10: the rest either discloses the operator's account or belongs to the other connection.
_RETURNED = frozenset({"content-type", "request-id", "retry-after", "retry-after-ms", "x-should-retry"})
_LIMIT_HEADERS = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-")

_ON_CREDENTIAL = frozenset({401, 402, 403})
_NEXT = _ON_CREDENTIAL | {408, 429}


class Anthropic:
    """Pass-through: the request's bytes but for the model's name, the answer's bytes as they come."""

    name = "anthropic"

    def needs(self, ask: Ask, aim: Aim) -> Needs:
        """Nothing: the bytes go on as they are."""
        return NOTHING

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> "AnthropicExchange":
        """See `Platform.open`."""
        return AnthropicExchange(ask, aim, credential)


class AnthropicExchange:
    """See `platforms.contract.Exchange`."""

    stream_types = frozenset({"text/event-stream"})

    def __init__(self, ask: Ask, aim: Aim, credential: Credential) -> None:
        self.ask = ask
        self.aim = aim
        self.credential = credential

    def request(self) -> HttpRequest:
        """The client's request at the credential's address, with the credential in place of the client's key."""
        ask, credential = self.ask, self.credential
        path = "/v1/messages/count_tokens" if ask.operation == COUNT_TOKENS else "/v1/messages"
        query = f"?{ask.query}" if ask.query else ""
        headers = forwarded_headers(ask.headers)
        if "auth_token" in credential.auth:
            headers.append(("authorization", f"Bearer {credential.auth['auth_token']}"))
        else:
            headers.append(("x-api-key", str(credential.auth["api_key"])))
        return HttpRequest(
            "POST",
            f"{(credential.base_url or BASE_URL).rstrip('/')}{path}{query}",
            headers,
            ask.request.with_model(self.aim.model),
            open_network=credential.open_network,
        )

    def stream(self) -> AnthropicStream:
        """Fresh state for one streamed answer."""
        return AnthropicStream()

    def read_whole(self, body: bytes) -> Whole:
        """The answer as it came; what it says is read from a copy."""
        return Whole(body, read_message(body, counts=self.ask.operation == COUNT_TOKENS))

    def read_refusal(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        """Anthropic's own errors keep every byte, since clients match their wording; others are put into the shape."""
        known = read_error(body)
        asked_wait = header(headers, "retry-after")
        if status < 400:
            # Clients take a redirect for a failure (§1), and following one would carry the credential elsewhere.
            status, known = 502, None
        if known is not None:
            kind, message = known
        else:
            kind = kind_of(status)
            message = foreign_message(status, header(headers, "content-type") or "", body)
            body = b""
        verdict = Verdict.NEXT_CREDENTIAL if status in _NEXT or status >= 500 else Verdict.FINAL
        return UpstreamRefused(
            status,
            kind,
            message,
            verdict=verdict,
            headers=_translated(headers) if known is None else self.answer_headers(headers),
            body=body,
            on_credential=status in _ON_CREDENTIAL,
            consequence=_consequence(status, asked_wait, self.aim.model),
        )

    def answer_headers(self, headers: Headers) -> Headers:
        """Those headers of an answer that a client may see; limits only where the credential's option says so."""
        shows_limits = bool(self.credential.options.get("forward_rate_limits"))
        return [
            (name, value)
            for name, value in headers
            if name in _RETURNED or (shows_limits and name.startswith(_LIMIT_HEADERS))
        ]

    def mend(self, refusal: UpstreamRefused) -> Exchange | None:
        """Nothing is mended here: clients recover by the platform's own words."""
        return None

    def count_instead(self, failure: UpstreamError) -> CannedAnswer | None:
        """The platform counts, or its error stands."""
        return None


def forwarded_headers(headers: Headers) -> list[tuple[str, str]]:
    """What goes on of a client's headers to a platform that speaks Anthropic's API (anthropic-messages.md §3)."""
    kept = [
        (name, value)
        for name, value in headers
        if name in _FORWARDED or (name.startswith(_FORWARDED_PREFIXES) and name != "anthropic-beta")
    ]
    if (betas := header(headers, "anthropic-beta")) is not None:
        kept.append(("anthropic-beta", betas))
    if header(kept, "anthropic-version") is None:
        kept.append(("anthropic-version", DEFAULT_VERSION))
    if header(kept, "content-type") is None:
        kept.append(("content-type", "application/json"))
    # Identity, so that a stream can be metered without decoding it (§12).
    kept.append(("accept-encoding", "identity"))
    return kept


def _consequence(status: int, asked_wait: str | None, model: str) -> Consequence:
    wait = float(asked_wait) if asked_wait is not None and asked_wait.isdecimal() else None
    if status in (429, 529):
        return Consequence(Trouble.THROTTLED, wait, scope=model)
    if status == 401:
        return Consequence(Trouble.UNAUTHORIZED)
    if status == 402:
        return Consequence(Trouble.REFUSED)
    if status == 408 or status >= 500:
        return Consequence(Trouble.FAULT, wait, scope=model)
    return Consequence()


def _translated(headers: Headers) -> Headers:
    # §10: an error that we put into the shape carries whole seconds below 60, or tells clients not to wait at all.
    kept = [(name, value) for name, value in headers if name in ("request-id", "x-should-retry")]
    wait = header(headers, "retry-after")
    if wait is not None and wait.isdecimal():
        # As a float, since a platform may send more digits than an int may have.
        if float(wait) < 60:
            kept.append(("retry-after", str(int(wait))))
        elif header(kept, "x-should-retry") is None:
            kept.append(("x-should-retry", "false"))
    return kept
