"""From the platform's counters to a record: what is merged, what is billed, what the row says."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccrouter.ids import uuid7
from ccrouter.messages.request import MessagesRequest
from ccrouter.messages.usage import Usage, bills, merge_usage, total_usage
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.meter import meter
from ccrouter.metering.rating import rate
from ccrouter.metering.record import CallRecord

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TABLE = builtin_table()


@pytest.mark.parametrize(
    ("updates", "merged"),
    [
        ([{"input_tokens": 5, "output_tokens": 1}, {"output_tokens": 7}], {"input_tokens": 5, "output_tokens": 7}),
        ([{"output_tokens": 1}, {"output_tokens": 3}, {"output_tokens": 9}], {"output_tokens": 9}),
        ([{"input_tokens": 2100}, {"input_tokens": 10450}], {"input_tokens": 10450}),
        ([{"input_tokens": 5}, {"input_tokens": None, "x": None}], {"input_tokens": 5}),
        ([{"input_tokens": 0}, {"input_tokens": 9}], {"input_tokens": 9}),
        ([{"input_tokens": 9}, {"input_tokens": 0}], {"input_tokens": 0}),
        ([{"input_tokens": 5}, None, [], "x", {}], {"input_tokens": 5}),
    ],
)
def test_the_last_value_of_a_counter_counts(updates: list[Any], merged: dict[str, Any]) -> None:
    """Counters are cumulative: nothing is added up, nothing is lost by what says nothing."""
    found: dict[str, Any] = {}
    for update in updates:
        merge_usage(found, update)
    assert merged == found


@pytest.mark.parametrize(
    ("raw", "only_1h", "writes"),
    [
        ({"cache_creation_input_tokens": 10}, False, (10, 0)),
        ({"cache_creation_input_tokens": 10}, True, (0, 10)),
        ({"cache_creation_input_tokens": 10, "cache_creation": {}}, True, (0, 10)),
        ({"cache_creation_input_tokens": 10, "cache_creation": {"ephemeral_1h_input_tokens": 4}}, False, (6, 4)),
        ({"cache_creation_input_tokens": 10, "cache_creation": {"ephemeral_5m_input_tokens": 10}}, True, (10, 0)),
        ({"cache_creation_input_tokens": 15,
          "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4}}, False, (11, 4)),
        ({"cache_creation_input_tokens": 3,
          "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4}}, False, (0, 3)),
        ({"cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4}}, False, (6, 4)),
        ({}, True, (0, 0)),
    ],
)  # fmt: skip
def test_cache_writes_are_split_by_their_time(raw: dict[str, Any], only_1h: bool, writes: tuple[int, int]) -> None:
    """What the split leaves out is five minutes; without one, what the request asked for."""
    (part,) = bills(raw, only_1h=only_1h)
    assert writes == (part.usage.cache_write_5m_tokens, part.usage.cache_write_1h_tokens)


def test_iterations_are_billed_in_place_of_the_top() -> None:
    """Each at its own model and band; searches, which only the top counts, once."""
    raw = {
        "input_tokens": 10,
        "output_tokens": 20,
        "server_tool_use": {"web_search_requests": 2},
        "iterations": [
            {"type": "message", "input_tokens": 10, "output_tokens": 20},
            {"type": "compaction", "input_tokens": 1000, "output_tokens": 300},
            {"type": "advisor_message", "model": "claude-opus-4-1", "input_tokens": 5, "output_tokens": 6},
            "nonsense",
        ],
    }
    parts = bills(raw)
    assert [part.model for part in parts] == [None, None, "claude-opus-4-1"]
    assert total_usage(parts) == Usage(input_tokens=1015, output_tokens=326, web_searches=2)
    cost = rate(parts, "anthropic", "claude-haiku-4-5", NOW, TABLE)
    assert cost is not None
    expected = 1010 * Decimal(1) + 320 * Decimal(5) + 5 * Decimal(15) + 6 * Decimal(75)
    assert cost.total == expected / 1_000_000 + Decimal("0.02")
    assert (cost.rates["input"], cost.rates["3.input"]) == ("1", "15")


@pytest.mark.parametrize("iterations", [[], None, {}, "x", [1, None]])
def test_without_iterations_the_top_is_billed(iterations: Any) -> None:
    """Also where what stands in their place is none."""
    (part,) = bills({"input_tokens": 3, "iterations": iterations})
    assert part.usage.input_tokens == 3


@given(
    st.dictionaries(
        st.sampled_from([
            "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
            "cache_creation", "server_tool_use", "output_tokens_details", "iterations", "speed", "inference_geo",
            "service_tier",
        ]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
            max_leaves=5,
        ),
    )
)  # fmt: skip
def test_nonsense_costs_no_record(raw: dict[str, Any]) -> None:
    """Whatever a platform sends as usage: counts stay counts, and nothing is raised."""
    parts = bills(raw)
    usage = total_usage(parts)
    assert all(getattr(usage, name) >= 0 for name in Usage.__struct_fields__)
    rate(parts, "anthropic", "claude-opus-5-5", NOW, TABLE)


def metered(
    raw: dict[str, Any], *, platform: str = "anthropic", model: str = "claude-opus-5-5", **how: Any
) -> CallRecord:
    """A record after metering."""
    record = CallRecord(id=uuid7(), at=NOW, kind="messages", request_id="r", platform=platform, model=model)
    body = how.pop("body", b'{"model":"x"}')
    meter(record, raw, MessagesRequest(body), TABLE, **({"final": True} | how))
    return record


def test_a_final_answer_is_priced() -> None:
    """With its usage as the platform gave it."""
    raw = {"input_tokens": 1000, "output_tokens": 10, "something_new": 1}
    record = metered(raw)
    assert (record.usage_state, record.cost_state, record.usage_raw) == ("final", "priced", raw)
    assert record.cost is not None
    assert record.cost.total == Decimal("0.0042")


def test_an_answer_that_broke_off_is_priced_as_far_as_it_came() -> None:
    """A lower bound, and marked as such."""
    record = metered({"input_tokens": 1000, "output_tokens": 1}, final=False)
    assert (record.usage_state, record.cost_state) == ("partial", "priced")


def test_without_usage_there_is_no_cost() -> None:
    """Not a cost of zero."""
    record = metered({})
    assert (record.usage, record.usage_state, record.cost, record.cost_state) == (None, None, None, "none")


def test_an_unknown_model_is_marked() -> None:
    """Its tokens are known, its cost is not."""
    record = metered({"input_tokens": 1}, model="claude-opus-9")
    assert (record.usage_state, record.cost, record.cost_state) == ("final", None, "unpriced")


def test_a_free_platform_has_no_cost() -> None:
    """The sandbox is not priced, also not as zero."""
    record = metered({"input_tokens": 1}, platform="sandbox", model="sandbox")
    assert (record.usage_state, record.cost, record.cost_state) == ("final", None, "none")


def test_a_request_for_one_hour_is_priced_so() -> None:
    """Where the platform does not split its cache writes."""
    body = b'{"model":"x","system":[{"type":"text","text":"t","cache_control":{"type":"ephemeral","ttl":"1h"}}]}'
    record = metered({"input_tokens": 0, "cache_creation_input_tokens": 1000}, body=body)
    assert record.cost is not None
    assert record.cost.total == Decimal("0.008")
