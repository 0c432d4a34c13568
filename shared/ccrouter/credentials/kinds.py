"""What a credential is, and what each platform's `auth` object must hold (`product.md` §8)."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A credential, decrypted, as an attempt needs it.

    `auth` holds the secret members, `options` the open ones; `models` None admits every model.
    `open_network` is set for an address that comes from the operator's environment.
    """

    id: str
    platform: str
    name: str
    base_url: str | None = None
    auth: dict[str, Any] = field(repr=False, default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    weight: int = 1
    models: tuple[str, ...] | None = None
    open_network: bool = False


class AuthError(ValueError):
    """An `auth` object does not fit its platform; `field` names the member."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def check_anthropic_auth(auth: dict[str, Any]) -> None:
    """Admits `{"api_key": "…"}` or `{"auth_token": "…"}`; raises AuthError for anything else.

    Exactly one of the two is sent, since the API prefers `x-api-key` when it sees both.
    """
    unknown = set(auth) - {"api_key", "auth_token"}
    if unknown:
        raise AuthError(f"auth.{min(unknown)}", "is not known for anthropic; give api_key or auth_token")
    given = [name for name in ("api_key", "auth_token") if name in auth]
    if len(given) != 1:
        raise AuthError("auth", "give exactly one of api_key and auth_token")
    secret = auth[given[0]]
    if not isinstance(secret, str) or not secret.strip() or not secret.isascii() or not secret.isprintable():
        raise AuthError(f"auth.{given[0]}", "must be a non-empty string of printable ASCII characters")
