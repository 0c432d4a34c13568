"""Kiro's sign-ins, and what is learned of its accounts beside them (kiro.md §3, §12)."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from ccrouter.clock import monotonic_s, utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed
from ccrouter.platforms.kiro_account import USED_UP, KiroAccount
from ccrouter.platforms.kiro_management import (
    Usage,
    models_request,
    profile_request,
    read_models,
    read_profiles,
    read_usage,
    usage_request,
)
from ccrouter.platforms.kiro_sign_in import read_refresh, refresh_request
from ccrouter.tokens.calls import ServiceCalls

_FACTS_HOLD_S = 3600.0
_ASKED_AGAIN_S = 600.0
"""After a failure; usage may be asked for that often at most."""
_MOST_PAGES = 10

_log = logging.getLogger(__name__)


class KiroSignIn:
    """See `tokens.contract.Renewing`."""

    early_s = 120.0

    def __init__(self, calls: ServiceCalls, *, now: Callable[[], datetime] = utc_now) -> None:
        self._calls = calls
        self._now = now
        self._without_profile: set[tuple[str, Any]] = set()
        """Accounts that were asked for their profiles and have none."""

    def needs_token(self, credential: Credential) -> bool:
        """Whether it is a sign-in that can be renewed."""
        return "refresh_token" in credential.auth

    async def renewed(self, credential: Credential) -> dict[str, Any]:
        """See `Renewing.renewed`."""
        answer = await self._calls.ask(refresh_request(credential))
        return read_refresh(credential, *answer, self._now())

    def is_complete(self, credential: Credential) -> bool:
        """Only accounts of organisations are asked for a profile beforehand (kiro.md §3.6)."""
        account = KiroAccount(credential)
        return (
            account.method != "idc"
            or account.is_builder_id
            or account.profile_arn is not None
            or self._asked(credential) in self._without_profile
        )

    def suffices(self, credential: Credential) -> bool:
        """Whether nothing is left to be found out: an administrator must hear of several profiles."""
        return self.is_complete(credential)

    async def completed(self, credential: Credential, *, anew: bool) -> dict[str, Any]:
        """`auth` with the account's profile. Raises SignInFailed where an administrator must choose."""
        account = KiroAccount(credential)
        if anew and (account.profile_arn is not None or account.is_builder_id):
            raise SignInFailed(
                "Kiro wants another profile for this account and model; an administrator must set options.profile_arn.",
                needs_login=False,
            )
        try:
            status, _, body = await self._calls.ask(profile_request(account))
            profiles = read_profiles(status, body)
        except SignInFailed:
            if anew:
                raise
            profiles = None
        if profiles is not None and len(profiles) > 1:
            raise SignInFailed(
                f"This account has several profiles; an administrator must set options.profile_arn to one of them: "
                f"{', '.join(profiles)}.",
                needs_login=False,
            )
        if profiles:
            return {**credential.auth, "profile_arn": profiles[0]}
        if anew:
            raise SignInFailed(
                "Kiro wants a profile for this account and none was found; an administrator must set "
                "options.profile_arn.",
                needs_login=False,
            )
        # Not known is taken for none until the next token: a request must not wait for this each time.
        self._without_profile.add(self._asked(credential))
        return credential.auth

    def _asked(self, credential: Credential) -> tuple[str, Any]:
        return credential.id, credential.auth.get("start_url")


class KiroFacts:
    """Models and the plan's next day for each account, learned in the background: no request waits or fails for it."""

    def __init__(self, calls: ServiceCalls, *, clock: Callable[[], float] = monotonic_s) -> None:
        self._calls = calls
        self._clock = clock
        self._known: dict[str, dict[str, Any]] = {}
        self._until_s: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def added(self, credential: Credential) -> Credential:
        """The credential with what is known of its account in `auth`."""
        if self._clock() >= self._until_s.get(credential.id, 0.0):
            self._until_s[credential.id] = self._clock() + _FACTS_HOLD_S
            task = asyncio.create_task(self._learn(credential))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        known = self._known.get(credential.id)
        return replace(credential, auth={**credential.auth, **known}) if known else credential

    async def with_usage(self, credential: Credential) -> Credential:
        """The credential, which says that its plan is used up where Kiro says so now; else as it is (kiro.md §11)."""
        try:
            usage = await self._usage(KiroAccount(credential))
        except SignInFailed as failure:
            _log.info("Kiro does not say whether the plan of «%s» is used up: %s", credential.name, failure.message)
            return credential
        known = self._known[credential.id] = self._known.get(credential.id, {}) | _plan(usage)
        return replace(credential, auth={**credential.auth, **known, **USED_UP}) if usage.is_used_up else credential

    async def close(self) -> None:
        """Gives up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _learn(self, credential: Credential) -> None:
        account, facts = KiroAccount(credential), self._known.get(credential.id, {})
        try:
            facts = facts | {"models": await self._models(account)}
            facts = facts | _plan(await self._usage(account))
        except SignInFailed as failure:
            self._until_s[credential.id] = self._clock() + _ASKED_AGAIN_S
            _log.info("not all is known of Kiro's account «%s»: %s", credential.name, failure.message)
        if facts:
            self._known[credential.id] = facts

    async def _usage(self, account: KiroAccount) -> Usage:
        status, _, body = await self._calls.ask(usage_request(account))
        return read_usage(status, body)

    async def _models(self, account: KiroAccount) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        next_token: str | None = None
        for _ in range(_MOST_PAGES):
            status, _headers, body = await self._calls.ask(models_request(account, next_token))
            page, next_token = read_models(status, body)
            found |= page
            if next_token is None:
                break
        return found


def _plan(usage: Usage) -> dict[str, float]:
    """When the plan is filled again, where that is said."""
    moments = [window.resets_at for window in usage.windows if window.resets_at is not None]
    renewed_at = usage.renewed_at or min(moments, default=None)
    return {} if renewed_at is None else {"plan_renewed_at": renewed_at.timestamp()}
