"""A Messages request as a cloud's door takes it: which top-level members go, which betas, and what they become."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ccrouter.dialects.anthropic.betas import (
    COMPACTION,
    CONTEXT_MANAGEMENT,
    EFFORT,
    TOOL_EXAMPLES,
    TOOL_SEARCH,
    choose_betas,
)
from ccrouter.dialects.anthropic.clouds import Cloud
from ccrouter.dialects.anthropic.content import ContentWriter, Fetched, known_effort
from ccrouter.dialects.anthropic.edit import edit_items, with_member
from ccrouter.dialects.anthropic.models import ClaudeModel
from ccrouter.dialects.anthropic.system_messages import tell_otherwise
from ccrouter.dialects.anthropic.thinking import misses_thinking
from ccrouter.errors import InvalidRequest
from ccrouter.messages.request import MessagesRequest

_MOST_BREAKPOINTS = 4
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Encoded:
    """The body's members in order, and the betas that belong to it."""

    members: dict[str, Any]
    betas: tuple[str, ...]


def encode(
    request: MessagesRequest,
    cloud: Cloud,
    model: ClaudeModel,
    named_betas: list[str],
    media: Mapping[str, Fetched],
    *,
    effort: str | None = None,
    without_thinking: bool = False,
) -> Encoded:
    """What to send. Raises InvalidRequest naming what the platform cannot be asked."""
    try:
        return _Encoder(request, cloud, model, named_betas, effort).encode(media, without_thinking=without_thinking)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The request body cannot be read: {error}") from None


def urls_of(request: MessagesRequest) -> tuple[str, ...]:
    """The URLs of images and documents, which the clouds do not fetch by themselves."""
    found: dict[str, None] = {}
    if b'"url"' in request.body:
        messages = request.member("messages")
        for message in messages if isinstance(messages, list) else ():
            _collect(message.get("content") if isinstance(message, dict) else None, found)
    return tuple(found)


def _collect(content: Any, found: dict[str, None]) -> None:
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            continue
        source = block.get("source")
        if block.get("type") in ("image", "document") and isinstance(source, dict):
            if source.get("type") == "url" and isinstance(url := source.get("url"), str):
                found[url] = None
            _collect(source.get("content"), found)
        if block.get("type") == "tool_result":
            _collect(block.get("content"), found)


