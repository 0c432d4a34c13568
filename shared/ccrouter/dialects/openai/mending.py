"""What a refusal teaches about the next request (openai-compatible.md §3, §5, §6, §8; checked 2026-11-23)."""

import dataclasses
import re
from collections import OrderedDict
from typing import Any

from ccrouter.dialects.openai.asked import AS_IS, Mended
from ccrouter.dialects.openai.errors import Complaint

_DROPPABLE = (
    "reasoning.summary",
    "reasoning.effort",
    "reasoning_effort",
    "reasoning",
    "chat_template_kwargs",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "stream_options",
    "parallel_tool_calls",
    "prompt_cache_breakpoint",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "include",
    "store",
    "user",
)
"""Members that tune an answer; none that says something."""
_LIMITS = ("max_tokens", "max_completion_tokens")
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|not support|unrecognized|unknown|unexpected|not permitted|not allowed|extra[_ ]|"
    r"must be verified|invalid param|no longer supported|use '?max_",
    re.IGNORECASE,
)
_CODES = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"})
_WANTS_RESPONSES = re.compile(r"Function tools with reasoning_effort", re.IGNORECASE)
_WANTS_REASONING = re.compile(r"reasoning_content.*must be passed back", re.IGNORECASE | re.DOTALL)
_FOREIGN_REASONING = re.compile(
    r"encrypted[_ ]content.*(?:verif|decrypt|invalid)|invalid_encrypted_content", re.IGNORECASE | re.DOTALL
)
_SUMMARIES = re.compile(r"verified to (?:generate|stream) reasoning summar", re.IGNORECASE)


def mended(before: Mended, complaint: Complaint, body: dict[str, Any], *, responses: bool) -> Mended | None:
    """What to change after a 400 or 422; None where nothing helps. `body` is what was refused."""
    said = complaint.message
    if not responses and _WANTS_RESPONSES.search(said):
        return dataclasses.replace(before, responses=True)
    if not responses and _WANTS_REASONING.search(said) and not before.no_thinking:
        return dataclasses.replace(before, no_thinking=True)
    if (
        responses
        and not before.no_reasoning
        and (complaint.code == "invalid_encrypted_content" or _FOREIGN_REASONING.search(said))
    ):
        return dataclasses.replace(before, no_reasoning=True)
    if _SUMMARIES.search(said) and "reasoning.summary" not in before.dropped:
        return _dropping(before, "reasoning.summary")
    if complaint.code not in _CODES and not _UNSUPPORTED.search(said):
        return None
    for name in _LIMITS:
        if name in body and _names(complaint, name) and not before.other_limit:
            return dataclasses.replace(before, other_limit=True)
    for path in _DROPPABLE:
        if path not in before.dropped and _is_in(body, path) and _names(complaint, path):
            return _dropping(before, path)
    return None


def _dropping(before: Mended, path: str) -> Mended:
    return dataclasses.replace(before, dropped=before.dropped | {path})


def _names(complaint: Complaint, path: str) -> bool:
    param = complaint.param
    if param:
        return param == path or param.startswith((f"{path}.", f"{path}[")) or param.endswith(f".{path}")
    return re.search(rf"['\"`]{re.escape(path)}['\"`]", complaint.message) is not None


def _is_in(body: dict[str, Any], path: str) -> bool:
    if path == "prompt_cache_breakpoint":
        return True
    holder: Any = body
    for name in path.split("."):
        if not isinstance(holder, dict) or name not in holder:
            return False
        holder = holder[name]
    return True


class Learned:
    """What addresses have taught about their models; in memory, for each process."""

    _MOST = 500

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Mended] = OrderedDict()

    def of(self, address: str, model: str) -> Mended:
        """What holds for every request there."""
        return self._known.get((address, model), AS_IS)

    def note(self, address: str, model: str, found: Mended) -> None:
        """Keeps what does not depend on one conversation."""
        lasting = dataclasses.replace(found, no_thinking=False, no_reasoning=False)
        if lasting == AS_IS:
            return
        self._known[address, model] = lasting
        self._known.move_to_end((address, model))
        if len(self._known) > self._MOST:
            self._known.popitem(last=False)
