"""Antigravity's tokens from a program of the operator's, named in the environment (antigravity.md §3.1).

It may run what it wants, so that it is named in `CCR_ANTIGRAVITY_TOKEN_COMMAND` alone and never over the admin API.
Each process runs it for itself and keeps what it says in memory.
"""

import asyncio
import contextlib
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed
from ccrouter.platforms.code_assist_calls import members_of
from ccrouter.platforms.code_assist_sign_in import read_token
from ccrouter.tokens.calls import ServiceCalls
from ccrouter.tokens.code_assist import CodeAssistSignIn

COMMAND = "CCR_ANTIGRAVITY_TOKEN_COMMAND"
_WITHIN_S = 30.0
_REST = timedelta(seconds=5)
"""How long it is not run again after a failure, nor for a token that it gave shortly before its end."""
_WORDS_TOLD = 300


class TokenCommand:
    """Implements `ports.SignIns` for credentials of antigravity without a sign-in of their own."""

    def __init__(self, command: str | None, calls: ServiceCalls, *, now: Callable[[], datetime] = utc_now) -> None:
        self._words = shlex.split(command or "")
        self._account = CodeAssistSignIn(calls, now=now)
        self._now = now
        self._lock = asyncio.Lock()
        self._token: dict[str, Any] = {}
        self._ran_at = datetime.fromisoformat("2000-01-01T00:00:00Z")
        self._failure: SignInFailed | None = None
        self._found: dict[str, dict[str, Any]] = {}
        """Project and tier of the account, by credential: their options may differ."""

    async def signed_in(self, credential: Credential) -> Credential:
        """See `ports.SignIns`."""
        if not credential.options.get("acknowledged"):
            return credential
        async with self._lock:
            if not self._is_fresh():
                await self._run()
            return await self._completed(credential, anew=False)

    async def renew(self, credential: Credential, what: str) -> Credential:
        """See `ports.SignIns`."""
        async with self._lock:
            if what == "token" and self._token.get("access_token") == credential.auth.get("access_token"):
                await self._run()
            return await self._completed(credential, anew=what == "project")

    async def set_up(self, credential: Credential) -> None:
        """Sets the account up. Raises SignInFailed."""
        async with self._lock:
            if not self._is_fresh():
                await self._run()
            auth = await self._account.set_up(replace(credential, auth={**credential.auth, **self._token}))
            self._keep(credential, auth)

    async def _completed(self, credential: Credential, *, anew: bool) -> Credential:
        known = self._found.get(credential.id, {})
        signed = replace(credential, auth={**credential.auth, **known, **self._token})
        if anew or not self._account.is_complete(signed):
            auth = await self._account.completed(signed, anew=anew)
            self._keep(credential, auth)
            signed = replace(signed, auth=auth)
        return signed

    def _keep(self, credential: Credential, auth: dict[str, Any]) -> None:
        self._found[credential.id] = {name: auth[name] for name in ("project", "tier", "project_at") if name in auth}

    def _is_fresh(self) -> bool:
        if not self._token:
            return False
        ends, now = datetime.fromisoformat(self._token["expires_at"]), self._now()
        early = timedelta(seconds=self._account.early_s)
        return now < ends - early or (now < ends and now - self._ran_at < _REST)

    async def _run(self) -> None:
        """A new token. Raises SignInFailed, for a while also without another try."""
        if self._failure is not None and self._now() - self._ran_at < _REST:
            raise SignInFailed(self._failure.message, needs_login=False)
        self._ran_at, self._failure = self._now(), None
        try:
            found = read_token(members_of(await self._output()), self._now())
            if found is None:
                raise SignInFailed(f"The program of {COMMAND} printed no access_token.", needs_login=False)
        except SignInFailed as failure:
            self._failure = failure
            raise
        self._token = found

    async def _output(self) -> bytes:
        if not self._words:
            raise SignInFailed(
                f"This credential has no sign-in of its own, and {COMMAND} is not set.", needs_login=False
            )
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise SignInFailed(
                f"The program of {COMMAND} cannot be run: {error.strerror}.", needs_login=False
            ) from error
        try:
            async with asyncio.timeout(_WITHIN_S):
                output, said = await process.communicate()
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                raise SignInFailed(
                    f"The program of {COMMAND} did not end within {_WITHIN_S:g} s.", needs_login=False
                ) from error
            raise
        if process.returncode != 0:
            words = said.decode("utf-8", "replace").strip()[:_WORDS_TOLD]
            raise SignInFailed(
                f"The program of {COMMAND} ended with {process.returncode}: {words or 'it said nothing'}",
                needs_login=False,
            )
        return output
