"""The JSON of people."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ccrouter.admin.documents import LimitsObject
from ccrouter.admin.schemas import Input, Moment, MonthView, Name

Role = Literal["admin", "member"]
Status = Literal["active", "pending", "disabled"]
Login = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$")]
Mail = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
NewPassword = Annotated[str, StringConstraints(min_length=12, max_length=1000)]

_LIMITS = (
    "Over all keys of this user together: `rpm`, `tpm`, `concurrency`, `queue_s`, `spend` in USD by window and "
    "`on_spend`, as a key has them; null lifts all"
)


class GithubAccount(BaseModel):
    """The account on GitHub that a user signs in with."""

    id: int = Field(description="GitHub's number of the account: it stays, whatever its login becomes")
    login: str = Field(description="Its login when it was last used here")


class UserView(BaseModel):
    """A user."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "019a0000-0000-7000-8000-000000000002",
                    "login": "ada",
                    "name": "Ada Lovelace",
                    "email": "ada@example.com",
                    "avatar_url": None,
                    "github": {"id": 583231, "login": "ada"},
                    "has_password": False,
                    "role": "member",
                    "status": "active",
                    "language": "en",
                    "theme": "system",
                    "limits": {"spend": {"month": "50.00"}},
                    "keys": 2,
                    "month": {"cost": "12.5", "requests": 431},
                    "created_at": "2026-11-03T09:30:00.000Z",
                    "last_seen_at": "2026-11-24T17:02:11.000Z",
                    "deleted_at": None,
                }
            ]
        }
    )

    id: str = Field(description="UUIDv7")
    login: str = Field(description="The name to sign in with, and the one others see")
    name: str | None
    email: str | None = Field(description="The mail address; of a GitHub account the verified primary one")
    avatar_url: str | None = Field(description="A picture")
    github: GithubAccount | None = Field(description="Null for one who does not sign in with GitHub")
    has_password: bool = Field(description="Whether a password was set")
    role: Role
    status: Status = Field(description="`pending` waits for an administrator; only `active` may sign in and use keys")
    language: str | None = Field(description="Language of the pages, null where none was chosen", examples=["en"])
    theme: str | None = Field(description="Null where none was chosen", examples=["system"])
    limits: LimitsObject = Field(description="What all keys of this user together may use")
    keys: int = Field(description="How many keys this user has, deleted ones left out")
    month: MonthView = Field(description="What those keys have used in this calendar month (UTC)")
    created_at: Moment
    last_seen_at: Moment | None = Field(description="The last sign-in")
    deleted_at: Moment | None


class UserChanges(Input):
    """Members of a user; those left out stay as they are."""

    never_null = frozenset({"role", "status"})

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "active", "limits": {"rpm": 60}}]})

    name: Name | None = Field(None, description="Null takes it away")
    email: Mail | None = Field(None, description="Null takes it away", examples=["ada@example.com"])
    role: Role | None = Field(None, description="`admin` may do everything, `member` sees and manages what is own")
    status: Status | None = Field(
        None, description="`active` lets a pending user in; `disabled` ends all sessions at once and stops all keys"
    )
    limits: LimitsObject | None = Field(None, description=_LIMITS, examples=[{"spend": {"month": "50.00"}}])
    password: NewPassword | None = Field(
        None, description="Write only; ends all sessions. Null: no sign-in by password"
    )


class UserInput(UserChanges):
    """A new user."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"login": "ada", "name": "Ada Lovelace", "password": "twelve or more"}]}
    )

    login: Login = Field(
        description="Letters, digits and . _ @ -; taken whatever its case. Those who sign in with GitHub need not be "
        "made here",
        examples=["ada"],
    )
    limits: LimitsObject | None = Field(
        None,
        description=f"{_LIMITS}. Where they are left out, a member has those of the settings (`members.limits`)",
        examples=[{"spend": {"month": "50.00"}}],
    )
    role: Role = Field("member", description="`admin` may do everything, `member` sees and manages what is own")
    status: Status = Field("active", description="Only `active` users may sign in and use keys")
    password: NewPassword | None = Field(
        None, description="Write only. Without one nobody signs in as this user, who can still own keys"
    )


class SignedInView(BaseModel):
    """A place where somebody is signed in."""

    id: str = Field(description="UUIDv7")
    created_at: Moment = Field(description="When it was opened")
    expires_at: Moment = Field(description="When it ends by itself")
    user_agent: str | None = Field(description="The program, as it names itself")
    client_ip: str | None = Field(description="The address it was opened from", examples=["203.0.113.7"])
    current: bool = Field(description="Whether this call is part of it")
