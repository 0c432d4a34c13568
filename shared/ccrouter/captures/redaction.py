"""Takes secrets out of what is captured: by the names of headers and parameters, by their form, and by their value."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from ccrouter.http import Headers

REDACTED = "[redacted]"
_REDACTED = REDACTED.encode()

_SHORTEST = 8
"""A shorter value is no secret worth the name, and taking it out everywhere would spoil every text."""

_SECRET_HEADER = re.compile(
    r"(?:proxy-)?authorization|cookie|set-cookie|.*(?:token|secret|password|api-?key|signature|credential)$"
)
_SCHEME = re.compile(r"(bearer|basic|aws4-hmac-sha256) +(.+)", re.IGNORECASE | re.DOTALL)
_SECRET_PARAMETER = re.compile(
    r"([?&;](?:key|api[_-]?key|token|(?:access|refresh|id|session|auth)_?token|sig|signature|secret|client_secret"
    r"|password|x-amz-(?:signature|security-token|credential))=)[^&;#\s\"'<>\\]+",
    re.IGNORECASE,
)
_USER = re.compile(r"^([a-z][a-z0-9+.-]*://)[^/?#@]*@", re.IGNORECASE)

# Each begins with a fixed text, so that a search runs at the speed of memchr: a body may have megabytes.
_FORMS: tuple[tuple[bytes, re.Pattern[bytes]], ...] = (
    (b"sk-ccr-", re.compile(rb"sk-ccr-[A-Za-z0-9_-]{43}")),
    (b"sk-ant-", re.compile(rb"sk-ant-[A-Za-z0-9_-]{20,}")),
    (b"AIza", re.compile(rb"AIza[A-Za-z0-9_-]{35}")),
    (b"ya29.", re.compile(rb"ya29\.[A-Za-z0-9._-]{20,}")),
    (b"1//0", re.compile(rb"1//0[A-Za-z0-9_-]{30,}")),
    (b"X-Amz-Signature=", re.compile(rb"(X-Amz-Signature=)[0-9A-Fa-f]+")),
    (b"X-Amz-Security-Token=", re.compile(rb"(X-Amz-Security-Token=)[A-Za-z0-9%+/=_.-]+")),
    (b"X-Amz-Credential=", re.compile(rb"(X-Amz-Credential=)[A-Za-z0-9%+/=_.-]+")),
    (b", Signature=", re.compile(rb"(, Signature=)[0-9a-f]{64}")),
)
_BEGUN = re.compile(rb"(?:sk-ccr-|sk-ant-|AIza|ya29\.|1//0|X-Amz-[A-Za-z-]+=)[^\s\"'<>\\]*\Z")
"""A secret of a known form that a cut has left without its end."""
_LAST_PART = 8 * 1024

_OPEN_MEMBERS = frozenset(
    {
        "auth_method", "expires_at", "auth_region", "start_url", "profile_arn", "type", "project_id", "client_email",
        "token_uri", "auth_uri", "auth_provider_x509_cert_url", "client_x509_cert_url", "universe_domain",
    }
)  # fmt: skip
"""Members of `auth` objects that are no secrets; whatever else is in one is taken for one."""


def secrets_of(auth: dict[str, Any]) -> Iterator[str]:
    """The secret texts in a credential's `auth` object."""
    for name, value in auth.items():
        if isinstance(value, dict):
            yield from secrets_of(value)
        elif isinstance(value, str) and name not in _OPEN_MEMBERS:
            yield value


class Redactor:
    """Knows the secrets that must not be in a capture: those it is given, and those that its headers show."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: set[bytes] = set()
        for secret in secrets:
            self._add(secret)

    def learn(self, headers: Headers) -> None:
        """Takes the secrets that headers show, so that they are found in bodies and addresses too."""
        for name, value in headers:
            if name in ("cookie", "set-cookie"):
                for part in value.split(";"):
                    self._add(part.partition("=")[2].strip())
            elif _SECRET_HEADER.fullmatch(name):
                scheme = _SCHEME.fullmatch(value)
                self._add((scheme[2] if scheme else value).strip())

    def headers(self, headers: Headers) -> list[tuple[str, str]]:
        """Headers without secrets; which scheme a credential was sent with is no secret."""
        return [(name, self._value(name, value)) for name, value in headers]

    def url(self, url: str) -> str:
        """An address without user, secret parameters and known secrets."""
        url = _USER.sub(r"\1", url)
        return self._text(_SECRET_PARAMETER.sub(rf"\g<1>{REDACTED}", url))

    def body(self, body: bytes, *, cut: bool) -> bytes:
        """A body without secrets; where it was cut, also without the beginning of one at its end."""
        # The longest first: one that begins with another must not leave its end behind.
        for secret in sorted(self._secrets, key=len, reverse=True):
            if secret in body:
                body = body.replace(secret, _REDACTED)
        for begin, form in _FORMS:
            if begin in body:
                body = form.sub((rb"\1" if form.groups else b"") + _REDACTED, body)
        return self._without_begun(body) if cut else body

    def _value(self, name: str, value: str) -> str:
        if _SECRET_HEADER.fullmatch(name):
            scheme = _SCHEME.fullmatch(value)
            return f"{scheme[1]} {REDACTED}" if scheme else REDACTED
        return self._text(value)

    def _text(self, text: str) -> str:
        return self.body(text.encode(), cut=False).decode()

    def _without_begun(self, body: bytes) -> bytes:
        last = body[-_LAST_PART:]
        for secret in self._secrets:
            for length in range(min(len(secret) - 1, len(last)), _SHORTEST - 1, -1):
                if last.endswith(secret[:length]):
                    return body[:-length] + _REDACTED
        found = _BEGUN.search(last)
        return body if found is None else body[: len(body) - len(last) + found.start()] + _REDACTED

    def _add(self, secret: str) -> None:
        if len(secret) < _SHORTEST:
            return
        in_json = msgspec.json.encode(secret)[1:-1]
        self._secrets |= {secret.encode(), in_json, quote(secret, safe="").encode()}
