"""Tool names as the platform admits them, reversible for one request (gemini.md §3 "Tools", antigravity.md §5)."""

import hashlib
import re

_ADMITTED = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")
_OTHER = re.compile(r"[^A-Za-z0-9_.:-]")
_HASH = 8


class Names:
    """Maps the client's names to admitted ones. The same name always becomes the same one: prefixes stay cached."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._sent: dict[str, str] = {}
        self.original: dict[str, str] = {}
        """The client's name by the name that is sent."""

    def sent(self, name: str) -> str:
        """The name to send for a client's name."""
        known = self._sent.get(name)
        if known is None:
            known = self._mapped(name)
            self._sent[name] = known
            self.original[known] = name
        return known

    def _mapped(self, name: str) -> str:
        if _ADMITTED.fullmatch(name) and len(name) <= self._longest and name not in self.original:
            return name
        mapped = _OTHER.sub("_", name)
        if not mapped or not (mapped[0].isalpha() or mapped[0] == "_"):
            mapped = f"_{mapped}"
        if len(mapped) <= self._longest and mapped not in self.original:
            return mapped
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
        # Room for the underscore, the hash, and two more, as antigravity.md §5 step 10 counts.
        return f"{mapped[: self._longest - _HASH - 3]}_{digest}"
