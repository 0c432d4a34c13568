"""A tool loop as the official SDK runs it, for the tests of every platform."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from tests.services import RunningRouter

TOOL: Any = {
    "name": "add",
    "description": "adds",
    "input_schema": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
}
HI: Any = [{"role": "user", "content": "What is 40 + 2?"}]


_CONNECTED: dict[str, anthropic.Anthropic] = {}
"""By address: reading all certificates of this machine takes some 50 ms, and the addresses are plain HTTP."""


def a_client(router: RunningRouter, secret: str) -> anthropic.Anthropic:
    """The official SDK, set up as its documentation says."""
    connected = _CONNECTED.get(router.base_url)
    if connected is None:
        http_client = anthropic.DefaultHttpxClient(verify=False)
        connected = anthropic.Anthropic(
            base_url=router.base_url, api_key="none", max_retries=0, http_client=http_client
        )
        _CONNECTED[router.base_url] = connected
    return connected.with_options(api_key=secret)


@pytest.fixture(scope="session", autouse=True)
def _closed_clients() -> Iterator[None]:
    """Closes what was connected."""
    yield
    while _CONNECTED:
        _CONNECTED.popitem()[1].close()


def loop(client: anthropic.Anthropic, *, streams: bool, strips: bool = False, **members: Any) -> list[Any]:
    """A tool loop until the model answers in text; the messages of the model. `strips`: no thinking is sent back."""
    messages: list[Any] = list(HI)
    answers: list[Any] = []
    while len(answers) < 4:
        wanted: Any = {"model": "claude-opus-5-5", "max_tokens": 8000, "messages": messages, "tools": [TOOL]} | members
        if streams:
            with client.messages.stream(**wanted) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(**wanted)
        answers.append(message)
        content = [block.to_dict() for block in message.content if not (strips and block.type == "thinking")]
        messages.append({"role": "assistant", "content": content})
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "42"}
            for block in message.content
            if block.type == "tool_use"
        ]
        if not results:
            break
        messages.append({"role": "user", "content": results})
    return answers
