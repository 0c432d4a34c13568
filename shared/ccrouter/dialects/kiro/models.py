"""Kiro's model ids: how Anthropic's names become them, and how much context each has (kiro.md §6)."""

import re
from dataclasses import dataclass

_VERSION = re.compile(r"(?<=-)(\d{1,2})-(\d{1,2})$")
_DATE = re.compile(r"-20\d{6}$")
_THINKING = "-thinking"

# kiro.md §6, checked 2026-11-23: the 4.5 family with 200,000 tokens of context, a million from 4.6 on.
WINDOWS: dict[str, int] = {
    "claude-sonnet-4": 200_000,
    "claude-opus-4.5": 200_000,
    "claude-sonnet-4.5": 200_000,
    "claude-haiku-4.5": 200_000,
    "claude-opus-4.6": 1_000_000,
    "claude-sonnet-4.6": 1_000_000,
    "claude-opus-4.7": 1_000_000,
    "claude-opus-4.8": 1_000_000,
    "claude-sonnet-5": 1_000_000,
    "claude-opus-5": 1_000_000,
}
"""The context of the models that are known; for others the share of it says nothing."""


@dataclass(frozen=True, slots=True)
class KiroModel:
    """A model as it is sent. `thinks`: its name asked for thinking."""

    id: str
    thinks: bool = False

    @property
    def is_claude(self) -> bool:
        """Whether it takes Claude's own request fields."""
        return self.id.startswith("claude-") or self.id == "auto"


def kiro_model(name: str) -> KiroModel:
    """The model of a mapping's target: names of known models become Kiro's ids, all others are sent as they are.

    `claude-sonnet-4-5-20250929[1m]` and `anthropic/claude-sonnet-4.5-thinking` are the same model; the second one
    thinks.
    """
    known = name.strip().lower().rpartition("/")[2].removesuffix("[1m]")
    thinks = known.endswith(_THINKING)
    known = _VERSION.sub(r"\1.\2", _DATE.sub("", known.removesuffix(_THINKING)))
    return KiroModel(known, thinks) if known in WINDOWS else KiroModel(name)
