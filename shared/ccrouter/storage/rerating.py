"""Computing the cost of stored rows anew, with their sums, and telling what it changes.

Rows are read in the order of their ids, some hundred at a time; those of each part and their sums are rewritten in one
transaction, so that the sums equal the rows whenever the process dies, and a second run does only what is left.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, Select, Table, false, func, select, text

from ccrouter.ids import request_id_of
from ccrouter.messages.usage import Usage
from ccrouter.metering.meter import rerated
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.record import CallRecord, Cost
from ccrouter.storage.rollups import COST_ITEMS, COUNTED_KINDS, adding_costs
from ccrouter.storage.rows import first_id_at, uuid_of
from ccrouter.storage.tables import request_log, usage_hours

_PART = 500
_PLACES = Decimal("1e-10")
"""Of the column: sums add what is stored."""
_NOTHING = Decimal(0)
_USAGE = tuple(field.name for field in msgspec.structs.fields(Usage))
_READ = (
    *("id", "at", "kind", "key_id", "key_name", "platform", "model", "cost_total", "cost", "cost_state"),
    *("usage_raw", *_USAGE),
)
_MORE = ", ".join(
    f"(became.cost->>'{item}')::numeric - coalesce((was.cost->>'{item}')::numeric, 0) AS more_{item}"
    for item in COST_ITEMS
)
_REWRITE = text(
    f"""
    WITH given AS (SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS g(id uuid, cost jsonb)),
    was AS (SELECT l.* FROM request_log l JOIN given USING (id)),
    became AS (
        UPDATE request_log l SET cost = g.cost, cost_total = (g.cost->>'total')::numeric, cost_state = 'priced'
        FROM given g WHERE l.id = g.id RETURNING l.id, l.cost_total, l.cost
    ),
    changed AS (
        SELECT was.*, became.cost_total - coalesce(was.cost_total, 0) AS more, {_MORE}
        FROM was JOIN became USING (id)
    )
    {adding_costs("changed")}
    """  # noqa: S608 - names of these modules' own columns
)


class RerateFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are priced anew: those of a period, the former moment included; None asks nothing."""

    since: datetime
    until: datetime
    key_id: str | None = None
    platform: str | None = None
    model: str | None = None
    only_unpriced: bool = False


class Line(msgspec.Struct, kw_only=True):
    """What became of some rows. `kept` have a cost that no price makes any more, or that their vendor has named.

    `before` and `after` are the cost of all of them together in USD.
    """

    id: str | None = None
    name: str | None = None
    platform: str | None = None
    rows: int = 0
    changed: int = 0
    newly_priced: int = 0
    still_unpriced: int = 0
    kept: int = 0
    before: Decimal = _NOTHING
    after: Decimal = _NOTHING


class Report(msgspec.Struct, kw_only=True):
    """What pricing anew changes, or would change, altogether, by key and by model; the largest changes come first."""

    version: str
    dry_run: bool
    total: Line
    keys: list[Line]
    models: list[Line]


def count(engine: Engine, filters: RerateFilters) -> int:
    """About how many rows a run would look at: by the sums, which are much faster to read."""
    sums = usage_hours.c
    query = select(func.coalesce(func.sum(sums.unpriced if filters.only_unpriced else sums.requests), 0)).where(
        sums.hour > filters.since - timedelta(hours=1), sums.hour < filters.until
    )
    with engine.connect() as connection:
        return int(connection.execute(_of_these(query, usage_hours, filters)).scalar_one())


def rerate(
    engine: Engine,
    filters: RerateFilters,
    prices: PriceTable,
    *,
    dry_run: bool,
    looked_at: Callable[[int], None] = lambda _: None,
) -> Report:
    """Prices rows anew, or only says what would change; `looked_at` is told how many rows have been gone through.

    A row whose items and rates stay the same is left alone, with the version that made them.
    """
    total, keys, models = Line(), dict[str | None, Line](), dict[tuple[str, str], Line]()
    last = None
    while True:
        with engine.begin() as connection:
            rows = _read(connection, filters, last, lock=not dry_run)
            changes = [(row, *_judge(row, prices)) for row in rows]
            if not dry_run and (new := [(row.id, cost) for row, what, cost in changes if what is not None and cost]):
                _rewrite(connection, new)
        for row, what, cost in changes:
            key = keys.setdefault(row.key_id and str(row.key_id), Line(id=row.key_id and str(row.key_id)))
            key.name = row.key_name
            model = models.setdefault((row.platform, row.model), Line(name=row.model, platform=row.platform))
            for line in (total, key, model):
                _add(line, row, what, cost)
        looked_at(total.rows)
        if len(rows) < _PART:
            return Report(
                version=prices.version, dry_run=dry_run, total=total, keys=_largest(keys), models=_largest(models)
            )
        last = rows[-1].id


