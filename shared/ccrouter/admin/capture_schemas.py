"""What was captured of a request, as the API shows it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ccrouter.admin.schemas import Moment


class HeaderView(BaseModel):
    """A header line."""

    name: str = Field(description="In lower case", examples=["content-type"])
    value: str = Field(description="Secrets are replaced by `[redacted]`", examples=["application/json"])


class BodyView(BaseModel):
    """A body without its content encoding."""

    encoding: Literal["text", "frames", "base64"] = Field(
        description="How `content` is written: as it is; one JSON object with `headers` and `payload` for each frame "
        "of an AWS event stream, a line each; or in base64, for what is no UTF-8 text"
    )
    content: str = Field(description="Secrets are replaced by `[redacted]`")
    size: int = Field(description="Bytes of the whole body")
    truncated: bool = Field(description="Whether only its beginning was kept (`CCR_CAPTURE_LIMIT_KB`)")
    ended: bool = Field(description="Whether the body came to its end; false where it broke off")


class LegView(BaseModel):
    """What passed on one leg of a request."""

    name: Literal["client_request", "upstream_request", "upstream_response", "client_response"]
    attempt: int | None = Field(
        description="Index in the row's `attempts`; null for the client's legs. One attempt has several pairs of legs "
        "where it was repeated, or where an answer went on in a further request"
    )
    method: str | None = Field(description="Of a request", examples=["POST"])
    url: str | None = Field(
        description="Of a request; the client's below the public address of this router. Secrets are replaced",
        examples=["https://api.anthropic.com/v1/messages?beta=true"],
    )
    status: int | None = Field(description="Of a response", examples=[200])
    content_type: str | None = Field(examples=["text/event-stream; charset=utf-8"])
    headers: list[HeaderView] = Field(description="In their order")
    body: BodyView


class CaptureView(BaseModel):
    """What was captured of a request."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "019ab1c2-7d3e-7f00-8a11-5b6c7d8e9f01",
                "at": "2026-11-23T12:00:00Z",
                "expires_at": "2026-11-30T12:00:00Z",
                "legs": [
                    {
                        "name": "client_request",
                        "attempt": None,
                        "method": "POST",
                        "url": "http://localhost:3000/proxy/v1/messages",
                        "status": None,
                        "content_type": "application/json",
                        "headers": [{"name": "x-api-key", "value": "[redacted]"}],
                        "body": {
                            "encoding": "text",
                            "content": '{"model": "claude-opus-5-5", …}',
                            "size": 182044,
                            "truncated": True,
                            "ended": True,
                        },
                    }
                ],
            }
        }
    )

    id: str = Field(description="The request's id")
    at: Moment
    expires_at: Moment = Field(description="When it will be deleted")
    legs: list[LegView] = Field(description="In the order in which they began; a member's without the platform's")
