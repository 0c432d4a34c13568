"""Refusals of Claude's platforms that a changed request may mend, known by their wording (product.md §4)."""

import re

from ccrouter.errors import UpstreamRefused

# error-bodies.json and Claude Code 2.1.330, which drops old thinking on the same words (anthropic-messages.md §9.1).
_THINKING = re.compile(
    r"(?i)invalid [`'\"]?signature[`'\"]? in [`'\"]?(?:redacted_)?thinking|bound to a different conversation"
)
_EXTRA = re.compile(r"([A-Za-z0-9_.]+): Extra inputs are not permitted")


def rejects_thinking(refusal: UpstreamRefused) -> bool:
    """Whether thinking of another conversation, account or platform was not accepted."""
    return refusal.status == 400 and _THINKING.search(refusal.message) is not None


def refused_field(refusal: UpstreamRefused) -> tuple[str, ...] | None:
    """The path of a field that the platform does not know; None for any other refusal."""
    if refusal.status not in (400, 422):
        return None
    match = _EXTRA.search(refusal.message)
    return tuple(match[1].split(".")) if match else None
