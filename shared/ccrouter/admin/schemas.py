"""The JSON of the admin API (`product.md` §7), as models."""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from ccrouter.admin.documents import AuthObject, LimitsObject, MappingObject, OptionsObject
from ccrouter.captures.legs import Mode
from ccrouter.clock import rfc3339, utc_now

T = TypeVar("T")

Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
"""A moment as RFC 3339 in UTC."""


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("must carry a time zone, such as 2026-12-31T00:00:00Z")
    return moment


def _in_future(moment: datetime) -> datetime:
    if _aware(moment) <= utc_now():
        raise ValueError("must be in the future")
    return moment


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?")


def _written(moment: Any) -> Any:
    # A number would be taken for seconds since 1970, or for milliseconds where it is large.
    if not isinstance(moment, str) or not _RFC3339.fullmatch(moment):
        raise ValueError("must be a moment such as 2026-12-31T00:00:00Z")
    return moment


AwareMoment = Annotated[datetime, Field(strict=False), BeforeValidator(_written), AfterValidator(_aware)]
FutureMoment = Annotated[datetime, Field(strict=False), BeforeValidator(_written), AfterValidator(_in_future)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Pattern = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Note = Annotated[str, StringConstraints(max_length=2000)]


class Input(BaseModel):
    """What a caller sends: unknown members are refused, so that a misspelt one is not silently lost.

    A member is of its type: a text is no number, and a number is neither true nor false.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    never_null: ClassVar[frozenset[str]] = frozenset()
    """Members that may be left out and are never null."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_odd_texts_and_nulls(cls, body: Any) -> Any:
        found = [
            InitErrorDetails(type=PydanticCustomError("odd_text", _ODD_TEXT), loc=path, input=None)
            for path in _odd_texts(body, ())
        ]
        if isinstance(body, dict):
            found += [
                InitErrorDetails(type=PydanticCustomError("null", _NULL), loc=(name,), input=None)
                for name in sorted(cls.never_null)
                if body.get(name, ...) is None
            ]
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        if isinstance(body, dict):
            return {name: _whole(value) for name, value in body.items()}
        return body

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core_schema)
        for name in cls.never_null:
            member = handler.resolve_ref_schema(reference)["properties"][name]
            if "anyOf" in member:
                (kept,) = [kind for kind in member.pop("anyOf") if kind != {"type": "null"}]
                member.update(kept)
            if member.get("default", ...) is None:
                del member["default"]
        return reference


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 1.0 is 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [_whole(item) for item in value] if isinstance(value, list) else value


_NULL = "may not be null; leave it out to keep it"
_ODD = re.compile("[\0\ud800-\udfff]")
_ODD_TEXT = "must not hold the character U+0000 or half a surrogate pair: they cannot be stored"


