"""What is known of models by their names, as rows (openai-compatible.md §1, §3; checked 2026-11-23)."""

import re

ORDER = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Efforts from least to most."""

_NEEDS_RESPONSES = re.compile(r"^(gpt-5\.[4-9]|gpt-[6-9]|.*-(pro|codex).*|o\d)")
_REASONS = re.compile(r"^(gpt-[5-9]|o\d|.*codex)")
_MARKS_CACHE = re.compile(r"^gpt-(5\.[6-9]|[6-9])")
_REFUSES_FORCING = re.compile(r"qwen", re.IGNORECASE)

_EFFORTS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(r"gpt-6-astra|gpt-6\.1-sol"), ("low", "medium", "high", "xhigh", "max")),
    (
        re.compile(r"gpt-5\.6|gpt-6-(?:sol|luna)|gpt-6\.1-terra"),
        ("none", "low", "medium", "high", "xhigh", "max"),
    ),
    (re.compile(r"gpt-5\.[2-5]"), ("none", "low", "medium", "high", "xhigh")),
    (re.compile(r"gpt-5\.1"), ("none", "low", "medium", "high")),
    (re.compile(r"gpt-5(?![.\d])"), ("minimal", "low", "medium", "high")),
    # Of newer ones only what all have is certain.
    (re.compile(r"gpt-5\.|gpt-[6-9]"), ("low", "medium", "high")),
    (re.compile(r"o\d"), ("low", "medium", "high")),
    (re.compile(r"(?:[\w-]+/)?gpt-oss"), ("low", "medium", "high")),
)


def needs_responses(model: str) -> bool:
    """Whether OpenAI refuses this model tools together with reasoning on Chat Completions."""
    return _NEEDS_RESPONSES.match(model) is not None


def reasons(model: str) -> bool:
    """Whether this is a reasoning model of OpenAI: those take neither sampling members nor stop sequences."""
    return _REASONS.match(model) is not None


def marks_cache(model: str) -> bool:
    """Whether the model takes `prompt_cache_breakpoint`."""
    return _MARKS_CACHE.match(model) is not None


def refuses_forcing(model: str) -> bool:
    """Whether a tool cannot be forced while the model thinks, wherever it is served."""
    return _REFUSES_FORCING.search(model) is not None


def efforts_of(model: str) -> tuple[str, ...]:
    """The efforts a model knows; none for a model that is not known to reason."""
    for pattern, efforts in _EFFORTS:
        if pattern.match(model):
            return efforts
    return ()


def clamped(effort: str, efforts: tuple[str, ...]) -> str | None:
    """The nearest lower effort that is known, else the nearest higher; None where none is known.

    "none" is no lower effort: it is only for those who ask for it.
    """
    if effort in efforts:
        return effort
    thinking = [name for name in ORDER if name in efforts and name != "none"]
    if effort not in ORDER or not thinking:
        return None
    lower = [name for name in thinking if ORDER.index(name) < ORDER.index(effort)]
    return lower[-1] if lower else thinking[0]
