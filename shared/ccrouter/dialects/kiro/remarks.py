"""What Kiro says about an answer beside its content: counts, credits, how it ended (kiro.md §8.1, §8.3, §10)."""

from typing import Any

_FULL = 100


class Remarks:
    """Collects the remarks of one answer."""

    def __init__(self) -> None:
        self.stop_reason: str | None = None
        self.share: float | None = None
        """How many per cent of the context window are used; the last word counts."""
        self.credits: float | None = None
        """What the request has cost in the plan's own money."""
        self.invalid_state: str | None = None
        """What the service said of a state in which it cannot answer."""
        self._counts: dict[str, Any] = {}

    @property
    def is_full(self) -> bool:
        """Whether the context window is used up."""
        return self.share is not None and self.share >= _FULL

    def note(self, kind: str, members: dict[str, Any]) -> None:
        """Takes an event; kinds that say nothing are ignored."""
        if kind == "metadataEvent":
            if isinstance(counts := members.get("tokenUsage"), dict):
                self._counts = counts
                self._note_share(counts)
            if isinstance(reason := members.get("stopReason"), str) and reason:
                self.stop_reason = reason.upper()
            self._note_share(members)
        elif kind == "contextUsageEvent":
            self._note_share(members)
        elif kind == "meteringEvent":
            if (used := _number(members.get("usage"))) is not None:
                self.credits = (self.credits or 0) + used
        elif kind == "invalidStateEvent":
            said = members.get("message") or members.get("reason")
            self.invalid_state = said if isinstance(said, str) else "Kiro reported an invalid state."

    def usage(self, estimated_output: int, window: int | None) -> tuple[dict[str, Any], bool]:
        """Anthropic's counts as far as they are known, and whether they are an estimate.

        Without an input count the one of the message's start stands.
        """
        uncached, output = _count(self._counts.get("uncachedInputTokens")), _count(self._counts.get("outputTokens"))
        is_estimate = uncached is None or output is None
        output = estimated_output if output is None else output
        usage = {
            "output_tokens": output,
            "cache_read_input_tokens": _count(self._counts.get("cacheReadInputTokens")) or 0,
            "cache_creation_input_tokens": _count(self._counts.get("cacheWriteInputTokens")) or 0,
        }
        if uncached is not None:
            usage["input_tokens"] = uncached
        elif self.share is not None and window is not None:
            usage["input_tokens"] = max(0, round(self.share / _FULL * window) - output)
        return usage, is_estimate

    def stopped_for(self, *, has_calls: bool, cut_call: bool, cut_short: bool) -> tuple[str, dict[str, Any] | None]:
        """Stop reason and details: the first that fits (kiro.md §8.3).

        `cut_call`: the answer ended inside a tool call; `cut_short`: the service gave up, since the context was full.
        """
        said = self.stop_reason
        if said == "MAX_TOKENS":
            return "max_tokens", None
        if said == "MODEL_CONTEXT_WINDOW_EXCEEDED":
            return "model_context_window_exceeded", None
        if said in ("CONTENT_FILTERED", "GUARDRAIL_INTERVENED"):
            return "refusal", {"type": "refusal", "category": None, "explanation": f"kiro:{said}"}
        if cut_call:
            return "max_tokens", None
        if has_calls:
            return "tool_use", None
        if self.is_full:
            return "model_context_window_exceeded", None
        return ("max_tokens" if cut_short else "end_turn"), None

    def _note_share(self, members: dict[str, Any]) -> None:
        if (share := _number(members.get("contextUsagePercentage"))) is not None:
            # More than all of it is no share; a window is counted from it.
            self.share = min(max(share, 0.0), _FULL)


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
