"""How much a request wants the model to think, and whether its client wants to see it (openai-compatible.md §3)."""

from dataclasses import dataclass
from typing import Any

from ccrouter.messages.carrier import is_carrier, unwrap

_BUDGETS = ((1_024, "low"), (8_192, "medium"), (24_576, "high"))
_THINKS = frozenset({"enabled", "adaptive", "between_tools"})
TEXT, DETAILS, ITEM = "oaic", "orrd", "oair"
"""Tags of the carriers: plain reasoning text, OpenRouter's details, an item of the Responses API."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """`wanted` None: nothing was said. `effort` is a name of `models.ORDER`, None where none was given.

    `carries`: thinking blocks go to the client; `shows`: with their text.
    """

    wanted: bool | None = None
    effort: str | None = None
    budget: int | None = None
    carries: bool = False
    shows: bool = False


def read_thinking(document: dict[str, Any], effort: str | None) -> Thinking:
    """What a request says; `effort` is the mapping's and wins over the client's."""
    given = document.get("thinking")
    kind = given.get("type") if isinstance(given, dict) else None
    kind = kind if isinstance(kind, str) else None
    carries = kind in _THINKS
    shows = carries and isinstance(given, dict) and given.get("display") != "omitted"
    if effort is not None:
        return Thinking(effort != "none", effort, None, carries, shows)
    if kind == "disabled":
        return Thinking(wanted=False, effort="none")
    if not carries:
        return Thinking()
    budget = given.get("budget_tokens") if isinstance(given, dict) and kind == "enabled" else None
    if type(budget) is int:
        named = next((name for most, name in _BUDGETS if budget <= most), "xhigh")
        return Thinking(True, named, budget, carries, shows)
    return Thinking(True, _client_effort(document), None, carries, shows)


def _client_effort(document: dict[str, Any]) -> str | None:
    """The effort of the whole request, or of its last system message, which holds for this turn."""
    found = _effort_in(document)
    messages = document.get("messages")
    for message in reversed(messages) if isinstance(messages, list) else ():
        if not isinstance(message, dict) or message.get("role") == "assistant":
            break
        if message.get("role") == "system" and (turn := _effort_in(message)) is not None:
            return turn
    return found


def _effort_in(holder: dict[str, Any]) -> str | None:
    config = holder.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    return effort if isinstance(effort, str) else None


def own_payload(block: dict[str, Any], *tags: str) -> tuple[str, str] | None:
    """Tag and payload of a thinking block of this dialect; None for a foreign one."""
    signature = block.get("signature")
    if not is_carrier(signature):
        return None
    for tag in tags:
        if (payload := unwrap(signature, tag)) is not None:
            return tag, payload
    return None
