"""What a Claude model understands, read from its name: gates for fields that older models refuse (bedrock.md §4)."""

import re
from dataclasses import dataclass

_NAME = re.compile(
    r"claude-(?:(?P<line>[a-z]+)-(?P<major>\d{1,2})(?!\d)(?:[-.](?P<minor>\d{1,2})(?!\d))?"
    r"|(?P<old_major>\d)(?:[-.](?P<old_minor>\d))?-(?P<old_line>[a-z]+))"
)
_UNKNOWN = (99, 0)
"""A name that tells nothing (an application profile's ARN) is taken for a model of today."""


@dataclass(frozen=True, slots=True)
class ClaudeModel:
    """A model's line (opus, sonnet, …; "" where it is not known) and version."""

    line: str
    version: tuple[int, int]

    @property
    def caches_for_an_hour(self) -> bool:
        """`cache_control.ttl`."""
        return self.version >= (4, 5)

    @property
    def efforts(self) -> tuple[str, ...]:
        """Values of `output_config.effort`, least first; none where the model does not know it."""
        if self.version >= (4, 7):
            return ("low", "medium", "high", "xhigh", "max")
        if self.version >= (4, 6):
            return ("low", "medium", "high", "max")
        if self.line == "opus" and self.version == (4, 5):
            return ("low", "medium", "high")
        return ()

    @property
    def effort_is_beta(self) -> bool:
        """Whether effort needs its beta: only the first model that knew it."""
        return self.version == (4, 5)

    @property
    def keeps_to_schemas(self) -> bool:
        """`output_config.format` and `strict` of tools."""
        return self.version >= (4, 5)

    @property
    def hears_system_messages(self) -> bool:
        """Role `system` inside `messages`: Opus 4.8, Fable 5 and newer of these lines."""
        if self.line == "opus":
            return self.version >= (4, 8)
        return self.line in ("fable", "mythos", "") and self.version >= (5, 0)

    @property
    def always_thinks(self) -> bool:
        """Whether no `thinking` means that it thinks all the same (anthropic-messages.md §4.5)."""
        return self.line in ("fable", "mythos") or (self.line == "opus" and self.version >= (5, 5))

    @property
    def interleaves_by_beta(self) -> bool:
        """Whether interleaved thinking is asked for with a beta."""
        return self.version in ((4, 0), (4, 1), (4, 5))

    @property
    def searches_tools(self) -> bool:
        """`defer_loading` and the tool search tools."""
        return self.version >= (4, 5)


def claude_model(name: str) -> ClaudeModel:
    """The model that a name of any platform speaks of."""
    match = _NAME.search(name)
    if match is None:
        return ClaudeModel("", _UNKNOWN)
    line = match["line"] or match["old_line"]
    major, minor = match["major"] or match["old_major"], match["minor"] or match["old_minor"]
    return ClaudeModel(line, (int(major), int(minor or 0)))
