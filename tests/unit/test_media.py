"""Media behind addresses that a client gives: whatever is wrong with one is the request's fault."""

import asyncio

import pytest

from ccrouter.errors import InvalidRequest
from ccrouter.media import UpstreamMedia
from ccrouter.upstream import AiohttpUpstream


def fetched(url: str) -> None:
    """Asks for it over the real leg, which may connect to public addresses only."""

    async def run() -> None:
        upstream = AiohttpUpstream(())
        try:
            await UpstreamMedia(upstream).fetch(url)
        finally:
            await upstream.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "url", ["http://[::1", "https://example.com:99999/a.png", "https://[x]/", "http://", "file:///etc/passwd", ""]
)
def test_an_address_that_is_none_is_the_clients_fault(url: str) -> None:
    """It is told which one; the router has no fault to log."""
    with pytest.raises(InvalidRequest, match="could not be fetched"):
        fetched(url)


def test_secrets_in_an_address_are_not_repeated() -> None:
    """What is told stands in the log too."""
    with pytest.raises(InvalidRequest, match=r"http://127\.0\.0\.1/a\.png could not") as caught:
        fetched("http://ada:secret@127.0.0.1/a.png?token=secret")
    assert "secret" not in caught.value.message
