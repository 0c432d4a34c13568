"""Brings what stands behind the URLs of one request, within bounds: a client names them, the router pays for them."""

import asyncio
from collections.abc import Mapping, Sequence

from ccrouter.errors import InvalidRequest
from ccrouter.platforms.contract import Media
from ccrouter.ports import FetchMedia

MOST_URLS = 20
MOST_BYTES = 32 * 1024 * 1024
"""As much as a request may hold itself (anthropic-messages.md §11.1)."""
_AT_ONCE = 4


async def fetch_all(media: FetchMedia, urls: Sequence[str]) -> Mapping[str, Media]:
    """What stands behind these URLs. Raises InvalidRequest where they are too many or too large together."""
    if len(urls) > MOST_URLS:
        raise InvalidRequest(
            f"The request names {len(urls)} URLs that this platform does not fetch itself; at most {MOST_URLS} are "
            "fetched for it. Send the others as base64."
        )
    found: dict[str, Media] = {}
    size = 0
    for begin in range(0, len(urls), _AT_ONCE):
        part = urls[begin : begin + _AT_ONCE]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(media.fetch(url)) for url in part]
        except ExceptionGroup as failures:
            # One failure ends the others; the client is told of that one.
            raise failures.exceptions[0] from None
        for url, task in zip(part, tasks, strict=True):
            found[url] = task.result()
            size += len(found[url].data)
        if size > MOST_BYTES:
            raise InvalidRequest(f"What stands behind the URLs of the request is larger than {MOST_BYTES} bytes.")
    return found
