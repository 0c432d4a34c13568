"""What the Gemini models can do, as rows with a date, and the thinking that is asked of them (gemini.md §2, §3)."""

import re
from dataclasses import dataclass
from typing import Any

from ccrouter.errors import InvalidRequest

CHECKED = "2026-11-23"
"""When the rows were compared with ai.google.dev/gemini-api/docs/thinking and google-genai 3.4.0."""

MINIMAL, LOW, MEDIUM, HIGH = "MINIMAL", "LOW", "MEDIUM", "HIGH"
DYNAMIC = -1
"""A `thinkingBudget` that leaves the amount to the model."""


@dataclass(frozen=True, slots=True)
class Row:
    """One family of models. `levels` are its thinking levels, lowest first; families before 3 have a budget instead.

    `budget` is the least and the most tokens of a budget; `off` whether a budget of 0 turns thinking off;
    `thinks` whether it thinks when nothing is said. `most_output` is the most a whole answer may have.
    """

    prefix: str
    levels: tuple[str, ...] = ()
    budget: tuple[int, int] | None = None
    off: bool = False
    thinks: bool = True
    most_output: int = 65_536
    continues: bool = False


# Longer prefixes stand before the shorter ones that they begin with.
ROWS = (
    Row("gemini-2.5-pro", budget=(128, 32_768)),
    Row("gemini-2.5-flash-lite", budget=(512, 24_576), off=True, thinks=False),
    Row("gemini-2.5-flash", budget=(1, 24_576), off=True),
    Row("gemini-3-pro", (LOW, HIGH)),
    Row("gemini-3.1-pro", (LOW, MEDIUM, HIGH)),
    Row("gemini-3.1-flash-lite", (MINIMAL, LOW, MEDIUM, HIGH)),
    Row("gemini-3.5-flash", (MINIMAL, LOW, MEDIUM, HIGH)),
    Row("gemini-3-flash", (MINIMAL, LOW, MEDIUM, HIGH)),
    Row("gemini-3.6-flash", (MINIMAL, LOW, MEDIUM, HIGH)),
    Row("gemini-3.7-flash", (LOW, MEDIUM, HIGH)),
    Row("gemini-3.8-flash", (LOW, MEDIUM, HIGH)),
    Row("gemini-4-argon", (LOW, MEDIUM, HIGH), most_output=1_048_576, continues=True),
    Row("gemini-4", (LOW, HIGH), most_output=1_048_576, continues=True),
)
_UNKNOWN = Row("", (LOW, HIGH))
_OLD = Row("", budget=(1, 24_576))
"""Models before 3 that have no row: the narrowest common range."""

_VERSION = re.compile(r"gemini-(\d+)")

# The budgets of Claude's API that stand for a level, and the other way round (gemini.md §3, "Thinking").
_LEAST_BUDGET, _MIDDLE_BUDGET = 1_024, 8_192
_LEVEL_OF_EFFORT = {"low": LOW, "medium": MEDIUM, "high": HIGH, "xhigh": HIGH, "max": HIGH}

THINKING = frozenset({"enabled", "adaptive", "between_tools"})
"""Values of the client's `thinking.type` with which it is shown thinking."""


def row_of(model: str) -> Row:
    """The row of a model's name."""
    for row in ROWS:
        if model.startswith(row.prefix):
            return row
    return _UNKNOWN if is_since_3(model) else _OLD


def is_since_3(model: str) -> bool:
    """Whether a model is of generation 3 or later; names that do not say so are taken for new ones."""
    version = _VERSION.search(model)
    return version is None or int(version[1]) >= 3


def level_in(model: str) -> str | None:
    """The thinking level that an id of Cloud Code Assist carries: `gemini-3-pro-high`."""
    ending = model.rpartition("-")[2].upper()
    return ending if ending in (MINIMAL, LOW, MEDIUM, HIGH) else None


def shows_thinking(thinking: Any) -> bool:
    """Whether the client asked to be sent thinking blocks."""
    return isinstance(thinking, dict) and thinking.get("type") in THINKING


def thinking_config(model: str, thinking: Any, client_effort: Any, effort: str | None) -> dict[str, Any] | None:
    """`thinkingConfig` for what the client asks; `effort` is the mapping's own and goes before the client's.

    None: nothing is sent, and the model does what it does by itself. Raises InvalidRequest for an unknown type.
    """
    if thinking is None:
        # The client leaves thinking to the model; an operator's effort still sets how much (product.md §4).
        return None if effort is None else _amount(row_of(model), effort, None) | {"includeThoughts": False}
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    row = row_of(model)
    if kind == "disabled":
        return {**_lowest(row), "includeThoughts": False}
    if not isinstance(kind, str) or kind not in THINKING:
        raise InvalidRequest("thinking.type: must be one of adaptive, between_tools, disabled, enabled")
    budget = thinking.get("budget_tokens") if kind == "enabled" else None
    if budget is not None and (not isinstance(budget, int) or isinstance(budget, bool)):
        raise InvalidRequest("thinking.budget_tokens: must be an integer")
    if effort is not None:
        amount = _amount(row, effort, None)
    else:
        amount = _amount(row, client_effort if kind != "enabled" else None, budget)
    return {**amount, "includeThoughts": thinking.get("display") != "omitted"}


def may_think(model: str, config: dict[str, Any] | None) -> bool:
    """Whether thoughts may take a part of the output tokens."""
    if config is None:
        return row_of(model).thinks
    return config.get("thinkingBudget") != 0


def _amount(row: Row, effort: Any, budget: int | None) -> dict[str, Any]:
    if row.budget is not None:
        return _budget(row.budget, effort, budget)
    if budget is not None:
        if budget <= _LEAST_BUDGET:
            return _lowest(row)
        return {"thinkingLevel": _or_low(MEDIUM, row) if budget <= _MIDDLE_BUDGET else HIGH}
    level = _LEVEL_OF_EFFORT.get(effort) if isinstance(effort, str) else None
    return {} if level is None else {"thinkingLevel": _or_low(level, row)}


def _budget(border: tuple[int, int], effort: Any, budget: int | None) -> dict[str, Any]:
    if budget is None:
        level = _LEVEL_OF_EFFORT.get(effort) if isinstance(effort, str) else None
        if level is None:
            return {"thinkingBudget": DYNAMIC}
        budget = {LOW: _LEAST_BUDGET, MEDIUM: _MIDDLE_BUDGET, HIGH: border[1]}[level]
    return {"thinkingBudget": min(max(budget, border[0]), border[1])}


def _lowest(row: Row) -> dict[str, Any]:
    if row.budget is not None:
        return {"thinkingBudget": 0 if row.off else row.budget[0]}
    return {"thinkingLevel": row.levels[0]}


def _or_low(level: str, row: Row) -> str:
    return level if level in row.levels else LOW
