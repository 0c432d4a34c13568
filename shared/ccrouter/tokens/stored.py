"""Tokens that are stored with their credential, renewed once for all who need them, in all processes (kiro.md §3.7).

Strategy: one task for each credential in a process, one lock over all processes. Whoever has the lock reads what is
stored first: another process may have been there. A new refresh token is stored before the new access token is used,
since it is good once and the old one is dead from then on.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ccrouter.clock import monotonic_s, utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.credentials.vault import VaultError
from ccrouter.errors import SignInFailed, StorageAway
from ccrouter.ports import Locks, SecretStore, Stored
from ccrouter.tokens.contract import Renewing

_USED_WITHIN_S = 3600.0
_AHEAD_S = 60.0
"""How long before a request would have to wait for it a token is renewed in the background."""
_REST_S = 5.0
"""How long nobody is asked again after a failure."""
_LOOKS = (0.0, 1.0, 2.0)
"""Waits before another look at what is stored, when a refresh token is refused: another process may just be storing
its successor, where the two could not see each other's locks."""
_ROUNDS = 3
_TAKEN_OVER = ("access_token", "expires_at", "refresh_token", "profile_arn", "project", "project_at", "tier")
_FOUND_OUT = {"profile": "profile_arn", "project": "project"}
"""The members of `auth` for what can be found out anew with a token."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    """The newest tokens of a credential, and the hashes of the refresh tokens that led to them."""

    auth: dict[str, Any]
    chain: set[bytes]


class StoredTokens:
    """Implements `ports.SignIns` for one kind of credential."""

    def __init__(
        self,
        renewing: Renewing,
        store: SecretStore,
        locks: Locks,
        *,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = monotonic_s,
        looks_s: tuple[float, ...] = _LOOKS,
    ) -> None:
        self._renewing = renewing
        self._store = store
        self._locks = locks
        self._now = now
        self._clock = clock
        self._looks_s = looks_s
        self._known: dict[str, _Known] = {}
        self._flights: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._resting: dict[str, tuple[float, bytes, SignInFailed]] = {}
        self._used: dict[str, tuple[float, Credential]] = {}
        self._unsaved: dict[str, tuple[bytes, dict[str, Any]]] = {}
        """Tokens that could not be stored, with the version they replace."""

    async def signed_in(self, credential: Credential) -> Credential:
        """See `ports.SignIns`."""
        self._used[credential.id] = (self._clock(), credential)
        latest = self._latest(credential)
        return latest if self._is_ready(latest) else await self._with_flight(latest)

    async def renew(self, credential: Credential, what: str) -> Credential:
        """See `ports.SignIns`."""
        latest = self._latest(credential)
        if what == "token":
            refused = credential.auth.get("access_token")
            if latest.auth.get("access_token") != refused:
                return latest
            renewed = await self._with_flight(latest, refused=refused)
            if renewed.auth.get("access_token") == refused:
                # It was somebody else's flight, which found the token good.
                renewed = await self._with_flight(renewed, refused=refused)
            return renewed
        member = _FOUND_OUT[what]
        if latest.auth.get(member) != credential.auth.get(member):
            return latest
        return await self._with_flight(latest, anew=True)

    async def renew_ahead(self) -> None:
        """Renews what will soon be needed: the tokens, near their end, of credentials that were used lately."""
        for credential_id, (used_s, credential) in list(self._used.items()):
            if self._clock() - used_s > _USED_WITHIN_S:
                del self._used[credential_id]
                continue
            latest = self._latest(credential)
            ends = _end_of(latest)
            soon = self._now() + timedelta(seconds=self._renewing.early_s + _AHEAD_S)
            is_due = self._renewing.needs_token(latest) and (ends is None or ends <= soon)
            if is_due or credential_id in self._unsaved:
                try:
                    await self._with_flight(latest, refused=latest.auth.get("access_token"))
                except SignInFailed as failure:
                    _log.warning("the sign-in of «%s» could not be renewed: %s", credential.name, failure.message)

    async def close(self, within_s: float = 30.0) -> None:
        """Waits for what is under way: a token that was given must not be lost."""
        if self._flights:
            await asyncio.wait(list(self._flights.values()), timeout=within_s)

    def _latest(self, credential: Credential) -> Credential:
        """The credential with the newest tokens that are known here.

        Another refresh token than those that led to ours means that somebody has given it a new sign-in, or that
        another process has gone on: then what is stored counts.
        """
        known = self._known.get(credential.id)
        if known is None:
            return credential
        if _digest(credential) not in known.chain:
            del self._known[credential.id]
            return credential
        ours, theirs = _end(known.auth), _end(credential.auth)
        if theirs is not None and (ours is None or theirs > ours):
            return credential
        taken = {name: known.auth[name] for name in _TAKEN_OVER if name in known.auth}
        return replace(credential, auth={**credential.auth, **taken})

    def _is_ready(self, credential: Credential, refused: str | None = None) -> bool:
        return self._has_token(credential, self._renewing.early_s, refused) and self._renewing.is_complete(credential)

    def _has_token(self, credential: Credential, early_s: float, refused: str | None = None) -> bool:
        if not self._renewing.needs_token(credential):
            return True
        token, ends = credential.auth.get("access_token"), _end_of(credential)
        return bool(token) and token != refused and ends is not None and ends - timedelta(seconds=early_s) > self._now()

    async def _with_flight(self, latest: Credential, *, refused: str | None = None, anew: bool = False) -> Credential:
        """The credential after one renewal for all who wait; as it was where that fails and it can still be used."""
        is_near_end = not self._has_token(latest, self._renewing.early_s, refused)
        may_do = is_near_end or (not anew and self._renewing.suffices(latest))
        usable = may_do and self._has_token(latest, 0.0, refused)
        try:
            self._check_rests(latest)
            flight = self._flights.get(latest.id)
            if flight is None:
                flight = asyncio.create_task(self._fly(latest, refused, anew=anew))
                self._flights[latest.id] = flight
                flight.add_done_callback(lambda task: self._landed(latest.id, task))
            # Shielded: a client that leaves must not take the token from the others, nor a rotation from us all.
            auth = await asyncio.shield(flight)
        except SignInFailed:
            if usable:
                return latest
            raise
        return replace(latest, auth=auth)

    def _landed(self, credential_id: str, flight: "asyncio.Task[dict[str, Any]]") -> None:
        self._flights.pop(credential_id, None)
        if not flight.cancelled():
            # Where nobody waits any more, the failure is in the rest that follows it.
            flight.exception()

    def _check_rests(self, credential: Credential) -> None:
        until_s, whose, failure = self._resting.get(credential.id, (0.0, b"", None))
        if failure is not None and self._clock() < until_s and whose == _digest(credential):
            raise SignInFailed(failure.message, needs_login=failure.needs_login)

    async def _fly(self, credential: Credential, refused: str | None, *, anew: bool) -> dict[str, Any]:
        try:
            async with self._locks.hold(f"sign-in:{credential.id}"):
                current = await self._renewed(credential, refused, anew=anew)
        except StorageAway as away:
            raise self._rested(
                credential,
                SignInFailed("The database does not answer; the sign-in cannot be renewed now.", needs_login=False),
            ) from away
        except VaultError as error:
            raise self._rested(credential, SignInFailed(str(error), needs_login=False)) from error
        except SignInFailed as failure:
            self._rested(credential, failure)
            raise
        self._resting.pop(credential.id, None)
        return current.auth

    def _rested(self, credential: Credential, failure: SignInFailed) -> SignInFailed:
        """The failure, which holds for a while."""
        self._resting[credential.id] = (self._clock() + _REST_S, _digest(credential), failure)
        return failure

    async def set_up(self, credential: Credential, work: Callable[[Credential], Awaitable[dict[str, Any]]]) -> None:
        """Keeps what work on the signed-in account has made of its `auth`; nobody renews it meanwhile.

        Raises SignInFailed.
        """
        try:
            async with self._locks.hold(f"sign-in:{credential.id}"):
                first, stored = await self._with_token(self._latest(credential), None)
                kept = await self._store.put(stored, await work(stored.credential))
        except StorageAway as away:
            raise SignInFailed("The database does not answer; try again later.", needs_login=False) from away
        if kept is None:
            raise SignInFailed("Somebody has changed this credential meanwhile; try again.", needs_login=False)
        self._resting.pop(credential.id, None)
        self._remember(credential, first.credential, kept.credential)

    async def _renewed(self, credential: Credential, refused: str | None, *, anew: bool) -> Credential:
        """What is stored in the end, with access that is good. The lock is held."""
        first, stored = await self._with_token(credential, refused)
        if anew or not self._renewing.is_complete(stored.credential):
            auth = await self._renewing.completed(stored.credential, anew=anew)
            if auth != stored.credential.auth:
                stored = await self._store.put(stored, auth) or await self._read(credential)
        self._remember(credential, first.credential, stored.credential)
        return stored.credential

    async def _with_token(self, credential: Credential, refused: str | None) -> tuple[Stored, Stored]:
        """What was stored first, and what is stored in the end, with a token that is good. The lock is held."""
        stored = first = await self._saved(await self._read(credential))
        for _ in range(_ROUNDS):
            if self._has_token(stored.credential, self._renewing.early_s, refused):
                break
            stored, is_ours = await self._refreshed(stored)
            if is_ours:
                break
        else:
            if not self._has_token(stored.credential, 0.0, refused):
                raise SignInFailed("Others keep changing this sign-in; it could not be renewed.", needs_login=False)
        return first, stored

    async def _read(self, credential: Credential) -> Stored:
        stored = await self._store.read(credential.id)
        if stored is None:
            raise SignInFailed(f"The credential «{credential.name}» was deleted.", needs_login=False)
        return stored

    async def _saved(self, stored: Stored) -> Stored:
        """Stores what could not be stored before, unless somebody has changed the secret since."""
        version, auth = self._unsaved.get(stored.credential.id, (b"", {}))
        if not auth:
            return stored
        if version == stored.version:
            stored = await self._store.put(stored, auth) or await self._read(stored.credential)
        self._unsaved.pop(stored.credential.id, None)
        return stored

    async def _refreshed(self, stored: Stored) -> tuple[Stored, bool]:
        """New tokens, stored, and True; or what somebody else has stored meanwhile."""
        credential = stored.credential
        try:
            auth = await self._renewing.renewed(credential)
        except SignInFailed as failure:
            if not failure.needs_login:
                raise
            for wait_s in self._looks_s:
                await asyncio.sleep(wait_s)
                now_stored = await self._read(credential)
                if now_stored.version != stored.version:
                    return now_stored, False
            if not await self._store.block(stored, failure.message):
                return await self._read(credential), False
            _log.error("the credential «%s» is blocked: %s", credential.name, failure.message)
            raise
        try:
            following = await self._store.put(stored, auth)
        except StorageAway:
            self._unsaved[credential.id] = (stored.version, auth)
            raise
        if following is None:
            return await self._read(credential), False
        return following, True

    def _remember(self, *successive: Credential) -> None:
        """The last one's tokens count for whoever comes with those of an earlier one."""
        newest = successive[-1]
        chain = {_digest(credential) for credential in successive}
        known = self._known.get(newest.id)
        if known is not None and known.chain & chain:
            chain |= known.chain
        self._known[newest.id] = _Known(newest.auth, chain)


def _digest(credential: Credential) -> bytes:
    """Tells sign-ins apart without keeping their tokens twice."""
    auth = credential.auth
    return hashlib.sha256(str(auth.get("refresh_token") or auth.get("api_key") or "").encode()).digest()


def _end_of(credential: Credential) -> datetime | None:
    return _end(credential.auth)


def _end(auth: dict[str, Any]) -> datetime | None:
    """When the access token ends; None where that is not known: then it is renewed first."""
    try:
        ends = datetime.fromisoformat(str(auth.get("expires_at")))
    except ValueError:
        return None
    return ends if ends.tzinfo is not None else None
