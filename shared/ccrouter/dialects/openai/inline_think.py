"""Splits `<think>…</think>` off the beginning of an answer's text, for servers that leave it there."""

from collections.abc import Callable

_OPEN, _CLOSE = "<think>", "</think>"

Say = Callable[[str], None]


class ThinkSplitter:
    """Feed it text in pieces; it tells `think` and `text` what belongs to each."""

    def __init__(self, think: Say, text: Say) -> None:
        self._think = think
        self._text = text
        self._state = "before"
        self._held = ""

    def feed(self, piece: str) -> None:
        """Takes a piece; what may be half a mark waits for the next."""
        self._held += piece
        if self._state == "before":
            begun = self._held.lstrip()
            if begun.startswith(_OPEN):
                self._state, self._held = "thinking", begun[len(_OPEN) :]
            elif not _OPEN.startswith(begun):
                self._state = "text"
        if self._state == "thinking":
            thought, mark, rest = self._held.partition(_CLOSE)
            if mark:
                self._say(self._think, thought)
                self._state, self._held = "after", rest
            else:
                kept = _half_mark(self._held)
                self._say(self._think, self._held[: len(self._held) - kept])
                self._held = self._held[len(self._held) - kept :]
        if self._state == "after" and (rest := self._held.lstrip()):
            self._state, self._held = "text", rest
        if self._state == "text":
            self._say(self._text, self._held)
            self._held = ""

    def flush(self) -> None:
        """Nothing more comes before something else: what waits is said."""
        held, self._held = self._held, ""
        if self._state == "thinking":
            self._say(self._think, held)
        elif self._state != "after":
            self._say(self._text, held)

    def _say(self, say: Say, text: str) -> None:
        if text:
            say(text)


def _half_mark(text: str) -> int:
    """How many characters at the end may begin the closing mark."""
    return next((length for length in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:length])), 0)
