"""The answer to `max_tokens: 0`: it only warms a prompt cache, and where there is none to warm nobody is asked."""

from collections.abc import AsyncIterator

from ccrouter.dialects.fold import fold
from ccrouter.messages.writer import MESSAGE_STOP, MessageWriter
from ccrouter.platforms.contract import CannedAnswer, canned_json


def empty_message(model: str, *, stream: bool) -> CannedAnswer:
    """A message without content that cost nothing."""
    writer = MessageWriter(model=model, input_tokens=0, tag="none")
    writer.finish("max_tokens", {"output_tokens": 0})
    events = writer.take() + MESSAGE_STOP
    if not stream:
        return canned_json(fold(events))

    async def pieces() -> AsyncIterator[bytes]:
        yield events

    return CannedAnswer(200, (("content-type", "text/event-stream; charset=utf-8"),), pieces())