def _odd_texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The paths of texts that PostgreSQL cannot hold; a member whose own name is such is named by what it is in."""
    if isinstance(value, str):
        if _ODD.search(value):
            yield path
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from (path,) if _ODD.search(name) else _odd_texts(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _odd_texts(item, (*path, index))


class Page(BaseModel, Generic[T]):
    """A part of a list, newest first."""

    items: list[T]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next part; null at the end")


class Named(BaseModel):
    """A thing and its name."""

    id: str | None
    name: str | None


class UserRef(BaseModel):
    """A user, in short."""

    id: str
    login: str
    name: str | None = None


class MonthView(BaseModel):
    """What a key has used in this calendar month (UTC); token counts are not among the requests."""

    cost: str = Field(description="USD", examples=["1.25"])
    requests: int


class MappingWarning(BaseModel):
    """A target that answers nobody as things stand."""

    field: str = Field(description="Path of the target", examples=["mapping.opus[0]"])
    code: str = Field(description="`no_credential`, `disabled`, `blocked` or `model_not_served`")
    message: str = Field(description="What is the matter", examples=["No credential of kiro is enabled."])


class KeyView(BaseModel):
    """An API key; its secret is not stored."""

    id: str
    name: str
    prefix: str = Field(description="The beginning of the secret, to recognise it by")
    owner: UserRef
    enabled: bool
    expires_at: Moment | None
    tags: list[str]
    mapping: MappingObject
    limits: LimitsObject
    allowed_models: list[str]
    allowed_clients: list[str]
    allowed_ips: list[str]
    capture: Mode = Field(
        description="Of which requests headers and bodies are kept, encrypted and without secrets, for "
        "`retention.capture_days` days: administrators can read them, the key's owner what the client sent and got"
    )
    note: str | None
    month: MonthView
    warnings: list[MappingWarning] = Field(description="Targets of the mapping that answer nobody as things stand")
    former_secret_until: Moment | None = Field(
        description="How long the secret before the last rotation still works; null: it does not"
    )
    created_at: Moment
    last_used_at: Moment | None
    deleted_at: Moment | None


class NewKeyView(KeyView):
    """A key with its secret, which is shown this once."""

    key: str = Field(examples=["sk-ccr-…"])


class KeyChanges(Input):
    """Members of a key; those left out stay as they are."""

    never_null = frozenset({"name", "enabled", "tags", "allowed_models", "allowed_clients", "allowed_ips", "capture"})

    name: Name | None = None
    enabled: bool | None = None
    expires_at: FutureMoment | None = None
    tags: list[Name] | None = Field(None, max_length=50)
    mapping: MappingObject | None = Field(
        None,
        description="Slots (opus, sonnet, haiku, …), `rules` and `default`, each a chain of targets. A slot left out "
        "asks Anthropic for the model as it is named; an empty chain refuses it.",
        examples=[{"opus": [{"platform": "anthropic", "model": "claude-opus-5-5"}]}],
    )
    limits: LimitsObject | None = Field(
        None,
        description="`rpm`, `tpm`, `concurrency`, `queue_s` (seconds to wait for a place), `spend` in USD by window "
        "(5h, day, week, month, total) and `on_spend` (reject or warn); each is optional, null lifts all",
        examples=[{"rpm": 60, "concurrency": 5, "queue_s": 10, "spend": {"day": "10.00"}}],
    )
    allowed_models: list[Pattern] | None = Field(None, max_length=200)
    allowed_clients: list[Pattern] | None = Field(None, max_length=200)
    allowed_ips: list[str] | None = Field(None, max_length=200, examples=[["10.0.0.0/8"]])
    capture: Mode | None = Field(
        None, description="Of which requests headers and bodies are kept: of none, of those that fail, of all"
    )
    note: Note | None = None


class KeyInput(KeyChanges):
    """A new key; `owner_id` is the caller where it is left out."""

    name: Name
    owner_id: str | None = None


class CredentialState(BaseModel):
    """Whether requests use a credential."""

    status: Literal["ready", "cooling", "blocked", "disabled"]
    reason: str | None = None
    until: Moment | None = None


class CredentialView(BaseModel):
    """An account on a platform; its secret is never given out."""

    id: str
    platform: str
    name: str
    enabled: bool
    base_url: str | None
    options: OptionsObject
    priority: int
    weight: int
    max_concurrency: int | None
    models: list[str] | None
    origin: str = Field(description="api, or environment for the one that follows CLAUDE_API_KEY")
    state: CredentialState
    created_at: Moment


class CredentialChanges(Input):
    """Members of a credential; those left out stay as they are."""

    never_null = frozenset({"name", "enabled", "options", "priority", "weight"})

    name: Name | None = None
    enabled: bool | None = None
    base_url: str | None = Field(
        None, max_length=500, description="Without /v1", examples=["https://api.anthropic.com"]
    )
    auth: AuthObject | None = Field(None, description="Write only", examples=[{"api_key": "sk-ant-…"}])
    options: OptionsObject | None = None
    priority: int | None = Field(None, ge=-1000, le=1000, description="Higher ones are used first")
    weight: int | None = Field(None, ge=1, le=1000, description="Share among those of one priority")
    max_concurrency: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Requests under way at once, over all processes of the router; null: no bound",
    )
    models: list[Pattern] | None = Field(None, description="Null: every model")


class CredentialInput(CredentialChanges):
    """A new credential."""

    platform: str = Field(examples=["anthropic"])
    name: Name
    auth: AuthObject = Field(description="Write only", examples=[{"api_key": "sk-ant-…"}])


class TestInput(Input):
    """Which model to ask for."""

    __test__ = False  # not a test class

    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,199}$")] = "claude-haiku-4-5"


class TestView(BaseModel):
    """How a request for one token went."""

    __test__ = False  # not a test class

    ok: bool
    http_status: int | None
    duration_ms: int
    error: "ErrorView | None"
    log_id: str = Field(description="Its row in the request log")


class ErrorView(BaseModel):
    """An error as Anthropic's API shapes it."""

    type: str
    message: str


class UsageView(BaseModel):
    """Tokens by price class; `reasoning_tokens` are part of `output_tokens`."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    web_searches: int


class CostView(BaseModel):
    """What a request cost; amounts are decimal strings."""

    total: str
    input: str
    output: str
    cache_read: str
    cache_write: str
    other: str
    rates: dict[str, str] = Field(description="USD per million tokens that were applied")
    currency: str
    price_version: str


class TimingsView(BaseModel):
    """Where the time went, in milliseconds."""

    admission_ms: int | None
    queue_ms: int | None
    connect_ms: int | None
    first_token_ms: int | None
    generation_ms: int | None


class AttemptView(BaseModel):
    """One try on one credential."""

    platform: str
    model: str
    credential: Named | None
    outcome: str
    status: int | None
    ms: int
    reason: str | None


class LogView(BaseModel):
    """One request."""

    id: str
    at: Moment
    kind: str
    request_id: str
    upstream_request_id: str | None
    key: Named | None
    user: UserRef | None
    session_id: str | None
    agent_id: str | None
    parent_agent_id: str | None
    client: str | None
    client_ip: str | None
    requested_model: str | None
    slot: str | None
    rule: str | None
    platform: str | None
    model: str | None
    credential: Named | None = Field(description="Null for members")
    stream: bool
    status: str
    http_status: int | None
    stop_reason: str | None
    error: ErrorView | None
    usage: UsageView | None
    usage_state: str | None
    cost: CostView | None
    cost_state: str
    timings: TimingsView
    ttft_ms: int | None
    duration_ms: int
    attempts: list[AttemptView]
    capture: Literal["none", "pending", "stored", "dropped", "expired"] = Field(
        description="Whether headers and bodies were kept (`GET /logs/{id}/capture`): `pending` until they are stored, "
        "`dropped` where that could not be, `expired` where their time is over"
    )


def decimal_text(amount: Decimal) -> str:
    """An amount without exponent and without zeros at its end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
