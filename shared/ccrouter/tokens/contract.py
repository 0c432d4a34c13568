"""What one kind of stored sign-in must be able to do."""

from typing import Any, Protocol

from ccrouter.credentials.kinds import Credential


class Renewing(Protocol):
    """One kind of sign-in whose tokens are stored with the credential, as `access_token` and `expires_at`."""

    early_s: float
    """How long before its end a token counts as expired."""

    def needs_token(self, credential: Credential) -> bool:
        """Whether access must be got at all."""

    async def renewed(self, credential: Credential) -> dict[str, Any]:
        """The credential's `auth` with new tokens. Raises SignInFailed."""

    def is_complete(self, credential: Credential) -> bool:
        """Whether nothing is left to be found out with the token."""

    def suffices(self, credential: Credential) -> bool:
        """Whether it can be used with its token, although it may not be complete."""

    async def completed(self, credential: Credential, *, anew: bool) -> dict[str, Any]:
        """The credential's `auth` with what was found out; `anew` asks also for what was not found before.

        Raises SignInFailed.
        """
