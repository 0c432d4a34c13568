"""Rewrites system, messages and tools for a cloud's door: only what it would refuse changes, all else keeps its bytes.

Strategy: every array is walked once; each block is looked at through a structure that reads only what decides.
Betas and the fields that need them are kept together or dropped together (anthropic-messages.md §15).
"""

import base64
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from ccrouter.dialects.anthropic.betas import FINE_GRAINED, TOOL_CHANGES, TOOL_EXAMPLES, TOOL_SEARCH, TURN_CONFIG
from ccrouter.dialects.anthropic.clouds import Cloud
from ccrouter.dialects.anthropic.edit import edit_items, edit_members, with_member, without_members
from ccrouter.dialects.anthropic.models import ClaudeModel
from ccrouter.dialects.anthropic.tool_references import reference_in_words
from ccrouter.errors import InvalidRequest
from ccrouter.messages.carrier import is_carrier

_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_SERVER_TOOLS = ("web_search_", "web_fetch_", "code_execution_", "advisor_", "mcp_toolset")
_encode = msgspec.json.encode


class Fetched(Protocol):
    """What stood behind a URL."""

    @property
    def media_type(self) -> str:
        """Its kind."""

    @property
    def data(self) -> bytes:
        """Its bytes."""


class Block(msgspec.Struct):
    """What decides about a block, a message or a tool."""

    type: Any = None
    role: Any = None
    name: Any = None
    text: Any = None
    signature: Any = None
    data: Any = None
    tool_name: Any = None
    source: Any = None
    content: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    cache_control: Any = None


_block_decoder = msgspec.json.Decoder(Block)


def look(raw: bytes) -> Block | None:
    """What decides about it; None where it is no object: then the platform judges it."""
    return _block_decoder.decode(raw) if raw.startswith(b"{") else None