def _read(connection: Connection, filters: RerateFilters, last: UUID | None, *, lock: bool) -> list[Any]:
    query = _filtered(select(*(request_log.c[name] for name in _READ)), filters).order_by(request_log.c.id).limit(_PART)
    if last is not None:
        query = query.where(request_log.c.id > last)
    return list(connection.execute(query.with_for_update() if lock else query).all())


def _filtered(query: Select[Any], filters: RerateFilters) -> Select[Any]:
    log = request_log.c
    query = query.where(
        log.id >= first_id_at(filters.since),
        log.id < first_id_at(filters.until),
        log.kind.in_(COUNTED_KINDS),
        log.cost_state.in_(("unpriced",) if filters.only_unpriced else ("priced", "unpriced")),
    )
    return _of_these(query, request_log, filters)


def _of_these(query: Select[Any], table: Table, filters: RerateFilters) -> Select[Any]:
    if filters.key_id is not None:
        wanted = uuid_of(filters.key_id)
        query = query.where(false() if wanted is None else table.c.key_id == wanted)
    for name in ("platform", "model"):
        if (value := getattr(filters, name)) is not None:
            query = query.where(table.c[name] == value)
    return query


def _judge(row: Any, prices: PriceTable) -> tuple[str | None, Cost | None]:
    """What becomes of a row: `changed` or `newly_priced` with its new cost; None where it stays as it is."""
    if row.usage_raw is None or row.input_tokens is None:
        return None, None
    record = CallRecord(
        id=row.id,
        at=row.at,
        kind=row.kind,
        request_id=request_id_of(row.id),
        platform=row.platform,
        model=row.model,
        usage=Usage(**{name: getattr(row, name) for name in _USAGE}),
        usage_raw=row.usage_raw,
    )
    cost = rerated(record, prices)
    if cost is None:
        return None, None
    if row.cost_state == "unpriced":
        return "newly_priced", cost
    stored = msgspec.convert(row.cost, Cost)
    if msgspec.structs.replace(stored, price_version=cost.price_version) == cost:
        return None, cost
    return "changed", cost


def _rewrite(connection: Connection, changes: list[tuple[UUID, Cost]]) -> None:
    rows = [{"id": str(row_id), "cost": cost} for row_id, cost in changes]
    connection.execute(_REWRITE, {"rows": msgspec.json.Encoder(decimal_format="string").encode(rows).decode()})


def _add(line: Line, row: Any, what: str | None, cost: Cost | None) -> None:
    was = row.cost_total or _NOTHING
    line.rows += 1
    line.before += was
    line.after += was if what is None or cost is None else cost.total.quantize(_PLACES, ROUND_HALF_UP)
    line.changed += what == "changed"
    line.newly_priced += what == "newly_priced"
    line.still_unpriced += what is None and row.cost_state == "unpriced"
    line.kept += cost is None and row.cost_state == "priced"


def _largest(lines: dict[Any, Line]) -> list[Line]:
    def weight(line: Line) -> tuple[Decimal, int]:
        return abs(line.after - line.before), line.rows

    return sorted(lines.values(), key=weight, reverse=True)


def as_document(report: Report) -> dict[str, Any]:
    """A report as the API shows it, and as the file of a job holds it."""
    return {
        "dry_run": report.dry_run,
        "version": report.version,
        "total": _as_document(report.total),
        "keys": [
            {"key": None if line.id is None else {"id": line.id, "name": line.name}, **_as_document(line)}
            for line in report.keys
        ],
        "models": [{"platform": line.platform, "model": line.name, **_as_document(line)} for line in report.models],
    }


def _as_document(line: Line) -> dict[str, Any]:
    counts = ("rows", "changed", "newly_priced", "still_unpriced", "kept")
    amounts = {"before": line.before, "after": line.after, "difference": line.after - line.before}
    return {
        **{name: getattr(line, name) for name in counts},
        **{name: f"{amount.normalize():f}" for name, amount in amounts.items()},
    }
