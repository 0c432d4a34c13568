"""Fields that an address does not know, as paths, and a body without them."""

from collections.abc import Iterable

import msgspec

from ccrouter.dialects.anthropic.edit import edit_items, edit_members, without_members

Path = tuple[str, ...]
"""Names from the outside in; `*` stands for every item of an array."""

_CONTENT = frozenset(
    {
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "max_tokens",
        "stream",
        "content",
        "text",
        "input",
        "source",
    }
    | {"name", "id", "type", "role", "data", "input_schema", "tool_use_id", "signature", "mcp_servers", "container"}
    | {"stop_sequences"}
)
"""What a request is about: without it, the answer would be to something else."""

_TTL = tuple(
    (*place, "cache_control", "ttl")
    for place in (
        ("system", "*"),
        ("tools", "*"),
        ("messages", "*", "content", "*"),
        ("messages", "*", "content", "*", "content", "*"),
        (),
    )
)
_TURN_EXTRAS = (("messages", "*", "output_config"), ("messages", "*", "clear_at"))
_TOOL_SEARCH = (("tools", "*", "defer_loading"), ("tools", "*", "input_examples"), ("tools", "*", "allowed_callers"))

# anthropic-messages.md §15, checked 2026-11-23. A beginning of a beta's name, and the fields that need it.
_HALVES: tuple[tuple[str, tuple[Path, ...]], ...] = (
    ("context-management-", (("context_management",),)),
    ("compact-", (("context_management",), ("compaction",))),
    ("effort-", (("output_config", "effort"), ("messages", "*", "output_config", "effort"))),
    ("task-budgets-", (("output_config", "task_budget"),)),
    ("structured-outputs-", (("output_config", "format"), ("output_format",), ("tools", "*", "strict"))),
    ("advanced-tool-use-", _TOOL_SEARCH),
    ("tool-search-tool-", _TOOL_SEARCH),
    ("tool-examples-", (("tools", "*", "input_examples"),)),
    ("fine-grained-tool-streaming-", (("tools", "*", "eager_input_streaming"),)),
    ("extended-cache-ttl-", _TTL),
    ("prompt-caching-scope-", tuple((*path[:-1], "scope") for path in _TTL)),
    ("mid-conversation-", _TURN_EXTRAS),
    ("per-turn-control-", _TURN_EXTRAS),
    ("fast-mode-", (("speed",),)),
)


def halves_of(betas: Iterable[str]) -> frozenset[Path]:
    """The fields that go when these betas are not told to the platform."""
    return frozenset(
        path for beta in betas for beginning, paths in _HALVES if beta.startswith(beginning) for path in paths
    )


def droppable(path: Path) -> Path | None:
    """A refused field as a path for every item; None where a request would no longer be the same without it."""
    if not path or path[-1] in _CONTENT or path[-1].isdecimal():
        return None
    if path[-1] == "thinking" and len(path) > 1:
        return None
    return tuple("*" if part.isdecimal() else part for part in path)


def without_fields(members: dict[str, bytes], paths: Iterable[Path]) -> dict[str, bytes | None]:
    """What becomes of the top-level members: only those that change, None for one that goes."""
    changes: dict[str, bytes | None] = {}
    for name, *rest in sorted(paths):
        value = changes.get(name, members.get(name))
        if value is None:
            continue
        changed = _without(value, rest) if rest else None
        # An object of which nothing is left says nothing.
        if changed is not None and changed is not value and not changed.strip(b"{} \t\r\n"):
            changed = None
        if changed is not value:
            changes[name] = changed
    return changes


def _without(value: bytes, path: list[str]) -> bytes:
    first, *rest = path
    if value.startswith(b"["):
        return edit_items(value, lambda _index, item: _without(item, rest)) if first == "*" and rest else value
    if not value.startswith(b"{"):
        return value
    found = msgspec.json.decode(value, type=dict[str, msgspec.Raw]).get(first)
    if found is not None and not rest:
        return without_members(value, first)
    if found is not None and bytes(found).startswith((b"{", b"[")):
        return edit_members(value, lambda name, inner: _without(inner, rest) if name == first else inner)
    # The platform's validation names the variant between a place and its field: `tools.0.custom.defer_loading`.
    return _without(value, rest) if rest else value
