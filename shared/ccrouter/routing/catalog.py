"""The Claude models clients may ask for, as rows (anthropic-messages.md §11.2, §11.4; checked 2026-11-23)."""

from functools import lru_cache

import msgspec

_UNKNOWN_DATE = "1970-01-01T00:00:00Z"
"""What Anthropic's own API gives where a release date is not known."""


class KnownModel(msgspec.Struct, frozen=True):
    """One model. `created_at` is RFC 3339; token limits are None where they are not documented."""

    id: str
    line: str
    display_name: str
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    created_at: str = _UNKNOWN_DATE


_MILLION, _200K = 1_000_000, 200_000

# id, window, longest answer as Claude Code asks for it (§13.4), release date where a source names it.
_ROWS: tuple[tuple[str, int, int | None, str], ...] = (
    ("claude-fable-5-2", _MILLION, 128_000, _UNKNOWN_DATE),
    ("claude-mythos-5-2", _MILLION, 128_000, _UNKNOWN_DATE),
    ("claude-haiku-5-5", _MILLION, 128_000, "2026-10-07T00:00:00Z"),
    ("claude-sonnet-5-5", _MILLION, 128_000, _UNKNOWN_DATE),
    ("claude-fable-5-1", _MILLION, 128_000, _UNKNOWN_DATE),
    ("claude-opus-5-5", _MILLION, 128_000, "2026-09-22T00:00:00Z"),
    ("claude-mythos-5-1", _MILLION, 128_000, _UNKNOWN_DATE),
    ("claude-sonnet-5", _MILLION, None, _UNKNOWN_DATE),
    ("claude-fable-5", _MILLION, None, _UNKNOWN_DATE),
    ("claude-mythos-5", _MILLION, None, _UNKNOWN_DATE),
    ("claude-opus-5", _MILLION, None, _UNKNOWN_DATE),
    ("claude-opus-4-8", _MILLION, None, _UNKNOWN_DATE),
    ("claude-opus-4-7", _MILLION, None, _UNKNOWN_DATE),
    ("claude-opus-4-6", _MILLION, None, _UNKNOWN_DATE),
    ("claude-sonnet-4-6", _MILLION, None, _UNKNOWN_DATE),
    ("claude-haiku-4-5", _200K, 64_000, "2025-10-01T00:00:00Z"),
    ("claude-opus-4-5", _200K, 64_000, "2025-11-01T00:00:00Z"),
    ("claude-sonnet-4-5", _200K, 64_000, "2025-09-29T00:00:00Z"),
)


@lru_cache(maxsize=1)
def known_models() -> tuple[KnownModel, ...]:
    """All rows, newest first."""
    return tuple(_read(*row) for row in _ROWS)


def _read(model_id: str, window: int, longest: int | None, created_at: str) -> KnownModel:
    _, line, *version = model_id.split("-")
    return KnownModel(model_id, line, f"Claude {line.capitalize()} {'.'.join(version)}", window, longest, created_at)
