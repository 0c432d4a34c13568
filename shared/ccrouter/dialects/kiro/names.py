"""Names and ids in the characters and lengths that the service takes (kiro.md §5, steps 4 and 6)."""

import hashlib
import re

_REFUSED = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 64
_DIGEST = 8


class ToolNames:
    """The names of one request's tools, and the way back from what is sent to what the client knows."""

    def __init__(self) -> None:
        self._sent: dict[str, str] = {}
        self.originals: dict[str, str] = {}
        """The client's name by the one that was sent."""

    def sent(self, original: str) -> str:
        """The name to send: always the same for the same name, never the same for two."""
        known = self._sent.get(original)
        if known is None:
            known = _REFUSED.sub("_", original)
            if len(known) > _LONGEST or known in self.originals:
                known = _shortened(known, original, 54)
            self._sent[original] = known
            self.originals[known] = original
        return known


def sent_id(original: str) -> str:
    """The id of a tool call as it is sent; the same for the call and for its result."""
    known = _REFUSED.sub("_", original)
    return known if len(known) <= _LONGEST else _shortened(known, original, 55)


def _shortened(name: str, original: str, keep: int) -> str:
    digest = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[:keep]}_{digest[:_DIGEST]}"
