"""An Anthropic answer in one piece: what it says, read from a copy."""

from typing import Any

import msgspec

from ccrouter.dialects.anthropic.errors import read_error
from ccrouter.errors import StreamBroken
from ccrouter.messages.facts import StreamFacts
from ccrouter.messages.usage import merge_usage


def read_message(body: bytes, *, counts: bool = False) -> StreamFacts:
    """The facts of a message; of a token count (`counts`) only whether it is an error.

    An error in a body of success is noted in the facts. Raises StreamBroken where the body is no JSON object.
    """
    facts = StreamFacts()
    try:
        document: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise StreamBroken("The platform's answer is not a JSON object.")
    error = read_error(body)
    if error is not None:
        facts.error_type, facts.error_message = error
    elif not counts:
        merge_usage(facts.usage, document.get("usage"))
        if isinstance(model := document.get("model"), str):
            facts.answered_as = model
        reason = document.get("stop_reason")
        facts.stop_reason = reason if isinstance(reason, str) else None
        facts.stopped = True
    return facts
