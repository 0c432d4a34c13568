"""The JSON of what is done with keys: rotating, changing many at once, trying one."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ccrouter.admin.documents import LimitsObject, MappingObject
from ccrouter.admin.schemas import ErrorView, FutureMoment, Input, KeyView, Name

LONGEST_GRACE_S = 30 * 24 * 3600
"""A month: whoever has not changed a secret by then has forgotten to."""


class RotateInput(Input):
    """How to change a secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"grace_s": 3600}]})

    grace_s: int = Field(
        0, ge=0, le=LONGEST_GRACE_S, description="How long the former secret still works, in seconds; 0: it ends now"
    )


class BatchInput(Input):
    """One change of many keys; members left out stay as they are. `delete` stands alone."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ids": ["0199c3a8-7f4e-7d3b-9a51-3c2f1de04b11"], "add_tags": ["team-a"]}]}
    )

    ids: list[str] = Field(min_length=1, max_length=200, description="Which keys")
    delete: bool = Field(False, description="Delete them")
    enabled: bool | None = Field(None, description="Enable or disable them")
    add_tags: list[Name] = Field([], max_length=50, description="Tags that all of them shall have")
    remove_tags: list[Name] = Field([], max_length=50, description="Tags that none of them shall have")
    limits: LimitsObject | None = Field(
        None, description="The limits of all of them, as of a single key; null lifts all", examples=[{"rpm": 60}]
    )
    mapping: MappingObject | None = Field(None, description="The mapping of all of them, as of a single key")
    expires_at: FutureMoment | None = Field(None, description="When all of them end; null: never")

    @model_validator(mode="after")
    def _does_something(self) -> "BatchInput":
        changes = self.model_fields_set - {"ids", "delete"}
        if self.delete and changes:
            raise ValueError("delete stands alone: a deleted key is not changed")
        if not self.delete and not changes:
            raise ValueError("give delete, enabled, add_tags, remove_tags, limits, mapping or expires_at")
        return self


class BatchItem(BaseModel):
    """What came of one key."""

    id: str = Field(description="The key's id")
    result: str = Field(description="`changed`, `unchanged` or `deleted`", examples=["changed"])
    key: KeyView | None = Field(description="The key as it is now; null for one that was deleted")


class BatchView(BaseModel):
    """What came of a change of many keys, in the order of `ids`."""

    items: list[BatchItem] = Field(description="One for each id")


class KeyTestInput(Input):
    """Which model a client would ask for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"model": "claude-opus-5-5"}]})

    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,199}$")] = Field(
        "claude-sonnet-5-5", description="The name as a client gives it; the key's mapping says where it leads"
    )


class KeyTestAttempt(BaseModel):
    """One try of a test."""

    platform: str = Field(description="Where it was sent", examples=["anthropic"])
    model: str = Field(description="The model's name there")
    credential: str | None = Field(description="The credential's name; null for members and where none was needed")
    outcome: str = Field(description="What came of it", examples=["ok"])
    status: int | None = Field(description="The platform's HTTP status, where it gave one")
    ms: int = Field(description="How long it took")
    reason: str | None = Field(description="Why it failed")


class KeyTestView(BaseModel):
    """How a request for one token went through a key's mapping."""

    ok: bool = Field(description="Whether a client would have had an answer from a platform")
    http_status: int | None = Field(description="What a client would have got")
    error: ErrorView | None = Field(description="The error a client would have got")
    rule: str | None = Field(description="The mapping's pattern that matched")
    slot: str | None = Field(description="The family that was found in the name")
    platform: str | None = Field(description="Who answered")
    model: str | None = Field(description="The model's name there")
    duration_ms: int = Field(description="From the first to the last byte, routing and limits included")
    cost: str | None = Field(description="USD; null where the model has no price or nothing was used")
    attempts: list[KeyTestAttempt] = Field(description="Every try, in order")
    warnings: list[str] = Field(description="Why clients of this key may fare otherwise, such as its being disabled")
    log_id: str = Field(description="Its row in the request log, of kind `test`")
