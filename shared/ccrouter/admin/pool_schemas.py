"""The JSON of routing: how credentials fared, and where a model's name leads."""

from pydantic import BaseModel, Field

from ccrouter.admin.documents import MappingObject
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


class QuotaWindowView(BaseModel):
    """One thing that the account's platform meters; null where it does not tell."""

    name: str = Field(description="A resource, or a model", examples=["Credit"])
    left: float | None = Field(description="The share that is left, from 0 to 1", examples=[0.25])
    used: float | None
    limit: float | None
    unit: str | None = Field(description="Of `used` and `limit`")
    resets_at: Moment | None = Field(description="When it is filled again")


class QuotaView(BaseModel):
    """What an account's platform tells of its plan, at most ten minutes ago."""

    read_at: Moment
    plan: str | None
    windows: list[QuotaWindowView]
    error: str | None = Field(description="Why it tells nothing")


class HealthView(BaseModel):
    """How a credential fared in the last day."""

    state: CredentialState
    quota: QuotaView | None = Field(default=None, description="Null for platforms that tell nothing of the kind")
    half_hours: list[HalfHour] = Field(description="48, oldest first")
    last_errors: list[FailedAttempt] = Field(description="The last ten, newest first")


class ResolveInput(Input):
    """A model's name, and the mapping to look it up in: that of a key, or one that is given. Neither: the default."""

    model: str = Field(min_length=1, max_length=200, examples=["claude-opus-4-5"])
    key_id: str | None = None
    mapping: MappingObject | None = None


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
