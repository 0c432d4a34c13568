"""Limits as values: how they are read, which window a moment lies in, how a used-up one is told."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ccrouter.access.limits import Limits, LimitsError, read_limits, spent, throttled, window_bounds

WEDNESDAY = datetime(2026, 11, 25, 13, 30, tzinfo=UTC)


def test_limits_are_read_with_exact_money() -> None:
    """Amounts may come as text or number; null members are no limits."""
    read = read_limits({"rpm": 60, "tpm": None, "spend": {"day": "10.10", "month": 5, "week": None}, "queue_s": 3})
    assert read == Limits(rpm=60, queue_s=3, spend={"day": Decimal("10.10"), "month": Decimal(5)})
    assert read_limits(None) == read_limits({}) == Limits()
    assert not Limits().any


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "limits"),
        ({"rpm": 0}, "limits.rpm"),
        ({"rpm": "60"}, "limits.rpm"),
        ({"rps": 1}, "limits.rps"),
        ({"queue_s": 51}, "limits.queue_s"),
        ({"spend": 3}, "limits.spend"),
        ({"spend": {"hour": 1}}, "limits.spend.hour"),
        ({"spend": {"day": -1}}, "limits.spend.day"),
        ({"spend": {"day": "NaN"}}, "limits.spend.day"),
        ({"spend": {"day": "ten"}}, "limits.spend.day"),
        ({"spend": {"day": True}}, "limits.spend.day"),
        ({"on_spend": "explode"}, "limits.on_spend"),
    ],
)
def test_what_is_no_limit_is_named(document: Any, field: str) -> None:
    """The member at fault, so that a form can show it there."""
    with pytest.raises(LimitsError) as caught:
        read_limits(document)
    assert field == caught.value.field


@pytest.mark.parametrize(
    ("window", "begin", "end"),
    [
        ("5h", datetime(2026, 11, 25, 12, tzinfo=UTC), datetime(2026, 11, 25, 17, tzinfo=UTC)),
        ("day", datetime(2026, 11, 25, tzinfo=UTC), datetime(2026, 11, 26, tzinfo=UTC)),
        ("week", datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)),
        ("month", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        ("total", None, None),
    ],
)
def test_a_moment_lies_in_one_window_of_each_kind(window: str, begin: datetime | None, end: datetime | None) -> None:
    """Calendar windows in UTC; the blocks of five hours begin with the epoch."""
    got = window_bounds(window, WEDNESDAY)
    if window == "5h":
        assert got[0] is not None
        assert got[1] is not None
        assert (got[1] - got[0]).total_seconds() == 5 * 3600
        assert got[0] <= WEDNESDAY < got[1]
        assert got[0].timestamp() % (5 * 3600) == 0
    else:
        assert (begin, end) == got


def test_a_throttle_says_how_long_to_wait_and_never_a_minute() -> None:
    """Claude Code gives up at 60 s (anthropic-messages.md §13.6)."""
    error = throttled("rpm", "laptop", 60, 0.2)
    assert (error.status, error.error_code, dict(error.extra)) == (429, "limit_rpm", {"retry-after": "1"})
    assert dict(throttled("tpm", "laptop", 1000, 75.0).extra) == {"retry-after": "59"}
    assert "«laptop»" in error.message


def test_a_used_up_budget_says_when_it_resets_and_not_to_repeat() -> None:
    """No retry-after: a client must not sleep until tomorrow."""
    error = spent("The key «laptop»", "day", Decimal("10.00"), datetime(2026, 11, 26, tzinfo=UTC))
    assert (error.error_code, dict(error.extra)) == ("limit_spend", {"x-should-retry": "false"})
    assert "10.00 USD a day" in error.message
    assert "2026-11-26 00:00 UTC" in error.message
