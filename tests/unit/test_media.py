"""Media behind addresses that a client gives: whatever is wrong with one is the request's fault."""

import asyncio

import pytest
from tests.fakes import Script, ScriptedUpstream

from ccrouter.errors import InvalidRequest
from ccrouter.media import UpstreamMedia
from ccrouter.platforms.contract import Media
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


IMAGE = Script(200, (("content-type", "image/png"),), (b"png",))


def led(*locations: str) -> tuple[ScriptedUpstream, Media]:
    """What is fetched over redirects that say where to go in this way."""
    upstream = ScriptedUpstream(*(Script(302, (("location", place),)) for place in locations), IMAGE)
    return upstream, asyncio.run(UpstreamMedia(upstream).fetch("https://a.example/pictures/1?size=2"))


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("https://b.example/2", "https://b.example/2"),
        ("//b.example/2", "https://b.example/2"),
        ("/2", "https://a.example/2"),
        ("2", "https://a.example/pictures/2"),
        ("../2?x=://y", "https://a.example/2?x=://y"),
        ("?size=1", "https://a.example/pictures/1?size=1"),
    ],
)
def test_a_redirect_may_be_relative(location: str, asked: str) -> None:
    """To the address that was asked, as browsers understand it."""
    upstream, media = led(location)
    assert upstream.requests[-1].url == asked
    assert (media.media_type, media.data) == ("image/png", b"png")


def test_a_relative_redirect_is_relative_to_the_redirect_before() -> None:
    """Each is told by whom it leads on."""
    upstream, _ = led("https://b.example/x/y", "z")
    assert upstream.requests[-1].url == "https://b.example/x/z"


@pytest.mark.parametrize("locations", [("file:///etc/passwd",), ("http://[::1",), ("/2", "/3", "/4", "/5")])
def test_a_redirect_that_leads_nowhere_is_the_clients_fault(locations: tuple[str, ...]) -> None:
    """Another kind of address, none at all, or one after the other."""
    with pytest.raises(InvalidRequest, match=r"https://a\.example/pictures/1 could not be fetched"):
        led(*locations)
