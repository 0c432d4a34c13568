"""Dated price rows and how the one that applies is found; nothing about where rows come from."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import translate
from functools import cached_property

import msgspec


class Rates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """USD per million tokens; None where a class has no price of its own (then the input rate holds)."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None


class PriceRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The price of one model on one platform from `valid_from` until before `valid_until` (None: unbounded).

    On the platform openai a vendor stands for the platform, since the same model costs something else with each.

    `long_rates` hold for every token of a request whose whole prompt exceeds `long_over_tokens`; `fast_rates` in fast
    mode. `us_factor` multiplies where the answer was made in the US on request (`inference_geo`); `place_factors` do so
    for other places by name, `*` for all but `global` that are not named.
    `hours_utc` bounds the hours of a day, the second one excluded; such rows come before the one for the other hours.
    `web_search_usd` is the price of 1000 searches. `source` says where the numbers are from.
    """

    platform: str
    model: str
    rates: Rates
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    hours_utc: tuple[int, int] | None = None
    long_over_tokens: int | None = None
    long_rates: Rates | None = None
    fast_rates: Rates | None = None
    us_factor: Decimal | None = None
    place_factors: dict[str, Decimal] = {}
    web_search_usd: Decimal | None = None
    source: str = ""

    def holds(self, at: datetime) -> bool:
        """Whether the row is in force at this moment."""
        return (
            (self.valid_from is None or self.valid_from <= at)
            and (self.valid_until is None or at < self.valid_until)
            and (self.hours_utc is None or self.hours_utc[0] <= at.astimezone(UTC).hour < self.hours_utc[1])
        )


class PriceTable(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All rows of one price version: the list's, and before them the operator's own.

    The `model` of an own row is a shell-style pattern for whole names, whatever their case; of several that fit and
    hold, the first one counts.
    """

    version: str
    rows: tuple[PriceRow, ...] = ()
    own: tuple[PriceRow, ...] = ()

    @cached_property
    def _index(self) -> dict[tuple[str, str], list[PriceRow]]:
        index: dict[tuple[str, str], list[PriceRow]] = {}
        for row in self.rows:
            index.setdefault((row.platform, row.model), []).append(row)
        return index

    @cached_property
    def _patterns(self) -> dict[str, list[tuple[re.Pattern[str], PriceRow]]]:
        patterns: dict[str, list[tuple[re.Pattern[str], PriceRow]]] = {}
        for row in self.own:
            patterns.setdefault(row.platform, []).append((re.compile(translate(row.model.lower())), row))
        return patterns

    def find(self, platform: str, model: str, at: datetime) -> PriceRow | None:
        """The row in force for a model at a moment, None for one without a price.

        A name is looked up as it is, then without what does not change the price: date, version, `[1m]`.
        """
        bare = bare_name(model)
        for pattern, row in self._patterns.get(platform, ()):
            if row.holds(at) and (pattern.match(model.lower()) or pattern.match(bare)):
                return row
        for name in (model, bare):
            for row in self._index.get((platform, name), ()):
                if row.holds(at):
                    return row
        return None


def bare_name(model: str) -> str:
    """A model's name without context suffix, date and version: `claude-haiku-4-5-20251001[1m]` is claude-haiku-4-5.

    Bedrock's names lose what surrounds Claude's: `us.anthropic.claude-haiku-4-5-20251001-v1:0` is the same.
    """
    name = re.sub(r"\[[0-9a-z]+\]$", "", model.strip().lower())
    name, on_bedrock = re.subn(r"^(?:[a-z-]+\.)?anthropic\.", "", name)
    if on_bedrock:
        name = re.sub(r"-v\d+(?::\d+)?$", "", name)
    name = re.sub(r"(?:[-@]20(?:\d{6}|\d\d-\d\d-\d\d)|-latest|@default)$", "", name)
    # claude-opus-4-0 is another name of claude-opus-4.
    return re.sub(r"(?<=-\d)-0$", "", name)