class _Encoder:
    def __init__(
        self, request: MessagesRequest, cloud: Cloud, model: ClaudeModel, named_betas: list[str], effort: str | None
    ) -> None:
        self._request = request
        self._cloud = cloud
        self._model = model
        self._effort = effort
        self._betas = choose_betas(named_betas, cloud, model)

    def encode(self, media: Mapping[str, Fetched], *, without_thinking: bool) -> Encoded:
        request, cloud, betas = self._request, self._cloud, self._betas
        members: dict[str, Any] = {"anthropic_version": cloud.version}
        for name in request.names:
            if name in cloud.members and name != "anthropic_version":
                members[name] = request.raw(name)
        config, schema = self._output_config()
        self._put(members, "output_config", config)
        self._add_betas_of_tools(request.raw("tools") or b"")
        content = ContentWriter(
            cloud, self._model, betas, media, effort=self._effort, without_thinking=without_thinking
        )
        messages = content.messages(request.raw("messages") or b"null")
        system = request.raw("system")
        if system is not None:
            system = content.system(system)
        if not self._model.hears_system_messages:
            messages, system = tell_otherwise(messages, system)
        if content.dropped_thinking and misses_thinking(request.raw("thinking"), messages):
            members["thinking"] = b'{"type":"disabled"}'
        self._put(members, "context_management", self._context_management(members.get("thinking")))
        if schema is not None:
            messages = _asking_for(messages, schema)
        if (control := request.raw("cache_control")) is not None and control != b"null":
            messages = self._with_breakpoint(messages, control)
        members["messages"] = messages
        self._put(members, "system", system)
        if "tools" in members:
            members["tools"] = content.tools(members["tools"])
        return Encoded(
            {name: msgspec.Raw(value) if isinstance(value, bytes) else value for name, value in members.items()},
            tuple(sorted(betas)),
        )

    @staticmethod
    def _put(members: dict[str, Any], name: str, value: bytes | None) -> None:
        if value is None:
            members.pop(name, None)
        else:
            members[name] = value

    def _context_management(self, thinking: bytes | None) -> bytes | None:
        """The edits whose beta goes with them; the field and its betas are dropped together (sub2api#2726)."""
        raw = self._request.raw("context_management")
        kept: bytes | None = None
        if raw is not None and raw.startswith(b"{"):
            edits = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("edits")
            if edits is not None and bytes(edits).startswith(b"["):
                remaining = edit_items(
                    bytes(edits), lambda _index, edit: edit if self._may_edit(edit, thinking) else None
                )
                if remaining.strip(b"[] \t\r\n"):
                    kept = raw if remaining == edits else with_member(raw, "edits", remaining)
        if kept is None:
            self._betas -= {CONTEXT_MANAGEMENT, COMPACTION}
        return kept

    def _may_edit(self, raw: bytes, thinking: bytes | None) -> bool:
        edit = msgspec.json.decode(raw)
        kind = str(edit.get("type")) if isinstance(edit, dict) else ""
        if kind.startswith("compact_"):
            return COMPACTION in self._betas
        if CONTEXT_MANAGEMENT not in self._betas:
            return False
        return not kind.startswith("clear_thinking_") or self._thinks(thinking)

    def _thinks(self, thinking: bytes | None) -> bool:
        given = None if thinking is None else msgspec.json.decode(thinking)
        kind = given.get("type") if isinstance(given, dict) else None
        return kind in ("enabled", "adaptive", "between_tools") or (kind is None and self._model.always_thinks)

    def _output_config(self) -> tuple[bytes | None, bytes | None]:
        """The `output_config` to send, and a schema that must be asked for in words instead."""
        raw = self._request.raw("output_config")
        given = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]) if raw is not None and raw[:1] == b"{" else {}
        kept: dict[str, Any] = {}
        schema: bytes | None = None
        asked = self._effort if self._effort is not None else _value(given.get("effort"))
        if (effort := known_effort(asked, self._model)) is not None:
            kept["effort"] = effort
        if effort is None:
            self._betas.discard(EFFORT)
        elif self._model.effort_is_beta and EFFORT in self._cloud.betas:
            self._betas.add(EFFORT)
        # `output_format` is what the beta called it before it became a part of output_config.
        wanted = given.get("format") or self._request.raw("output_format")
        if wanted is not None and wanted != b"null":
            if self._model.keeps_to_schemas:
                kept["format"] = msgspec.Raw(wanted)
            else:
                schema = bytes(wanted)
        return (_encode(kept) if kept else None), schema

    def _add_betas_of_tools(self, tools: bytes) -> None:
        if TOOL_SEARCH in self._betas and TOOL_EXAMPLES in self._cloud.betas and b'"input_examples"' in tools:
            self._betas.add(TOOL_EXAMPLES)
        for prefix, beta in self._cloud.server_tools.items():
            if beta and b'"' + prefix.encode() in tools:
                self._betas.add(beta)

    def _with_breakpoint(self, messages: bytes, control: bytes) -> bytes:
        """The automatic breakpoint, which the clouds refuse, put on the last block that can carry one."""
        if self._request.body.count(b'"cache_control"') > _MOST_BREAKPOINTS:
            return messages
        if not self._model.caches_for_an_hour:
            control = b'{"type":"ephemeral"}'

        def mark(block: bytes) -> bytes:
            return block if b'"cache_control"' in block else with_member(block, "cache_control", control)

        return _with_last_block(messages, mark)


def _asking_for(messages: bytes, schema: bytes) -> bytes:
    """The conversation with a schema in words, for models that cannot be held to one."""
    found = _value(msgspec.Raw(schema))
    inner = found.get("schema", found) if isinstance(found, dict) else found
    words = f"Answer only with JSON, without any other text, that fits this JSON schema:\n{_encode(inner).decode()}"
    block = _encode({"type": "text", "text": words})
    return _with_last_block(messages, lambda last: last + b"," + block)


def _with_last_block(messages: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The messages with the last block of the last message changed; a text becomes a block for it."""
    if not messages.startswith(b"["):
        return messages
    last = len(msgspec.json.decode(messages, type=list[msgspec.Raw])) - 1

    def edit(index: int, message: bytes) -> bytes:
        if index != last or not message.startswith(b"{"):
            return message
        raw = msgspec.json.decode(message, type=dict[str, msgspec.Raw]).get("content")
        content = b"" if raw is None else bytes(raw)
        if content.startswith(b'"') and content != b'""':
            content = b'[{"type":"text","text":%b}]' % content
        if not content.startswith(b"["):
            return message
        end = len(msgspec.json.decode(content, type=list[msgspec.Raw])) - 1
        changed = edit_items(content, lambda at, block: change(block) if at == end else block)
        return with_member(message, "content", changed)

    return edit_items(messages, edit)


def _value(raw: msgspec.Raw | None) -> Any:
    return None if raw is None else msgspec.json.decode(raw)
