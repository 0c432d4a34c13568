"""The pool: which credentials are tried after what happened, moment by moment."""

from typing import Any

import msgspec
import pytest
from tests.fakes import a_credential

from ccrouter.credentials.kinds import Block
from ccrouter.errors import Consequence, QuotaUsedUp, Trouble, Unavailable
from ccrouter.routing.condition import Condition, Failure, after_failure
from ccrouter.routing.mapping import Target
from ccrouter.routing.plan import Candidate
from ccrouter.routing.pool import PROBE_S, Pool

T0 = 1_800_000_000.0
THROTTLED, FAULT = Consequence(Trouble.THROTTLED), Consequence(Trouble.FAULT)
UNAUTHORIZED, REFUSED = Consequence(Trouble.UNAUTHORIZED), Consequence(Trouble.REFUSED)


def a_candidate(name: str, model: str = "m", index: int = 0, **fields: Any) -> Candidate:
    """A try with a credential."""
    return Candidate(Target("anthropic", model), index, a_credential(name, **fields))


A, B = a_candidate("a"), a_candidate("b")


def names(candidates: list[Candidate]) -> list[str]:
    """The credentials, in order."""
    return [candidate.credential.name for candidate in candidates if candidate.credential]


def fail(
    pool: Pool, candidate: Candidate, consequence: Consequence, now: float, *, conversation: str = "c", began: float = 0
) -> Condition | None:
    """One failed try; it began just before it failed unless said otherwise."""
    assert candidate.credential is not None
    failure = Failure(consequence, candidate.target.model, conversation, "it said no", began or now)
    return pool.failed(candidate.credential.id, failure, now)


def succeed(pool: Pool, candidate: Candidate, began: float) -> None:
    """One answered try."""
    assert candidate.credential is not None
    pool.succeeded(candidate.credential.id, candidate.target.model, began)


def cooled_until(consequences: list[tuple[float, Consequence]], conversations: str = "cd") -> float:
    """When a credential is ready after these failures, as seconds after T0; 0 where it never stopped being."""
    pool = Pool()
    for index, (at, consequence) in enumerate(consequences):
        fail(pool, A, consequence, T0 + at, conversation=conversations[index % len(conversations)])
    conditions = pool.conditions.get("credential-a", {})
    return max((made.until - T0 for made in conditions.values() if made.until), default=0.0)


@pytest.mark.parametrize(
    ("failures", "conversations", "expected"),
    [
        ([(0, Consequence(Trouble.THROTTLED, 17.5))], "c", 17.5),
        ([(0, Consequence(Trouble.THROTTLED, 3600.0))], "c", 3600.0),
        ([(0, THROTTLED)], "c", 5.0),
        ([(0, THROTTLED), (6, THROTTLED)], "c", 16.0),
        ([(0, THROTTLED), (6, THROTTLED), (20, THROTTLED), (50, THROTTLED), (100, THROTTLED)], "c", 160.0),
        ([(0, THROTTLED), (10, THROTTLED), (700, THROTTLED)], "c", 705.0),
        ([(0, Consequence(Trouble.EXHAUSTED, 60.0))], "c", 60.0),
        ([(0, Consequence(Trouble.EXHAUSTED))], "c", 5.0),
        ([(0, FAULT), (1, FAULT)], "cd", 0.0),
        ([(0, FAULT), (1, FAULT), (2, FAULT)], "cd", 7.0),
        ([(0, FAULT), (1, FAULT), (2, FAULT), (3, FAULT)], "c", 0.0),
        ([(0, FAULT), (1, FAULT), (2, FAULT), (8, FAULT)], "cd", 18.0),
        ([(0, FAULT), (1, FAULT), (2, Consequence(Trouble.FAULT, 30.0))], "cd", 32.0),
        ([(0, Consequence()), (1, Consequence()), (2, Consequence())], "cd", 0.0),
    ],
    ids=[
        "hint", "long-hint", "without-hint", "doubled", "at-most-a-minute", "forgotten", "short-quota",
        "quota-without-hint", "two-faults", "three-faults", "one-conversation", "fault-after-breaker", "fault-hint",
        "request-at-fault",
    ],
)  # fmt: skip
def test_a_cool_down_is_as_long_as_the_rule_says(
    failures: list[tuple[float, Consequence]], conversations: str, expected: float
) -> None:
    """Hints exactly; else 5 s doubling to 60 s; faults from the third in a row, from two conversations."""
    assert expected == cooled_until(failures, conversations)


