"""HTTP as values: what is sent to a platform and how headers are looked up; no sockets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Headers = Sequence[tuple[str, str]]
"""Header lines in order; names are lower case."""


def header(headers: Headers, name: str) -> str | None:
    """The value of a header; several lines of one name are joined by commas, as RFC 9110 §5.2 allows."""
    values = [value for key, value in headers if key == name]
    return ", ".join(values) if values else None


def decode_headers(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """ASGI's header pairs as text (latin-1, as on the wire)."""
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request to a platform.

    `open_network` is set where the operator's environment names the address: it may then lie in a private network.
    `head_within_s` and `silence_within_s` bound the waits for the answer and inside it, `first_within_s` the one for a
    stream's first event and `whole_within_s` the whole request, where a platform is known to need less than others.
    """

    method: str
    url: str
    headers: Headers
    body: bytes
    open_network: bool = False
    head_within_s: float | None = None
    silence_within_s: float | None = None
    first_within_s: float | None = None
    whole_within_s: float | None = None
