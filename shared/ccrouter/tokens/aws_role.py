"""The AWS role of this process, by AWS's own library (bedrock.md §1)."""

import asyncio
from dataclasses import replace
from typing import Any

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed


class AwsRole:
    """Implements `ports.SignIns`. The library renews a role's keys by itself; here it is kept off the event loop."""

    def __init__(self) -> None:
        self._credentials: Any = None
        self._lock = asyncio.Lock()

    async def signed_in(self, credential: Credential) -> Credential:
        """See `ports.SignIns`."""
        async with self._lock:
            found = self._credentials
            if found is None or _needs_refresh(found):
                self._credentials, keys = await asyncio.to_thread(_load, found)
            else:
                keys = found.get_frozen_credentials()
        access = {"access_key_id": keys.access_key, "secret_access_key": keys.secret_key}
        if keys.token:
            access["session_token"] = keys.token
        return replace(credential, auth={**credential.auth, **access})

    async def renew(self, credential: Credential, what: str) -> Credential:
        """See `ports.SignIns`."""
        async with self._lock:
            held = self._credentials
            if held is not None and held.access_key == credential.auth.get("access_key_id"):
                self._credentials = None
        stripped = {
            name: value
            for name, value in credential.auth.items()
            if name not in ("access_key_id", "secret_access_key", "session_token")
        }
        return await self.signed_in(replace(credential, auth=stripped))


def _needs_refresh(found: Any) -> bool:
    needs = getattr(found, "refresh_needed", None)
    return needs is not None and bool(needs())


def _load(found: Any) -> tuple[Any, Any]:
    """Blocking: looks in all the places that AWS's library knows, and renews what nears its end."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        found = found or botocore.session.get_session().get_credentials()
        keys = None if found is None else found.get_frozen_credentials()
    except BotoCoreError as error:
        raise SignInFailed(f"AWS gave no access for the role of this process: {error}", needs_login=False) from error
    if keys is None:
        raise SignInFailed(
            "This process has no role at AWS: give the credential keys, or run the router with a role.",
            needs_login=False,
        )
    return found, keys