def test_a_benched_credential_is_not_chosen_until_its_cool_down_ends() -> None:
    """And then it is the preferred one again."""
    pool = Pool()
    assert names(pool.choose([A, B], T0)) == ["a", "b"]
    fail(pool, A, Consequence(Trouble.THROTTLED, 10.0), T0)
    assert names(pool.choose([A, B], T0 + 9.9)) == ["b"]
    assert names(pool.choose([A, B], T0 + 10)) == ["a", "b"]


def test_one_request_goes_ahead_to_a_credential_that_has_cooled_down() -> None:
    """The others follow its success, and stay away after its failure, or when nothing is heard of it for long."""
    pool = Pool()
    fail(pool, A, THROTTLED, T0)
    assert names(pool.choose([A, B], T0 + 6)) == ["a", "b"]
    pool.begin(A, T0 + 6)
    assert names(pool.choose([A, B], T0 + 7)) == ["b"]
    assert names(pool.choose([A, B], T0 + 6 + PROBE_S)) == ["a", "b"]
    fail(pool, A, THROTTLED, T0 + 8, began=T0 + 6)
    assert names(pool.choose([A, B], T0 + 17.9)) == ["b"]
    pool.begin(A, T0 + 18)
    succeed(pool, A, T0 + 18)
    assert names(pool.choose([A, B], T0 + 18.1)) == ["a", "b"]
    fail(pool, A, THROTTLED, T0 + 19)
    assert names(pool.choose([A, B], T0 + 24)) == ["a", "b"]


def test_old_news_neither_ends_a_cool_down_nor_makes_it_longer() -> None:
    """A burst of parallel refusals is one step; a slow answer that began before says nothing of now."""
    pool = Pool()
    for delay in (0.0, 0.1, 0.2):
        fail(pool, A, THROTTLED, T0 + delay, began=T0 - 1)
    succeed(pool, A, T0 - 1)
    assert names(pool.choose([A, B], T0 + 4.9)) == ["b"]
    assert names(pool.choose([A, B], T0 + 5.2)) == ["a", "b"]


def test_when_all_cool_the_one_ready_soonest_is_tried() -> None:
    """A single credential behaves as if no router were there."""
    pool = Pool()
    fail(pool, A, Consequence(Trouble.THROTTLED, 30.0), T0)
    assert names(pool.choose([A], T0 + 1)) == ["a"]
    fail(pool, B, Consequence(Trouble.THROTTLED, 20.0), T0)
    assert names(pool.choose([A, B], T0 + 1)) == ["b"]


def test_a_model_cools_by_itself_and_a_group_of_models_together() -> None:
    """What holds for one model leaves the others; a group is known by the models it was seen with."""
    pool = Pool()
    fail(pool, A, Consequence(Trouble.THROTTLED, 10.0, scope="m"), T0)
    other = a_candidate("a", model="other")
    assert names(pool.choose([A, B], T0 + 1)) == ["b"]
    assert names(pool.choose([other, B], T0 + 1)) == ["a", "b"]
    fail(pool, other, Consequence(Trouble.THROTTLED, 20.0, scope="gemini-quota"), T0)
    assert names(pool.choose([other, B], T0 + 11)) == ["b"]
    assert names(pool.choose([A, B], T0 + 11)) == ["a", "b"]
    fail(pool, A, Consequence(Trouble.THROTTLED, 20.0, scope="gemini-quota"), T0 + 11)
    assert names(pool.choose([A, B], T0 + 21)) == ["b"]


