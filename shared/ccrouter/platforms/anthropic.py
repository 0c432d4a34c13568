"""Anthropic's API and every address that speaks it: the same bytes under another key (anthropic-passthrough.md §2)."""

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.anthropic.errors import foreign_message, kind_of, read_error
from ccrouter.dialects.anthropic.stream import AnthropicStream
from ccrouter.errors import UpstreamRefused, Verdict
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.platforms.contract import COUNT_TOKENS, Ask

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

    def build_request(self, ask: Ask, model: str, credential: Credential) -> HttpRequest:
        """The client's request at the credential's address, with the credential in place of the client's key."""
        path = "/v1/messages/count_tokens" if ask.operation == COUNT_TOKENS else "/v1/messages"
        query = f"?{ask.query}" if ask.query else ""
        headers = [
            (name, value)
            for name, value in ask.headers
            if name in _FORWARDED or (name.startswith(_FORWARDED_PREFIXES) and name != "anthropic-beta")
        ]
        if (betas := header(ask.headers, "anthropic-beta")) is not None:
            headers.append(("anthropic-beta", betas))
        if header(headers, "anthropic-version") is None:
            headers.append(("anthropic-version", DEFAULT_VERSION))
        if header(headers, "content-type") is None:
            headers.append(("content-type", "application/json"))
        # Identity, so that a stream can be metered without decoding it (§12).
        headers.append(("accept-encoding", "identity"))
        if "auth_token" in credential.auth:
            headers.append(("authorization", f"Bearer {credential.auth['auth_token']}"))
        else:
            headers.append(("x-api-key", str(credential.auth["api_key"])))
        return HttpRequest(
            "POST",
            f"{(credential.base_url or BASE_URL).rstrip('/')}{path}{query}",
            headers,
            ask.request.with_model(model),
            open_network=credential.open_network,
        )

    def stream(self) -> AnthropicStream:
        """Fresh state for one streamed answer."""
        return AnthropicStream()

    def read_refusal(self, status: int, headers: Headers, body: bytes, credential: Credential) -> UpstreamRefused:
        """Anthropic's own errors keep every byte, since clients match their wording; others are put into the shape."""
        known = read_error(body)
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
            headers=_translated(headers) if known is None else self.answer_headers(headers, credential),
            body=body,
            on_credential=status in _ON_CREDENTIAL,
        )

    def answer_headers(self, headers: Headers, credential: Credential) -> Headers:
        """Those headers of an answer that a client may see; limits only where the credential's option says so."""
        shows_limits = bool(credential.options.get("forward_rate_limits"))
        return [
            (name, value)
            for name, value in headers
            if name in _RETURNED or (shows_limits and name.startswith(_LIMIT_HEADERS))
        ]


def _translated(headers: Headers) -> Headers:
    # §10: an error that we put into the shape carries whole seconds below 60, or tells clients not to wait at all.
    kept = [(name, value) for name, value in headers if name in ("request-id", "x-should-retry")]
    wait = header(headers, "retry-after")
    if wait is not None and wait.isdecimal():
        if int(wait) < 60:
            kept.append(("retry-after", str(int(wait))))
        elif header(kept, "x-should-retry") is None:
            kept.append(("x-should-retry", "false"))
    return kept
