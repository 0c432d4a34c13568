"""Access for credentials that need no sign-in."""

from ccrouter.credentials.kinds import Credential


class StandingAccess:
    """Implements `ports.SignIns` for credentials whose secret is their access: keys and standing tokens."""

    async def signed_in(self, credential: Credential) -> Credential:
        """The credential itself."""
        return credential

    async def renew(self, credential: Credential, what: str) -> Credential:
        """The credential itself: there is nothing newer."""
        return credential
