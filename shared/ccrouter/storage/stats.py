"""Statistics over the hourly sums: one statement for each question, over the fewest sums that answer it (`cuts`)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import msgspec
from sqlalchemy import Engine, select, text

from ccrouter.metering.periods import Period
from ccrouter.storage import cuts
from ccrouter.storage.rollups import LATENCY_BOUNDS_MS
from ccrouter.storage.rows import uuid_of
from ccrouter.storage.tables import api_keys, credentials, users

Metric = Literal["cost", "tokens", "requests", "errors", "latency"]
Group = Literal["key", "user", "model", "platform", "credential"]

_COLUMNS: dict[str, str] = {
    "key": "key_id", "user": "user_id", "model": "model", "platform": "platform", "credential": "credential_id",
}  # fmt: skip
_NAMES = {"key": api_keys.c.name, "user": users.c.login, "credential": credentials.c.name}
_BUCKETS = len(LATENCY_BOUNDS_MS) + 1
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
OUTCOMES = ("ok", "errors", "aborted", "limited")
_ITEMS = ("cost_input", "cost_output", "cost_cache_read", "cost_cache_write", "cost_other")
_LATENCY = ("duration_ms_sum", "ttft_ms_sum", "ttft_count")
_MEASURES: dict[str, tuple[str, ...]] = {
    "cost": ("cost",),
    "tokens": (*TOKENS, "reasoning_tokens"),
    "requests": ("requests", *OUTCOMES),
    "errors": ("errors", "requests"),
    "latency": ("requests", *_LATENCY),
    "all": ("requests", *OUTCOMES, *TOKENS, "reasoning_tokens", "web_searches", "cost", *_ITEMS, "unpriced", *_LATENCY),
}
_RANKS: dict[str, str] = {
    "cost": "sum(cost)",
    "tokens": " + ".join(f"sum({name})" for name in TOKENS),
    "requests": "sum(requests)",
    "errors": "sum(errors)",
    "latency": "sum(duration_ms_sum) / nullif(sum(requests), 0)",
}
"""By what the largest groups are found."""


class StatFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Whose and which requests are summed; None asks nothing."""

    key_id: str | None = None
    user_id: str | None = None
    model: str | None = None
    platform: str | None = None


class Sums(msgspec.Struct):
    """Sums of some hours, by column, and how often durations fell into each bucket (of `LATENCY_BOUNDS_MS`)."""

    of: dict[str, Any]
    durations: list[int]

    @classmethod
    def none(cls) -> "Sums":
        """Of no hours."""
        return cls({}, [0] * _BUCKETS)

    def __getitem__(self, name: str) -> Any:
        return self.of.get(name, 0)

    def add(self, other: "Sums") -> None:
        """Adds those of other hours."""
        for name, amount in other.of.items():
            self.of[name] = self.of.get(name, 0) + amount
        self.durations = [mine + theirs for mine, theirs in zip(self.durations, other.durations, strict=True)]

    def tokens(self) -> int:
        """All tokens, what was read from caches included."""
        return sum(int(self[name]) for name in TOKENS)

    def duration_ms(self, quantile: float) -> int | None:
        """About the duration that this part of the requests did not exceed, None where there were none.

        Within a bucket durations are taken to lie evenly; beyond the last bound, that bound is the answer.
        """
        wanted = quantile * sum(self.durations)
        if not wanted:
            return None
        bounds = (0, *LATENCY_BOUNDS_MS, LATENCY_BOUNDS_MS[-1])
        for number, count in enumerate(self.durations):
            if wanted <= count:
                low, high = bounds[number], bounds[number + 1]
                return round(low + (high - low) * wanted / count)
            wanted -= count
        return bounds[-1]


class Part(msgspec.Struct):
    """The sums of one group of values (None of all that were not among the largest) in one bucket of time."""

    bucket: int
    values: tuple[str | None, ...] | None
    sums: Sums


def read(
    engine: Engine,
    period: Period,
    filters: StatFilters,
    metric: Metric,
    *,
    borders: Sequence[datetime] = (),
    group_by: Sequence[Group] = (),
    most: int = 1,
) -> list[Part]:
    """The sums by bucket (their number from 0) and by the values of the `most` largest groups; largest first."""
    columns = [_COLUMNS[name] for name in group_by]
    sums, picked = _summed(metric)
    # Latency is that of requests which reached a platform: a refusal takes no time.
    reached = "WHERE platform IS NOT NULL" if metric == "latency" else ""
    keys = ", ".join(f"coalesce({column}::text, '') AS g{number}" for number, column in enumerate(columns))
    values = [f"g{number}" for number in range(len(columns))]
    where, parameters = _where(period, filters)
    query = f"""
        WITH buckets AS MATERIALIZED (
            SELECT {", ".join([f"{_bucket(borders)} AS bucket", *([keys] if keys else []), sums])}
            FROM {_source(metric, columns, filters, where)} {reached}
            GROUP BY {", ".join(["1"] * bool(borders) + columns) or "()"}
        ), ranks AS (
            SELECT {", ".join([*values, f"row_number() OVER (ORDER BY {_RANKS[metric]} DESC NULLS LAST"])}
                {"".join(f", {value}" for value in values)}) AS rank
            FROM buckets GROUP BY {", ".join(values) or "()"}
        )
        SELECT bucket, CASE WHEN rank <= :most THEN rank END AS place,
            {", ".join([*(f"CASE WHEN rank <= :most THEN {value} END" for value in values), picked])}
        FROM buckets JOIN ranks {f"USING ({', '.join(values)})" if values else "ON true"}
        GROUP BY {", ".join(str(number + 1) for number in range(2 + len(values)))}
        ORDER BY place NULLS LAST, bucket
    """  # noqa: S608 - names of this module's own columns
    parameters |= {"most": most} | ({"borders": _literal(borders)} if borders else {})
    with engine.connect() as connection:
        rows = connection.execute(text(query), parameters).all()
    width = len(values)
    return [
        Part(
            row[0],
            None if row[1] is None else tuple(value or None for value in row[2 : 2 + width]),
            _sums_of(metric, row[2 + width :]),
        )
        for row in rows
        if row[2 + width] is not None
    ]


