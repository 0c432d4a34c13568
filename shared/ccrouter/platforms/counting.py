"""What every platform does that cannot count tokens: estimates them, and remembers for a while not to ask again."""

from ccrouter.clock import monotonic_s
from ccrouter.messages.estimate import estimate_input
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import CannedAnswer, canned_json

COUNT_WITHIN_S = 5.0
"""A count that takes longer is estimated: clients count often, and wait for it."""
_REMEMBERED_S = 3600.0
"""A platform may learn to count, or a permission be given (bedrock.md §8)."""
_MOST_REMEMBERED = 1000


class Uncountable:
    """Remembers where counting was refused; in memory, for each process."""

    def __init__(self) -> None:
        self._until_s: dict[tuple[str, ...], float] = {}

    def note(self, *where: str) -> None:
        """Counting was refused there."""
        if len(self._until_s) >= _MOST_REMEMBERED:
            self._until_s.clear()
        self._until_s[where] = monotonic_s() + _REMEMBERED_S

    def __contains__(self, where: tuple[str, ...]) -> bool:
        return self._until_s.get(where, 0.0) > monotonic_s()


def estimated_count(request: MessagesRequest) -> CannedAnswer:
    """The answer to `count_tokens` by the shared estimate."""
    document = {name: request.member(name) for name in ("system", "messages", "tools")}
    return canned_json({"input_tokens": estimate_input(document)})
