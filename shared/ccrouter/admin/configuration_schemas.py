"""The JSON of an installation's configuration, as it is exported and imported."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ccrouter.admin.documents import LimitsObject, MembersObject, OptionsObject
from ccrouter.admin.price_schemas import MOST_OWN, PriceInput, PriceView
from ccrouter.admin.schemas import AwareMoment, Input, KeyChanges, Moment, Name, Pattern
from ccrouter.admin.settings_schemas import SettingsChanges
from ccrouter.admin.user_schemas import GithubAccount, Login, Mail, Role, Status
from ccrouter.admin.webhook_schemas import WebhookInput

FORMAT = 1
"""Of the document. A program that changes what members mean raises it, and goes on reading the lower ones."""

Id = Annotated[str, StringConstraints(max_length=100)]
_ID = Field(
    None,
    description="Where an object has this id, it is the one that is meant; else the one of this name; else it is new",
)


class UserItem(Input):
    """A user, without password."""

    id: Id | None = _ID
    login: Login
    name: Name | None = None
    email: Mail | None = None
    role: Role = "member"
    status: Status = "active"
    github: GithubAccount | None = Field(None, description="The GitHub account that signs in as this user")
    limits: LimitsObject = Field({}, description="What all keys of this user together may use")
    language: Annotated[str, StringConstraints(max_length=20)] | None = None
    theme: Literal["light", "dark", "system"] | None = None


class CredentialItem(Input):
    """A credential, without its secret: a new one is disabled until it is given one."""

    id: Id | None = _ID
    platform: Annotated[str, StringConstraints(max_length=50)] = Field(examples=["anthropic"])
    name: Name
    origin: Literal["api", "environment"] = Field(
        "api", description="`environment`: it follows CLAUDE_API_KEY, and is neither made nor changed by an import"
    )
    enabled: bool = True
    base_url: Annotated[str, StringConstraints(max_length=500)] | None = None
    options: OptionsObject = Field({}, description="As the platform has them")
    priority: int = Field(0, ge=-1000, le=1000)
    weight: int = Field(1, ge=1, le=1000)
    max_concurrency: int | None = Field(None, ge=1)
    models: list[Pattern] | None = None


class KeyItem(KeyChanges):
    """A key, without its secret: a new one works once it has been rotated."""

    id: Id | None = _ID
    name: Name
    owner: Login = Field(description="The login of its owner")
    expires_at: AwareMoment | None = Field(None, description="May lie in the past")


class WebhookItem(WebhookInput):
    """A webhook, without the secret that signs: a new one gets its own."""

    id: Id | None = _ID
    enabled: bool = True


class ConfigurationDocument(Input):
    """The configuration of an installation. What is left out stays as it is, and nothing is ever deleted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "format": 1,
                    "users": [{"login": "ada", "role": "member", "status": "active"}],
                    "credentials": [{"platform": "anthropic", "name": "team", "priority": 1}],
                    "keys": [{"name": "laptop", "owner": "ada", "limits": {"rpm": 60}}],
                    "settings": {"time_zone": "Europe/Berlin"},
                }
            ]
        }
    )

    format: Literal[1] = Field(description="Which form the document has")
    made_at: AwareMoment | None = Field(None, description="When it was exported; an import takes no notice of it")
    version: str | None = Field(None, max_length=100, description="By which version of the program; likewise")
    users: list[UserItem] = Field([], max_length=10_000)
    credentials: list[CredentialItem] = Field([], max_length=10_000)
    keys: list[KeyItem] = Field([], max_length=50_000)
    webhooks: list[WebhookItem] = Field([], max_length=50)
    settings: SettingsChanges | None = None
    own_prices: list[PriceInput] | None = Field(
        None, max_length=MOST_OWN, description="All own prices, in the order they are looked at; null leaves them alone"
    )


class ConfigurationView(BaseModel):
    """The configuration of an installation, as `POST /configuration` takes it."""

    format: int = Field(description="Which form the document has", examples=[FORMAT])
    made_at: Moment
    version: str = Field(description="Of the program that made it")
    users: list[UserItem]
    credentials: list[CredentialItem]
    keys: list[KeyItem]
    webhooks: list[WebhookItem]
    settings: SettingsChanges
    own_prices: list[PriceView] = Field(description="In the order they are looked at")


class ImportInput(Input):
    """A configuration to take over."""

    configuration: ConfigurationDocument
    dry_run: bool = Field(False, description="Only say what would change")


class ConfigurationChange(BaseModel):
    """What an import changes of one object."""

    kind: Literal["user", "credential", "key", "webhook", "settings", "prices"]
    action: Literal["create", "change"]
    id: str | None = Field(description="Null for settings and prices, and for what a dry run would make")
    name: str = Field(description="Login, name of the credential, key or webhook, or what is set")
    before: MembersObject | None = Field(description="The members that differ; null for a new object")
    after: MembersObject
    secret: str | None = Field(description="With which a new webhook signs, this once; null on a dry run")
    note: str | None = Field(description="What is left to do, such as a secret to be given")


class ImportView(BaseModel):
    """What an import has changed or, on a dry run, would change."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dry_run": True,
                    "changes": [
                        {
                            "kind": "key",
                            "action": "change",
                            "id": "019ab1c2-7d3e-7f00-8a11-5b6c7d8e9f01",
                            "name": "laptop",
                            "before": {"limits": {}},
                            "after": {"limits": {"rpm": 60}},
                            "secret": None,
                            "note": None,
                        }
                    ],
                    "unchanged": 12,
                }
            ]
        }
    )

    dry_run: bool
    changes: list[ConfigurationChange]
    unchanged: int = Field(description="How many objects of the document are here as it says already")
