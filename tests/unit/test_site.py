"""The web UI's files as a browser gets them."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest

from ccrouter.site import SECURITY_HEADERS, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A built UI of four files."""
    (tmp_path / "index.html").write_text("<!doctype html><title>page</title>")
    (tmp_path / ".built").write_text("")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-1a2b.js").write_text("export {};")
    (tmp_path / "assets" / "index-1a2b.js.gz").write_bytes(gzip.compress(b"export {};"))
    found = Site.built_in(tmp_path)
    assert found is not None
    return found


def ask(site: Site, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(site(scope, None, send))
    return sent[0]["status"], {n.decode(): v.decode() for n, v in sent[0]["headers"]}, sent[1]["body"]


@pytest.mark.parametrize("path", ["/", "/keys", "/logs/0199"])
def test_an_address_of_a_page_answers_with_the_page(site: Site, path: str) -> None:
    """Deep links work, and the page itself is asked for anew each time, under the strict content policy."""
    status, headers, body = ask(site, path)
    assert status == 200
    assert body.startswith(b"<!doctype html>")
    assert headers["cache-control"] == "no-cache"
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert SECURITY_HEADERS.items() <= headers.items()


def test_assets_may_be_kept_for_ever(site: Site) -> None:
    """Their names carry a hash of what they hold."""
    status, headers, body = ask(site, "/assets/index-1a2b.js")
    assert (status, body) == (200, b"export {};")
    assert "immutable" in headers["cache-control"]
    assert headers["content-type"].startswith("text/javascript")


def test_what_was_compressed_is_sent_so_to_who_takes_it(site: Site) -> None:
    """The length is that of what is sent; a HEAD tells the same without the body."""
    _, headers, body = ask(site, "/assets/index-1a2b.js", accept_encoding="br;q=1.0, gzip")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == b"export {};"
    assert headers["content-length"] == str(len(body))
    _, told, nothing = ask(site, "/assets/index-1a2b.js", "HEAD", accept_encoding="gzip")
    assert (told["content-length"], nothing) == (headers["content-length"], b"")


@pytest.mark.parametrize("path", ["/assets/index-old.js", "/../pyproject.toml", "/.built", "/assets/index-1a2b.js.gz"])
def test_what_is_no_file_of_the_ui_is_not_found(site: Site, path: str) -> None:
    """An old tab notices that its chunk is gone, and nothing outside of the folder is ever read."""
    assert ask(site, path)[0] == 404


def test_an_unchanged_file_is_not_sent_again(site: Site) -> None:
    """A browser that has it gets 304."""
    _, headers, _ = ask(site, "/")
    status, _, body = ask(site, "/", if_none_match=headers["etag"])
    assert (status, body) == (304, b"")


def test_pages_are_only_read(site: Site) -> None:
    """Other methods are refused, naming what is allowed."""
    status, headers, _ = ask(site, "/keys", "POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_without_a_built_ui_there_is_no_site(tmp_path: Path) -> None:
    """Then the router runs without pages."""
    assert Site.built_in(tmp_path / "dist") is None
