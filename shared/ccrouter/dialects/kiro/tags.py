"""Thinking that a model writes between marks at the start of its text: cut out again, mark by mark (kiro.md §9.1).

Strategy: three states. At the start, what may become the opening mark is held back; inside, a tail that may become the
closing one, which counts only where white space or the end follows; after it everything is text.
"""

from ccrouter.dialects.kiro.thinking import CLOSING, OPENING

THINKING, TEXT = "thinking", "text"
Piece = tuple[str, str]


class ThinkingTags:
    """Feed it text, get pieces of thinking and of text; `settle` ends the search."""

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""
        self._trims = False
        """Whether line breaks that come next belong to a mark."""

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are certain now."""
        if self._state == "text":
            return self._text(text)
        self._held += text
        if self._state == "start":
            return self._at_start()
        return self._inside()

    def settle(self) -> list[Piece]:
        """What was held back; from here on all is text."""
        state, held = self._state, self._held
        self._state, self._held, self._trims = "text", "", False
        if not held:
            return []
        if state == "inside":
            return _pieces(THINKING, held.removesuffix(CLOSING) if held.endswith(CLOSING) else held)
        return [(TEXT, held)]

    def _at_start(self) -> list[Piece]:
        begun = self._held.lstrip()
        if begun.startswith(OPENING):
            self._state, self._held, self._trims = "inside", begun[len(OPENING) :], True
            return self._inside()
        if OPENING.startswith(begun):
            return []
        self._state, held, self._held = "text", self._held, ""
        return [(TEXT, held)]

    def _inside(self) -> list[Piece]:
        if self._trims:
            self._held = self._held.lstrip("\r\n")
            if not self._held:
                return []
            self._trims = False
        at = self._held.find(CLOSING)
        while at >= 0:
            after = self._held[at + len(CLOSING) :]
            if not after:
                break
            if after[0].isspace():
                thinking, self._held, self._state, self._trims = self._held[:at], "", "text", True
                return _pieces(THINKING, thinking) + self._text(after)
            at = self._held.find(CLOSING, at + 1)
        keep = len(CLOSING) if at >= 0 else _tail_of(self._held, CLOSING)
        certain = len(self._held) - keep
        thinking, self._held = self._held[:certain], self._held[certain:]
        return _pieces(THINKING, thinking)

    def _text(self, text: str) -> list[Piece]:
        if self._trims:
            text = text.lstrip("\r\n")
            self._trims = not text
        return _pieces(TEXT, text)


def _pieces(kind: str, text: str) -> list[Piece]:
    return [(kind, text)] if text else []


def _tail_of(text: str, mark: str) -> int:
    """How many of the last characters may begin the mark."""
    return next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if mark.startswith(text[-size:])), 0)
