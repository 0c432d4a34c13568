"""Kiro's sign-in services: OIDC registration, device flow, rotating tokens (kiro.md §3)."""

import secrets
import time
from typing import Any

from aiohttp import web

from tests.emulators.server import Emulator, Seen

CLIENT = {"client_id": "oidc-client", "client_secret": "oidc-secret"}


def _token(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(60)}"


class KiroTokens(Emulator):
    """Issues tokens and judges them. A refresh token is good once; the old one is refused.

    `lifetime_s` is how long access tokens live, `refreshes` how many were granted, `pause_s` how long a refresh takes.
    `failures` are answers (status, body) that the next refreshes get instead; `rotates` False keeps the refresh token.
    `approved` says whether the person has approved the device; `expire` ends all access tokens.
    """

    def __init__(self) -> None:
        super().__init__()
        self._access: dict[str, float] = {}
        self._refresh = ""
        self._polls = 0
        self.reset_tokens()

    def reset_tokens(self) -> None:
        """Forgets all tokens."""
        self.lifetime_s, self.pause_s, self.rotates, self.refreshes = 3600, 0.0, True, 0
        self.approved = False
        self.failures: list[tuple[int, dict[str, Any]]] = []
        self.profile_of_social: str | None = None
        self._access, self._refresh, self._polls = {}, _token("refresh"), 0

    def expire(self) -> None:
        """No access token is good any more."""
        self._access.clear()

    def sign_in(self, method: str, *, expires_at: str | None = None) -> dict[str, Any]:
        """The `auth` of a sign-in, as an operator stores it."""
        auth: dict[str, Any] = {"auth_method": method, "refresh_token": self._refresh, "auth_region": "us-east-1"}
        if expires_at is not None:
            auth |= {"access_token": self._issue(), "expires_at": expires_at}
        return auth | (CLIENT if method == "idc" else {})

    @property
    def refresh_token(self) -> str:
        """The one that is good now."""
        return self._refresh

    def token_routes(self) -> list[web.RouteDef]:
        """The sign-in services' addresses."""
        return [
            web.post("/client/register", self._register),
            web.post("/device_authorization", self._device),
            web.post("/token", self._oidc_token),
            web.post("/refreshToken", self._social_token),
        ]

    def accepts(self, seen: Seen) -> bool:
        """Whether the request has a token, or a key, that is good now."""
        bearer = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer.startswith("ksk_"):
            return bearer.startswith("ksk_emulated") and seen.headers.get("tokentype") == "API_KEY"
        return self._access.get(bearer, 0.0) > time.monotonic() and "tokentype" not in seen.headers

    def _issue(self) -> str:
        access = _token("access")
        self._access[access] = time.monotonic() + self.lifetime_s
        return access

    async def _register(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        if seen.json["clientType"] != "public" or "refresh_token" not in seen.json["grantTypes"]:
            return _error(400, "invalid_request")
        return web.json_response(
            {
                "clientId": CLIENT["client_id"],
                "clientSecret": CLIENT["client_secret"],
                "clientIdIssuedAt": int(time.time()),
                "clientSecretExpiresAt": int(time.time()) + 90 * 86_400,
                "authorizationEndpoint": None,
                "tokenEndpoint": None,
            }
        )

    async def _device(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        if not self._knows_client(seen.json) or not seen.json["startUrl"].startswith("https://"):
            return _error(401, "invalid_client")
        return web.json_response(
            {
                "deviceCode": "device-1",
                "userCode": "ABCD-EFGH",
                "verificationUri": "https://device.sso.example/",
                "verificationUriComplete": "https://device.sso.example/?user_code=ABCD-EFGH",
                "expiresIn": 600,
                "interval": 1,
            }
        )

    async def _oidc_token(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        if seen.headers["content-type"] != "application/json":
            self.violations.append("the token call is not JSON")
            return _error(400, "invalid_request")
        body = seen.json
        if not self._knows_client(body):
            return _error(401, "invalid_client", "InvalidClientException")
        if body["grantType"] == "refresh_token":
            return await self._refreshed(body)
        if body["grantType"] != "urn:ietf:params:oauth:grant-type:device_code":
            return _error(400, "unsupported_grant_type")
        self._polls += 1
        if self._polls == 1:
            return _error(400, "slow_down", "SlowDownException")
        if not self.approved:
            return _error(400, "authorization_pending", "AuthorizationPendingException")
        return web.json_response(self._answer())

    async def _social_token(self, request: web.Request) -> web.StreamResponse:
        return await self._refreshed((await self.note(request)).json)

    async def _refreshed(self, body: dict[str, Any]) -> web.StreamResponse:
        import asyncio

        if self.failures:
            status, failure = self.failures.pop(0)
            return web.json_response(failure, status=status)
        if body["refreshToken"] != self._refresh:
            return _error(400, "invalid_grant", "InvalidGrantException", "Invalid refresh token provided")
        if self.rotates:
            self._refresh = _token("refresh")
        self.refreshes += 1
        answer = self._answer()
        if not self.rotates:
            del answer["refreshToken"]
        if self.profile_of_social is not None:
            answer["profileArn"] = self.profile_of_social
        # The old token is gone from here on, whether or not the answer arrives.
        await asyncio.sleep(self.pause_s)
        return web.json_response(answer)

    def _answer(self) -> dict[str, Any]:
        return {
            "accessToken": self._issue(),
            "tokenType": "Bearer",
            "expiresIn": self.lifetime_s,
            "refreshToken": self._refresh,
        }

    def _knows_client(self, body: dict[str, Any]) -> bool:
        return (body.get("clientId"), body.get("clientSecret")) == (CLIENT["client_id"], CLIENT["client_secret"])


def _error(status: int, code: str, name: str = "", text: str = "") -> web.Response:
    headers = {"x-amzn-errortype": name} if name else {}
    return web.json_response({"error": code, "error_description": text}, status=status, headers=headers)
