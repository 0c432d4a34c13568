"""What anybody may ask the admin API, valid or not, is answered as its description says."""

import pytest

from ccrouter.embedded import EmbeddedServices
from tests.asked.asking import WHO, ask, site_to_ask
from tests.upstream import FakeUpstream

_MOST_S = 240
"""It ends by the number of its requests; this is for a machine that stands still."""


@pytest.mark.slow
@pytest.mark.parametrize("who", WHO)
def test_nothing_that_is_asked_is_a_fault(embedded: EmbeddedServices, upstream: FakeUpstream, who: str) -> None:
    """A short part of `make schemathesis`: every check, one question of each operation."""
    with site_to_ask(embedded, upstream) as site:
        outcome = ask(site, who, most_s=_MOST_S, examples=1, phases="fuzzing", seed=1)
    assert outcome.passed, outcome.report
    assert outcome.requests > 50
