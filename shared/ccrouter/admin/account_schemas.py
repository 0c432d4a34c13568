"""The JSON of signing in and of the own account."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ccrouter.admin.schemas import Input, Name
from ccrouter.admin.user_schemas import NewPassword, UserView


class LoginInput(Input):
    """A sign-in by password."""

    username: str = Field(max_length=200, examples=["admin"])
    password: str = Field(max_length=1000)


class KeyRulesView(BaseModel):
    """What a member may do with own keys."""

    may_create_keys: bool = Field(description="Whether members make their own keys")
    max_keys: int = Field(description="How many keys a member may have")
    allowed_platforms: list[str] | None = Field(description="Platforms that a mapping may name; null: every one")
    own_mapping: bool = Field(description="Whether a key may have a mapping of the member's choice")


class MeView(UserView):
    """The user who is signed in."""

    key_rules: KeyRulesView | None = Field(description="Null for administrators, who are bound by none")

    permissions: list[str] = Field(description="Operations of this API that this user may call")
    csrf_token: str = Field(description="Send it as X-CSRF-Token with changing calls that use the cookie")


class PasswordInput(Input):
    """A change of the own password."""

    current: str = Field(max_length=1000)
    new: NewPassword = Field(description="Twelve characters or more; it ends all other sessions")


class MeInput(Input):
    """Changes of the own account; members left out stay as they are."""

    name: Name | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Za-z]{2,4})?$")] | None = None
    theme: Literal["light", "dark", "system"] | None = None
    password: PasswordInput | None = None


class TokenView(BaseModel):
    """What a sign-in gives."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a kind
    expires_in: int = Field(description="Seconds")
    user: MeView


class ProviderView(BaseModel):
    """A way to sign in."""

    id: str = Field(examples=["github"])
    name: str = Field(examples=["GitHub"])
    url: str | None = Field(
        description="Where it begins, with `next` for the path to end on; null: `POST /api/v1/auth/login`",
        examples=["/api/v1/auth/github"],
    )


class MetaView(BaseModel):
    """What a page must know before anybody signs in."""

    version: str
    sign_in: list[str]
    public_url: str
    setup_open: bool
    time_zone: str


class SetUpInput(Input):
    """The first administrator."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "7QX4M-2BZKA-PLC6D-W5RTE", "password": "twelve or more"}]}
    )

    code: str = Field(max_length=100, description="The one-time code that the start or the deploy printed")
    password: NewPassword = Field(description="Twelve characters or more")
    name: Name | None = None
