"""What the platform does in each captured scenario (`fixtures/claude-code/19-error-behaviour.json`), as scripts."""

from dataclasses import dataclass, field
from typing import Any

from tests.upstream import (
    CLOSE,
    RESET,
    STALL,
    Answer,
    error,
    event,
    json_answer,
    message,
    message_events,
    says,
    sse,
    text,
)

TWO_RETRIES = {"CLAUDE_CODE_MAX_RETRIES": "2"}
NO_FALLBACK = {**TWO_RETRIES, "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1"}
THREE_RETRIES = {"CLAUDE_CODE_MAX_RETRIES": "3"}
"""As many as it takes until `--fallback-model` is tried (anthropic-messages.md §13.5)."""
SHORT_PATIENCE = {"CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "10000"}
"""The least that can be set: without a byte for so long, a stream is given up."""


LEFT_OUT = frozenset(
    {
        "e401",
        "e401-full401",
        "e401-maxr2",
        "e401noretry-own",
        "e402-mid",
        "e402budget-own",
        "e403",
        "e403noretry-own",
    }
)
"""A platform's 401, 402 and 403 speak of the operator's credential, not of the client's key: the router answers with an
error of its own (`product.md` §4), so there is no parity. `test_own_answers.py` has these statuses."""


@dataclass(frozen=True)
class Scenario:
    """A script: answers in order, then `otherwise` (None: a greeting)."""

    answers: tuple[Answer, ...] = ()
    otherwise: Answer | None = None
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    any_order: bool = False
    """Whether it is chance which request comes first."""
    slow: bool = False


def tool(name: str, number: int, **arguments: Any) -> dict[str, Any]:
    """A tool_use block."""
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": arguments}


def calls(*blocks: dict[str, Any]) -> Answer:
    """A streamed answer that ends in tool use."""
    return sse(*message_events(*blocks, stop_reason="tool_use"))


def _asks_an_agent(kind: str) -> tuple[Answer, ...]:
    """The main conversation goes on while its sub-agent is at work: what answers whom, is chance."""
    return (
        calls(tool("Agent", 1, description="Look around", prompt="Say ok and stop.", subagent_type=kind)),
        says("ok step"),
        says("ok step"),
        says("ok step 3"),
    )


_PARTIAL = message_events(text("Half of an answ"))
_MIDDLE = tuple(_PARTIAL[:3])
"""Up to the middle of the first text block."""
_BLOCK = tuple(message_events(text("A whole block."))[:4])
"""Up to the end of the first block."""
_TOOL_BLOCK = tuple(message_events(tool("Bash", 1, command="echo one", description="Say one"))[:4])


def _error_event(kind: str, words: str) -> bytes:
    return event("error", {"type": "error", "error": {"type": kind, "message": words}})


_OVERLOADED = error(529, "overloaded_error", "Overloaded")
_INTERNAL = error(500, "api_error", "Internal server error (mock)")
_RESET = Answer("reset", None)
_BROKEN_TOOL = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": '{"command": "echo'}
_THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2lnbmF0dXJl"}
_PING = event("ping", {"type": "ping"})
_SLOW_END = message_events(text("Slow end"))
_SEARCH = {"query": "mock query about nothing"}
_FOUND = {
    "type": "web_search_result",
    "url": "https://example.com/nothing",
    "title": "Nothing",
    "encrypted_content": "ZW5jcnlwdGVk",
    "page_age": None,
}

SCENARIOS: dict[str, Scenario] = {
    # The slow ones first, so that they do not come last on a worker whose neighbours are done.
    "stall-apito": Scenario((sse(*_MIDDLE, 25.0, CLOSE),), environment={"API_TIMEOUT_MS": "4000"}, slow=True),
    "stall-stall": Scenario((sse(*_MIDDLE, STALL),), environment=SHORT_PATIENCE, slow=True),
    "pingstall-ping": Scenario(
        (sse(_SLOW_END[0], *(_PING, 0.5) * 20, *_SLOW_END[1:]),), environment=SHORT_PATIENCE, slow=True
    ),
    "e529always-fallback": Scenario(
        otherwise=_OVERLOADED, environment=THREE_RETRIES, arguments=("--fallback-model", "sonnet")
    ),
    "tools": Scenario(
        (
            *(calls(tool("Bash", number, command=f"echo {number}", description="Say it")) for number in range(4)),
            says("Tool loop done."),
        )
    ),
    "thinking": Scenario(
        (
            calls(_THINKING, tool("Bash", 1, command="echo one", description="Say one")),
            sse(*message_events({"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="}, text("Done thinking."))),
        )
    ),
    "cache": Scenario(
        (
            sse(
                *message_events(
                    text("cached"),
                    input_tokens=4,
                    cache_read_input_tokens=3000,
                    cache_creation_input_tokens=500,
                    cache_creation={"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 0},
                )
            ),
        )
    ),
    "e400": Scenario(otherwise=error(400, "invalid_request_error", "messages.0.content: mock bad request")),
    "e404": Scenario(otherwise=error(404, "not_found_error", "mock: model not found")),
    "e413": Scenario(otherwise=error(413, "request_too_large", "mock: too large")),
    "e429": Scenario((error(429, "rate_limit_error", "mock limit", retry_after="2"),)),
    "e429x3": Scenario((error(429, "rate_limit_error", "mock limit", retry_after="1"),) * 3),
    "e429noheader": Scenario((error(429, "rate_limit_error", "mock limit"),) * 2),
    "e429noretry": Scenario(
        otherwise=error(429, "rate_limit_error", "mock x-should-retry false", x_should_retry="false")
    ),
    "e500": Scenario((_INTERNAL,)),
    "e529": Scenario((_OVERLOADED,) * 2),
    "cut": Scenario((sse(*_MIDDLE, RESET),)),
    "cut_clean": Scenario((sse(*_MIDDLE),)),
    "sse_error": Scenario((sse(*_MIDDLE, _error_event("overloaded_error", "Overloaded")),)),
    "sse_error_first": Scenario((sse(_error_event("overloaded_error", "Overloaded")),)),
    "sse_api_error": Scenario((sse(*_MIDDLE, _error_event("api_error", "Internal server error")),)),
    "reset": Scenario((_RESET,)),
    "empty200": Scenario((sse(),)),
    "e502html": Scenario(
        (Answer("raw", 502, (("content-type", "text/html"),), (b"<html><h1>502 Bad Gateway</h1></html>",)),)
    ),
    "e503": Scenario((error(503, "api_error", "mock unavailable", retry_after="1"),)),
    "json_when_stream": Scenario(otherwise=json_answer(message("non-stream body"))),
    "max_tokens": Scenario((sse(*message_events(text("Cut he"), stop_reason="max_tokens")),)),
    "pause": Scenario((sse(*message_events(text("paused here"), stop_reason="pause_turn")),)),
    "refusal": Scenario(
        otherwise=sse(
            *message_events(
                stop_reason="refusal", stop_details={"type": "refusal", "category": "cyber", "explanation": None}
            )
        )
    ),
    "ctx": Scenario((sse(*message_events(text("full"), stop_reason="model_context_window_exceeded")),)),
    "e529always-maxr2": Scenario(otherwise=_OVERLOADED, environment=TWO_RETRIES),
    "e500always-maxr2": Scenario(otherwise=_INTERNAL, environment=TWO_RETRIES),
    "e429always-maxr2": Scenario(
        otherwise=error(429, "rate_limit_error", "mock always 429", retry_after="1"), environment=TWO_RETRIES
    ),
    "cut_always-nofb": Scenario(otherwise=sse(*_MIDDLE, RESET), environment=NO_FALLBACK),
    "cut_always-maxr2": Scenario(otherwise=sse(*_MIDDLE, RESET), environment=TWO_RETRIES),
    "e429quota-quota": Scenario(
        otherwise=error(
            429, "rate_limit_error", "mock quota: monthly budget used up", retry_after="86400", x_should_retry="false"
        )
    ),
    "cut_after_block-mid": Scenario((sse(*_BLOCK, RESET),)),
    "cut_after_tool-mid": Scenario((sse(*_TOOL_BLOCK, RESET),)),
    "cut_after_delta-mid": Scenario((sse(*message_events(text("All text done."))[:-1], RESET),)),
    "err_after_block-mid": Scenario((sse(*_BLOCK, _error_event("overloaded_error", "Overloaded")),)),
    "bad_tool_json-mid": Scenario((calls(_BROKEN_TOOL),)),
    "unknown_event-mid": Scenario(
        (
            sse(
                *message_events(text("survived unknown"))[:2],
                b": a comment\n\n",
                event("never_heard_of", {"type": "never_heard_of", "some": "thing"}),
                *message_events(text("survived unknown"))[2:],
            ),
        )
    ),
    "sig400-mid": Scenario(
        (
            calls(_THINKING, tool("Bash", 1, command="echo one", description="Say one")),
            error(400, "invalid_request_error", "messages.1.content.0: Invalid `signature` in `thinking` block"),
        )
    ),
    "wrapped400-mid": Scenario(
        otherwise=json_answer({"error": {"message": "upstream said: bad request", "code": 400}}, 400)
    ),
    "wrapped500-mid": Scenario((json_answer({"detail": "foreign words"}, 500),)),
    "e429big-mid": Scenario(otherwise=error(429, "rate_limit_error", "mock retry in 61", retry_after="61")),
    "e429date-mid": Scenario(
        (error(429, "rate_limit_error", "mock limit", retry_after="Wed, 21 Oct 2015 07:28:00 GMT"),)
    ),
    "e400retry-mid": Scenario((error(400, "invalid_request_error", "mock: once more", x_should_retry="true"),)),
    "e500noretry-mid": Scenario(otherwise=error(500, "api_error", "mock no retry", x_should_retry="false")),
    "e422-mid": Scenario(otherwise=error(422, "invalid_request_error", "mock unprocessable")),
    "e408-mid": Scenario((error(408, "timeout_error", "mock timeout"),)),
    "e409-mid": Scenario((error(409, "invalid_request_error", "mock conflict"),)),
    "e504-mid": Scenario((error(504, "timeout_error", "mock gateway timeout"),)),
    "sse_error-nofb": Scenario(
        (sse(*_MIDDLE, _error_event("overloaded_error", "Overloaded")),), environment=NO_FALLBACK
    ),
    "empty200-nofb": Scenario((sse(),), environment=NO_FALLBACK),
    "prompt_too_long-ptl": Scenario(
        otherwise=error(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
    ),
    "e400noretry-own": Scenario(
        otherwise=error(400, "invalid_request_error", "mock bad request", x_should_retry="false"),
        environment=TWO_RETRIES,
    ),
    "e429limit-own": Scenario(
        otherwise=json_answer(
            {
                "type": "error",
                "error": {
                    "type": "rate_limit_error",
                    "message": "Daily budget of team alpha reached; resets 2026-11-24 00:00 UTC (mock)",
                    "details": {"error_code": "enforced_spend_limit_reached"},
                },
                "request_id": "req_upstream",
            },
            429,
            [("x-should-retry", "false")],
        ),
        environment=TWO_RETRIES,
    ),
    "e503noretry-own": Scenario(
        otherwise=error(503, "api_error", "No upstream available for this model (mock)", x_should_retry="false")
    ),
    "websearch": Scenario(
        (
            calls(tool("WebSearch", 1, **_SEARCH)),
            sse(
                *message_events(
                    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": _SEARCH},
                    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [_FOUND]},
                    text("Nothing was found."),
                    server_tool_use={"web_search_requests": 1},
                )
            ),
            says("Searched."),
        )
    ),
    "subagent": Scenario(_asks_an_agent("general-purpose"), any_order=True),
    "explore": Scenario(_asks_an_agent("Explore"), any_order=True),
}
