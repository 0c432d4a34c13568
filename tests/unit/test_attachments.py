"""What a request may make the router fetch."""

import asyncio

import pytest
from tests.fakes import FakeMedia

from ccrouter.errors import InvalidRequest
from ccrouter.gateway import attachments
from ccrouter.platforms.contract import Media


def fetched(media: FakeMedia, *urls: str) -> dict[str, bytes]:
    """What is brought."""
    return {url: item.data for url, item in asyncio.run(attachments.fetch_all(media, urls)).items()}


def test_all_urls_are_brought() -> None:
    """In portions, each under its own name."""
    names = [f"u{number}" for number in range(9)]
    media = FakeMedia(**{name: Media("image/png", name.encode()) for name in names})
    assert fetched(media, *names) == {name: name.encode() for name in names}


def test_too_many_are_not_begun() -> None:
    """The number is told, and what to do."""
    with pytest.raises(InvalidRequest, match="names 21 URLs"):
        fetched(FakeMedia(), *(f"u{number}" for number in range(21)))


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they may be as large as a request."""
    monkeypatch.setattr(attachments, "MOST_BYTES", 10)
    media = FakeMedia(a=Media("image/png", b"123456"), b=Media("image/png", b"123456"))
    with pytest.raises(InvalidRequest, match="larger than 10 bytes"):
        fetched(media, "a", "b")


def test_a_url_that_cannot_be_fetched_is_the_clients_fault() -> None:
    """The reason comes through as it is, not wrapped in a group."""
    with pytest.raises(InvalidRequest, match="could not be fetched"):
        fetched(FakeMedia(), "nowhere")
