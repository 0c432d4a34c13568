"""GitHub as an OAuth application meets it: the page where somebody agrees, the token address, and the API's `/user`.

After https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps and its two pages of errors
(2026-11-25): errors of the token address come with 200, and PKCE is S256 only.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from aiohttp import web

from tests.emulators.server import Emulator

CLIENT_ID, CLIENT_SECRET = "Iv1.0123456789abcdef", "github-secret"
AVATAR = "https://avatars.githubusercontent.com/u/{}?v=4"


@dataclass
class Account:
    """Somebody on GitHub."""

    id: int = 583231
    login: str = "octocat"
    name: str | None = "Mona Lisa Octocat"
    emails: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"email": "other@elsewhere.example", "primary": False, "verified": True, "visibility": None},
            {"email": "octocat@example.com", "primary": True, "verified": True, "visibility": "private"},
        ]
    )
    organisations: list[str] = field(default_factory=list)
    private_organisations: list[str] = field(default_factory=list)
    """Seen with the scope `read:org` only."""
    hidden_organisations: list[str] = field(default_factory=list)
    """Of those that have not approved the application: not seen at all."""


@dataclass
class _Grant:
    account: Account
    redirect_uri: str
    challenge: str
    scopes: list[str]


class GithubEmulator(Emulator):
    """The service; `account` is who sits before the browser.

    `script` names what goes wrong: `denies` (on the page), `expired` (the code), `away` (503), `page` (HTML in place of
    JSON), `rate_limited`, `rate_limited_429`, `refused_token` (401 of the API), `no_mail_permission`, `bad_callback`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.account = Account()
        self.scenario = ""
        self.callback = ""
        """The registered callback address; empty: every one."""
        self._codes: dict[str, _Grant] = {}
        self._tokens: dict[str, _Grant] = {}

    def reset(self) -> None:
        """Forgets codes, tokens and what was played."""
        super().reset()
        self.account, self.scenario, self.callback = Account(), "", ""
        self._codes.clear()
        self._tokens.clear()

    def script(self, *scenarios: str) -> None:
        """What goes wrong until the next reset."""
        (self.scenario,) = scenarios

    def routes(self) -> Iterable[web.RouteDef]:
        """The pages, and the API where an Enterprise Server has it."""
        return [
            web.get("/login/oauth/authorize", self._authorize),
            web.post("/login/oauth/access_token", self._token),
            web.get("/api/v3/user", self._user),
            web.get("/api/v3/user/emails", self._emails),
            web.get("/api/v3/user/orgs", self._organisations),
        ]

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = (await self.note(request)).query
        if asked.get("client_id") != CLIENT_ID:
            return web.Response(status=404, text="Not Found")
        if len(asked.get("state", "")) < 20:
            self.violations.append("no state that could not be guessed")
        if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
            self.violations.append("no PKCE challenge of S256")
        back = asked["redirect_uri"]
        if self.callback and back != self.callback:
            return _to(self.callback, error="redirect_uri_mismatch", state=asked["state"])
        if self.scenario == "denies":
            return _to(
                back, error="access_denied", error_description="The user has denied your application access.",
                state=asked["state"],
            )  # fmt: skip
        code = secrets.token_hex(10)
        self._codes[code] = _Grant(self.account, back, asked["code_challenge"], asked.get("scope", "").split())
        return _to(back, code=code, state=asked["state"])

    async def _token(self, request: web.Request) -> web.Response:
        seen = await self.note(request)
        asked = {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}
        if self.scenario == "away":
            return web.Response(status=503, text="Unicorn!")
        if self.scenario == "page":
            return web.Response(text="<html>Sign in to the hotel's network</html>", content_type="text/html")
        if seen.headers.get("accept") != "application/json":
            self.violations.append("the token is not asked for as JSON")
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return _refusal("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.")
        grant = self._codes.pop(asked.get("code", ""), None)
        verifier = asked.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        if grant is None or self.scenario == "expired" or challenge != grant.challenge:
            return _refusal("bad_verification_code", "The code passed is incorrect or expired.")
        if asked.get("redirect_uri") != grant.redirect_uri or self.scenario == "bad_callback":
            return _refusal("redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL.")
        token = f"gho_{secrets.token_hex(18)}"
        self._tokens[token] = grant
        return web.json_response({"access_token": token, "token_type": "bearer", "scope": ",".join(grant.scopes)})

    async def _user(self, request: web.Request) -> web.Response:
        grant = await self._grant(request)
        if isinstance(grant, web.Response):
            return grant
        who = grant.account
        return web.json_response(
            {"login": who.login, "id": who.id, "avatar_url": AVATAR.format(who.id), "name": who.name, "type": "User"}
        )

    async def _emails(self, request: web.Request) -> web.Response:
        grant = await self._grant(request)
        if isinstance(grant, web.Response):
            return grant
        if self.scenario == "no_mail_permission" or "user:email" not in grant.scopes:
            return web.json_response({"message": "Resource not accessible by integration"}, status=403)
        return web.json_response(grant.account.emails)

    async def _organisations(self, request: web.Request) -> web.Response:
        grant = await self._grant(request)
        if isinstance(grant, web.Response):
            return grant
        names = list(grant.account.organisations)
        if "read:org" in grant.scopes:
            names += grant.account.private_organisations
        size, page = int(request.query.get("per_page", "30")), int(request.query.get("page", "1"))
        return web.json_response([{"login": name, "id": 1} for name in names[(page - 1) * size : page * size]])

    async def _grant(self, request: web.Request) -> _Grant | web.Response:
        seen = await self.note(request)
        if "user-agent" not in seen.headers or seen.headers.get("x-github-api-version") is None:
            self.violations.append("the API wants a user agent and its version")
        grant = self._tokens.get(seen.headers.get("authorization", "").removeprefix("Bearer "))
        if grant is None or self.scenario == "refused_token":
            return web.json_response({"message": "Bad credentials"}, status=401)
        if self.scenario == "rate_limited":
            return web.json_response(
                {"message": "API rate limit exceeded"}, status=403, headers={"x-ratelimit-remaining": "0"}
            )
        if self.scenario == "rate_limited_429":
            return web.json_response({"message": "slow down"}, status=429, headers={"retry-after": "60"})
        return grant


def _to(where: str, **query: str) -> web.Response:
    return web.Response(status=302, headers={"location": f"{where}?{urlencode(query)}"})


def _refusal(error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description, "error_uri": "https://docs.github.com"})
