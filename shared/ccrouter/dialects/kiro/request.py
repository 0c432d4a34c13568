"""A Messages request as the body of GenerateAssistantResponse (kiro.md §4.2, §5)."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ccrouter.dialects.kiro.attachments import Attachments, Fetched, newest_images
from ccrouter.dialects.kiro.models import KiroModel
from ccrouter.dialects.kiro.pairing import pair_up
from ccrouter.dialects.kiro.thinking import Thinking, choose_thinking, reasoning_content, recall_emulated
from ccrouter.dialects.kiro.tools import Tools
from ccrouter.dialects.kiro.turns import CONTINUE, CONTINUED, Turn, TurnReader, merged

_BILLING = "x-anthropic-billing-header:"
"""Claude Code's attribution line: it changes with every turn and means nothing here."""
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMESPACE = uuid.UUID("6f6c0c1e-8a0b-5b1e-9c55-4b69726f0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What a credential and a mapping say about a request; `fields_schema` is the model's, from the catalogue."""

    model: KiroModel
    origin: str = "AI_EDITOR"
    thinking: str = "auto"
    schemas_as_is: bool = False
    profile_arn: str | None = None
    effort: str | None = None
    fields_schema: Any = None
    session: str | None = None
    """The conversation's id where the client names one."""
    whose: str = ""
    """Tells callers apart whose conversations have no id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """What a repetition leaves out, since the service objected to it."""

    without_reasoning: bool = False
    strict_schemas: bool = False


AS_IS = Mending()


@dataclass(frozen=True, slots=True)
class Encoded:
    """What is sent, and what is needed to read the answer: the client's tool names, and how it thinks."""

    body: bytes
    names: dict[str, str]
    thinking: Thinking
    has_reasoning: bool
    shape: str = field(repr=False, default="")
    """Roles and counts, without content: for the log, when the service does not say what it objects to."""


def encode(
    document: Mapping[str, Any], manner: Manner, media: Mapping[str, Fetched], mending: Mending = AS_IS
) -> Encoded:
    """The body for a request. Raises InvalidRequest for what Kiro cannot be sent."""
    config = document.get("output_config")
    thinking = choose_thinking(
        document.get("thinking"),
        config.get("effort") if isinstance(config, dict) else None,
        manner.model,
        setting=manner.thinking,
        schema=manner.fields_schema,
        mapped_effort=manner.effort,
    )
    tools = Tools(
        document.get("tools"),
        document.get("tool_choice"),
        as_is=manner.schemas_as_is,
        strictly=mending.strict_schemas,
    )
    turns = merged(TurnReader(tools.names, Attachments(media)).read(document.get("messages")))
    first_text = next((turn.texts[0] for turn in turns if turn.is_user and turn.texts), "")
    if thinking.is_emulated:
        recall_emulated(turns)
    reasoning: dict[int, dict[str, Any]] = {}
    if not mending.without_reasoning:
        reasoning = {id(turn): found for turn in turns if (found := reasoning_content(turn.thinking)) is not None}
    turns = _alternating(turns, reasoning)
    pair_up(turns)
    messages = [_message(turn, manner, reasoning.get(id(turn)), is_last=turn is turns[-1]) for turn in turns]
    _put_system(messages[0]["userInputMessage"], thinking.prefix, _system_texts(document.get("system")) + tools.told)
    current = messages[-1]["userInputMessage"]
    used = (use["name"] for turn in turns for use in turn.uses)
    if specifications := tools.specifications(used):
        current.setdefault("userInputMessageContext", {})["tools"] = specifications
    state: dict[str, Any] = {
        "chatTriggerType": "MANUAL",
        "conversationId": _conversation_id(manner, first_text),
        "agentContinuationId": str(uuid.uuid4()),
        "agentTaskType": "vibe",
        "currentMessage": messages[-1],
    }
    if messages[:-1]:
        state["history"] = messages[:-1]
    body: dict[str, Any] = {"conversationState": state}
    if manner.profile_arn:
        body["profileArn"] = manner.profile_arn
    if thinking.fields:
        body["additionalModelRequestFields"] = thinking.fields
    return Encoded(
        msgspec.json.encode(body), tools.names.originals, thinking, bool(reasoning), _shape(turns, specifications)
    )


def _alternating(turns: Sequence[Turn], reasoning: Mapping[int, Any]) -> list[Turn]:
    """The turns in the order the service wants: both sides by turns, the user first and last."""
    kept = merged(
        turn
        for turn in turns
        if turn.is_user or turn.uses or id(turn) in reasoning or _is_text("\n\n".join(turn.texts))
    )
    if not kept or not kept[0].is_user:
        kept.insert(0, Turn(is_user=True, texts=[CONTINUED]))
    if not kept[-1].is_user:
        kept.append(Turn(is_user=True, texts=[CONTINUE]))
    return kept


def _message(turn: Turn, manner: Manner, reasoning: dict[str, Any] | None, *, is_last: bool) -> dict[str, Any]:
    images = newest_images(turn.images, turn.texts)
    text = "\n\n".join(turn.texts)
    if not turn.is_user:
        answer: dict[str, Any] = {"content": text if _is_text(text) else " "}
        if turn.uses:
            answer["toolUses"] = turn.uses
        if reasoning is not None:
            answer["reasoningContent"] = reasoning
        return {"assistantResponseMessage": answer}
    if not _is_text(text):
        if turn.results:
            text = "Tool results attached."
        elif images or turn.documents:
            text = "See the attached files."
        else:
            text = CONTINUE if is_last else "(empty)"
    said: dict[str, Any] = {"content": text, "modelId": manner.model.id, "origin": manner.origin}
    if images:
        said["images"] = images
    if turn.documents:
        said["documents"] = turn.documents
    if turn.results:
        said["userInputMessageContext"] = {
            "toolResults": [
                {
                    "toolUseId": result.id,
                    "status": "error" if result.failed else "success",
                    "content": [{"text": result.text}],
                }
                for result in turn.results
            ]
        }
    return {"userInputMessage": said}


def _put_system(first: dict[str, Any], prefix: str, parts: list[str]) -> None:
    """There is no place for a system prompt: it goes before what the user said first."""
    system = "\n\n".join(parts)
    first["content"] = f"{prefix}{system}\n\n{first['content']}" if system else f"{prefix}{first['content']}"


def _system_texts(system: Any) -> list[str]:
    blocks = [{"text": system}] if isinstance(system, str) else system
    return [
        text
        for block in (blocks if isinstance(blocks, list) else ())
        if isinstance(block, dict)
        and isinstance(text := block.get("text"), str)
        and text
        and not text.startswith(_BILLING)
    ]


def _conversation_id(manner: Manner, first_text: str) -> str:
    if manner.session is not None and (found := _UUID.search(manner.session)):
        return found[0].lower()
    return str(uuid.uuid5(_NAMESPACE, f"{manner.whose}\0{first_text}"))


def _is_text(text: str) -> bool:
    return bool(text.strip())


def without_nul(value: Any) -> Any:
    """The same without NUL characters, which the service refuses in texts."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(name): without_nul(item) for name, item in value.items()}
    return value


def _shape(turns: Sequence[Turn], specifications: Sequence[Any]) -> str:
    sides = " ".join(
        f"user({len(turn.results)} results, {len(turn.images)} images)"
        if turn.is_user
        else f"model({len(turn.uses)} calls)"
        for turn in turns[-20:]
    )
    return f"{len(turns)} turns, {len(specifications)} tools, the last turns: {sides}"
