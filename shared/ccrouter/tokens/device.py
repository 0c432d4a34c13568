"""Signing in to Kiro on another device: a person confirms a code in a browser (kiro.md §3.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ccrouter.clock import monotonic_s, utc_now
from ccrouter.errors import SignInFailed
from ccrouter.platforms.kiro_account import BUILDER_ID_START, DEFAULT_REGION
from ccrouter.platforms.kiro_sign_in import (
    DeviceCode,
    Registration,
    device_request,
    oidc_url,
    read_device,
    read_registration,
    read_token,
    register_request,
    token_request,
)
from ccrouter.tokens.calls import ServiceCalls

_EARLY_S = 60


@dataclass(slots=True)
class DeviceSignIn:
    """A sign-in that a person has still to confirm at `code.url`. It may be asked again at `next_ask_s`."""

    code: DeviceCode
    region: str
    start_url: str
    base_url: str
    registration: Registration
    interval_s: float
    next_ask_s: float
    ends_s: float


class KiroDeviceFlow:
    """Begins sign-ins and asks what has become of them."""

    def __init__(
        self,
        calls: ServiceCalls,
        *,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self._calls = calls
        self._now = now
        self._clock = clock
        self._registrations: dict[str, Registration] = {}

    async def begin(
        self, region: str = DEFAULT_REGION, start_url: str = BUILDER_ID_START, *, base_url: str | None = None
    ) -> DeviceSignIn:
        """A new sign-in: a Builder ID, or an organisation's by its start URL and region. Raises SignInFailed."""
        base_url = base_url or oidc_url(region)
        registration = await self._registered(base_url)
        answer = await self._calls.ask(device_request(base_url, registration, start_url))
        code = read_device(*answer)
        began_s = self._clock()
        return DeviceSignIn(
            code,
            region,
            start_url,
            base_url,
            registration,
            interval_s=code.interval_s,
            next_ask_s=began_s + code.interval_s,
            ends_s=began_s + code.expires_in_s,
        )

    async def ask(self, sign_in: DeviceSignIn) -> dict[str, Any] | None:
        """The `auth` of a credential once the person has confirmed; None while that is open.

        Asks the service no more often than it wants. Raises SignInFailed where the sign-in has come to its end.
        """
        if self._clock() > sign_in.ends_s:
            raise SignInFailed("The sign-in to Kiro did not succeed. It was not confirmed in time.", needs_login=True)
        if self._clock() < sign_in.next_ask_s:
            return None
        request = token_request(sign_in.base_url, sign_in.registration, sign_in.code)
        answer = await self._calls.ask(request)
        asked = read_token(sign_in.registration, sign_in.interval_s, *answer, self._now())
        sign_in.interval_s = asked.interval_s
        sign_in.next_ask_s = self._clock() + asked.interval_s
        if asked.auth is None:
            return None
        return {**asked.auth, "auth_region": sign_in.region, "start_url": sign_in.start_url}

    async def _registered(self, base_url: str) -> Registration:
        """This product's registration in a region, kept until shortly before its end."""
        known = self._registrations.get(base_url)
        if known is None or known.expires_at - _EARLY_S <= self._now().timestamp():
            known = read_registration(*await self._calls.ask(register_request(base_url)))
            self._registrations[base_url] = known
        return known