class ContentWriter:
    """One request's content. `betas` are those that will be sent; `media` what its URLs led to."""

    def __init__(
        self,
        cloud: Cloud,
        model: ClaudeModel,
        betas: set[str],
        media: Mapping[str, Fetched],
        *,
        effort: str | None = None,
        without_thinking: bool = False,
    ) -> None:
        self._cloud = cloud
        self._model = model
        self._betas = betas
        self._media = media
        self._effort = effort
        self._without_thinking = without_thinking
        self.dropped_thinking = False

    def messages(self, raw: bytes) -> bytes:
        """The messages, without those of which nothing is left."""
        return edit_items(raw, self._message) if raw.startswith(b"[") else raw

    def system(self, raw: bytes) -> bytes:
        """The system prompt."""
        return self._content(raw, "system")

    def tools(self, raw: bytes) -> bytes:
        """The tools. Raises InvalidRequest for one that the platform cannot run."""
        return edit_items(raw, self._tool) if raw.startswith(b"[") else raw

    def _message(self, index: int, raw: bytes) -> bytes | None:
        message = look(raw)
        path = f"messages.{index}"
        if message is None:
            return raw
        edited = self._without_extras(raw)
        if edited is not raw and message.role == "system" and not bytes(message.content or b"").strip(b'[] \t\r\n"'):
            return None  # it said nothing but what was taken out
        if message.content is not msgspec.UNSET:
            content = bytes(message.content)
            new = self._content(content, f"{path}.content")
            if new is not content:
                if not new.strip(b"[] \t\r\n"):
                    return None
                edited = with_member(edited, "content", new)
        return edited

    def _without_extras(self, raw: bytes) -> bytes:
        """A message without what only further betas allow; its effort is the mapping's where that sets one."""
        if b'"output_config"' not in raw and b'"clear_at"' not in raw:
            return raw

        def edit(name: str, value: bytes) -> bytes | None:
            if name == "clear_at":
                return None
            if name != "output_config":
                return value
            if not self._betas & TURN_CONFIG:
                return None
            return with_effort(value, self._effort, self._model) if b'"effort"' in value else value

        return edit_members(raw, edit)

    def _content(self, raw: bytes, path: str) -> bytes:
        if not raw.startswith(b"["):
            return raw
        return edit_items(raw, lambda index, block: self._block(block, f"{path}.{index}"))

    def _block(self, raw: bytes, path: str) -> bytes | None:
        block = look(raw)
        if block is None:
            return raw
        kind = block.type
        if kind == "text" and block.text == "":
            return None  # "text content blocks must be non-empty" (bedrock.md §9)
        if kind in ("thinking", "redacted_thinking"):
            mark = block.signature if kind == "thinking" else block.data
            if mark and not is_carrier(mark) and not self._without_thinking:
                return raw
            self.dropped_thinking = True
            return None
        if kind in ("tool_addition", "tool_removal") and TOOL_CHANGES not in self._betas:
            raise self._refused(path, f"{kind} blocks")
        if kind == "container_upload":
            raise self._refused(path, "files")
        if kind == "tool_reference" and TOOL_SEARCH not in self._betas:
            return reference_in_words(block.tool_name)
        if isinstance(block.source, dict) and kind in ("image", "document"):
            raw = self._sourced(raw, kind, block.source, path)
        if kind == "tool_result" and block.content is not msgspec.UNSET:
            content = bytes(block.content)
            new = self._content(content, f"{path}.content")
            if new is not content:
                raw = with_member(raw, "content", new)
        return self._cached(raw, block)

    def _sourced(self, raw: bytes, kind: str, source: dict[str, Any], path: str) -> bytes:
        """An image or a document with its bytes inside."""
        if source.get("type") == "file":
            raise self._refused(path, "file sources")
        if source.get("type") == "content" and isinstance(source.get("content"), list):
            whole = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])["source"]
            content = bytes(msgspec.json.decode(whole, type=dict[str, msgspec.Raw])["content"])
            new = self._content(content, f"{path}.source.content")
            return raw if new is content else with_member(raw, "source", with_member(bytes(whole), "content", new))
        if source.get("type") != "url":
            return raw
        found = self._media.get(str(source.get("url")))
        if found is None:
            raise self._refused(path, "url sources")
        media_type = found.media_type.partition(";")[0].strip().lower()
        if kind == "document" and media_type.startswith("text/"):
            data = found.data.decode("utf-8", "replace")
            inline = {"type": "text", "media_type": "text/plain", "data": data}
        elif media_type == "application/pdf" if kind == "document" else media_type in _IMAGES:
            inline = {"type": "base64", "media_type": media_type, "data": base64.b64encode(found.data).decode()}
        else:
            raise InvalidRequest(f"{path}: what stands behind the URL is {media_type}, which is no {kind} for Claude.")
        return with_member(raw, "source", _encode(inline))

    def _cached(self, raw: bytes, block: Block) -> bytes:
        """`cache_control` with what the door knows of it: no `scope`, and `ttl` for newer models alone."""
        control = block.cache_control
        if not isinstance(control, dict):
            return raw
        refused = [name for name in ("scope", "ttl") if name in control]
        if "ttl" in refused and self._model.caches_for_an_hour:
            refused.remove("ttl")
        if not refused:
            return raw
        return edit_members(
            raw, lambda name, value: without_members(value, *refused) if name == "cache_control" else value
        )

    def _tool(self, index: int, raw: bytes) -> bytes:
        tool = look(raw)
        if tool is None:
            return raw
        kind = tool.type if isinstance(tool.type, str) else "custom"
        self._check_runs(kind, f"tools.{index}", tool.name)
        refused = {"allowed_callers"}
        if TOOL_SEARCH not in self._betas:
            refused.add("defer_loading")
        if TOOL_EXAMPLES not in self._betas:
            refused.add("input_examples")
        if FINE_GRAINED not in self._betas:
            refused.add("eager_input_streaming")
        if not self._model.keeps_to_schemas:
            refused.add("strict")

        def edit(name: str, value: bytes) -> bytes | None:
            if name in refused:
                return None
            if name == "input_schema" and value.startswith(b"{"):
                return _typed(value)
            return value

        return self._cached(edit_members(raw, edit), tool)

    def _check_runs(self, kind: str, path: str, name: object) -> None:
        """Raises InvalidRequest where the platform would have to run the tool and does not."""
        if kind.startswith("tool_search_tool_"):
            runs = TOOL_SEARCH in self._betas
        elif kind.startswith(_SERVER_TOOLS):
            runs = any(kind.startswith(prefix) for prefix in self._cloud.server_tools)
        else:
            runs = True
        if not runs:
            raise InvalidRequest(f"{path}: the tool {name or kind} ({kind}) cannot be run on {self._cloud.name}.")

    def _refused(self, path: str, what: str) -> InvalidRequest:
        return InvalidRequest(f"{path}: {what} are not supported on {self._cloud.name}.")


def with_effort(config: bytes, effort: str | None, model: ClaudeModel) -> bytes | None:
    """An `output_config` whose effort is one that the model knows; None where nothing is left of it."""
    members = msgspec.json.decode(config)
    asked = effort if effort is not None else members.get("effort") if isinstance(members, dict) else None
    known = known_effort(asked, model)
    if known is None:
        rest = without_members(config, "effort")
        return None if not rest.strip(b"{} \t\r\n") else rest
    return config if known == members.get("effort") else with_member(config, "effort", _encode(known))


def known_effort(asked: object, model: ClaudeModel) -> str | None:
    """The effort that comes nearest to what is asked; None for a model without any."""
    if not isinstance(asked, str) or not model.efforts:
        return None
    if asked in model.efforts or asked not in ("xhigh", "max"):
        return asked
    return model.efforts[-1]


def _typed(schema: bytes) -> bytes:
    members = msgspec.json.decode(schema, type=dict[str, msgspec.Raw])
    return schema if "type" in members else with_member(schema, "type", b'"object"')
