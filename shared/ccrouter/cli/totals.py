"""`ccrouter check-totals`: whether the hourly sums are what the rows of the log say."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ccrouter.clock import rfc3339, utc_now

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ccrouter.storage.partitions import Month

_SHOWN = 20
"""Differences of a month that are named; the others are counted."""


@click.command("check-totals")
@click.option("--month", "only", metavar="YYYY-MM", help="Only this month.")
@click.option("--repair", is_flag=True, help="Make the sums of days that differ anew from their rows.")
def check_totals(only: str | None, *, repair: bool) -> None:
    """Hold the hourly sums to the rows of the request log, month by month.

    Statistics and spend limits read the sums. They are written together with the rows and always equal them; this
    command proves it, or names the hours, keys and models where they do not. Months whose rows were dropped are not
    looked at. Exit code 0: all equal (or repaired); 1: they differ.

    \b
    Examples:
      ccrouter check-totals
      ccrouter check-totals --month 2026-11
      ccrouter check-totals --month 2026-11 --repair
    """
    from ccrouter.cli.database import open_database
    from ccrouter.storage import partitions

    wanted = None if only is None else _month(only)
    with open_database(patient=True) as (engine, _):
        kept = sorted({*partitions.kept(engine), *partitions.strays(engine, utc_now())})
        if wanted is not None and wanted not in kept:
            raise click.BadParameter(f"there are no rows of {only}: nothing to hold its sums to", param_hint="--month")
        months = [month for month in kept if wanted in (None, month)]
        checked = [_check(engine, month, repair=repair) for month in months]
    sys.exit(0 if all(checked) else 1)


def _check(engine: "Engine", month: "Month", *, repair: bool) -> bool:
    from ccrouter.storage import totals

    differing = 0
    mended = True
    for since, until in totals.days_of(engine, month):
        found = totals.differences(engine, since, until)
        if not found:
            continue
        for line in _told(found)[: max(0, _SHOWN - differing)]:
            click.echo(line)
        differing += len(_told(found))
        if repair:
            totals.make_anew(engine, since, until)
        mended = mended and repair and not totals.differences(engine, since, until)
    total = totals.total(engine, month)
    said = f"{month.begin:%Y-%m}: {total.requests} requests, {total.cost.normalize():f} USD"
    if not differing:
        click.echo(f"{said}: rows and sums are equal")
        return True
    click.echo(f"{said}: {differing} sums differ" + (", repaired" if mended else ""))
    return mended


def _told(found: list[dict[str, Any]]) -> list[str]:
    """A line for each sum that differs: which it is, and what rows and sums say."""
    from ccrouter.storage.rollups import MEASURES
    from ccrouter.storage.tables import ROLLUP_KEY

    by_key: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for item in found:
        by_key.setdefault(tuple(item[name] for name in ROLLUP_KEY), {})[item["says"]] = item
    lines = []
    for key, said in by_key.items():
        hour, *rest = key
        where = ", ".join(
            f"{name.removesuffix('_id')} {value}" for name, value in zip(ROLLUP_KEY[1:], rest, strict=True) if value
        )
        rows, sums = said.get("rows", {}), said.get("sums", {})
        names = [name for name in MEASURES if rows.get(name, 0) != sums.get(name, 0) and name != "latency_buckets"]
        what = "; ".join(f"{name}: rows {rows.get(name, 0)}, sums {sums.get(name, 0)}" for name in names)
        lines.append(f"{rfc3339(hour)} {where or 'nobody'}: {what or 'latencies are counted otherwise'}")
    return lines


def _month(text: str) -> "Month":
    from ccrouter.storage.partitions import month_of

    try:
        return month_of(datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC))
    except ValueError:
        raise click.BadParameter(f"«{text}» is no month such as 2026-11", param_hint="--month") from None
