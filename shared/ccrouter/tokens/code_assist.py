"""Antigravity's sign-ins: the operator's own OAuth client of Google, and the project behind it (antigravity.md §3)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.platforms.code_assist_sign_in import project_request, read_project, read_refresh, refresh_request
from ccrouter.tokens.calls import ServiceCalls


class CodeAssistSignIn:
    """See `tokens.contract.Renewing`. Nothing leaves before the operator has acknowledged that he holds the right."""

    early_s = 300.0

    def __init__(self, calls: ServiceCalls, *, now: Callable[[], datetime] = utc_now) -> None:
        self._calls = calls
        self._now = now

    def needs_token(self, credential: Credential) -> bool:
        """Whether it may be renewed: the platform itself refuses what is not acknowledged."""
        return "refresh_token" in credential.auth and bool(credential.options.get("acknowledged"))

    async def renewed(self, credential: Credential) -> dict[str, Any]:
        """See `Renewing.renewed`."""
        status, _, body = await self._calls.ask(refresh_request(credential))
        return read_refresh(credential, status, body, self._now())

    def is_complete(self, credential: Credential) -> bool:
        """Whether the project is known, or must not be asked for."""
        return (
            not self.needs_token(credential)
            or bool(credential.options.get("project"))
            or bool(credential.auth.get("project"))
        )

    async def completed(self, credential: Credential, *, anew: bool) -> dict[str, Any]:
        """`auth` with the account's project. Raises SignInFailed, with what an administrator must do."""
        status, _, body = await self._calls.ask(project_request(credential))
        return {**credential.auth, "project": read_project(status, body)}
