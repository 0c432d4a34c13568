"""What an answer's end means (gemini.md §5, antigravity.md §8)."""

from typing import Any

REFUSALS = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "LANGUAGE",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
        "ESCALATION",
    }
)
STOP, MAX_TOKENS, CONTINUATION, LIMITED = "STOP", "MAX_TOKENS", "CONTINUATION", "PUP_LIMITED_DISABLED"
_ENDS = frozenset({STOP, MAX_TOKENS, CONTINUATION})
_CODE_ASSIST_ENDS = frozenset({"FINISH_REASON_UNSPECIFIED"})
_UNSIGNED = "MISSING_THOUGHT_SIGNATURE"


def is_failure(reason: str, *, claude: bool, code_assist: bool, has_content: bool) -> bool:
    """Whether a finish reason says that the model or the platform failed: an empty success would make agents loop."""
    if reason in REFUSALS or reason in _ENDS:
        return False
    if code_assist and reason in _CODE_ASSIST_ENDS:
        return False
    # Claude's tool turns on Cloud Code Assist were seen ending so.
    return not (claude and reason == "OTHER" and has_content)


def message_of(reason: str, finish_message: Any) -> str:
    """What a failure is reported as."""
    said = f": {finish_message}" if isinstance(finish_message, str) and finish_message else ""
    return f"gemini finished with {reason}{said}"


def refusal(reason: str) -> dict[str, Any]:
    """`stop_details` of a refusal."""
    return {"type": "refusal", "category": None, "explanation": f"gemini:{reason}"}


def is_unsigned(message: str) -> bool:
    """Whether a refusal or failure is about a missing or foreign signature of Gemini's."""
    return _UNSIGNED in message or "thought_signature" in message or _names_signature(message)


def _names_signature(message: str) -> bool:
    lower = message.lower()
    return "thought signature is not valid" in lower or "corrupted thought signature" in lower
