"""How long an answer may keep silent and last, by a clock that a test moves."""

import pytest

from ccrouter.errors import UpstreamTimeout
from ccrouter.gateway import patience
from ccrouter.gateway.patience import Patience
from ccrouter.http import HttpRequest

REQUEST = HttpRequest("POST", "https://x", (), b"", silence_within_s=300.0, first_within_s=90.0, whole_within_s=900.0)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of this module."""
    clock = Clock()
    monkeypatch.setattr(patience, "monotonic_s", clock)
    return clock


def test_the_first_event_has_its_own_time_and_later_ones_another(clock: Clock) -> None:
    """A pause after the beginning may be longer than the wait for it."""
    waiting = Patience(REQUEST, clock.now_s)
    assert waiting.wait_s(15.0) == 15.0
    clock.now_s += 80.0
    assert waiting.wait_s(15.0) == 10.0
    waiting.check()
    waiting.heard()
    clock.now_s += 299.0
    waiting.check()
    clock.now_s += 1.0
    with pytest.raises(UpstreamTimeout, match="silent"):
        waiting.check()


def test_a_platform_without_a_first_event_is_given_up(clock: Clock) -> None:
    """From its status on."""
    waiting = Patience(REQUEST, clock.now_s - 50.0)
    clock.now_s += 90.0
    assert waiting.wait_s() == 0.0
    with pytest.raises(UpstreamTimeout, match="silent"):
        waiting.check()


def test_an_answer_that_never_ends_is_given_up_although_it_is_not_silent(clock: Clock) -> None:
    """From the request on."""
    waiting = Patience(REQUEST, clock.now_s - 100.0)
    assert waiting.left_s() == 800.0
    for _ in range(7):
        clock.now_s += 100.0
        waiting.heard()
    clock.now_s += 99.0
    assert waiting.wait_s(15.0) == 1.0
    clock.now_s += 1.0
    with pytest.raises(UpstreamTimeout, match="too long"):
        waiting.heard()


def test_others_may_take_as_long_as_they_want(clock: Clock) -> None:
    """Ten minutes of silence are the only bound."""
    waiting = Patience()
    for _ in range(100):
        clock.now_s += 599.0
        waiting.check()
        waiting.heard()
    assert waiting.left_s() is None
    clock.now_s += 600.0
    with pytest.raises(UpstreamTimeout, match="silent"):
        waiting.check()
