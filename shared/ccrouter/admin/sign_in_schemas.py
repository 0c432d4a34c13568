"""The JSON of signing in to a platform."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ccrouter.admin.documents import OptionsObject
from ccrouter.admin.schemas import Input, Moment, Name

_Printable = StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000, pattern=r"^[!-~]+$")


class PlatformSignInInput(Input):
    """A sign-in that a person confirms in a browser; a credential comes of it.

    Kiro shows a code on another device. For Antigravity the operator's own OAuth client of Google is used.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"platform": "kiro", "name": "team"},
                {
                    "platform": "antigravity",
                    "name": "research",
                    "client_id": "1234.apps.googleusercontent.com",
                    "client_secret": "GOCSPX-secret",
                    "options": {"acknowledged": True},
                },
            ]
        }
    )

    platform: Literal["kiro", "antigravity"] = Field(description="Where to sign in")
    name: Name | None = Field(None, description="Name of the new credential; needed without `credential_id`")
    credential_id: str | None = Field(
        None, max_length=100, description="Give this credential the new tokens instead of making another"
    )
    options: OptionsObject | None = Field(None, description="Options of the new credential")
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] | None = Field(
        None, description="kiro: the region of the organisation's sign-in", examples=["us-east-1"]
    )
    start_url: Annotated[str, StringConstraints(pattern=r"^https://[!-~]+$", max_length=500)] | None = Field(
        None,
        description="kiro: the organisation's start address; a Builder ID without one",
        examples=["https://example.awsapps.com/start"],
    )
    client_id: Annotated[str, _Printable] | None = Field(
        None, description="antigravity: the operator's own OAuth client", examples=["1234.apps.googleusercontent.com"]
    )
    client_secret: Annotated[str, _Printable] | None = Field(None, description="antigravity: its secret; write only")
    redirect_uri: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=500)] | None = Field(
        None,
        description="antigravity: where Google sends the browser. Without it the router's own address, which the "
        "client must allow; with another, paste the address the browser ends on with `POST …/sign-in/{id}`",
        examples=["http://localhost:8085/"],
    )


class PlatformSignInView(BaseModel):
    """A sign-in to a platform: open `url`, then ask again until its state is no longer `pending`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "019a0000-0000-7000-8000-000000000001",
                    "platform": "kiro",
                    "flow": "device",
                    "state": "pending",
                    "url": "https://device.sso.us-east-1.amazonaws.com/?user_code=ABCD-EFGH",
                    "user_code": "ABCD-EFGH",
                    "credential_id": None,
                    "error": None,
                    "created_at": "2026-11-03T09:30:00.000Z",
                    "expires_at": "2026-11-03T09:40:00.000Z",
                }
            ]
        }
    )

    id: str = Field(description="UUIDv7 of the sign-in")
    platform: str = Field(description="Where it leads", examples=["kiro"])
    flow: Literal["device", "code"] = Field(
        description="`device`: confirm `user_code` at `url`; `code`: the browser comes back with a code"
    )
    state: Literal["pending", "done", "failed", "expired"] = Field(description="How far it is")
    url: str | None = Field(description="What to open in a browser; null where it could not begin")
    user_code: str | None = Field(description="What the page at `url` must show, or asks for")
    credential_id: str | None = Field(description="The credential that has the tokens, once it is done")
    error: str | None = Field(description="Why it failed")
    created_at: Moment = Field(description="When it was begun")
    expires_at: Moment = Field(description="Until when it can be confirmed")


class PlatformCodeInput(Input):
    """Where the browser ended after a sign-in at Google."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "http://localhost:8085/?state=…&code=4/0AX…"}]})

    url: Annotated[str, StringConstraints(min_length=1, max_length=8000)] = Field(
        description="The whole address, with `state` and `code`"
    )
