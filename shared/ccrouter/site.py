"""The web UI's files over ASGI: what `make ui` built, read once, with the headers a bucket's distribution sends too.

Only `embedded` and container modes serve them; on AWS they lie in a bucket (aws-serverless.md §0, D4). Addresses of
pages (deep links) answer with `index.html`; a missing file with an extension is 404, so that an old tab notices.
"""

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
_RawHeaders = list[tuple[bytes, bytes]]

SECURITY_HEADERS: dict[str, str] = {
    "content-security-policy": "default-src 'self'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: https://avatars.githubusercontent.com; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self' https://github.com",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Of ui.md §5.1. HSTS is the business of whoever ends TLS."""

_ENCODINGS = ((b"br", ".br"), (b"gzip", ".gz"))
_IMMUTABLE = b"public, max-age=31536000, immutable"


@dataclass(frozen=True)
class _File:
    content: bytes
    encoded: dict[bytes, bytes]
    media_type: bytes
    etag: bytes
    cache: bytes


class Site:
    """The ASGI application over a folder of built files."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": _read(path, folder)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
            and path.suffix not in (".br", ".gz")
            and not path.relative_to(folder).parts[0].startswith(".")
        }

    @classmethod
    def built_in(cls, folder: Path) -> "Site | None":
        """The site of a folder, None where nothing was built there."""
        return cls(folder) if (folder / "index.html").is_file() else None

    async def __call__(self, scope: Scope, receive: object, send: Send) -> None:
        """Serves GET and HEAD."""
        method = scope["method"]
        if method not in ("GET", "HEAD"):
            await _plain(send, 405, b"Only GET and HEAD are served here.", [(b"allow", b"GET, HEAD")])
            return
        path = scope["path"]
        file = self._files.get(path)
        if file is None and "." not in path.rpartition("/")[2]:
            file = self._files["/index.html"]
        if file is None:
            await _plain(send, 404, b"There is no such file.", [])
            return
        await _send(file, scope, method, send)


async def _send(file: _File, scope: Scope, method: str, send: Send) -> None:
    asked = {name: value for name, value in scope["headers"] if name in (b"accept-encoding", b"if-none-match")}
    accepted = {part.partition(b";")[0].strip() for part in asked.get(b"accept-encoding", b"").split(b",")}
    coding, content = b"", file.content
    for name, encoded in file.encoded.items():
        if name in accepted:
            coding, content = name, encoded
            break
    headers: _RawHeaders = [
        (b"content-type", file.media_type),
        (b"cache-control", file.cache),
        (b"etag", file.etag),
        (b"vary", b"accept-encoding"),
        *((name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
    ]
    if asked.get(b"if-none-match") == file.etag:
        await _answer(send, 304, headers, b"")
        return
    if coding:
        headers.append((b"content-encoding", coding))
    headers.append((b"content-length", str(len(content)).encode()))
    await _answer(send, 200, headers, b"" if method == "HEAD" else content)


async def _plain(send: Send, status: int, text: bytes, headers: _RawHeaders) -> None:
    await _answer(
        send,
        status,
        [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode()), *headers],
        text,
    )


async def _answer(send: Send, status: int, headers: _RawHeaders, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _read(path: Path, folder: Path) -> _File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type == "application/javascript":
        media_type += "; charset=utf-8"
    encoded = {
        name: beside.read_bytes()
        for name, suffix in _ENCODINGS
        if (beside := path.with_name(path.name + suffix)).is_file()
    }
    return _File(
        content=content,
        encoded=encoded,
        media_type=media_type.encode(),
        etag=f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'.encode(),
        # Names of assets carry a hash of what they hold; everything else must be asked for anew.
        cache=_IMMUTABLE if path.relative_to(folder).parts[0] == "assets" else b"no-cache",
    )