def by_model(engine: Engine, period: Period, filters: StatFilters) -> dict[tuple[str | None, str | None], Sums]:
    """All there is to say of a period, by platform and model."""
    sums, _ = _summed("all")
    where, parameters = _where(period, filters)
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT platform, model, {sums} "  # noqa: S608 - the same
                f"FROM {_source('all', ['platform', 'model'], filters, where)} GROUP BY 1, 2"
            ),
            parameters,
        ).all()
    return {(row[0], row[1]): _sums_of("all", row[2:]) for row in rows}


def cost_by_hour(engine: Engine, period: Period, filters: StatFilters) -> dict[datetime, Decimal]:
    """What each hour of a period cost; none for hours without requests."""
    where, parameters = _where(period, filters)
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT hour, sum(cost) FROM {_source('cost', [], filters, where)} GROUP BY 1"  # noqa: S608 - the same
            ),
            parameters,
        ).all()
    return {row[0]: Decimal(row[1]) for row in rows}


def first_hour(engine: Engine, filters: StatFilters) -> datetime | None:
    """The first hour that has sums."""
    where, parameters = _where(Period(_EVER, _EVER + timedelta(days=365_000)), filters)
    with engine.connect() as connection:
        found: datetime | None = connection.execute(
            text(f"SELECT min(hour) FROM usage_hours WHERE {where}"),  # noqa: S608 - the same
            parameters,
        ).scalar_one()
    return found


def names_of(engine: Engine, group: Group, ids: Sequence[str]) -> dict[str, str]:
    """How keys, users and credentials are called, also deleted ones; others are named by themselves."""
    if group not in _NAMES:
        return {value: value for value in ids}
    name = _NAMES[group]
    with engine.connect() as connection:
        rows = connection.execute(select(name.table.c.id, name).where(name.table.c.id.in_(map(uuid_of, ids)))).all()
    return {str(row[0]): row[1] for row in rows}


_EVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _source(metric: str, groups: Sequence[str], filters: StatFilters, where: str) -> str:
    columns = [*groups, *(["platform"] if metric == "latency" and "platform" not in groups else [])]
    asked = [name for name, value in msgspec.structs.asdict(filters).items() if value is not None]
    buckets = ["latency_buckets"] if metric in ("latency", "all") else []
    return cuts.source(["hour", *columns, *_MEASURES[metric], *buckets], [*columns, *asked], where)


def _summed(metric: str) -> tuple[str, str]:
    """The sums of hours, and the sums of those."""
    names = [*_MEASURES[metric], *(f"d{number}" for number in range(_BUCKETS) if metric in ("latency", "all"))]
    first = [f"sum(latency_buckets[{int(name[1:]) + 1}])" if name[1:].isdigit() else f"sum({name})" for name in names]
    return (
        ", ".join(f"{expression} AS {name}" for expression, name in zip(first, names, strict=True)),
        ", ".join(f"sum({name})" for name in names),
    )


def _sums_of(metric: str, amounts: Sequence[Any]) -> Sums:
    names = _MEASURES[metric]
    durations = [int(amount) for amount in amounts[len(names) :]]
    found = {
        name: Decimal(amount) if name.startswith("cost") else int(amount)
        for name, amount in zip(names, amounts, strict=False)
    }
    return Sums(found, durations or [0] * _BUCKETS)


def _bucket(borders: Sequence[datetime]) -> str:
    return "width_bucket(hour, CAST(:borders AS timestamptz[])) - 1" if borders else "0"


def _literal(borders: Sequence[datetime]) -> str:
    return "{" + ",".join(border.isoformat() for border in borders) + "}"


def _where(period: Period, filters: StatFilters) -> tuple[str, dict[str, Any]]:
    conditions = ["hour >= :since AND hour < :until"]
    parameters: dict[str, Any] = {"since": period.since, "until": period.until}
    for name in ("key_id", "user_id"):
        if (value := getattr(filters, name)) is not None:
            # NULL is equal to nothing: what is no id finds nothing.
            conditions.append(f"{name} = :{name}")
            parameters[name] = uuid_of(value)
    for name in ("model", "platform"):
        if (value := getattr(filters, name)) is not None:
            conditions.append(f"{name} = :{name}")
            parameters[name] = value
    return " AND ".join(conditions), parameters
