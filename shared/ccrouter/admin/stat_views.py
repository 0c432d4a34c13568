"""From sums to the JSON of statistics."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from ccrouter.admin.schemas import decimal_text
from ccrouter.admin.stat_schemas import (
    CostParts,
    LatencyView,
    Measure,
    PeriodView,
    SummaryFigures,
    TokenParts,
    UnpricedModel,
)
from ccrouter.metering.periods import Period
from ccrouter.storage.stats import OUTCOMES, Metric, Part, Sums

Models = Mapping[tuple[str | None, str | None], Sums]


def measure_of(metric: Metric, sums: Sums) -> Measure:
    """The number that a metric is about, and its parts."""
    if metric == "cost":
        return Measure(value=decimal_text(Decimal(sums["cost"])), parts={})
    if metric == "tokens":
        tokens = _tokens(sums).model_dump()
        return Measure(value=tokens.pop("total"), parts=tokens)
    if metric == "requests":
        return Measure(value=sums["requests"], parts={name: sums[name] for name in OUTCOMES})
    if metric == "errors":
        rate = sums["errors"] / sums["requests"] if sums["requests"] else None
        return Measure(value=sums["errors"], parts={"requests": sums["requests"], "rate": rate})
    latency = _latency(sums).model_dump()
    return Measure(value=latency.pop("p95_ms"), parts=latency)


def share_of(metric: Metric, sums: Sums, total: Sums) -> float | None:
    """Which part of a total a group has."""
    if metric == "latency":
        return None
    part, whole = (_size(metric, of) for of in (sums, total))
    return float(part / whole) if whole else 0.0


def total_of(parts: Sequence[Part]) -> Sums:
    """All together."""
    total = Sums.none()
    for part in parts:
        total.add(part.sums)
    return total


def period_view(period: Period) -> PeriodView:
    """A period as the API shows it."""
    return PeriodView(since=period.since, until=period.until, exact=period.exact)


def figures(period: Period, models: Models, savings: Decimal) -> SummaryFigures:
    """The figures of a period from its sums by platform and model."""
    all_sums, reached = Sums.none(), Sums.none()
    for (platform, _), sums in models.items():
        all_sums.add(sums)
        if platform is not None:
            reached.add(sums)
    ended = all_sums["ok"] + all_sums["errors"]
    tokens = _tokens(all_sums)
    prompt = tokens.total - tokens.output
    return SummaryFigures(
        period=period_view(period),
        requests=all_sums["requests"],
        ok=all_sums["ok"],
        errors=all_sums["errors"],
        aborted=all_sums["aborted"],
        limited=all_sums["limited"],
        success_rate=all_sums["ok"] / ended if ended else None,
        tokens=tokens,
        cache_hit_rate=tokens.cache_read / prompt if prompt else None,
        web_searches=all_sums["web_searches"],
        cost=CostParts(
            total=decimal_text(Decimal(all_sums["cost"])),
            **{
                name: decimal_text(Decimal(all_sums[f"cost_{name}"]))
                for name in ("input", "output", "cache_read", "cache_write", "other")
            },
        ),
        cache_savings=decimal_text(round(savings, 10)),
        latency=_latency(reached),
    )


def unpriced_of(models: Models) -> list[UnpricedModel]:
    """Which models have answered without a price, most requests first."""
    found = [
        UnpricedModel(platform=platform, model=model, requests=sums["unpriced"])
        for (platform, model), sums in models.items()
        if sums["unpriced"]
    ]
    return sorted(found, key=lambda item: item.requests, reverse=True)


def _size(metric: Metric, sums: Sums) -> Decimal:
    return Decimal(sums.tokens() if metric == "tokens" else sums[metric])


def _tokens(sums: Sums) -> TokenParts:
    return TokenParts(
        total=sums.tokens(),
        input=sums["input_tokens"],
        output=sums["output_tokens"],
        cache_read=sums["cache_read_tokens"],
        cache_write_5m=sums["cache_write_5m_tokens"],
        cache_write_1h=sums["cache_write_1h_tokens"],
        reasoning=sums["reasoning_tokens"],
    )


def _latency(sums: Sums) -> LatencyView:
    return LatencyView(
        p50_ms=sums.duration_ms(0.5),
        p95_ms=sums.duration_ms(0.95),
        mean_ms=round(sums["duration_ms_sum"] / sums["requests"]) if sums["requests"] else None,
        ttft_mean_ms=round(sums["ttft_ms_sum"] / sums["ttft_count"]) if sums["ttft_count"] else None,
    )
