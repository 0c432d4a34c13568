"""How much of an account's plan is used: asked for where somebody wants to see it, seldom, and never raising."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed
from ccrouter.platforms.code_assist_quota import models_request, quota_request, read_quota
from ccrouter.platforms.kiro_account import KiroAccount
from ccrouter.platforms.kiro_management import read_usage, usage_request
from ccrouter.platforms.quota import Quota
from ccrouter.ports import SignIns
from ccrouter.tokens.calls import ServiceCalls

_WITHIN_S = 10.0
"""A person waits for it."""
# kiro.md §12.2: at most every ten minutes; antigravity.md §12: five.
_HELD = {"kiro": timedelta(minutes=10), "antigravity": timedelta(minutes=5)}


@dataclass(slots=True)
class _Asked:
    """What was asked, with which secret and options, and when."""

    version: bytes
    options: object
    at: datetime
    answer: "asyncio.Task[Quota]"


class Quotas:
    """Asks the platforms that tell; many who ask at once cause one question."""

    def __init__(self, calls: ServiceCalls, sign_ins: SignIns, *, now: Callable[[], datetime] = utc_now) -> None:
        self._calls = calls
        self._sign_ins = sign_ins
        self._now = now
        self._asked: dict[str, _Asked] = {}

    async def of(self, credential: Credential) -> Quota | None:
        """What is used of this account's plan; None where its platform tells nothing of the kind."""
        held = _HELD.get(credential.platform)
        if held is None:
            return None
        known, now = self._asked.get(credential.id), self._now()
        is_same = known is not None and (known.version, known.options) == (credential.version, credential.options)
        if known is None or not is_same or now - known.at >= held:
            task = asyncio.create_task(self._ask(credential))
            known = self._asked[credential.id] = _Asked(credential.version, credential.options, now, task)
        # Shielded: who leaves must not take the answer from the others.
        return await asyncio.shield(known.answer)

    async def close(self) -> None:
        """Gives up what is under way."""
        tasks = [known.answer for known in self._asked.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, credential: Credential) -> Quota:
        read: Callable[[Credential], Awaitable[Quota]]
        read = self._kiro if credential.platform == "kiro" else self._code_assist
        try:
            async with asyncio.timeout(_WITHIN_S):
                return await read(await self._sign_ins.signed_in(credential))
        except SignInFailed as failure:
            return Quota(read_at=self._now(), error=failure.message)
        except TimeoutError:
            return Quota(read_at=self._now(), error=f"The platform did not answer within {_WITHIN_S:g} s.")

    async def _kiro(self, credential: Credential) -> Quota:
        status, _, body = await self._calls.ask(usage_request(KiroAccount(credential)))
        usage = read_usage(status, body)
        return Quota(read_at=self._now(), plan=usage.plan, windows=usage.windows)

    async def _code_assist(self, credential: Credential) -> Quota:
        if not credential.options.get("acknowledged"):
            raise SignInFailed(
                "This credential is switched off until options.acknowledged is set; nothing is asked.",
                needs_login=False,
            )
        answers = await asyncio.gather(
            self._calls.ask(quota_request(credential)), self._calls.ask(models_request(credential))
        )
        (quota_status, _, buckets), (models_status, _, models) = answers
        windows = read_quota((quota_status, buckets), (models_status, models))
        tier = credential.auth.get("tier")
        return Quota(read_at=self._now(), plan=tier if isinstance(tier, str) else None, windows=windows)
