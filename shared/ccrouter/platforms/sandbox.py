"""The sandbox: answers by itself with a canned text, so that a new user sees a stream without any credential.

It is labelled as such in its text, costs nothing, and its token counts are estimates from the number of characters.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from ccrouter.dialects.anthropic.stream import AnthropicStream
from ccrouter.ids import uuid7
from ccrouter.platforms.contract import COUNT_TOKENS, Ask, CannedAnswer, canned_json

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English text; good enough for a platform that costs nothing."""
_PACE_S = 0.02
_QUOTED = 200


class Sandbox:
    """Streams a canned answer that quotes the last thing the user said."""

    name = "sandbox"

    def answer(self, ask: Ask, model: str) -> CannedAnswer:
        """A message, streamed or whole as asked; a token estimate for `count_tokens`."""
        prompt_tokens = max(1, len(ask.request.body) // CHARACTERS_PER_TOKEN)
        if ask.operation == COUNT_TOKENS:
            return canned_json({"input_tokens": prompt_tokens})
        text = _text_for(_last_user_text(ask.request.member("messages")))
        message: dict[str, Any] = {
            "id": f"msg_sandbox_{uuid7().hex}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": prompt_tokens, "output_tokens": 1},
        }
        usage = {"output_tokens": max(1, len(text) // CHARACTERS_PER_TOKEN)}
        if ask.request.stream:
            return CannedAnswer(
                200, (("content-type", "text/event-stream; charset=utf-8"),), _streamed(message, text, usage)
            )
        return canned_json(
            message
            | {
                "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "usage": message["usage"] | usage,
            }
        )

    def stream(self) -> AnthropicStream:
        """Fresh state for one streamed answer."""
        return AnthropicStream()


async def _streamed(message: dict[str, Any], text: str, usage: dict[str, int]) -> AsyncIterator[bytes]:
    yield _event("message_start", message=message)
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for word in text.split(" "):
        await asyncio.sleep(_PACE_S)
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": f"{word} "})
    yield _event("content_block_stop", index=0)
    yield _event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=usage)
    yield _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **fields}))


def _text_for(said: str) -> str:
    quoted = said if len(said) <= _QUOTED else f"{said[:_QUOTED]}…"
    return (
        "This is the sandbox of Claude Code Router: your request came through the router and this answer was streamed "
        f"back, but no model was asked. You said: «{quoted}». To get real answers, add a credential "
        "(ccrouter credentials add) and map a key to its platform."
    )


def _last_user_text(messages: Any) -> str:
    if not isinstance(messages, list):
        return ""
    for message in reversed(messages):
        if not isinstance(message, dict) or message.get("role") != "user":
            continue
        content = message.get("content")
        if isinstance(content, str):
            return content
        texts = [
            block.get("text") for block in content or () if isinstance(block, dict) and block.get("type") == "text"
        ]
        if texts and isinstance(texts[-1], str):
            return texts[-1]
    return ""
