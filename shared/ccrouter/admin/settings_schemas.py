"""The JSON of the settings of an installation."""

from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ccrouter.access.limits import WINDOWS
from ccrouter.admin.documents import LimitsObject, MappingObject
from ccrouter.admin.schemas import Input

_Short = StringConstraints(strip_whitespace=True, min_length=1, max_length=100)


def _as_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no time zone such as UTC or Europe/Berlin") from None
    return name


def _as_address(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None or not url.isascii():
        raise ValueError("must be an address such as https://router.example.com")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


class GithubSettings(Input):
    """Who may sign in with GitHub: whom any of the lists names."""

    logins: list[Annotated[str, _Short]] = Field([], max_length=1000, description="Logins", examples=[["octocat"]])
    organisations: list[Annotated[str, _Short]] = Field(
        [], max_length=1000, description="Organisations whose members may", examples=[["example"]]
    )
    email_domains: list[Annotated[str, _Short]] = Field(
        [], max_length=1000, description="Domains of verified e-mail addresses", examples=[["example.com"]]
    )
    approval: bool = Field(
        True, description="Whether others may ask, and then wait until an administrator makes them active"
    )


class MemberSettings(Input):
    """What members may do for themselves."""

    may_create_keys: bool = Field(True, description="Whether members make their own keys")
    max_keys: int = Field(10, ge=0, le=10_000, description="How many keys a member may have")
    allowed_platforms: list[Annotated[str, _Short]] | None = Field(
        None, max_length=100, description="Platforms that members' mappings may name; null: every one"
    )
    mapping: MappingObject | None = Field(
        None, description="The mapping of every key that a member makes; null: the member's own choice"
    )
    limits: LimitsObject = Field(
        {},
        description=f"Limits of a new member over all own keys; `spend` in USD by window ({', '.join(WINDOWS)})",
        examples=[{"spend": {"month": "50.00"}}],
    )


class RetentionSettings(Input):
    """How long data is kept."""

    rows_days: int | None = Field(
        None, ge=1, le=36_500, description="Rows of the request log: months older than this are dropped; null: for ever"
    )
    capture_days: int = Field(7, ge=1, le=3650, description="Captured bodies")


class AlertSettings(Input):
    """When webhooks tell of spend."""

    thresholds: list[Annotated[int, Field(ge=1, le=1000)]] = Field(
        [50, 80, 100], max_length=10, description="Per cent of a budget; each is told once"
    )


class SettingsChanges(Input):
    """Settings; those left out stay as they are, and null puts a default back."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"time_zone": "Europe/Berlin", "retention": {"rows_days": 365}}]}
    )

    default_mapping: MappingObject | None = Field(
        None, description="Where slots lead that a key's mapping leaves open; same shape as a key's `mapping`"
    )
    github: GithubSettings | None = None
    members: MemberSettings | None = None
    retention: RetentionSettings | None = None
    alerts: AlertSettings | None = None
    time_zone: Annotated[str, StringConstraints(max_length=100), AfterValidator(_as_zone)] | None = Field(
        None, description="The zone whose days and months statistics count by", examples=["Europe/Berlin"]
    )
    public_url: Annotated[str, StringConstraints(max_length=500), AfterValidator(_as_address)] | None = Field(
        None, description="The address people open", examples=["https://router.example.com"]
    )


class EnvironmentSetting(BaseModel):
    """A setting that the environment decides: it cannot be changed here."""

    variable: str = Field(description="The variable that is set", examples=["FRONTEND_URL"])
    setting: str = Field(description="What it decides", examples=["public_url"])


class SettingsView(BaseModel):
    """All settings of the installation, with the defaults of those that nobody has set."""

    default_mapping: MappingObject = Field(description="Where slots lead that a key's mapping leaves open")
    github: GithubSettings
    members: MemberSettings
    retention: RetentionSettings
    alerts: AlertSettings
    time_zone: str = Field(examples=["UTC"])
    public_url: str = Field(description="The address people open", examples=["https://router.example.com"])
    environment: list[EnvironmentSetting] = Field(description="What the environment decides")
