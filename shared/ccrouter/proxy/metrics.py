"""What one process has served, in Prometheus' text format (version 0.0.4). It asks nobody."""

from collections.abc import Iterable, Mapping

from ccrouter.metering.tally import BOUNDS_S, Histogram, Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_page(tally: Tally, *, version: str, cooling: int, outbox_bytes: int) -> bytes:
    """All metrics. `cooling`: credentials that rest; `outbox_bytes`: records that wait for the database."""
    lines: list[str] = []

    def family(name: str, kind: str, said: str, samples: Iterable[tuple[str, object]]) -> None:
        lines.extend((f"# HELP ccrouter_{name} {said}", f"# TYPE ccrouter_{name} {kind}"))
        lines.extend(f"ccrouter_{name}{labels} {value}" for labels, value in samples)

    def histogram(name: str, said: str, by_platform: Mapping[str, Histogram]) -> None:
        lines.extend((f"# HELP ccrouter_{name} {said}", f"# TYPE ccrouter_{name} histogram"))
        for platform, found in sorted(by_platform.items()):
            below = 0
            for bound, count in zip((*BOUNDS_S, "+Inf"), found.buckets, strict=True):
                below += count
                lines.append(f"ccrouter_{name}_bucket{_labels(platform=platform, le=str(bound))} {below}")
            lines.append(f"ccrouter_{name}_sum{_labels(platform=platform)} {found.sum_s:.3f}")
            lines.append(f"ccrouter_{name}_count{_labels(platform=platform)} {below}")

    family("build_info", "gauge", "The version of this process.", [(_labels(version=version), 1)])
    family(
        "requests_total",
        "counter",
        "Requests that have ended, by kind, platform (none: refused before one was asked) and status.",
        [
            (_labels(kind=kind, platform=platform, status=status), count)
            for (kind, platform, status), count in sorted(tally.requests.items())
        ],
    )
    family(
        "requests_in_flight",
        "gauge",
        "Requests of valid keys that are being answered, those that wait for a place included.",
        [("", tally.in_flight)],
    )
    family(
        "attempts_failed_total",
        "counter",
        "Tries on a credential that failed, by platform and outcome.",
        [
            (_labels(platform=platform, outcome=outcome), count)
            for (platform, outcome), count in sorted(tally.failed_attempts.items())
        ],
    )
    family(
        "tokens_total",
        "counter",
        "Tokens by platform and price class; reasoning tokens are part of the output, web searches are no tokens.",
        [
            (_labels(platform=platform, **{"class": name.removesuffix("_tokens")}), count)
            for (platform, name), count in sorted(tally.tokens.items())
        ],
    )
    family(
        "cost_usd_total",
        "counter",
        "What priced requests cost, in USD.",
        [(_labels(platform=platform), cost) for platform, cost in sorted(tally.cost_usd.items())],
    )
    family(
        "unpriced_requests_total",
        "counter",
        "Requests to models without a price.",
        [(_labels(platform=platform), count) for platform, count in sorted(tally.unpriced.items())],
    )
    histogram("request_duration_seconds", "From a request's arrival to the end of its answer.", tally.durations)
    histogram("first_token_seconds", "From a request's arrival to the first token.", tally.first_tokens)
    family("credentials_resting", "gauge", "Credentials that cool down or are blocked.", [("", cooling)])
    family("outbox_bytes", "gauge", "Records that wait on the disk for the database.", [("", outbox_bytes)])
    return ("\n".join(lines) + "\n").encode()


def _labels(**labels: str) -> str:
    # Values are this program's own words: none has a quote or a line's end in it.
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
