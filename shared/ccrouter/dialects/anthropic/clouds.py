"""What Claude takes behind the clouds' own doors, as data: fields and betas that may be sent there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_ANY_CLAUDE = frozenset(
    [
        "anthropic_version",
        "max_tokens",
        "messages",
        "system",
        "stop_sequences",
        "temperature",
        "top_p",
        "top_k",
        "tools",
        "tool_choice",
        "thinking",
        "metadata",
        "output_config",
        "context_management",
        "safeguards",
    ]
)

RENAMED_BETAS = {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}
"""What Anthropic calls otherwise than the clouds do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One door. `members`: top-level fields that it knows; all others are dropped, since it refuses them.

    `betas` are sent where the client names them, all others dropped: one unknown value fails the whole request.
    `server_tools`: the prefixes of tools that the platform itself runs, with the beta each needs ("" for none); other
    tools of that kind are refused.
    """

    name: str
    version: str
    members: frozenset[str]
    betas: frozenset[str]
    server_tools: Mapping[str, str] = field(default_factory=dict)
    gates_interleaving: bool = False
    """Whether the interleaved thinking beta is refused for models that need none."""
    largest_body: int


BEDROCK = Cloud(
    name="Bedrock",
    version="bedrock-2023-05-31",
    # bedrock.md §4, checked 2026-11-23 (allow-list of litellm 1.106.2; litellm#26240, claude-code#49548).
    members=_ANY_CLAUDE,
    betas=frozenset(
        [
            "compact-2026-01-12",
            "computer-use-2025-01-24",
            "computer-use-2025-11-24",
            "context-1m-2025-08-07",
            "context-management-2025-06-27",
            "dangerous-tool-use-2026-09-03",
            "effort-2025-11-24",
            "fine-grained-tool-streaming-2025-05-14",
            "interleaved-thinking-2025-05-14",
            "mid-conversation-output-config-2026-07-01",
            "mid-conversation-tool-changes-2026-07-01",
            "thinking-binding-controls-2026-08-01",
            "thinking-display-updates-2026-08-18",
            "tool-search-tool-2025-10-19",
            "tool-examples-2025-10-29",
        ]
    ),
    gates_interleaving=True,
    # The documentation says 20 MB, the service model 25,000,000 bytes (bedrock.md §1).
    largest_body=20 * 1024 * 1024,
)

VERTEX = Cloud(
    name="Vertex AI",
    version="vertex-2023-10-16",
    # vertex-claude.md §3, checked 2026-11-23 (claude-code#1229, #21625, #34802, new-api#2975).
    members=_ANY_CLAUDE | {"stream"},
    betas=frozenset(
        [
            "compact-2026-01-12",
            "computer-use-2025-01-24",
            "computer-use-2025-11-24",
            "context-1m-2025-08-07",
            "context-management-2025-06-27",
            "dangerous-tool-use-2026-09-03",
            "inline-tools-2026-09-15",
            "interleaved-thinking-2025-05-14",
            "per-turn-control-2026-07-01",
            "thinking-binding-controls-2026-08-01",
            "thinking-display-updates-2026-08-18",
            "tool-search-tool-2025-10-19",
            "web-search-2025-03-05",
        ]
    ),
    server_tools={"web_search_": "web-search-2025-03-05"},
    largest_body=30 * 1024 * 1024,
)
