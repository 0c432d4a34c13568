"""Google's service accounts and the identity of this process, by Google's own library (gemini.md §1)."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_EARLY_S = 300.0


@dataclass(slots=True)
class _Identity:
    """One credentials object of Google's library; refreshing it twice at once is not safe."""

    credentials: Any = None
    project: str | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class GoogleIdentities:
    """Implements `ports.SignIns`: tokens are kept here only, since each process gets its own as easily."""

    def __init__(self, *, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._identities: dict[bytes, _Identity] = {}

    async def signed_in(self, credential: Credential) -> Credential:
        """See `ports.SignIns`."""
        identity = self._identity(credential)
        if not self._is_fresh(identity):
            async with identity.lock:
                if not self._is_fresh(identity):
                    await self._refresh(credential, identity)
        return self._with_access(credential, identity)

    async def renew(self, credential: Credential, what: str) -> Credential:
        """See `ports.SignIns`."""
        identity = self._identity(credential)
        async with identity.lock:
            if identity.credentials is None or identity.credentials.token == credential.auth.get("access_token"):
                await self._refresh(credential, identity)
        return self._with_access(credential, identity)

    def _identity(self, credential: Credential) -> _Identity:
        account = credential.auth.get("service_account")
        key = hashlib.sha256(msgspec.json.encode(account, order="sorted")).digest()
        return self._identities.setdefault(key, _Identity())

    def _is_fresh(self, identity: _Identity) -> bool:
        credentials = identity.credentials
        if credentials is None or not credentials.token:
            return False
        # The library's times are in UTC, without saying so.
        expiry = credentials.expiry
        return expiry is None or expiry.replace(tzinfo=UTC) - timedelta(seconds=_EARLY_S) > self._now()

    async def _refresh(self, credential: Credential, identity: _Identity) -> None:
        await asyncio.to_thread(_refresh, credential.auth.get("service_account"), identity)

    def _with_access(self, credential: Credential, identity: _Identity) -> Credential:
        access = {"access_token": identity.credentials.token}
        if identity.project:
            access["project"] = identity.project
        # Somebody's own sign-in bills the project that it names.
        if quota_project := getattr(identity.credentials, "quota_project_id", None):
            access["quota_project"] = quota_project
        return replace(credential, auth={**credential.auth, **access})


def _refresh(account: dict[str, Any] | None, identity: _Identity) -> None:
    """Blocking. The library takes a tenth of a second to load, so that only those load it who need it."""
    import google.auth
    import urllib3
    from google.auth.exceptions import GoogleAuthError, RefreshError
    from google.auth.transport import urllib3 as transport
    from google.oauth2 import service_account

    # The library has no types.
    accounts: Any = service_account.Credentials
    request: Any = transport.Request
    try:
        if identity.credentials is None:
            if account is not None:
                identity.credentials = accounts.from_service_account_info(account, scopes=_SCOPES)
                identity.project = account.get("project_id")
            else:
                identity.credentials, identity.project = google.auth.default(scopes=_SCOPES)
        identity.credentials.refresh(request(urllib3.PoolManager(timeout=30.0)))
    except RefreshError as error:
        words = str(error.args[0])[:300] if error.args else "no reason given"
        dead = account is not None and not error.retryable
        raise SignInFailed(f"Google gave no token for this identity: {words}", needs_login=dead) from error
    except (GoogleAuthError, ValueError) as error:
        raise SignInFailed(
            f"This process has no identity at Google that can be used: {error}", needs_login=False
        ) from error
