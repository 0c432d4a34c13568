"""Limits over real sockets and processes, one of which is killed (`bench/limits.py` does it at full size)."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from bench.limits import Plan, bench_settings, faults, run

from ccrouter.embedded import EmbeddedServices


@pytest.mark.parametrize(
    "plan",
    [Plan(clients=30, rpm=1000, budget=Decimal(2), answer_s=0.3, lease_s=3, kill_after=8, give_up_s=60)],
    ids=["killed"],
)
def test_many_clients_on_one_key_and_a_process_that_dies(
    embedded: EmbeddedServices, database_url: str, tmp_path: Path, plan: Plan
) -> None:
    """Counts are exact, the overshoot is no more than was under way, and no place is lost with the process."""
    outcome = asyncio.run(run(plan, bench_settings(database_url, embedded.redis_url, tmp_path)))
    assert faults(plan, outcome) == []
