"""Images and documents behind URLs, for platforms that do not fetch them (gemini.md §3, bedrock.md §4).

They are fetched through the upstream leg, so that its rules hold: public addresses only, checked at connect time.
"""

import asyncio
import re
from urllib.parse import urljoin, urlsplit

from ccrouter.errors import InvalidRequest, UpstreamError
from ccrouter.http import HttpRequest, header
from ccrouter.platforms.contract import Media
from ccrouter.ports import SendUpstream

_LIMIT = 20 * 1024 * 1024
_WITHIN_S = 10.0
_MOST_REDIRECTS = 3
_USER = re.compile(r"//[^/]*@")


class UpstreamMedia:
    """Implements `ports.FetchMedia`."""

    def __init__(self, upstream: SendUpstream) -> None:
        self._upstream = upstream

    async def fetch(self, url: str) -> Media:
        """What stands behind a URL. Raises InvalidRequest naming the URL and the reason."""
        try:
            async with asyncio.timeout(_WITHIN_S):
                return await self._follow(url)
        except UpstreamError as error:
            raise InvalidRequest(f"The URL {_shown(url)} could not be fetched: {error.message}") from None
        except TimeoutError:
            raise InvalidRequest(f"The URL {_shown(url)} did not answer within {_WITHIN_S:g} s.") from None

    async def _follow(self, url: str) -> Media:
        asked = url
        for _ in range(_MOST_REDIRECTS + 1):
            _check(asked, url)
            response = await self._upstream.send(HttpRequest("GET", asked, (("accept", "*/*"),), b""))
            try:
                location = header(response.headers, "location")
                if 300 <= response.status < 400 and location is not None:
                    asked = _led(asked, location, url)
                    continue
                if response.status != 200:
                    raise InvalidRequest(
                        f"The URL {_shown(url)} could not be fetched: it answered with status {response.status}."
                    )
                body = await response.read_all(_LIMIT, _WITHIN_S)
                kind = (header(response.headers, "content-type") or "").partition(";")[0].strip().lower()
                return Media(kind or "application/octet-stream", body)
            finally:
                response.close()
        raise InvalidRequest(f"The URL {_shown(url)} could not be fetched: it leads from one address to the next.")


def _led(asked: str, location: str, url: str) -> str:
    """Where a redirect leads, which may be said relative to the address that was asked (RFC 9110 §10.2.2)."""
    try:
        return urljoin(asked, location)
    except ValueError:
        raise InvalidRequest(f"The URL {_shown(url)} could not be fetched: it leads to no address.") from None


def _check(asked: str, url: str) -> None:
    """Raises InvalidRequest for what is no address, or of another kind; where it leads is checked later."""
    try:
        parts = urlsplit(asked)
        scheme, _host, _port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        raise InvalidRequest(f"The URL {_shown(url)} could not be fetched: it is no address.") from None
    if scheme not in ("https", "http"):
        raise InvalidRequest(f"The URL {_shown(url)} could not be fetched: only http and https are.")


def _shown(url: str) -> str:
    """A URL without its user and its query, which may hold secrets."""
    return _USER.sub("//", url.partition("?")[0], count=1)[:200]
