"""The JSON of prices."""

from decimal import Decimal
from typing import Annotated

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ccrouter.admin.schemas import AwareMoment, Input, Moment, Note, Pattern, decimal_text
from ccrouter.metering.price_changes import PriceChange
from ccrouter.metering.prices import PriceRow, Rates
from ccrouter.storage.prices import PriceVersion

MOST_OWN = 1000

Usd = Annotated[Decimal, Field(strict=False, ge=0, le=1_000_000, max_digits=20, decimal_places=10, examples=["2.50"])]
Factor = Annotated[Decimal, Field(strict=False, gt=0, le=100, max_digits=20, decimal_places=10, examples=["1.1"])]
_Hour = Annotated[int, Field(ge=0, le=24)]
# Not strict: JSON has lists for what is a pair here.
Hours = Annotated[tuple[_Hour, _Hour], Field(strict=False)]
_Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_PER_MILLION = "USD per million tokens"


class RatesInput(Input):
    """USD per million tokens; a class that is left out costs what input costs."""

    input: Usd = Field(description=_PER_MILLION)
    output: Usd = Field(description=_PER_MILLION)
    cache_read: Usd | None = Field(None, description=_PER_MILLION)
    cache_write_5m: Usd | None = Field(None, description=_PER_MILLION)
    cache_write_1h: Usd | None = Field(None, description=_PER_MILLION)


class PriceInput(Input):
    """An own price: it goes before the list's for every model that its pattern fits, as long as it is valid."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "platform": "openai",
                    "model": "qwen3-coder*",
                    "rates": {"input": "0.30", "output": "1.20", "cache_read": "0.03"},
                    "valid_from": "2026-11-01T00:00:00Z",
                    "source": "Contract of October",
                }
            ]
        }
    )

    platform: _Short = Field(
        description="A platform, or on `openai` the vendor of the credential", examples=["anthropic", "deepseek"]
    )
    model: Pattern = Field(description="A model's name, or a shell-style pattern for whole names; case does not matter")
    rates: RatesInput
    valid_from: AwareMoment | None = Field(None, description="Not before this moment; null: ever since")
    valid_until: AwareMoment | None = Field(None, description="Before this moment; null: for ever")
    hours_utc: Hours | None = Field(
        None, description="Only in these hours of a day in UTC, the second one excluded", examples=[[1, 4]]
    )
    long_over_tokens: int | None = Field(
        None, ge=1, le=10**9, description="Above so many tokens of prompt, `long_rates` hold for the whole request"
    )
    long_rates: RatesInput | None = None
    fast_rates: RatesInput | None = Field(None, description="In fast mode; without them it is unpriced")
    us_factor: Factor | None = Field(None, description="Times this where inference in the US was asked for")
    place_factors: dict[_Short, Factor] = Field(
        {}, max_length=100, description="Times this elsewhere, by region or geography; `*`: all but `global`"
    )
    web_search_usd: Usd | None = Field(None, description="USD per 1000 web searches")
    source: Annotated[str, StringConstraints(max_length=500)] = Field("", description="Where the numbers are from")

    @model_validator(mode="after")
    def _fits_together(self) -> "PriceInput":
        if self.valid_from is not None and self.valid_until is not None and self.valid_from >= self.valid_until:
            raise ValueError("valid_until must lie after valid_from")
        if self.hours_utc is not None and self.hours_utc[0] >= self.hours_utc[1]:
            raise ValueError("hours_utc must be two hours, the earlier one first; write two rows for a night")
        if (self.long_over_tokens is None) != (self.long_rates is None):
            raise ValueError("long_over_tokens and long_rates must be given together")
        return self

    def row(self) -> PriceRow:
        """The row it stands for."""
        return msgspec.convert(self.model_dump(), PriceRow)


class RatesView(BaseModel):
    """USD per million tokens; a class without a price of its own costs what input costs."""

    input: str = Field(description=_PER_MILLION, examples=["3"])
    output: str = Field(description=_PER_MILLION, examples=["15"])
    cache_read: str | None = Field(description=_PER_MILLION)
    cache_write_5m: str | None = Field(description=_PER_MILLION)
    cache_write_1h: str | None = Field(description=_PER_MILLION)


class PriceView(BaseModel):
    """A price of one model on one platform, from `valid_from` until before `valid_until`."""

    platform: str = Field(description="A platform, or on `openai` the vendor", examples=["anthropic"])
    model: str = Field(description="Of an own price: a pattern", examples=["claude-sonnet-4-5"])
    rates: RatesView
    valid_from: Moment | None
    valid_until: Moment | None
    hours_utc: tuple[int, int] | None = Field(description="Only in these hours of a day in UTC")
    long_over_tokens: int | None = Field(description="Above so many tokens of prompt, `long_rates` hold")
    long_rates: RatesView | None
    fast_rates: RatesView | None = Field(description="In fast mode")
    us_factor: str | None = Field(description="Times this where inference in the US was asked for")
    place_factors: dict[str, str] = Field(description="Times this elsewhere; `*`: all but `global`")
    web_search_usd: str | None = Field(description="USD per 1000 web searches")
    source: str = Field(description="Where the numbers are from")


class PriceVersionView(BaseModel):
    """A version of all prices; each cost names the version that made it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "genai-prices-0.2.3+builtin-2026-11-23@2026-11-25T09:30:00.000Z",
                    "list_version": "genai-prices-0.2.3+builtin-2026-11-23",
                    "created_at": "2026-11-25T09:30:00.000Z",
                    "source": "admin",
                    "note": "New contract",
                }
            ]
        }
    )

    id: str
    list_version: str = Field(description="Which list prices it holds, beside own ones")
    created_at: Moment | None = Field(description="When it came into force; null for the prices of the program itself")
    source: str = Field(description="Where it is from: a package, or who edited it; empty for members")
    note: str | None = Field(description="Why; null for members")


