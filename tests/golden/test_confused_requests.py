"""Requests whose members have lost, changed or doubled their values: refused by name or sent, never a fault."""

import json
from typing import Any

import pytest
from tests.golden.test_confused import CASES, Confusion

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import CcrError
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, CannedAnswer, Found
from ccrouter.platforms.registry import platform_named

IMAGE: dict[str, Any] = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
SCHEMA = {
    "$schema": "x",
    "type": "object",
    "properties": {
        "p": {"anyOf": [{"type": "string", "enum": ["a", 1], "format": "date-time"}, {"type": "null"}]},
        "q": {"$ref": "#/$defs/Q"},
    },
    "required": ["p"],
    "$defs": {"Q": {"type": "array", "items": {"$ref": "#/$defs/Q"}}},
}
WHOLE: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 900,
    "stream": True,
    "system": [{"type": "text", "text": "s", **CACHED}],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "temperature": 1,
    "top_p": 0.9,
    "top_k": 5,
    "stop_sequences": ["a"],
    "metadata": {"user_id": "user_x_account__session_0b0b"},
    "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}},
    "context_management": {"edits": [{"type": "clear_thinking_20251015"}]},
    "cache_control": {"type": "ephemeral"},
    "tool_choice": {"type": "tool", "name": "ls", "disable_parallel_tool_use": True},
    "tools": [
        {"name": "ls", "description": "d", "input_schema": SCHEMA, "strict": True, **CACHED},
        {"type": "bash_20250124", "name": "bash"},
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi"},
                IMAGE,
                {"type": "document", "title": "t", "source": {"type": "text", "media_type": "text/plain", "data": "n"}},
                {"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "x"}]},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "h", "signature": "px1:gemini:QUJD"},
                {"type": "redacted_thinking", "data": "px1:kiror:QUJD"},
                {"type": "text", "text": "a"},
                {"type": "tool_use", "id": "t1", "name": "ls", "input": {"p": "."}},
                {"type": "tool_use", "id": "t2", "name": "ls", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [IMAGE], "is_error": True},
                {"type": "tool_result", "tool_use_id": "t2", "content": "x"},
                {"type": "text", "text": "go"},
            ],
        },
        {"role": "system", "content": "mid"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "more"},
    ],
}
MORE = {
    "bedrock, native": ("bedrock", "claude-sonnet-5-5", {"api_key": "k"}, {"region": "us-east-1", "door": "messages"}),
    "anthropic": ("anthropic", "claude-opus-5-5", {"api_key": "k"}, {}),
    "vertex, Gemini": ("vertex", "gemini-3.8-flash", {"access_token": "t", "project": "p-1"}, {}),
    "gemini 2.5": ("gemini", "gemini-2.5-flash", {"api_key": "k"}, {}),
}
ALL = {name: case[:4] for name, case in CASES.items()} | MORE
BETAS = (("anthropic-beta", "context-management-2025-06-27,tool-search-tool-2025-10-19"),)
TRIES = 80


def ask(case: str, body: bytes, operation: str, effort: str | None) -> None:
    """Whatever a platform does before anything is sent. Raises CcrError for what it refuses."""
    name, model, auth, options = ALL[case]
    platform, aim = platform_named(name), Aim(model, effort)
    credential = Credential(id="c", platform=name, name="c", auth=auth, options=options)
    asked = Ask(operation, MessagesRequest(body), BETAS, "", key_id="k", conversation="v", moved=True)
    platform.needs(asked, aim, credential)
    found = platform.open(asked, aim, credential, Found({"t1": b"x", "t2": b"{}"}))
    if not isinstance(found, CannedAnswer):
        found.request()


@pytest.mark.parametrize("case", ALL)
def test_confused_requests_are_refused_or_sent(case: str) -> None:
    """The client hears what is wrong with its request, not that the router failed."""
    for number in range(TRIES):
        confusion = Confusion(f"{case} {number}")
        document = confusion.of(WHOLE, confusion.random.choice((0.005, 0.02, 0.05)))
        if not isinstance(document, dict):
            continue
        body = json.dumps(document | {"model": "claude-opus-5-5"}).encode()
        for operation in (MESSAGES, COUNT_TOKENS):
            try:
                ask(case, body, operation, confusion.random.choice((None, "low", "max")))
            except CcrError:
                continue


ODD: list[tuple[str, Any]] = [
    ("thinking", {"type": ["enabled"]}),
    ("messages", [{"role": "assistant", "content": [{"type": ["text"]}]}, {"role": "user", "content": "x"}]),
    (
        "messages",
        [{"role": "user", "content": [{**IMAGE, "source": {**IMAGE["source"], "media_type": ["image/png"]}}]}],
    ),
    ("messages", [{"role": "assistant", "content": 3.5}, {"role": "user", "content": "x"}]),
    ("output_config", {"effort": ["high"], "format": {"type": "json_schema", "schema": {"properties": 7}}}),
    ("tools", [{"name": "ls", "input_schema": {"type": "object", "properties": {"p": {}}, "required": [["p"]]}}]),
    (
        "tools",
        [{"name": "ls", "input_schema": {"type": "object", "properties": {"p": {"type": "string", "format": []}}}}],
    ),
]


@pytest.mark.parametrize("case", ALL)
def test_members_of_odd_kinds_are_no_fault_of_the_router(case: str) -> None:
    """Each of these once was one."""
    for name, value in ODD:
        body = json.dumps(WHOLE | {name: value}).encode()
        for operation in (MESSAGES, COUNT_TOKENS):
            try:
                ask(case, body, operation, None)
            except CcrError:
                continue
