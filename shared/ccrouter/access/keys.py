"""API keys: how a secret is made and found, and what a key allows; nothing about where keys are stored."""

import hashlib
import ipaddress
import secrets
from datetime import datetime
from fnmatch import fnmatchcase

import msgspec

from ccrouter.access.limits import Limits
from ccrouter.captures.legs import Mode
from ccrouter.errors import PermissionDenied
from ccrouter.routing.mapping import Mapping

PREFIX = "sk-ccr-"
SECRET_LENGTH = len(PREFIX) + 43
"""`product.md` §5: the prefix and 43 URL-safe characters (256 random bits)."""
SHOWN = len(PREFIX) + 6
"""How much of a secret is kept to recognise a key by."""


def new_secret() -> str:
    """A fresh secret, 256 random bits; shown once, never stored."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored and looked up in place of a secret: its SHA-256 in hexadecimal.

    A plain hash is enough: the secret has 256 random bits, so it cannot be guessed from its hash.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def looks_like_key(value: str) -> bool:
    """Whether a credential could be one of ours, so that foreign tokens cost no look-up."""
    return len(value) == SECRET_LENGTH and value.startswith(PREFIX)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the proxy needs it. `mapping` is JSON as stored; times are aware UTC."""

    id: str
    name: str
    owner_id: str
    owner_login: str
    owner_active: bool
    enabled: bool
    expires_at: datetime | None
    mapping: Mapping
    allowed_models: tuple[str, ...] = ()
    allowed_clients: tuple[str, ...] = ()
    allowed_ips: tuple[str, ...] = ()
    limits: Limits = Limits()
    owner_limits: Limits = Limits()
    capture: Mode = "none"
    """Of which requests the four legs are kept."""

    def is_alive(self, now: datetime) -> bool:
        """Whether the key may be used at all: not for one that is disabled, expired or whose owner is not active."""
        return self.enabled and self.owner_active and (self.expires_at is None or now < self.expires_at)

    def check_caller(self, client_ip: str | None, client: str | None) -> None:
        """Raises PermissionDenied where the key is bound to other networks or to other clients (the user agent)."""
        if self.allowed_ips and not _in_networks(client_ip, self.allowed_ips):
            raise PermissionDenied(
                f"The key «{self.name}» may not be used from {client_ip or 'an unknown address'}: "
                f"it is bound to {', '.join(self.allowed_ips)}."
            )
        if self.allowed_clients and not any(fnmatchcase(client or "", pattern) for pattern in self.allowed_clients):
            raise PermissionDenied(
                f"The key «{self.name}» may not be used by the client «{client or 'unknown'}»: "
                f"it is bound to {', '.join(self.allowed_clients)}."
            )

    def check_model(self, model: str) -> None:
        """Raises PermissionDenied for a model name that the key's patterns do not admit."""
        if self.allowed_models and not self.may_use(model):
            raise PermissionDenied(
                f"The key «{self.name}» may not use the model {model}: it may use {', '.join(self.allowed_models)}."
            )

    def may_use(self, model: str) -> bool:
        """Whether the key's model patterns (shell style, on the requested name) admit this name."""
        return not self.allowed_models or any(fnmatchcase(model, pattern) for pattern in self.allowed_models)


def _in_networks(address: str | None, networks: tuple[str, ...]) -> bool:
    if address is None:
        return False
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in ipaddress.ip_network(network, strict=False) for network in networks)