class PricesView(BaseModel):
    """One version of the prices: own ones go before the list's."""

    version: PriceVersionView
    own: list[PriceView] = Field(description="In the order they are looked at")
    listed: list[PriceView] = Field(description="List prices; where several rows of a model hold, the first one counts")
    versions: list[PriceVersionView] = Field(description="The last hundred versions, newest first; none for members")


class PricesInput(Input):
    """All own prices, in the order they are looked at: the first that fits and holds counts."""

    own: list[PriceInput] = Field(max_length=MOST_OWN)
    note: Note | None = Field(None, description="Why; kept with the version", examples=["New contract"])


class MatchView(BaseModel):
    """Which price holds for a model at a moment."""

    price: PriceView | None = Field(description="null: there is none, the model would be unpriced")
    own: bool = Field(description="Whether it is an own price")
    version: str = Field(description="The version of the prices")


class SyncInput(Input):
    """How to take the list over."""

    dry_run: bool = Field(False, description="Only say what would change")


class PriceChangeView(BaseModel):
    """The list prices of a model before and after; empty where there are none."""

    platform: str
    model: str
    before: list[PriceView]
    after: list[PriceView]
    overridden: bool = Field(description="Whether an own price goes before them")


class SyncView(BaseModel):
    """What taking the list over changes, or, on a dry run, would change."""

    dry_run: bool
    list_version: str = Field(description="The list that is there to be taken over")
    in_force: bool = Field(description="Whether this list was in force already")
    version: PriceVersionView = Field(description="The version in force now")
    changes: list[PriceChangeView]


def price_view(row: PriceRow) -> PriceView:
    """A row as the API shows it."""
    return PriceView(
        platform=row.platform,
        model=row.model,
        rates=_rates(row.rates),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        hours_utc=row.hours_utc,
        long_over_tokens=row.long_over_tokens,
        long_rates=None if row.long_rates is None else _rates(row.long_rates),
        fast_rates=None if row.fast_rates is None else _rates(row.fast_rates),
        us_factor=_text(row.us_factor),
        place_factors={place: decimal_text(factor) for place, factor in row.place_factors.items()},
        web_search_usd=_text(row.web_search_usd),
        source=row.source,
    )


def version_view(version: PriceVersion) -> PriceVersionView:
    """A version as the API shows it."""
    return PriceVersionView(**msgspec.structs.asdict(version))


def change_view(change: PriceChange) -> PriceChangeView:
    """A change as the API shows it."""
    return PriceChangeView(
        platform=change.platform,
        model=change.model,
        before=[price_view(row) for row in change.before],
        after=[price_view(row) for row in change.after],
        overridden=change.overridden,
    )


def _rates(rates: Rates) -> RatesView:
    return RatesView.model_validate({name: _text(amount) for name, amount in msgspec.structs.asdict(rates).items()})


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else decimal_text(amount)
