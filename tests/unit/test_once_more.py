"""When a failed try is worth another on the same credential."""

from typing import cast

from ccrouter.errors import Consequence, Trouble, UpstreamRefused, UpstreamTimeout, Verdict
from ccrouter.gateway.once_more import OnceMore, Step
from ccrouter.platforms.contract import CannedAnswer, Exchange


class Mending:
    """An exchange that can be mended so often."""

    def __init__(self, left: int) -> None:
        self.left = left

    def mend(self, refusal: UpstreamRefused) -> "Mending | None":
        return Mending(self.left - 1) if self.left else None


def an_exchange(mendings: int = 0) -> Exchange:
    """An exchange; only its `mend` is asked."""
    return cast("Exchange", Mending(mendings))


def a_refusal(consequence: Consequence) -> UpstreamRefused:
    """A refusal with these consequences."""
    return UpstreamRefused(
        401,
        "authentication_error",
        "no",
        verdict=Verdict.NEXT_CREDENTIAL,
        headers=(),
        body=b"",
        on_credential=True,
        consequence=consequence,
    )


def test_a_token_is_renewed_once() -> None:
    """The second refusal of a fresh token stands."""
    once_more, refusal = OnceMore(), a_refusal(Consequence(Trouble.UNAUTHORIZED, renews="token"))
    assert once_more.after(refusal, an_exchange()) == Step(renew="token")
    assert once_more.after(refusal, an_exchange()) == Step()


def test_a_request_is_mended_at_most_twice() -> None:
    """However many changes the exchange could think of."""
    once_more, refusal, exchange = OnceMore(), a_refusal(Consequence()), an_exchange(5)
    for _ in range(2):
        step = once_more.after(refusal, exchange)
        assert step.exchange is not None
        assert not isinstance(step.exchange, CannedAnswer)
        exchange = step.exchange
    assert once_more.after(refusal, exchange) == Step()


def test_the_same_is_repeated_as_often_as_the_failure_says() -> None:
    """Each repetition after its own pause."""
    once_more = OnceMore()
    failure = UpstreamTimeout("slow", consequence=Consequence(Trouble.FAULT, repeats=(0.5, 1.0)))
    waits = [once_more.after(failure, an_exchange()).wait_s for _ in range(3)]
    assert waits == [0.5, 1.0, None]
