"""A Messages request as a body of the dialect (gemini.md §3, antigravity.md §5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ccrouter.dialects.gemini.claude_family import claude_limits, claude_thinking
from ccrouter.dialects.gemini.contents import Contents
from ccrouter.dialects.gemini.manner import AS_GIVEN, AS_IS, Encoded, Manner, Mended, Tuning
from ccrouter.dialects.gemini.media import Bytes, MediaParts, texts_in
from ccrouter.dialects.gemini.models import level_in, may_think, row_of, shows_thinking, thinking_config
from ccrouter.dialects.gemini.names import Names
from ccrouter.dialects.gemini.schema import lightly
from ccrouter.dialects.gemini.tools import Tools
from ccrouter.errors import InvalidRequest

_ATTRIBUTION = "x-anthropic-billing-header:"
_LONGEST_NAME, _LONGEST_NAME_CODE_ASSIST = 128, 64
_MOST_STOPS = 5
_SMALL = 1_024
"""Answers up to this size get head-room for thoughts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is built from: the client's document, the model it goes to, and what was found of its needs."""

    document: Mapping[str, Any]
    model: str
    effort: str | None
    manner: Manner
    tuning: Tuning = AS_GIVEN
    remembered: Mapping[str, bytes] = field(default_factory=dict)
    media: Mapping[str, Bytes] = field(default_factory=dict)


def encode(asked: Asked, mended: Mended = AS_IS, *, counting: bool = False) -> Encoded:
    """The body. `counting` leaves out what only generation needs. Raises InvalidRequest naming the member."""
    document, manner = asked.document, asked.manner
    names = Names(_LONGEST_NAME_CODE_ASSIST if manner.code_assist else _LONGEST_NAME)
    thinking = None if mended.without_thinking else document.get("thinking")
    config = _thinking(asked, thinking, mended)
    tools = Tools(document.get("tools"), manner, asked.tuning, names, mended)
    media = MediaParts(manner, asked.media)
    contents = Contents(manner, asked.model, names, media, asked.remembered, mended, thinks=config is not None)
    contents.read(document.get("messages"))
    body: dict[str, Any] = {}
    system = _system(document.get("system"), tools.instruction(), manner)
    if system:
        body["systemInstruction"] = {"role": "user", "parts": system} if manner.code_assist else {"parts": system}
    body["contents"] = contents.finish(counting=counting)
    if (declared := tools.encoded()) is not None:
        body["tools"] = declared
    if not counting:
        if (choice := tools.config(document.get("tool_choice"))) is not None:
            body["toolConfig"] = choice
        body["generationConfig"] = _generation(asked, config)
        if asked.tuning.safety:
            body["safetySettings"] = list(asked.tuning.safety)
    search = tools.search
    warnings = [*tools.warnings, *contents.warnings]
    if "metadata" in document:
        warnings.append("metadata dropped")
    return Encoded(
        body,
        names.original,
        shows_thinking(thinking),
        search is not None,
        search.allowed_domains if search else (),
        search.blocked_domains if search else (),
        tuple(warnings),
    )


def _system(system: Any, instruction: str, manner: Manner) -> list[dict[str, Any]]:
    texts = [] if system is None else texts_in(system, "system", manner)
    if texts and texts[0].startswith(_ATTRIBUTION):
        # Claude Code's attribution says nothing here, and before 2.1.181 it changed with every request.
        texts = texts[1:]
    return [{"text": text} for text in (*texts, instruction) if text]


def _thinking(asked: Asked, thinking: Any, mended: Mended) -> dict[str, Any] | None:
    if asked.manner.claude:
        if mended.without_thinking:
            return None
        return claude_thinking(asked.document, asked.model, asked.effort, asked.remembered)
    output = asked.document.get("output_config")
    effort = output.get("effort") if isinstance(output, dict) else None
    config = thinking_config(asked.model, thinking, effort, asked.effort)
    if config is None or "thinkingLevel" not in config:
        return config
    if mended.without_level:
        del config["thinkingLevel"]
    elif asked.manner.code_assist and (level := level_in(asked.model)) is not None:
        # Where the id carries the level both are sent alike (antigravity.md §5.2).
        config["thinkingLevel"] = level
    return config


def _generation(asked: Asked, thinking: dict[str, Any] | None) -> dict[str, Any]:
    document = asked.document
    limit, thinking = _output_tokens(asked, thinking)
    generation: dict[str, Any] = {"maxOutputTokens": limit}
    # Claude allows only the defaults beside thinking.
    if not asked.tuning.drop_sampling and not (asked.manner.claude and thinking is not None):
        generation |= _sampling(document)
    stops = _stop_sequences(document.get("stop_sequences"))
    if len(stops) > _MOST_STOPS:
        if not asked.manner.code_assist:
            raise InvalidRequest(f"stop_sequences: {asked.manner.platform} takes at most {_MOST_STOPS}")
        stops = stops[:_MOST_STOPS]
    if stops:
        generation["stopSequences"] = stops
    output = document.get("output_config")
    form = output.get("format") if isinstance(output, dict) else document.get("output_format")
    if isinstance(form, dict) and form.get("type") == "json_schema":
        generation |= {"responseMimeType": "application/json", "responseJsonSchema": lightly(form.get("schema"))}
    if thinking is not None:
        generation["thinkingConfig"] = thinking
    return generation


def _sampling(document: Mapping[str, Any]) -> dict[str, Any]:
    """Sampling members under the dialect's names."""
    named = (("temperature", "temperature"), ("top_p", "topP"), ("top_k", "topK"))
    return {theirs: value for ours, theirs in named if (value := document.get(ours)) is not None}


def _stop_sequences(stops: Any) -> list[str]:
    """Stop sequences without blank ones, which the platform refuses."""
    return [stop for stop in stops if isinstance(stop, str) and stop.strip()] if isinstance(stops, list) else []


def max_tokens(document: Mapping[str, Any]) -> int:
    """The client's `max_tokens`. Raises InvalidRequest where it is none."""
    value = document.get("max_tokens")
    if value is None:
        raise InvalidRequest("max_tokens: Field required")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidRequest("max_tokens: must be an integer, 0 or more")
    return value


def _output_tokens(asked: Asked, thinking: dict[str, Any] | None) -> tuple[int, dict[str, Any] | None]:
    wanted = max_tokens(asked.document)
    if asked.manner.claude:
        return claude_limits(wanted, thinking)
    if wanted <= _SMALL and may_think(asked.model, thinking):
        # `maxOutputTokens` includes thoughts: without room for them the answer is often empty.
        wanted += asked.tuning.head_room
    return min(wanted, row_of(asked.model).most_output), thinking
