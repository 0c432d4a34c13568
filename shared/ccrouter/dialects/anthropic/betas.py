"""The values of `anthropic-beta`: which a client names, and which of them a cloud's door is told."""

from collections.abc import Iterable

from ccrouter.dialects.anthropic.clouds import RENAMED_BETAS, Cloud
from ccrouter.dialects.anthropic.models import ClaudeModel
from ccrouter.http import Headers, header

CONTEXT_MANAGEMENT = "context-management-2025-06-27"
COMPACTION = "compact-2026-01-12"
EFFORT = "effort-2025-11-24"
FINE_GRAINED = "fine-grained-tool-streaming-2025-05-14"
INTERLEAVED = "interleaved-thinking-2025-05-14"
TOOL_CHANGES = "mid-conversation-tool-changes-2026-07-01"
TOOL_EXAMPLES = "tool-examples-2025-10-29"
TOOL_SEARCH = "tool-search-tool-2025-10-19"
TURN_CONFIG = frozenset({"mid-conversation-output-config-2026-07-01", "per-turn-control-2026-07-01"})
"""Either lets a message carry `output_config` of its own."""
_SYSTEM_MESSAGES = frozenset({TOOL_CHANGES, *TURN_CONFIG})


def named_betas(headers: Headers) -> list[str]:
    """What a client names, in its order."""
    line = header(headers, "anthropic-beta") or ""
    return [value for part in line.split(",") if (value := part.strip())]


def choose_betas(named: Iterable[str], cloud: Cloud, model: ClaudeModel) -> set[str]:
    """Those that the door knows and the model does not refuse."""
    chosen = {RENAMED_BETAS.get(name, name) for name in named} & cloud.betas
    if cloud.gates_interleaving and not model.interleaves_by_beta:
        chosen.discard(INTERLEAVED)
    if not model.searches_tools:
        chosen.discard(TOOL_SEARCH)
    if not model.hears_system_messages:
        chosen -= _SYSTEM_MESSAGES
    return chosen
