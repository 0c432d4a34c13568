"""Addresses: which the router may connect to on somebody's word (anthropic-passthrough.md §3), and whose a call is."""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# These never lie behind a platform, whatever an operator opens: cloud metadata lives there.
_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text) for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# What `is_global` still admits on some versions of Python: addresses of one site, and of IETF protocols.
_NOT_PUBLIC: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in ("fec0::/10", "192.0.0.0/24"))

# Its last part is no number: resolvers take 127.1 and 0x7f.1 for addresses.
_NAME = re.compile(r"(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*(?!0x|[0-9]+\.?$)(?!-)[a-z0-9_-]{1,63}(?<!-)\.?")


def is_allowed(address: Address, private_networks: Sequence[Network]) -> bool:
    """Whether to connect to an address: any public one, and those in networks that the operator has opened."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address.sixtofour is not None:
            address = address.sixtofour
        elif address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _NEVER):
        return False
    return any(address in network for network in private_networks) or (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NOT_PUBLIC)
    )


def check_base_url(
    url: str, private_networks: Sequence[Network] | None, refused_endings: Sequence[str] = ("/v1", "/v1/messages")
) -> str:
    """The address of a platform as it is stored, without a slash at its end; raises ValueError with the reason.

    `refused_endings` are paths that the router adds itself. `private_networks` None admits every address.
    A name is not looked up here: its addresses are checked whenever a connection is made.
    """
    checked = check_url(url, private_networks)
    parts = urlsplit(checked)
    if parts.query:
        raise ValueError("must end with its path: no ? and no #")
    path = parts.path.rstrip("/")
    for ending in refused_endings:
        if path.endswith(ending):
            raise ValueError(f"must be given without {ending} at its end: the router adds it itself")
    return f"{parts.scheme}://{parts.netloc}{path}"


def check_url(url: str, private_networks: Sequence[Network] | None, example: str = "https://api.anthropic.com") -> str:
    """An address that the router may be told to send to, as it was given; raises ValueError with the reason.

    As for `check_base_url`, names are looked up only when a connection is made.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"must be a URL such as {example}") from None
    if parts.scheme not in ("http", "https") or not host or not url.isascii():
        raise ValueError(f"must be a URL that begins with https:// or http://, such as {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password; give the secret as auth")
    if parts.fragment:
        raise ValueError("must end with its path: no ? and no #")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
        if not _NAME.fullmatch(host):
            raise ValueError(f"«{host}» is no name of a host and no address") from None
    if not re.fullmatch("[!-~]+", url.strip()):
        raise ValueError("must not hold spaces or control characters")
    if host == "localhost":
        address = ipaddress.ip_address("127.0.0.1")
    if address is not None and private_networks is not None and not is_allowed(address, private_networks):
        raise ValueError("lies in a private network; the operator may open it with CCR_PRIVATE_UPSTREAMS")
    return url.strip()


def client_address(peer: str | None, forwarded_for: str, trusted: Sequence[Network]) -> str | None:
    """The caller's address: the peer's, or what trusted proxies report, read from the right (`product.md` §5).

    `forwarded_for` is the value of `x-forwarded-for`, empty where there is none.
    """
    if peer is None:
        return None
    address = _plain(peer) or peer
    if not trusted:
        return address
    reported = [part.strip() for part in forwarded_for.split(",") if part.strip()]
    while reported and _is_in(address, trusted):
        nearest = _without_port(reported.pop())
        if nearest is None:
            break
        address = nearest
    return address


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _without_port(text: str) -> str | None:
    """The address in an `x-forwarded-for` part, which may carry a port; None where it is no address."""
    if text.startswith("["):
        return _plain(text[1:].partition("]")[0])
    if text.count(":") == 1:
        return _plain(text.partition(":")[0])
    return _plain(text)


@lru_cache(maxsize=1024)
def _plain(text: str) -> str | None:
    """An address as it is written, IPv4 also where a socket for both gives it as `::ffff:…`; None for anything else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
