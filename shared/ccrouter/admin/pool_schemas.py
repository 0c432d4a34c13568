"""The JSON of routing: how credentials fared, and where a model's name leads."""

from typing import Any

from pydantic import BaseModel, Field

from ccrouter.admin.schemas import CredentialState, Input, Moment


class HalfHour(BaseModel):
    """Attempts of half an hour; `failed` are those that the platform, not the client, ended."""

    at: Moment
    attempts: int
    failed: int


class FailedAttempt(BaseModel):
    """An attempt that failed."""

    log_id: str
    at: Moment
    model: str
    outcome: str
    status: int | None
    reason: str | None


class HealthView(BaseModel):
    """How a credential fared in the last day."""

    state: CredentialState
    half_hours: list[HalfHour] = Field(description="48, oldest first")
    last_errors: list[FailedAttempt] = Field(description="The last ten, newest first")


class ResolveInput(Input):
    """A model's name, and the mapping to look it up in: that of a key, or one that is given. Neither: the default."""

    model: str = Field(min_length=1, max_length=200, examples=["claude-opus-4-5"])
    key_id: str | None = None
    mapping: dict[str, Any] | None = None


class TargetView(BaseModel):
    """One place of a chain."""

    platform: str
    model: str
    credential_id: str | None
    effort: str | None


class ResolvedView(BaseModel):
    """Where a model's name leads."""

    rule: str | None = Field(description="The pattern that matched")
    slot: str | None = Field(description="The family that was found in the name")
    targets: list[TargetView] = Field(description="In the order they are tried; empty: refused")
