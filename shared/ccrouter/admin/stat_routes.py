"""Statistics: what was used and spent, over time and by whom."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, Query, Request

from ccrouter.admin.editing import Since, Until
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import Problem, invalid
from ccrouter.admin.schemas import decimal_text
from ccrouter.admin.stat_schemas import (
    BreakdownRow,
    BreakdownView,
    ForecastView,
    GroupView,
    Measure,
    SeriesBefore,
    SeriesGroup,
    SeriesView,
    StatsSummaryView,
)
from ccrouter.admin.stat_views import Models, figures, measure_of, period_view, share_of, total_of, unpriced_of
from ccrouter.clock import utc_now
from ccrouter.metering.periods import Bucket, Period, PeriodError, before, cut, read_zone, suited_bucket, whole_hours
from ccrouter.metering.prices import PriceTable
from ccrouter.storage import outlook, prices, settings, stats
from ccrouter.storage.stats import Group, Metric, Part, StatFilters, Sums

_Metric = Annotated[Metric, Query(description="What is counted")]
_Compare = Annotated[
    Literal["previous"] | None, Query(description="Also the period just before: as many months, days or hours")
]
_Zone = Annotated[
    str | None,
    Query(
        max_length=100,
        description="IANA name of the zone whose days and months these are; left out: that of the settings",
        examples=["Europe/Berlin"],
    ),
]
_DAY = timedelta(days=1)


def _filters(
    key_id: Annotated[str | None, Query(max_length=100, description="Only of this key")] = None,
    user_id: Annotated[str | None, Query(max_length=100, description="Only of this user")] = None,
    model: Annotated[str | None, Query(max_length=200, description="Only this model")] = None,
    platform: Annotated[str | None, Query(max_length=100, description="Only this platform")] = None,
) -> StatFilters:
    return StatFilters(key_id=key_id, user_id=user_id, model=model, platform=platform)


_Filters = Annotated[StatFilters, Depends(_filters)]


class _Asked(msgspec.Struct, frozen=True):
    """A question, read."""

    period: Period
    previous: Period | None
    zone: ZoneInfo
    filters: StatFilters


def stat_routes(needs: Needs) -> APIRouter:
    """The routes under `/stats`."""
    routes = APIRouter(prefix="/stats", tags=["statistics"])

    @routes.get("/summary", operation_id="getStatsSummary", summary="Read the figures of a period")
    def summary(
        request: Request,
        filters: _Filters,
        since: Since = None,
        until: Until = None,
        tz: _Zone = None,
        compare: _Compare = None,
        forecast: Annotated[bool, Query(description="Also what this month will cost")] = False,
    ) -> StatsSummaryView:
        """Requests, tokens, cost, latency of the last 24 hours or another period; a member's own.

        Token counts (`count_tokens`) are not in it. It includes what ended a moment ago.
        """
        asked = _read(request, since, until, tz, compare, filters)
        table = prices.load_current(needs.engine)
        models = stats.by_model(needs.engine, asked.period, asked.filters)
        view = figures(asked.period, models, _savings(models, table, asked.period))
        earlier = None
        if asked.previous is not None:
            models_before = stats.by_model(needs.engine, asked.previous, asked.filters)
            earlier = figures(asked.previous, models_before, _savings(models_before, table, asked.previous))
        month = None
        if forecast:
            found = outlook.forecast(needs.engine, asked.filters, utc_now(), asked.zone)
            month = ForecastView(
                since=found.begins,
                until=found.ends,
                spent=decimal_text(found.spent),
                expected=decimal_text(round(found.expected, 10)),
            )
        return StatsSummaryView(
            **{name: getattr(view, name) for name in type(view).model_fields},
            tz=asked.zone.key,
            unpriced=unpriced_of(models),
            previous=earlier,
            forecast=month,
        )

    @routes.get("/series", operation_id="getStatsSeries", summary="Read a number over time")
    def series(
        request: Request,
        filters: _Filters,
        since: Since = None,
        until: Until = None,
        metric: _Metric = "cost",
        group_by: Annotated[Group | None, Query(description="A line for each of the largest")] = None,
        bucket: Annotated[Bucket | None, Query(description="By length of the period where it is left out")] = None,
        tz: _Zone = None,
        compare: _Compare = None,
        top: Annotated[int, Query(ge=1, le=50, description="How many groups; the others are one together")] = 6,
    ) -> SeriesView:
        """Cost, tokens, requests, errors or latency by hour, day or month; a member's own.

        Days and months are those of the zone, also where its clocks change. Empty ones are 0.
        """
        asked = _read(request, since, until, tz, compare, filters)
        groups: list[Group] = [] if group_by is None else [group_by]
        _check_groups(request, groups)
        bucket = bucket or suited_bucket(asked.period)
        period, starts = _cut(asked.period, bucket, asked.zone)
        parts = stats.read(needs.engine, period, asked.filters, metric, borders=starts, group_by=groups, most=top)
        previous = None
        if asked.previous is not None:
            period_before, starts_before = _cut(asked.previous, bucket, asked.zone)
            parts_before = stats.read(needs.engine, period_before, asked.filters, metric, borders=starts_before)
            previous = SeriesBefore(
                period=period_view(period_before),
                starts=starts_before,
                total=measure_of(metric, total_of(parts_before)),
                points=_points(metric, parts_before, len(starts_before)),
            )
        return SeriesView(
            metric=metric,
            bucket=bucket,
            tz=asked.zone.key,
            period=period_view(period),
            starts=starts,
            groups=_lines(metric, parts, group_by, len(starts)),
            total=measure_of(metric, total_of(parts)),
            previous=previous,
        )

    @routes.get("/breakdown", operation_id="getStatsBreakdown", summary="Read how a number is made up")
    def breakdown(
        request: Request,
        filters: _Filters,
        since: Since = None,
        until: Until = None,
        metric: _Metric = "cost",
        group_by: Annotated[
            list[Group], Query(min_length=1, max_length=2, description="One, or two for each pair of them")
        ] = ["model"],  # noqa: B006 - FastAPI reads it and nobody changes it
        tz: _Zone = None,
        compare: _Compare = None,
        limit: Annotated[int, Query(ge=1, le=200, description="How many rows; the others are one together")] = 50,
    ) -> BreakdownView:
        """Cost, tokens, requests, errors or latency by key, user, model, platform, credential; a member's own."""
        asked = _read(request, since, until, tz, compare, filters)
        _check_groups(request, group_by)
        if len(set(group_by)) < len(group_by):
            raise invalid("group_by", "names the same group twice")
        parts = stats.read(needs.engine, asked.period, asked.filters, metric, group_by=group_by, most=limit)
        total, earlier, total_before = total_of(parts), dict[tuple[str | None, ...], Sums](), None
        if asked.previous is not None:
            found = stats.read(needs.engine, asked.previous, asked.filters, metric, group_by=group_by, most=100_000)
            earlier, total_before = {part.values or (): part.sums for part in found}, total_of(found)
        names = [_names(group, parts, place) for place, group in enumerate(group_by)]
        rows = [
            BreakdownRow(
                groups=[names[place][value] for place, value in enumerate(part.values or ())],
                other=part.values is None,
                measure=measure_of(metric, part.sums),
                share=share_of(metric, part.sums, total),
                previous=None
                if asked.previous is None or part.values is None
                else measure_of(metric, earlier.get(part.values, Sums.none())),
            )
            for part in parts
        ]
        return BreakdownView(
            metric=metric,
            group_by=group_by,
            tz=asked.zone.key,
            period=period_view(asked.period),
            rows=rows,
            total=measure_of(metric, total),
            previous_period=None if asked.previous is None else period_view(asked.previous),
            previous_total=None if total_before is None else measure_of(metric, total_before),
        )

    def _read(
        request: Request,
        since: datetime | None,
        until: datetime | None,
        tz: str | None,
        compare: str | None,
        filters: StatFilters,
    ) -> _Asked:
        user = request.state.user
        until = until or utc_now()
        since = since or until - _DAY
        try:
            zone = read_zone(tz or settings.get(needs.engine, "time_zone") or "UTC")
            period, previous = whole_hours(since, until, zone), None
            if compare is not None:
                previous = whole_hours(before(since, until, zone), since, zone)
        except PeriodError as error:
            raise invalid(error.field, str(error)) from None
        except OverflowError:
            raise invalid("from", "lies too far away") from None
        # A member is shown nothing of others, also not by trying filters.
        filters = filters if user.role == ADMIN else msgspec.structs.replace(filters, user_id=user.id)
        return _Asked(period, previous, zone, filters)

    def _cut(period: Period, bucket: Bucket, zone: ZoneInfo) -> tuple[Period, list[datetime]]:
        try:
            starts, exact = cut(period, bucket, zone)
        except PeriodError as error:
            raise invalid(error.field, str(error)) from None
        return msgspec.structs.replace(period, exact=exact), starts

    def _lines(metric: Metric, parts: Sequence[Part], group_by: Group | None, width: int) -> list[SeriesGroup]:
        names = {} if group_by is None else _names(group_by, parts, 0)
        lines: dict[tuple[str | None, ...] | None, list[Part]] = {} if group_by else {(): []}
        for part in parts:
            lines.setdefault(part.values, []).append(part)
        return [
            SeriesGroup(
                group=names[values[0]] if values else None,
                other=values is None,
                total=measure_of(metric, total_of(found)),
                points=_points(metric, found, width),
            )
            for values, found in lines.items()
        ]

    def _names(group: Group, parts: Sequence[Part], place: int) -> dict[str | None, GroupView]:
        found = {part.values[place] for part in parts if part.values}
        names = stats.names_of(needs.engine, group, [value for value in found if value is not None])
        return {value: GroupView(id=value, name=None if value is None else names.get(value)) for value in found}

    return routes


def _savings(models: Models, table: PriceTable, period: Period) -> Decimal:
    return outlook.cache_savings(models, table, period.until)


def _points(metric: Metric, parts: Sequence[Part], width: int) -> list[Measure]:
    sums = [Sums.none() for _ in range(width)]
    for part in parts:
        sums[part.bucket].add(part.sums)
    return [measure_of(metric, one) for one in sums]


def _check_groups(request: Request, groups: Sequence[Group]) -> None:
    if "credential" in groups and request.state.user.role != ADMIN:
        raise Problem(403, "Credentials are for administrators: choose another group_by.")
