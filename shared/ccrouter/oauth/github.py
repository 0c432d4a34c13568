"""GitHub as a place to sign in: where to send people, and who has come back (https://docs.github.com/apps/oauth-apps).

Facts (checked 2026-11-25): the token address answers errors with 200 and `error`; a used, expired or foreign code and a
wrong PKCE verifier are all `bad_verification_code`; PKCE is S256 only. `/user/orgs` lists private memberships with the
scope `read:org`, but none of an organisation that restricts third-party applications and has not approved this one.
"""

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from ccrouter import __version__
from ccrouter.access.tickets import ORGANISATIONS
from ccrouter.config import Settings

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import OAuth2Client

_log = logging.getLogger(__name__)

SCOPES = "read:user user:email read:org"
_WITHIN_S = 10.0
_PAGE = 100
_HEADERS = {
    "accept": "application/vnd.github+json",
    "user-agent": f"ccrouter/{__version__}",
    "x-github-api-version": "2022-11-28",
}


class SignInFailed(Exception):
    """Nobody signs in this time; `outcome` says why, as pages are told."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class _User(msgspec.Struct):
    id: int
    login: str
    name: str | None = None
    avatar_url: str | None = None


class _Mail(msgspec.Struct):
    email: str
    primary: bool = False
    verified: bool = False


class _Organisation(msgspec.Struct):
    login: str


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who has signed in. `email` is the primary address, None where it is not verified or not to be seen."""

    github_id: int
    login: str
    name: str | None
    avatar_url: str | None
    email: str | None
    organisations: list[str]


class Github:
    """One OAuth application on GitHub, or on an Enterprise Server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def authorization_url(self, state: str, code_verifier: str) -> str:
        """Where to send somebody who wants to sign in."""
        from authlib.oauth2.client import OAuth2Client

        # Without a session: nothing is sent from here, and a client that could send reads all certificates first.
        asking = OAuth2Client(
            None,
            self._settings.github_client_id,
            code_challenge_method="S256",
            scope=SCOPES,
            redirect_uri=self._settings.github_callback,
        )
        url, _ = asking.create_authorization_url(
            f"{self._settings.github_url}/login/oauth/authorize", state=state, code_verifier=code_verifier
        )
        return str(url)

    def identify(self, code: str, code_verifier: str) -> Person:
        """Who has come back with this code. The token is used for this and kept nowhere. Raises SignInFailed."""
        from httpx2 import HTTPError

        try:
            with self._client() as client:
                self._fetch_token(client, code, code_verifier)
                user = self._get(client, "/user", _User)
                if user is None:
                    raise SignInFailed("github_refused")
                mails = self._get(client, f"/user/emails?per_page={_PAGE}", list[_Mail]) or []
                return Person(
                    github_id=user.id,
                    login=user.login,
                    name=user.name,
                    avatar_url=user.avatar_url,
                    email=next((mail.email for mail in mails if mail.primary and mail.verified), None),
                    organisations=self._organisations(client),
                )
        except HTTPError as error:
            _log.warning("GitHub does not answer (%s)", type(error).__name__)
            raise SignInFailed("github_away") from error
        except ValueError as error:
            # Not JSON, or not what the API promises: a proxy's page, or another service.
            _log.warning("GitHub's answer cannot be read (%s)", error)
            raise SignInFailed("github_away") from error

    def _client(self) -> "OAuth2Client":
        from authlib.integrations.httpx_client import OAuth2Client

        return OAuth2Client(
            self._settings.github_client_id,
            self._settings.github_client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a way
            redirect_uri=self._settings.github_callback,
            headers=_HEADERS,
            timeout=_WITHIN_S,
        )

    def _fetch_token(self, client: "OAuth2Client", code: str, code_verifier: str) -> None:
        from authlib.integrations.base_client import OAuthError

        url = f"{self._settings.github_url}/login/oauth/access_token"
        try:
            client.fetch_token(
                url, code=code, code_verifier=code_verifier, headers={**_HEADERS, "accept": "application/json"}
            )
        except OAuthError as error:
            if error.error == "bad_verification_code":
                raise SignInFailed("expired") from error
            # The operator's to mend: a wrong secret, another callback address, an application that is suspended.
            _log.error("GitHub refuses this router's OAuth application: %s", error.error)
            raise SignInFailed("github_refused") from error

    def _organisations(self, client: "OAuth2Client") -> list[str]:
        names: list[str] = []
        for number in range(1, ORGANISATIONS // _PAGE + 1):
            page = self._get(client, f"/user/orgs?per_page={_PAGE}&page={number}", list[_Organisation]) or []
            names += [organisation.login for organisation in page]
            if len(page) < _PAGE:
                break
        return names

    def _get(self, client: "OAuth2Client", path: str, kind: Any) -> Any:
        """What the API says; None where this application may not see it. Raises SignInFailed."""
        answer = client.get(f"{self._settings.github_api_url}{path}")
        status = answer.status_code
        if status == 429 or (status == 403 and answer.headers.get("x-ratelimit-remaining") == "0"):
            raise SignInFailed("rate_limited")
        if status == 401:
            raise SignInFailed("github_refused")
        if status in (403, 404):
            _log.info("GitHub does not show %s to this application", path.partition("?")[0])
            return None
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=kind)
