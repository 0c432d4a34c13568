"""Antigravity's sign-ins: the operator's own OAuth client of Google, and the project behind it (antigravity.md §3)."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ccrouter.clock import rfc3339, utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed
from ccrouter.platforms.code_assist_sign_in import (
    Account,
    account_request,
    progress_request,
    project_of,
    read_account,
    read_refresh,
    read_set_up,
    refresh_request,
    set_up_request,
)
from ccrouter.tokens.calls import ServiceCalls

_PROJECT_HOLDS = timedelta(days=1)
_ASKED_AGAIN = timedelta(hours=1)
"""How soon the project is asked for again where it is known but the service does not answer."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_SET_UP_LOOKS = 24
_SET_UP_EVERY_S = 5.0
"""Two minutes in all (antigravity.md §3.2)."""

_log = logging.getLogger(__name__)


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
        """Whether the project is known and was asked for today, or must not be asked for."""
        if not credential.options.get("acknowledged") or credential.options.get("project"):
            return True
        return bool(credential.auth.get("project")) and self._now() - _asked_at(credential) < _PROJECT_HOLDS

    def suffices(self, credential: Credential) -> bool:
        """Whether a project is known, however old the news."""
        return bool(credential.options.get("project") or credential.auth.get("project"))

    async def completed(self, credential: Credential, *, anew: bool) -> dict[str, Any]:
        """`auth` with the account's project and tier. Raises SignInFailed, with what an administrator must do.

        A project that is known stays where the service says nothing else; `anew` asks whatever is known.
        """
        if anew and (credential.options.get("project") or not credential.options.get("acknowledged")):
            return credential.auth
        asked_at = self._now()
        try:
            status, _, body = await self._calls.ask(account_request(credential))
            account = read_account(status, body)
            found = {"project": project_of(account), "tier": account.tier}
        except SignInFailed as failure:
            if not credential.auth.get("project"):
                raise
            _log.warning("the project of «%s» stays as it is known: %s", credential.name, failure.message)
            found, asked_at = {}, asked_at - _PROJECT_HOLDS + _ASKED_AGAIN
        return {**credential.auth, **found, "project_at": rfc3339(asked_at)}

    async def set_up(self, credential: Credential) -> dict[str, Any]:
        """Sets an account up that is not yet, which changes it; `auth` with the project. Raises SignInFailed."""
        status, _, body = await self._calls.ask(account_request(credential))
        account = read_account(status, body)
        if account.tier is None:
            project = await self._set_up(credential, account)
            status, _, body = await self._calls.ask(account_request(credential))
            account = read_account(status, body)
        else:
            project = None
        found = credential.options.get("project") or project or project_of(account)
        return {**credential.auth, "project": found, "tier": account.tier, "project_at": rfc3339(self._now())}

    async def _set_up(self, credential: Credential, account: Account) -> str | None:
        status, _, body = await self._calls.ask(set_up_request(credential, account))
        name, done, project = read_set_up(status, body)
        for _ in range(_SET_UP_LOOKS):
            if done:
                return project
            if name is None:
                break
            await asyncio.sleep(_SET_UP_EVERY_S)
            status, _, body = await self._calls.ask(progress_request(credential, name))
            _, done, project = read_set_up(status, body)
        raise SignInFailed("Antigravity has not set the account up in time; try again later.", needs_login=False)


def _asked_at(credential: Credential) -> datetime:
    """When the project was asked for; long ago where that is not known."""
    try:
        at = datetime.fromisoformat(str(credential.auth.get("project_at")))
    except ValueError:
        return _LONG_AGO
    return at if at.tzinfo is not None else _LONG_AGO
