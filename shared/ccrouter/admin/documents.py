"""Objects that are kept as they were given, and the names under which the API's description tells what is in them.

Mappings and limits are read by `routing.mapping` and `access.limits`, which say precisely what is wrong with one; the
models here only describe them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_OPEN = ConfigDict(extra="allow")


class MappingTarget(BaseModel):
    """Where a request may go."""

    platform: str = Field(description="The platform's id", examples=["anthropic"])
    model: str = Field(description="The model's name there", examples=["claude-opus-5-5"])
    credential_id: str | None = Field(None, description="Only this credential of the platform")
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = Field(
        None, description="How much the model shall think, whatever the client asks for"
    )


class MappingRule(BaseModel):
    """Where names of a pattern lead; rules go before slots."""

    match: str = Field(description="A shell-style pattern for the whole name", examples=["claude-3-*"])
    targets: list[MappingTarget] = Field(description="Tried in this order; an empty list refuses the model")


class ModelMapping(BaseModel):
    """Where the names lead that clients ask for. A further member is the slot of another model family.

    A slot left out is that of the settings' `default_mapping`; an empty list refuses its models.
    """

    model_config = _OPEN

    opus: list[MappingTarget] | None = Field(None, description="Names with `opus` in them")
    sonnet: list[MappingTarget] | None = Field(None, description="Names with `sonnet` in them")
    haiku: list[MappingTarget] | None = Field(None, description="Names with `haiku` in them")
    rules: list[MappingRule] | None = Field(None, description="Looked at first, top to bottom")
    default: list[MappingTarget] | None = Field(
        None, description="For every other name; null: `anthropic`, under the name that was asked for"
    )


class SpendLimits(BaseModel):
    """USD by window, as decimal strings; windows begin in UTC."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"day": "10.00", "month": "100"}]})

    in_5h: str | None = Field(None, alias="5h", description="In blocks of five hours", examples=["2.50"])
    day: str | None = Field(None, description="In a calendar day", examples=["10.00"])
    week: str | None = Field(None, description="In a week from Monday", examples=["40.00"])
    month: str | None = Field(None, description="In a calendar month", examples=["100.00"])
    total: str | None = Field(None, description="For ever", examples=["1000.00"])


class LimitSet(BaseModel):
    """Limits; without a member there is no such limit."""

    rpm: int | None = Field(None, ge=1, le=10**9, description="Requests of the last 60 s", examples=[60])
    tpm: int | None = Field(None, ge=1, le=10**9, description="Tokens of the last 60 s", examples=[200_000])
    concurrency: int | None = Field(None, ge=1, le=10_000, description="Requests at a time", examples=[5])
    queue_s: int | None = Field(None, ge=0, le=50, description="Seconds a request waits for a place", examples=[10])
    spend: SpendLimits | None = Field(None, description="USD by window")
    on_spend: Literal["reject", "warn"] | None = Field(
        None, description="Whether a used-up window refuses requests or is only noted"
    )


class CredentialAuth(BaseModel):
    """The secret of a credential, write only. `auth` of its platform in `GET /api/v1/platforms` is its schema."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"api_key": "sk-ant-…"}]})


class CredentialOptions(BaseModel):
    """Options of a credential. `options` of its platform in `GET /api/v1/platforms` is their schema."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"region": "us-east-1"}]})


class JsonSchema(BaseModel):
    """A JSON schema."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"type": "object", "properties": {}}]})


class ObjectMembers(BaseModel):
    """Members of an object of the API, as they were or became."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"enabled": True}]})


class _Told:
    """Describes a plain object by a model."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = self._model.__pydantic_core_schema__
        if described["type"] == "model":
            # Asked for as it is, a model that refers to no other would stand in each place anew.
            reference = core_schema.definition_reference_schema(described["ref"])
            described = core_schema.definitions_schema(reference, [described])
        return handler(described)


MappingObject = Annotated[dict[str, Any], _Told(ModelMapping)]
LimitsObject = Annotated[dict[str, Any], _Told(LimitSet)]
AuthObject = Annotated[dict[str, Any], _Told(CredentialAuth)]
OptionsObject = Annotated[dict[str, Any], _Told(CredentialOptions)]
SchemaObject = Annotated[dict[str, Any], _Told(JsonSchema)]
MembersObject = Annotated[dict[str, Any], _Told(ObjectMembers)]
