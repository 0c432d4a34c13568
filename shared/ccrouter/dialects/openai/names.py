"""Names of tools and ids of their calls as these APIs admit them, the same for the same input (§3)."""

import hashlib
import re

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SHORT_ID = re.compile(r"[A-Za-z0-9]{9}")
_NOT_ADMITTED = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT = 55


class ToolNames:
    """Maps the client's names to admitted ones, reversible for one request."""

    def __init__(self) -> None:
        self._client: dict[str, str] = {}

    def sent(self, name: str) -> str:
        """The name to send."""
        if _NAME.fullmatch(name):
            return name
        mapped = f"{_NOT_ADMITTED.sub('_', name)[:_KEPT]}_{_digest(name)[:8]}"
        self._client[mapped] = name
        return mapped

    def client(self, name: str) -> str:
        """The client's name for one in an answer."""
        return self._client.get(name, name)


def sent_id(tool_use_id: str, *, short: bool = False) -> str:
    """The id to send for a client's; `short` for servers that want nine letters or digits."""
    if short:
        return tool_use_id if _SHORT_ID.fullmatch(tool_use_id) else _digest(tool_use_id)[:9]
    return tool_use_id if _ID.fullmatch(tool_use_id) else f"call_{_digest(tool_use_id)[:24]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