@pytest.mark.parametrize(
    ("failures", "is_blocked"),
    [
        ([(0.0, REFUSED)], True),
        ([(0.0, UNAUTHORIZED)], False),
        ([(0.0, UNAUTHORIZED), (4.9, UNAUTHORIZED)], False),
        ([(0.0, UNAUTHORIZED), (4.9, UNAUTHORIZED), (5.0, UNAUTHORIZED)], True),
        ([(0.0, Consequence(Trouble.EXHAUSTED, 61.0))], True),
    ],
    ids=["refused", "one-401", "soon-again", "two-401", "long-quota"],
)
def test_a_credential_is_blocked_as_the_rule_says(failures: list[tuple[float, Consequence]], is_blocked: bool) -> None:
    """Refusals at once, a 401 when it is repeated after 5 s, a used-up quota that fills again later than in 60 s."""
    pool = Pool()
    for at, consequence in failures:
        fail(pool, A, consequence, T0 + at)
    assert names(pool.choose([A, B], T0 + 6)) == (["b"] if is_blocked else ["a", "b"])
    if is_blocked:
        with pytest.raises((Unavailable, QuotaUsedUp)):
            pool.choose([A], T0 + 6)
        late = fail(pool, A, THROTTLED, T0 + 7)
        assert late is None


def test_a_success_between_two_401_forgets_the_first() -> None:
    """Two in a row block, not two in a life."""
    pool = Pool()
    fail(pool, A, UNAUTHORIZED, T0)
    succeed(pool, A, T0 + 1)
    fail(pool, A, UNAUTHORIZED, T0 + 10)
    assert names(pool.choose([A, B], T0 + 10)) == ["a", "b"]


def test_where_every_quota_is_used_up_the_client_learns_until_when() -> None:
    """429, not to be repeated, with the first reset; stored blocks count as those seen here."""
    pool = Pool()
    fail(pool, A, Consequence(Trouble.EXHAUSTED, 7200.0), T0)
    stored = a_candidate("b", block=Block("used up", T0 + 3600))
    with pytest.raises(QuotaUsedUp) as raised:
        pool.choose([A, stored], T0)
    assert (raised.value.status, raised.value.kind) == (429, "rate_limit_error")
    assert dict(raised.value.extra) == {"x-should-retry": "false"}
    assert "2027-01-15T09:00:00.000Z" in raised.value.message
    assert names(pool.choose([A, stored], T0 + 3600)) == ["b"]
    assert names(pool.choose([A, stored], T0 + 7200)) == ["a", "b"]


def test_where_every_account_is_refused_an_administrator_must_act() -> None:
    """503, not to be repeated."""
    refused = a_candidate("a", block=Block("terms"))
    with pytest.raises(Unavailable, match="administrator") as raised:
        Pool().choose([refused], T0)
    assert dict(raised.value.extra) == {"x-should-retry": "false"}
    assert names(Pool().choose([refused, B], T0)) == ["b"]


def test_a_condition_is_the_same_after_it_was_shared() -> None:
    """Processes exchange it as JSON."""
    made = after_failure(None, Failure(Consequence(Trouble.EXHAUSTED, 90.0, scope="g"), "m", "c", "x" * 999, T0), T0)
    assert made is not None
    assert made == msgspec.json.decode(msgspec.json.encode(made), type=Condition)
    assert len(made.reason) == 300


@pytest.mark.parametrize("wait_s", [1e9, 1e300, float("inf"), float("nan")])
def test_a_wait_that_never_ends_is_not_believed(wait_s: float) -> None:
    """Some server's number may not keep a credential out of use for ever, nor be no moment at all."""
    made = fail(Pool(), A, Consequence(Trouble.EXHAUSTED, wait_s), T0)
    assert made is not None
    assert made.until == T0 + 31 * 86_400


def test_a_platform_may_have_its_own_steps_of_a_cool_down() -> None:
    """Doubled from its first to its longest."""
    pool, now, waits = Pool(), T0, []
    for _ in range(6):
        made = fail(pool, A, Consequence(Trouble.THROTTLED, steps=(1.0, 10.0)), now)
        assert made is not None
        waits.append(made.until - now)
        now = made.until
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
