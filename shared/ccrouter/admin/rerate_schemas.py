"""The JSON of pricing requests anew."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ccrouter.admin.editing import SearchedMoment
from ccrouter.admin.price_schemas import MOST_OWN, PriceInput
from ccrouter.admin.schemas import Input, Named, Pattern

Text100 = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class RerateInput(Input):
    """Which requests are priced anew."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z", "dry_run": True}]
        }
    )

    since: SearchedMoment = Field(alias="from", description="Not before this moment")
    until: SearchedMoment = Field(alias="to", description="Before this moment")
    key_id: Annotated[str, StringConstraints(max_length=100)] | None = Field(None, description="Only of this key")
    platform: Text100 | None = Field(None, description="Only those this platform has answered")
    model: Pattern | None = Field(None, description="Only this model, as the platform was asked for it")
    only_unpriced: bool = Field(False, description="Only requests that have no cost yet")
    own: list[PriceInput] | None = Field(
        None, max_length=MOST_OWN, description="With `dry_run`: what if these own prices held instead of those in force"
    )
    dry_run: bool = Field(False, description="Only say what would change")

    @model_validator(mode="after")
    def _fits_together(self) -> "RerateInput":
        if self.since >= self.until:
            raise ValueError("to must lie after from")
        if self.own is not None and not self.dry_run:
            raise ValueError("own can only be tried with dry_run; put the prices in force first")
        return self


class RerateLine(BaseModel):
    """What became of some requests, or would."""

    rows: int = Field(description="Requests that were looked at")
    changed: int = Field(description="Their cost is another one now")
    newly_priced: int = Field(description="They were unpriced and have a cost now")
    still_unpriced: int = Field(description="There is no price for them")
    kept: int = Field(description="They keep a cost that no price makes: their vendor named it, or the price is gone")
    before: str = Field(description="USD, all together", examples=["12.5"])
    after: str = Field(description="USD, all together", examples=["11.25"])
    difference: str = Field(description="USD", examples=["-1.25"])


class RerateKeyLine(RerateLine):
    """The requests of one key."""

    key: Named | None = Field(description="null: without a key")


class RerateModelLine(RerateLine):
    """The requests of one model on one platform."""

    platform: str | None
    model: str | None


class RerateView(BaseModel):
    """What pricing anew has changed, or would; the largest differences come first."""

    dry_run: bool
    version: str = Field(description="The version of the prices")
    total: RerateLine
    keys: list[RerateKeyLine]
    models: list[RerateModelLine]
