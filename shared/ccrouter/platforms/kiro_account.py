"""A Kiro account as a credential tells of it: regions, addresses, the profile, the token (kiro.md §2, §3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ccrouter import __version__
from ccrouter.credentials.kinds import Credential

PRODUCT = "claude-code-router"
USER_AGENT = f"{PRODUCT}/{__version__}"
"""Our own name: nothing here imitates another client."""
DEFAULT_REGION = "us-east-1"
API_KEY = "api_key"
BUILDER_ID_START = "https://view.awsapps.com/start"


@dataclass(frozen=True, slots=True)
class KiroAccount:
    """A credential's own facts; every address can be set, which is how an emulator is reached."""

    credential: Credential

    @property
    def method(self) -> str:
        """`api_key`, `idc` or `social`."""
        return str(self.credential.auth.get("auth_method", API_KEY))

    @property
    def is_builder_id(self) -> bool:
        """Whether it is known to be a Builder ID: those have no profile, and a profile spoils their token."""
        start = self.credential.auth.get("start_url")
        return self.method == "idc" and isinstance(start, str) and start.rstrip("/") == BUILDER_ID_START

    @property
    def profile_arn(self) -> str | None:
        """The profile to name in requests: the operator's choice, else the one that was found."""
        chosen = self.credential.options.get("profile_arn")
        if chosen or self.is_builder_id:
            return chosen
        found = self.credential.auth.get("profile_arn")
        return found if isinstance(found, str) else None

    @property
    def auth_region(self) -> str:
        """The region of the sign-in."""
        return str(self.credential.auth.get("auth_region") or DEFAULT_REGION)

    @property
    def api_region(self) -> str:
        """The region of the API: set, the profile's, else the one that serves the sign-in's part of the world."""
        if region := self.credential.options.get("api_region"):
            return str(region)
        if arn := self.profile_arn:
            return arn.split(":")[3]
        return "eu-central-1" if self.auth_region.startswith("eu-") else DEFAULT_REGION

    @property
    def runtime_url(self) -> str:
        """Where messages are sent: the current host serves only keys and accounts with a profile."""
        return self._url("runtime_url", "runtime")

    @property
    def management_url(self) -> str:
        """Where models, profiles and usage are asked for."""
        return self._url("management_url", "management")

    @property
    def token_url(self) -> str:
        """Where tokens are renewed: AWS's sign-in service, or Kiro's own for Google and GitHub accounts."""
        if url := self.credential.options.get("token_url"):
            return str(url).rstrip("/")
        if self.method == "social":
            return f"https://prod.{self.auth_region}.auth.desktop.kiro.dev"
        return f"https://oidc.{self.auth_region}.amazonaws.com"

    @property
    def bearer(self) -> str:
        """What stands behind `Bearer`."""
        auth = self.credential.auth
        return str(auth["api_key"] if self.method == API_KEY else auth["access_token"])

    def headers(self) -> list[tuple[str, str]]:
        """The credential in a request, and who sends it."""
        headers = [("authorization", f"Bearer {self.bearer}"), ("user-agent", USER_AGENT)]
        if self.method == API_KEY:
            # Without it a key is taken for an ordinary token and refused (kirodotdev/Kiro#7508).
            headers.append(("tokentype", "API_KEY"))
        return headers

    def _url(self, option: str, name: str) -> str:
        if url := self.credential.options.get(option):
            return str(url).rstrip("/")
        if self.method == API_KEY or self.profile_arn:
            return f"https://{name}.{self.api_region}.kiro.dev"
        return f"https://q.{self.api_region}.amazonaws.com"


def known_models(auth: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """What the sign-in has learned of the account's models, by id: `window` and `fields_schema`."""
    models = auth.get("models")
    return models if isinstance(models, dict) else {}


USED_UP: Mapping[str, Any] = {"usage": "used up"}
"""In an account's `auth` where Kiro has just said that its plan is used up."""


def is_used_up(auth: Mapping[str, Any]) -> bool:
    """Whether Kiro has just said that the account's plan is used up."""
    return USED_UP.items() <= auth.items()


def renewed_at(auth: Mapping[str, Any]) -> datetime | None:
    """When the account's plan is filled again, if the sign-in has learned it."""
    moment = auth.get("plan_renewed_at")
    return datetime.fromtimestamp(moment, UTC) if isinstance(moment, (int, float)) else None
