"""Renewing stored sign-ins where others are at it too, on a store that is changed behind one's back."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.fakes import FakeLocks, a_credential

from ccrouter.clock import rfc3339
from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed
from ccrouter.ports import Stored
from ccrouter.tokens.stored import StoredTokens

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def a_sign_in(refresh_token: str, lives_s: int, access_token: str = "old") -> Credential:
    """A credential whose token lives so long from noon on."""
    ends = rfc3339(NOON + timedelta(seconds=lives_s))
    auth = {"refresh_token": refresh_token, "access_token": access_token, "expires_at": ends}
    return a_credential(platform="kiro", auth=auth)


class Contested:
    """A store (`ports.SecretStore`) in which somebody else has always been faster."""

    def __init__(self, theirs: Credential) -> None:
        self.theirs = theirs
        self.reads = 0

    async def read(self, credential_id: str) -> Stored:
        self.reads += 1
        auth = {**self.theirs.auth, "refresh_token": f"theirs-{self.reads}"}
        return Stored(replace(self.theirs, auth=auth), str(self.reads).encode())

    async def put(self, stored: Stored, auth: dict[str, Any]) -> None:
        return None

    async def block(self, stored: Stored, reason: str) -> bool:
        return False


class Renewing:
    """A kind of sign-in (`tokens.contract.Renewing`) that always succeeds."""

    early_s = 60.0

    def __init__(self) -> None:
        self.renewals = 0

    def needs_token(self, credential: Credential) -> bool:
        return True

    async def renewed(self, credential: Credential) -> dict[str, Any]:
        self.renewals += 1
        return {**credential.auth, "access_token": "ours", "expires_at": rfc3339(NOON + timedelta(hours=1))}

    def is_complete(self, credential: Credential) -> bool:
        return True

    def suffices(self, credential: Credential) -> bool:
        return True

    async def completed(self, credential: Credential, *, anew: bool) -> dict[str, Any]:
        return credential.auth


def tokens(store: Contested, renewing: Renewing) -> StoredTokens:
    """One process at noon."""
    return StoredTokens(renewing, store, FakeLocks(), now=lambda: NOON, looks_s=(0.0,))


@pytest.mark.parametrize("access_token", ["", "old"])
def test_a_sign_in_that_others_keep_changing_fails_with_its_reason(access_token: str) -> None:
    """A token that is over is never used; the credential is not at fault and stays in use."""
    mine, renewing = a_sign_in("mine", -1), Renewing()
    signing_in = tokens(Contested(a_sign_in("theirs", -1, access_token)), renewing)
    with pytest.raises(SignInFailed, match="Others keep changing this sign-in") as caught:
        asyncio.run(signing_in.signed_in(mine))
    assert not caught.value.needs_login
    assert renewing.renewals == 3


def test_what_others_have_stored_is_used_where_it_is_good() -> None:
    """Nothing is renewed then; near its end it is used as well, where no other is to be had."""
    renewing = Renewing()
    good = tokens(Contested(a_sign_in("theirs", 3600, "theirs")), renewing)
    assert asyncio.run(good.signed_in(a_sign_in("mine", -1))).auth["access_token"] == "theirs"
    assert renewing.renewals == 0
    ending = tokens(Contested(a_sign_in("theirs", 30, "theirs")), renewing)
    assert asyncio.run(ending.signed_in(a_sign_in("mine", -1))).auth["access_token"] == "theirs"
    assert renewing.renewals == 3
