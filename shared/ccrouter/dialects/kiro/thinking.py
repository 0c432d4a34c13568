"""How a model is asked to think, natively or by marks in the text, and what of it goes back (kiro.md §9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ccrouter.dialects.kiro.models import KiroModel
from ccrouter.dialects.kiro.turns import Turn
from ccrouter.messages.carrier import unwrap

TAG, REDACTED_TAG = "kiro", "kiror"
OPENING, CLOSING = "<thinking>", "</thinking>"
ASKED = frozenset({"enabled", "adaptive", "between_tools"})
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_LEAST_LENGTH, _USUAL_LENGTH, _MOST_LENGTH = 1_024, 16_000, 24_000
_BUDGETS = ((4_096, "low"), (16_384, "medium"), (32_768, "high"))


@dataclass(frozen=True, slots=True)
class Thinking:
    """How one request asks for thinking. `fields` are `additionalModelRequestFields`, `prefix` marks in the text."""

    asked: bool = False
    fields: dict[str, Any] | None = None
    prefix: str = ""

    @property
    def is_emulated(self) -> bool:
        """Whether the answer has its thinking between marks in the text."""
        return bool(self.prefix)


def choose_thinking(
    thinking: Any, effort: Any, model: KiroModel, *, setting: str, schema: Any, mapped_effort: str | None
) -> Thinking:
    """What the client's `thinking` and `output_config.effort` become.

    `setting` is the credential's option, `schema` what the model's catalogue entry says of its further fields.
    """
    given = thinking if isinstance(thinking, dict) else {}
    kind = given.get("type") if isinstance(given.get("type"), str) else None
    effort = effort if isinstance(effort, str) else None
    if kind not in ASKED and not (model.thinks and kind != "disabled"):
        return Thinking()
    budget = given.get("budget_tokens") if kind == "enabled" else None
    if not isinstance(budget, int) or isinstance(budget, bool):
        budget = None
    wanted = mapped_effort or (effort if effort in _EFFORTS else None)
    if setting == "off":
        return Thinking(asked=True)
    if setting in ("auto", "native") and isinstance(schema, dict):
        fields = _fields_in(schema, wanted or _effort_of(budget))
        if fields is not None:
            return Thinking(asked=True, fields=fields)
    if setting == "native":
        return Thinking(asked=True, fields=_usual_fields(model, wanted or _effort_of(budget)))
    if kind in ("adaptive", "between_tools"):
        marks = f"<thinking_mode>adaptive</thinking_mode><thinking_effort>{wanted or 'high'}</thinking_effort>"
    else:
        length = min(max(budget or _USUAL_LENGTH, _LEAST_LENGTH), _MOST_LENGTH)
        marks = f"<thinking_mode>enabled</thinking_mode><max_thinking_length>{length}</max_thinking_length>"
    return Thinking(asked=True, prefix=f"{marks}\n")


def reasoning_content(blocks: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The reasoning of a turn as the service wants it back: its first block, and only if it is Kiro's own.

    Blocks are chained, so a later one is refused without the first.
    """
    if not blocks:
        return None
    first = blocks[0]
    if first.get("type") == "redacted_thinking":
        data = unwrap(first.get("data"), REDACTED_TAG)
        return {"redactedContent": data} if data else None
    signature, text = unwrap(first.get("signature"), TAG), first.get("thinking")
    if not signature or not isinstance(text, str) or not text:
        return None
    return {"reasoningText": {"text": text, "signature": signature}}


def recall_emulated(turns: Sequence[Turn]) -> None:
    """Puts emulated thinking back in front of the last answer, where its tool loop still runs."""
    if len(turns) < 2 or not turns[-1].is_user or not turns[-1].results or not turns[-2].uses:
        return
    thoughts = [
        text
        for block in turns[-2].thinking
        if unwrap(block.get("signature"), TAG) == "" and isinstance(text := block.get("thinking"), str) and text
    ]
    if thoughts:
        text = "\n\n".join(thoughts).replace(CLOSING, "&lt;/thinking&gt;")
        rest = "\n\n".join(turns[-2].texts)
        turns[-2].texts = [f"{OPENING}{text}{CLOSING}\n\n{rest}"]


def _effort_of(budget: int | None) -> str:
    if budget is None:
        return "high"
    return next((effort for most, effort in _BUDGETS if budget <= most), "max")


def _fields_in(schema: dict[str, Any], effort: str) -> dict[str, Any] | None:
    """The fields that a model's own schema has; None where it knows no effort."""
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    known = _at(properties, "output_config", "properties", "effort", "enum")
    if not isinstance(known, list) or not (fitting := [name for name in _EFFORTS if name in known]):
        return None
    fields: dict[str, Any] = {"output_config": {"effort": _nearest(effort, fitting)}}
    if "thinking" in properties:
        fields["thinking"] = {"type": "adaptive", "display": "summarized"}
    return fields


def _usual_fields(model: KiroModel, effort: str) -> dict[str, Any]:
    """What the model's family takes, where the operator insists and no catalogue is at hand."""
    if not model.is_claude:
        return {"reasoning": {"effort": effort}}
    return {"output_config": {"effort": effort}, "thinking": {"type": "adaptive", "display": "summarized"}}


def _nearest(effort: str, known: list[str]) -> str:
    """The effort itself, else the next lower one, else the lowest."""
    below = [name for name in known if _EFFORTS.index(name) <= _EFFORTS.index(effort)]
    return below[-1] if below else known[0]


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
