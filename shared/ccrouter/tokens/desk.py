"""Which sign-in a credential needs, and the work that goes on beside the requests."""

import asyncio
import logging
from functools import cached_property
from typing import TYPE_CHECKING

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed
from ccrouter.ports import Locks, SecretStore, SendUpstream, SignIns
from ccrouter.tokens.calls import ServiceCalls
from ccrouter.tokens.standing import StandingAccess

if TYPE_CHECKING:
    from ccrouter.tokens.code_assist import CodeAssistSignIn
    from ccrouter.tokens.kiro import KiroFacts
    from ccrouter.tokens.stored import StoredTokens
    from ccrouter.tokens.token_command import TokenCommand

_LOOKS_EVERY_S = 30.0

_log = logging.getLogger(__name__)


class SignInDesk:
    """Implements `ports.SignIns` for all platforms; each kind is made, and its library loaded, at its first need."""

    def __init__(
        self,
        upstream: SendUpstream,
        store: SecretStore,
        locks: Locks,
        calls: ServiceCalls | None = None,
        *,
        token_command: str | None = None,
    ) -> None:
        self._store = store
        self._locks = locks
        self._calls = calls or ServiceCalls(upstream)
        self._token_command = token_command
        self._standing = StandingAccess()
        self._served: dict[str, SignIns] = {}
        self._stored: list[StoredTokens] = []
        self._ahead: asyncio.Task[None] | None = None

    async def signed_in(self, credential: Credential) -> Credential:
        """See `ports.SignIns`."""
        kind = self._served[credential.id] = self._kind_of(credential)
        return self._with_facts(await kind.signed_in(credential))

    async def renew(self, credential: Credential, what: str) -> Credential:
        """See `ports.SignIns`."""
        if what == "usage":
            return await self._kiro_facts.with_usage(credential)
        # What was signed in looks like a standing access.
        kind = self._served.get(credential.id) or self._kind_of(credential)
        return self._with_facts(await kind.renew(credential, what))

    async def set_up(self, credential: Credential) -> None:
        """Sets an account of antigravity up that is not yet, which changes it. Raises SignInFailed."""
        if credential.platform != "antigravity":
            raise SignInFailed(f"Accounts of {credential.platform} are not set up from here.", needs_login=False)
        if not credential.options.get("acknowledged"):
            raise SignInFailed("This credential is switched off until options.acknowledged is set.", needs_login=False)
        if self._kind_of(credential) is self._code_assist:
            await self._code_assist.set_up(credential, self._code_assist_sign_in.set_up)
        else:
            await self._commanded.set_up(credential)

    async def close(self) -> None:
        """Ends the work beside the requests; what is under way ends first."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)
        for tokens in self._stored:
            await tokens.close()
        if "_kiro_facts" in self.__dict__:
            await self._kiro_facts.close()

    @cached_property
    def _kiro(self) -> "StoredTokens":
        from ccrouter.tokens.kiro import KiroSignIn
        from ccrouter.tokens.stored import StoredTokens

        return self._renewed_ahead(StoredTokens(KiroSignIn(self._calls), self._store, self._locks))

    @cached_property
    def _kiro_facts(self) -> "KiroFacts":
        from ccrouter.tokens.kiro import KiroFacts

        return KiroFacts(self._calls)

    @cached_property
    def _code_assist_sign_in(self) -> "CodeAssistSignIn":
        from ccrouter.tokens.code_assist import CodeAssistSignIn

        return CodeAssistSignIn(self._calls)

    @cached_property
    def _code_assist(self) -> "StoredTokens":
        from ccrouter.tokens.stored import StoredTokens

        return self._renewed_ahead(StoredTokens(self._code_assist_sign_in, self._store, self._locks))

    @cached_property
    def _commanded(self) -> "TokenCommand":
        from ccrouter.tokens.token_command import TokenCommand

        return TokenCommand(self._token_command, self._calls)

    @cached_property
    def _google(self) -> SignIns:
        from ccrouter.tokens.google_identity import GoogleIdentities

        return GoogleIdentities()

    @cached_property
    def _aws(self) -> SignIns:
        from ccrouter.tokens.aws_role import AwsRole

        return AwsRole()

    def _kind_of(self, credential: Credential) -> SignIns:
        platform, auth = credential.platform, credential.auth
        if platform == "kiro":
            return self._kiro
        if platform == "antigravity" and "refresh_token" in auth:
            return self._code_assist
        if platform == "antigravity" and "access_token" not in auth:
            return self._commanded
        if platform == "vertex" and not {"api_key", "access_token"} & set(auth):
            return self._google
        if platform == "bedrock" and not {"api_key", "access_key_id"} & set(auth):
            return self._aws
        return self._standing

    def _with_facts(self, credential: Credential) -> Credential:
        return self._kiro_facts.added(credential) if credential.platform == "kiro" else credential

    def _renewed_ahead(self, tokens: "StoredTokens") -> "StoredTokens":
        """From here on these are renewed before requests have to wait for it."""
        self._stored.append(tokens)
        if self._ahead is None:
            self._ahead = asyncio.create_task(self._renew_ahead())
        return tokens

    async def _renew_ahead(self) -> None:
        while True:
            await asyncio.sleep(_LOOKS_EVERY_S)
            for tokens in self._stored:
                try:
                    await tokens.renew_ahead()
                except Exception:
                    _log.exception("tokens could not be renewed ahead; the next request renews them")
