"""Token counts of the dialect as Anthropic's usage (gemini.md §8, antigravity.md §10)."""

from typing import Any


class UsageMetadata:
    """The last value of each field: counts are cumulative and may be missing from some chunks."""

    def __init__(self, *, claude: bool = False) -> None:
        self._fields: dict[str, int] = {}
        self._claude = claude

    def take(self, metadata: Any) -> None:
        """Takes one `usageMetadata`."""
        if not isinstance(metadata, dict):
            return
        for name, value in metadata.items():
            if name.endswith("TokenCount") and (count := _count(value)) is not None:
                self._fields[name] = count

    def __bool__(self) -> bool:
        return bool(self._fields)

    def input(self) -> dict[str, Any]:
        """The input side; empty while nothing is known."""
        if "promptTokenCount" not in self._fields:
            return {}
        cached = self._fields.get("cachedContentTokenCount", 0)
        fresh = self._fields["promptTokenCount"] + self._fields.get("toolUsePromptTokenCount", 0) - cached
        return {
            "input_tokens": max(0, fresh),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached,
        }

    def output(self) -> dict[str, Any]:
        """The output side, thoughts among it."""
        fields = self._fields
        candidates, thoughts = fields.get("candidatesTokenCount"), fields.get("thoughtsTokenCount")
        prompt, total = fields.get("promptTokenCount", 0), fields.get("totalTokenCount")
        if candidates is None and thoughts is None:
            counted = max(0, total - prompt - fields.get("toolUsePromptTokenCount", 0)) if total is not None else 0
        else:
            counted = candidates or 0
            # Some hosts count thoughts among the candidates already (litellm PR 10141), Claude's always are.
            inside = self._claude or prompt + counted + fields.get("toolUsePromptTokenCount", 0) == total
            counted += 0 if inside else thoughts or 0
        usage: dict[str, Any] = {"output_tokens": counted}
        if thoughts:
            usage["output_tokens_details"] = {"thinking_tokens": thoughts}
        return usage


class Hops:
    """The usage of an answer that may have come in several responses (gemini.md §7)."""

    def __init__(self, *, claude: bool = False) -> None:
        self._claude = claude
        self._hops = [UsageMetadata(claude=claude)]

    def take(self, metadata: Any) -> None:
        """Takes one `usageMetadata` of the response that is read now."""
        self._hops[-1].take(metadata)

    def next(self) -> None:
        """The answer goes on in another response."""
        self._hops.append(UsageMetadata(claude=self._claude))

    def __bool__(self) -> bool:
        return any(self._hops)

    def input(self) -> dict[str, Any]:
        """The input of the first: those after it read what was written before."""
        return self._hops[0].input()

    def spent(self) -> int:
        """Output tokens of all."""
        return sum(hop.output()["output_tokens"] for hop in self._hops)

    def whole(self) -> dict[str, Any]:
        """The usage of the message as its client sees it."""
        thoughts = sum(hop.output().get("output_tokens_details", {}).get("thinking_tokens", 0) for hop in self._hops)
        details = {"output_tokens_details": {"thinking_tokens": thoughts}} if thoughts else {}
        return {**self.input(), "output_tokens": self.spent(), **details}

    def billed(self) -> list[dict[str, Any]]:
        """Each response by itself, where there were several: each is billed."""
        if len(self._hops) == 1:
            return []
        return [{"type": "message", **hop.input(), **hop.output()} for hop in self._hops]


def _count(value: Any) -> int | None:
    """A count; proto3's JSON may write large integers as strings."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
