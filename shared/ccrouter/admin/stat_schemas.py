"""The JSON of statistics."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ccrouter.admin.schemas import Moment

_EXACT = (
    "False where a border had to be moved to a full hour: sums are kept by hours of UTC, and some zones' days begin "
    "between two of them"
)


class PeriodView(BaseModel):
    """The hours that were summed."""

    since: Moment = Field(serialization_alias="from", description="The first moment")
    until: Moment = Field(serialization_alias="to", description="The first moment that no longer counts")
    exact: bool = Field(description=_EXACT)


class Measure(BaseModel):
    """One number and what it is made of."""

    value: str | int | None = Field(
        description="cost: USD as a decimal text; tokens, requests, errors: how many; latency: the milliseconds that "
        "95 % of the requests did not exceed, null without requests",
        examples=["12.5"],
    )
    parts: dict[str, int | float | str | None] = Field(
        description="tokens: `input`, `output`, `cache_read`, `cache_write_5m`, `cache_write_1h`, and of output "
        "`reasoning`; requests: `ok`, `errors`, `aborted`, `limited`; errors: `requests` and `rate`, from 0 to 1; "
        "latency: `p50_ms`, `mean_ms`, `ttft_mean_ms`; cost: none",
        examples=[{}],
    )


class GroupView(BaseModel):
    """A key, a user, a model, a platform or a credential."""

    id: str | None = Field(description="Its id or name; null: requests without any, such as those without a good key")
    name: str | None = Field(description="What it is called now; null where it is gone")


class SeriesGroup(BaseModel):
    """The numbers of one group over time."""

    group: GroupView | None = Field(description="null: all requests, or with `other` all that are in no other group")
    other: bool = Field(description="Whether these are all groups that are not among the largest")
    total: Measure
    points: list[Measure] = Field(description="One for each of `starts`; 0 where there was nothing")


class SeriesBefore(BaseModel):
    """All requests of the period before."""

    period: PeriodView
    starts: list[Moment]
    total: Measure
    points: list[Measure]


class SeriesView(BaseModel):
    """Numbers over time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "metric": "cost",
                    "bucket": "day",
                    "tz": "Europe/Berlin",
                    "period": {"from": "2026-11-01T23:00:00.000Z", "to": "2026-11-03T23:00:00.000Z", "exact": True},
                    "starts": ["2026-11-01T23:00:00.000Z", "2026-11-02T23:00:00.000Z"],
                    "groups": [
                        {
                            "group": {"id": "claude-opus-5-5", "name": "claude-opus-5-5"},
                            "other": False,
                            "total": {"value": "3.75", "parts": {}},
                            "points": [{"value": "1.25", "parts": {}}, {"value": "2.5", "parts": {}}],
                        }
                    ],
                    "total": {"value": "3.75", "parts": {}},
                    "previous": None,
                }
            ]
        }
    )

    metric: Literal["cost", "tokens", "requests", "errors", "latency"]
    bucket: Literal["hour", "day", "month"]
    tz: str = Field(description="The zone whose days and months these are", examples=["Europe/Berlin"])
    period: PeriodView
    starts: list[Moment] = Field(description="When each bucket begins")
    groups: list[SeriesGroup] = Field(description="The largest first, then `other`")
    total: Measure
    previous: SeriesBefore | None = Field(description="With `compare`")


class BreakdownRow(BaseModel):
    """The number of one group, or of one pair of groups."""

    groups: list[GroupView] = Field(description="One for each of `group_by`; empty for `other`")
    other: bool = Field(description="Whether these are all groups that are not among the largest")
    measure: Measure
    share: float | None = Field(description="Of the total, from 0 to 1; null for latency", examples=[0.25])
    previous: Measure | None = Field(description="With `compare`: in the period before")


class BreakdownView(BaseModel):
    """How a number is made up."""

    metric: Literal["cost", "tokens", "requests", "errors", "latency"]
    group_by: list[Literal["key", "user", "model", "platform", "credential"]]
    tz: str
    period: PeriodView
    rows: list[BreakdownRow] = Field(description="The largest first, then `other`")
    total: Measure
    previous_period: PeriodView | None = Field(description="With `compare`")
    previous_total: Measure | None = Field(description="With `compare`")


class CostParts(BaseModel):
    """USD, by what it was paid for."""

    total: str = Field(examples=["12.5"])
    input: str
    output: str
    cache_read: str
    cache_write: str
    other: str = Field(description="Web searches, and what vendors bill in one sum")


class TokenParts(BaseModel):
    """Tokens by price class."""

    total: int
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    reasoning: int = Field(description="Part of output")


class LatencyView(BaseModel):
    """How long requests took that reached a platform, in milliseconds; percentiles are estimated from a histogram."""

    p50_ms: int | None
    p95_ms: int | None
    mean_ms: int | None
    ttft_mean_ms: int | None = Field(description="Until the first token")


class SummaryFigures(BaseModel):
    """The figures of a period."""

    period: PeriodView
    requests: int
    ok: int
    errors: int
    aborted: int = Field(description="The client left")
    limited: int = Field(description="Refused because of a limit")
    success_rate: float | None = Field(description="Of those that ended by themselves, the part that was answered")
    tokens: TokenParts
    cache_hit_rate: float | None = Field(description="The part of all prompts' tokens that was read from caches")
    web_searches: int
    cost: CostParts
    cache_savings: str = Field(description="USD that tokens read from caches would have cost more as input")
    latency: LatencyView


class UnpricedModel(BaseModel):
    """A model that answered without having a price: what it costs is in no sum."""

    platform: str | None
    model: str | None
    requests: int


class ForecastView(BaseModel):
    """A calendar month of the zone: what it cost until now, and will cost if it goes on as in the last seven days."""

    since: Moment = Field(serialization_alias="from")
    until: Moment = Field(serialization_alias="to")
    spent: str = Field(description="USD")
    expected: str = Field(description="USD")


class StatsSummaryView(SummaryFigures):
    """The figures of a period, and what an administrator should see to."""

    tz: str
    unpriced: list[UnpricedModel] = Field(description="Models without a price in this period, most requests first")
    previous: SummaryFigures | None = Field(description="With `compare`: those of the period before")
    forecast: ForecastView | None = Field(description="With `forecast`")
