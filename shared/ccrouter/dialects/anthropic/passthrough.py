"""A request's body on its way through: the client's bytes, but for what must not or shall not go on."""

from dataclasses import dataclass

import msgspec

from ccrouter.dialects.anthropic.content import known_effort
from ccrouter.dialects.anthropic.edit import edit_items, edit_members, with_member
from ccrouter.dialects.anthropic.fields import Path, without_fields
from ccrouter.dialects.anthropic.models import claude_model
from ccrouter.dialects.anthropic.system_messages import tell_otherwise
from ccrouter.dialects.anthropic.thinking import misses_thinking, without_carriers, without_thinking
from ccrouter.dialects.anthropic.tool_references import references_in_words
from ccrouter.errors import InvalidRequest
from ccrouter.messages.carrier import PREFIX
from ccrouter.messages.request import MessagesRequest

_MARK = PREFIX.encode()
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What shall differ from the client's request beside the model's name.

    `effort` is the mapping's; `fields` go; `keeps_thinking` False takes all thinking out of the history;
    `without_betas` puts into words what only betas allow: system messages and found tools inside `messages`.
    """

    effort: str | None = None
    fields: frozenset[Path] = frozenset()
    keeps_thinking: bool = True
    without_betas: bool = False


def pass_through(request: MessagesRequest, model: str, changes: Changes) -> bytes:
    """The body to send. Raises InvalidRequest where it has to be changed and cannot be read."""
    if changes == Changes() and _MARK not in request.body:
        return request.with_model(model)
    try:
        return request.with_changes(model, _changed(request, model, changes))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The request body cannot be read: {error}") from None


def _changed(request: MessagesRequest, model: str, changes: Changes) -> dict[str, bytes | None]:
    members = {name: raw for name in request.names if (raw := request.raw(name)) is not None}
    changed = without_fields(members, changes.fields)
    messages = changed.get("messages") or members.get("messages")
    if messages is not None:
        kept = without_carriers(messages) if changes.keeps_thinking else without_thinking(messages)
        if kept is not messages and misses_thinking(members.get("thinking"), kept):
            changed["thinking"] = b'{"type":"disabled"}'
            changed["context_management"] = _without_clearing(members.get("context_management"))
        messages = kept
        if changes.without_betas:
            messages = references_in_words(messages)
            messages, changed["system"] = tell_otherwise(messages, changed.get("system", members.get("system")))
    effort = known_effort(changes.effort, claude_model(model))
    if effort is not None:
        config = changed.get("output_config", members.get("output_config")) or b"{}"
        changed["output_config"] = with_member(config, "effort", _encode(effort))
        if messages is not None:
            messages = _with_effort(messages, _encode(effort))
    if messages is not None:
        changed["messages"] = messages
    return changed


def _without_clearing(management: bytes | None) -> bytes | None:
    """A `context_management` without the edits that demand thinking."""
    if management is None or not management.startswith(b"{"):
        return management

    def edit(name: str, value: bytes) -> bytes | None:
        if name != "edits" or not value.startswith(b"["):
            return value
        kept = edit_items(value, lambda _index, item: None if b'"clear_thinking_' in item else item)
        return kept if kept.strip(b"[] \t\r\n") else None

    edited = edit_members(management, edit)
    return edited if edited.strip(b"{} \t\r\n") else None


def _with_effort(messages: bytes, effort: bytes) -> bytes:
    """Messages whose own effort, where they have one, is the given one."""
    if b'"output_config"' not in messages or not messages.startswith(b"["):
        return messages

    def set_effort(_name: str, value: bytes) -> bytes:
        return with_member(value, "effort", effort) if value.startswith(b"{") and b'"effort"' in value else value

    def edit(_index: int, message: bytes) -> bytes:
        if b'"output_config"' not in message or not message.startswith(b"{"):
            return message
        return edit_members(message, lambda name, value: set_effort(name, value) if name == "output_config" else value)

    return edit_items(messages, edit)
