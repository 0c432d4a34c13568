"""Captures as they are stored: without secrets, compressed, encrypted. That takes time, and no request waits for it."""

import zlib
from typing import Any
from uuid import UUID

import msgspec

from ccrouter.captures.legs import CLIENT_REQUEST, Captured, OpenLeg
from ccrouter.captures.redaction import Redactor
from ccrouter.credentials.vault import Vault
from ccrouter.http import header

_FORM = 1
"""Changes when a stored capture has to be read in another way."""
_MOST_MEASURED = 32 * 1024 * 1024
"""A request cannot be longer than that (anthropic-messages.md §11.1)."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """A leg as it is stored: without secrets, its body decoded.

    `size` is that of the whole body, of which `body` is only the beginning where `truncated`. `ended` False: the body
    broke off.
    """

    name: str
    attempt: int | None
    method: str | None
    url: str | None
    status: int | None
    headers: list[tuple[str, str]]
    body: bytes
    size: int
    truncated: bool
    ended: bool


def pack(captured: Captured, redactor: Redactor, limit: int) -> bytes:
    """A capture as it is stored, before it is sealed: without secrets, compressed."""
    for leg in captured.legs:
        redactor.learn(leg.headers)
    bodies: dict[bytes, int] = {}
    clean: dict[tuple[bytes, bool], bytes] = {}
    legs: list[dict[str, Any]] = []
    for leg in captured.legs:
        body, size, truncated = _decoded(leg, limit)
        seen = body, truncated or not leg.ended
        if seen not in clean:
            clean[seen] = redactor.body(body, cut=seen[1])
        body = clean[seen]
        legs.append(
            {
                "name": leg.name,
                "attempt": leg.attempt,
                "method": leg.method,
                "url": None if leg.url is None else redactor.url(leg.url),
                "status": leg.status,
                "headers": redactor.headers(leg.headers),
                # What goes through unchanged is the same on both sides, and stored once.
                "body": bodies.setdefault(body, len(bodies)),
                "size": size,
                "truncated": truncated,
                "ended": leg.ended,
            }
        )
    return zlib.compress(msgspec.msgpack.encode({"form": _FORM, "legs": legs, "bodies": list(bodies)}))


def unpack(packed: bytes) -> list[Leg]:
    """The legs of a stored capture. Raises ValueError for a form this version does not know."""
    document = msgspec.msgpack.decode(zlib.decompress(packed))
    if document["form"] != _FORM:
        raise ValueError(f"a capture of form {document['form']} cannot be read by this version")
    bodies = document["bodies"]
    return [msgspec.convert({**leg, "body": bodies[leg["body"]]}, Leg) for leg in document["legs"]]


def seal(vault: Vault, capture_id: UUID, packed: bytes) -> bytes:
    """Encrypts a packed capture; it opens only as the capture of this request."""
    return vault.seal(packed, _context(capture_id))


def unseal(vault: Vault, capture_id: UUID, sealed: bytes) -> bytes:
    """Decrypts; raises VaultError."""
    return vault.open(sealed, _context(capture_id))


def _context(capture_id: UUID) -> str:
    return f"capture {capture_id}"


def _decoded(leg: OpenLeg, limit: int) -> tuple[bytes, int, bool]:
    """The beginning of a body without its content encoding, the size of the whole, and whether something is missing.

    Only a client's request can be encoded here: answers of platforms were decoded when they were read. Where so much
    of one was cut off that nobody can say how large it is without its encoding, its size is the one it was sent with.
    """
    body, cut = b"".join(leg.pieces), leg.kept < leg.size
    encoding = (header(leg.headers, "content-encoding") or "").strip().lower()
    if leg.name != CLIENT_REQUEST or encoding not in ("gzip", "x-gzip"):
        return body, leg.size, cut
    decoder = zlib.decompressobj(wbits=31)
    try:
        decoded = decoder.decompress(body, limit)
        # Only to measure it: what is beyond the limit is not kept.
        size = len(decoded) + (len(decoder.decompress(decoder.unconsumed_tail, _MOST_MEASURED)) if not cut else 0)
    except zlib.error:
        return body, leg.size, cut
    return decoded, max(size, leg.size) if cut else size, cut or size > len(decoded)
