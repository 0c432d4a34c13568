"""The JSON of webhooks."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ccrouter.admin.documents import MembersObject
from ccrouter.admin.schemas import Input, Moment, Name
from ccrouter.storage.alerts import KINDS, Kind

_EVENTS = (
    "`budget.reached`: a key or a user has used up part of a spend limit (the thresholds are in the settings under "
    "`alerts`), once for each limit, window and threshold; `credential.blocked`: a platform refuses a credential; "
    "`model.unpriced`: a model answered that has no price; `key.expiring`: a key ends within seven days, and within one"
)
_Url = Annotated[str, StringConstraints(max_length=2000)]


class WebhookInput(Input):
    """Whom to tell of what."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "On call", "url": "https://hooks.example.com/router", "events": ["budget.reached"]}]
        }
    )

    name: Name = Field(examples=["On call"])
    url: _Url = Field(description="Where requests are sent to", examples=["https://hooks.example.com/router"])
    events: list[Kind] = Field(list(KINDS), min_length=1, max_length=20, description=_EVENTS)


class WebhookChanges(Input):
    """Changes; members left out stay as they are."""

    never_null = frozenset({"name", "url", "events", "enabled"})

    name: Name | None = None
    url: _Url | None = None
    events: list[Kind] | None = Field(None, min_length=1, max_length=20, description=_EVENTS)
    enabled: bool | None = Field(
        None, description="False: nothing is sent, and what waits is given up; true: it begins anew"
    )


class WebhookView(BaseModel):
    """Somebody who is told.

    Each event is a POST of `{"type", "timestamp", "data"}` in the form of Standard Webhooks: the headers `webhook-id`
    (the same at each try), `webhook-timestamp` and `webhook-signature`, by HMAC-SHA256 with the secret.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "019a0000-0000-7000-8000-000000000001",
                    "name": "On call",
                    "url": "https://hooks.example.com/router",
                    "events": ["budget.reached"],
                    "enabled": True,
                    "disabled_reason": None,
                    "failing_since": None,
                    "created_at": "2026-11-03T09:30:00.000Z",
                    "updated_at": "2026-11-03T09:30:00.000Z",
                }
            ]
        }
    )

    id: str
    name: str
    url: str
    events: list[Kind] = Field(description=_EVENTS)
    enabled: bool
    disabled_reason: str | None = Field(
        description="Why the router has disabled it: its address answered 410, or accepted nothing for three days"
    )
    failing_since: Moment | None = Field(description="Since then nothing was accepted")
    created_at: Moment
    updated_at: Moment


class NewWebhookView(WebhookView):
    """A new webhook with its secret, which is shown this once."""

    secret: str = Field(
        description="With it the receiver checks signatures", examples=["whsec_bm90IGEgcmVhbCBzZWNyZXQ="]
    )


class DeliveryView(BaseModel):
    """One event on its way to one webhook; the answer is that of the last try."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "019a0000-0000-7000-8000-000000000003",
                    "event_id": "msg_019a000000007000800000000000000f",
                    "type": "model.unpriced",
                    "payload": {
                        "type": "model.unpriced",
                        "timestamp": "2026-11-03T09:30:00.000Z",
                        "data": {"platform": "openai", "model": "new-model", "requests": 3},
                    },
                    "state": "waiting",
                    "tries": 1,
                    "next_at": "2026-11-03T09:30:05.000Z",
                    "status": 503,
                    "response": "come back later",
                    "error": None,
                    "duration_ms": 120,
                    "created_at": "2026-11-03T09:30:00.000Z",
                    "ended_at": None,
                }
            ]
        }
    )

    id: str
    event_id: str = Field(description="What the header `webhook-id` says")
    type: str = Field(description="The event", examples=["budget.reached"])
    payload: MembersObject = Field(description="What is sent")
    state: Literal["waiting", "delivered", "failed"] = Field(
        description="`delivered`: it was answered with 2xx; `failed`: it was given up"
    )
    tries: int = Field(description="How often it was sent, at most ten times in three days")
    next_at: Moment | None = Field(description="When it is tried again")
    status: int | None = Field(description="HTTP status of the answer")
    response: str | None = Field(description="How the answer begins")
    error: str | None = Field(description="Why there was no answer")
    duration_ms: int | None
    created_at: Moment
    ended_at: Moment | None
