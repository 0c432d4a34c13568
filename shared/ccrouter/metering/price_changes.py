"""What differs between two price tables, model by model."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from ccrouter.metering.prices import PriceRow, PriceTable


class PriceChange(msgspec.Struct, frozen=True, kw_only=True):
    """The list rows of one model before and after; `overridden` where an own price stands before them."""

    platform: str
    model: str
    before: tuple[PriceRow, ...]
    after: tuple[PriceRow, ...]
    overridden: bool


def list_changes(before: PriceTable, after: PriceTable) -> list[PriceChange]:
    """The models whose list prices differ; where only the source's wording does, they do not."""
    old, new = _by_model(before.rows), _by_model(after.rows)
    return [
        PriceChange(
            platform=platform,
            model=model,
            before=was,
            after=becomes,
            overridden=_is_overridden(before.own, platform, model),
        )
        for platform, model in sorted(old.keys() | new.keys())
        if _prices(was := old.get((platform, model), ())) != _prices(becomes := new.get((platform, model), ()))
    ]


def _by_model(rows: Iterable[PriceRow]) -> dict[tuple[str, str], tuple[PriceRow, ...]]:
    found: dict[tuple[str, str], tuple[PriceRow, ...]] = {}
    for row in rows:
        found[row.platform, row.model] = (*found.get((row.platform, row.model), ()), row)
    return found


def _prices(rows: Iterable[PriceRow]) -> list[PriceRow]:
    return [msgspec.structs.replace(row, source="") for row in rows]


def _is_overridden(own: Iterable[PriceRow], platform: str, model: str) -> bool:
    return any(row.platform == platform and fnmatchcase(model.lower(), row.model.lower()) for row in own)
