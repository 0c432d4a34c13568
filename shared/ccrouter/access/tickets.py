"""What a sign-in with GitHub carries through the browser: signed, short-lived, and nothing of it in an address.

Strategy: the OAuth door has no database. `start` gives the browser a random nonce in a cookie and GitHub a signed state
with the nonce's hash, so that only that browser can come back with it; the PKCE verifier follows from the nonce and the
secret, and is never sent to the browser. `callback` puts what GitHub has said of the person into a signed ticket, in a
cookie for one minute; the admin door makes a session of it, whose id is the ticket's, so that it is of one use.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from ccrouter.clock import epoch_s
from ccrouter.ids import uuid7

STATE_S = 600
"""How long somebody may take on GitHub's pages; its codes live as long."""
TICKET_S = 60
NONCE_COOKIE, TICKET_COOKIE = "ccr_github", "ccr_github_ticket"
ORGANISATIONS = 200
"""How many organisations fit into a ticket: a cookie holds 4 KB."""
_MARK = 5
"""Bytes of a keyed hash that stand for an organisation: nobody without the secret can aim at one."""
_LONGEST = {"name": 100, "avatar_url": 200, "email": 254}
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,299}")

T = TypeVar("T")


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Who has signed in on GitHub. `email` is the verified primary address; `marks` stand for organisations."""

    id: str
    github_id: int
    login: str
    name: str | None
    avatar_url: str | None
    email: str | None
    marks: str
    next: str


class _State(msgspec.Struct, frozen=True):
    nonce: str
    next: str


class Tickets:
    """Signs and reads for one installation; its doors share the secret."""

    def __init__(self, secret: str) -> None:
        self._secret = hashlib.sha256(b"github:" + secret.encode()).digest()
        self._key = OctKey.import_key(self._secret)

    def new_nonce(self) -> str:
        """What binds a sign-in to one browser."""
        return secrets.token_urlsafe(32)

    def code_verifier(self, nonce: str) -> str:
        """The PKCE verifier of the sign-in with this nonce (RFC 7636 §4.1)."""
        return _text(self._hash("verifier", nonce))

    def write_state(self, nonce: str, then: str) -> str:
        """The `state` that GitHub gives back."""
        return self._write("state", _State(_text(self._hash("nonce", nonce)), safe_path(then)), STATE_S)

    def read_state(self, state: str, nonce: str) -> str | None:
        """The path to end on; None for a state that is not ours, has expired, or is another browser's."""
        found = self._read("state", state, _State)
        if found is None or not hmac.compare_digest(found.nonce, _text(self._hash("nonce", nonce))):
            return None
        return found.next

    def write_ticket(
        self,
        *,
        github_id: int,
        login: str,
        name: str | None,
        avatar_url: str | None,
        email: str | None,
        organisations: Iterable[str],
        then: str,
    ) -> str:
        """A ticket for this person, of one use. Texts that are too long for it are cut or left out."""
        marks = sorted(self._mark(name) for name in organisations)[:ORGANISATIONS]
        ticket = Ticket(
            id=str(uuid7()),
            github_id=github_id,
            login=login,
            name=None if name is None else name[: _LONGEST["name"]],
            avatar_url=avatar_url if avatar_url is not None and len(avatar_url) <= _LONGEST["avatar_url"] else None,
            email=email if email is not None and len(email) <= _LONGEST["email"] else None,
            marks=_text(b"".join(marks)),
            next=then,
        )
        return self._write("ticket", ticket, TICKET_S)

    def read_ticket(self, text: str) -> Ticket | None:
        """The ticket; None for what is not ours or has expired."""
        return self._read("ticket", text, Ticket)

    def is_in(self, ticket: Ticket, organisation: str) -> bool:
        """Whether this person belongs to an organisation."""
        marks = base64.urlsafe_b64decode(ticket.marks + "=" * (-len(ticket.marks) % 4))
        wanted = self._mark(organisation)
        return any(marks[at : at + _MARK] == wanted for at in range(0, len(marks), _MARK))

    def _mark(self, organisation: str) -> bytes:
        return self._hash("organisation", organisation.lower())[:_MARK]

    def _hash(self, purpose: str, text: str) -> bytes:
        return hmac.digest(self._secret, f"{purpose}:{text}".encode(), "sha256")

    def _write(self, purpose: str, value: msgspec.Struct, lasts_s: int) -> str:
        claims = {"aud": purpose, "exp": int(epoch_s()) + lasts_s, "v": msgspec.to_builtins(value)}
        return jwt.encode({"alg": "HS256"}, claims, self._key)

    def _read(self, purpose: str, text: str, kind: type[T]) -> T | None:
        try:
            claims: dict[str, Any] = jwt.decode(text, self._key, algorithms=["HS256"]).claims
            jwt.JWTClaimsRegistry(aud={"essential": True, "value": purpose}, exp={"essential": True}).validate(claims)
            return msgspec.convert(claims.get("v"), kind)
        except (JoseError, ValueError):
            return None


def safe_path(text: str) -> str:
    """A path of this installation to go to, `/` in place of whatever else is asked: another host, a scheme, a trick.

    Browsers read a backslash as a slash and leave out line ends and tabs, so that neither is admitted.
    """
    return text if _PATH.fullmatch(text) else "/"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
