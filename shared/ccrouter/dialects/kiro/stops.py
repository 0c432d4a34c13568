"""Stop sequences, for a service that does not know them: found in the text as it comes (kiro.md §5, step 12)."""

from collections.abc import Sequence


class StopWatch:
    """Feed it text, get what may be shown; `hit` is the sequence that ended the text."""

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = [sequence for sequence in sequences if sequence]
        self._held = ""
        self.hit: str | None = None

    def feed(self, text: str) -> str:
        """What is certain not to be part of a sequence; nothing more after a hit."""
        if not self._sequences:
            return text
        if self.hit is not None:
            return ""
        text = self._held + text
        found = [(at, sequence) for sequence in self._sequences if (at := text.find(sequence)) >= 0]
        if found:
            at, self.hit = min(found)
            self._held = ""
            return text[:at]
        keep = max(_overlap(text, sequence) for sequence in self._sequences)
        certain = len(text) - keep
        self._held = text[certain:]
        return text[:certain]

    def settle(self) -> str:
        """What was held back: the text has ended here."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, sequence: str) -> int:
    """How many of the last characters may begin the sequence."""
    longest = min(len(sequence) - 1, len(text))
    return next((size for size in range(longest, 0, -1) if text.endswith(sequence[:size])), 0)
