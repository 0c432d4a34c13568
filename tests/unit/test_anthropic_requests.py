"""What Anthropic's API and compatible addresses are sent: the client's bytes, and the few things that may differ."""

import json
from typing import Any

import pytest
from tests.captures import Capture, captures

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import UpstreamRefused
from ccrouter.http import Headers, HttpRequest, header
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.anthropic import Anthropic, AnthropicExchange, is_compatible
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, CannedAnswer, Found

OTHER = "https://compatible.example/anthropic"
USER = {"role": "user", "content": "hi"}
REFUSED = b'{"type":"error","error":{"type":"invalid_request_error","message":"%b"},"request_id":"r"}'


def opened(
    body: bytes | dict[str, Any],
    *,
    platform: Anthropic | None = None,
    base_url: str | None = None,
    headers: Headers = (),
    operation: str = MESSAGES,
    moved: bool = False,
    model: str | None = None,
    effort: str | None = None,
    auth: dict[str, str] | None = None,
    **options: Any,
) -> AnthropicExchange:
    """The exchange for a request."""
    request = MessagesRequest(body if isinstance(body, bytes) else json.dumps(body).encode())
    credential = Credential(
        id="c", platform="anthropic", name="c", base_url=base_url, auth=auth or {"api_key": "k"}, options=options
    )
    ask = Ask(operation, request, headers, "", moved=moved)
    made = (platform or Anthropic()).open(ask, Aim(model or request.model, effort), credential, Found())
    assert isinstance(made, AnthropicExchange)
    return made


def sent(body: bytes | dict[str, Any], **how: Any) -> HttpRequest:
    """What leaves."""
    return opened(body, **how).request()


def refusal(exchange: AnthropicExchange, message: str, status: int = 400) -> UpstreamRefused:
    """What the platform's refusal is read as."""
    return exchange.read_refusal(status, (), REFUSED % message.encode())


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
@pytest.mark.parametrize("base_url", [None, OTHER])
def test_captured_requests_keep_every_byte(capture: Capture, base_url: str | None) -> None:
    """Odd spacing too; with another model name, everything else."""
    body = json.dumps(capture.body, indent=1, ensure_ascii=True).encode()
    operation = COUNT_TOKENS if capture.counts else MESSAGES
    request = sent(body, headers=capture.headers, base_url=base_url, operation=operation)
    assert body == request.body
    assert header(capture.headers, "anthropic-beta") == header(request.headers, "anthropic-beta")
    assert header(capture.headers, "anthropic-version") == header(request.headers, "anthropic-version")
    renamed = sent(body, headers=capture.headers, base_url=base_url, operation=operation, model="other").body
    before, after = MessagesRequest(body), MessagesRequest(renamed)
    assert list(before.names) == list(after.names)
    assert all(before.raw(name) == after.raw(name) for name in before.names if name != "model")


CARRIED = (
    b'{ "model":"claude-opus-5-5","max_tokens":5 , "messages":[{"role":"user" , "content":"\\u00e4 px1:"},\n'
    b'{"role":"assistant","content":[ {"type":"thinking","thinking":"a","signature":"px1:gemini:x"} ,'
    b' {"type":"text" , "text":"px1:"} , {"type":"redacted_thinking","data":"px1:kiror:x"},'
    b'{"type":"thinking","thinking":"b","signature":"Eabc=="}]},{"role":"assistant","content":'
    b'[{"type":"thinking","thinking":"a","signature":"px1:kiro:"}]} , {"role":"user","content":"1.0"}],"x":1.50}'
)
KEPT = (
    b'{"role":"user" , "content":"\\u00e4 px1:"}',
    b'{"type":"text" , "text":"px1:"}',
    b'{"type":"thinking","thinking":"b","signature":"Eabc=="}',
    b'{"role":"user","content":"1.0"}',
)


def test_our_carriers_are_taken_out_and_nothing_else() -> None:
    """Blocks, and messages that consist of nothing else; every other value keeps its bytes."""
    request = MessagesRequest(sent(CARRIED).body)
    messages = request.member("messages")
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert [block["type"] for block in messages[1]["content"]] == ["text", "thinking"]
    raw = request.raw("messages") or b""
    places = [raw.index(value) for value in KEPT]
    assert places == sorted(places)
    assert (list(request.names), request.raw("x")) == (["model", "max_tokens", "messages", "x"], b"1.50")


def test_a_body_without_carriers_is_not_even_copied() -> None:
    """The usual case costs a search."""
    body = json.dumps({"model": "m", "messages": [USER]}).encode()
    assert sent(body).body is body


LOOP = [
    USER,
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "a", "signature": "px1:gemini:x"},
        {"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
]  # fmt: skip


def test_a_loop_whose_thinking_went_is_finished_without() -> None:
    """A model that thinks by budget refuses a call without the thinking before it."""
    managed = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_20250919"}]}
    body = {"model": "m", "messages": LOOP, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    out = json.loads(sent(body | {"context_management": managed}).body)
    assert out["thinking"] == {"type": "disabled"}
    assert out["context_management"] == {"edits": [{"type": "clear_tool_uses_20250919"}]}
    adaptive = json.loads(sent(body | {"thinking": {"type": "adaptive"}}).body)
    assert adaptive["thinking"] == {"type": "adaptive"}


def test_the_mappings_effort_is_set_everywhere() -> None:
    """Over the request's own and that of single messages; not for models that know none."""
    system = {"role": "system", "content": "x", "output_config": {"effort": "high", "other": 1}}
    body = {"model": "claude-opus-5-5", "output_config": {"format": {"a": 1}}, "messages": [USER, system]}
    out = json.loads(sent(body, effort="low").body)
    assert out["output_config"] == {"format": {"a": 1}, "effort": "low"}
    assert out["messages"][1]["output_config"] == {"effort": "low", "other": 1}
    assert json.loads(sent({"model": "m", "messages": [USER]}, effort="low").body)["output_config"] == {"effort": "low"}
    older = json.loads(sent({"model": "claude-haiku-4-5", "messages": [USER]}, effort="low").body)
    assert "output_config" not in older


def test_a_version_can_be_pinned() -> None:
    """For addresses that know only one."""
    headers = [("anthropic-version", "2026-10-21"), ("anthropic-beta", "x")]
    assert header(sent({"model": "m"}, headers=headers).headers, "anthropic-version") == "2026-10-21"
    pinned = sent({"model": "m"}, headers=headers, anthropic_version="2023-06-01").headers
    assert header(pinned, "anthropic-version") == "2023-06-01"
    assert header(sent({"model": "m"}).headers, "anthropic-version") == "2023-06-01"


def test_betas_stay_here_with_the_fields_that_need_them() -> None:
    """Header and body go together; what is said to the model stays, in words that every server knows."""
    betas = "context-management-2025-06-27,effort-2025-11-24,advanced-tool-use-2025-11-20,mid-conversation-tool-changes-2026-07-01,extended-cache-ttl-2025-04-11"  # fmt: skip # noqa: E501
    body = {
        "model": "m",
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            USER,
            {"role": "system", "content": "note", "output_config": {"effort": "low"}},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "search", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
                {"type": "tool_reference", "tool_name": "Read"}]}]},
        ],
        "tools": [{"name": "n", "defer_loading": True, "input_schema": {}}],
        "context_management": {"edits": []},
        "output_config": {"effort": "high"},
    }  # fmt: skip
    request = sent(body, headers=[("anthropic-beta", betas)], base_url=OTHER, forward_beta=False)
    assert header(request.headers, "anthropic-beta") is None
    out = json.loads(request.body)
    assert set(out) == {"model", "system", "messages", "tools"}
    assert out["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert out["messages"][1] == {"role": "user", "content": [{"type": "text", "text": "<system>note</system>"}]}
    assert out["messages"][3]["content"][0]["content"] == [{"type": "text", "text": "Tool found: Read"}]
    assert out["tools"] == [{"name": "n", "input_schema": {}}]
    untold = sent({"model": "m", "output_config": {"effort": "low"}}, base_url=OTHER, forward_beta=False)
    assert json.loads(untold.body)["output_config"] == {"effort": "low"}


def test_exactly_one_credential_is_sent() -> None:
    """In the header that fits it; tokens of a sign-in bring their beta."""
    assert header(sent({"model": "m"}).headers, "authorization") is None
    bearer = sent({"model": "m"}, auth={"auth_token": "t"}).headers
    assert (header(bearer, "authorization"), header(bearer, "x-api-key")) == ("Bearer t", None)
    headers = [("anthropic-beta", "a,b")]
    oauth = sent({"model": "m"}, auth={"auth_token": "sk-ant-oat01-x"}, headers=headers).headers
    assert header(oauth, "anthropic-beta") == "a,b,oauth-2025-04-20"


@pytest.mark.parametrize(
    ("base_url", "compatible"),
    [(None, False), ("https://api.anthropic.com", False), ("https://anthropic.com.evil.example", True), (OTHER, True)],
)
def test_other_addresses_are_known(base_url: str | None, compatible: bool) -> None:
    """By their host."""
    credential = Credential(id="c", platform="anthropic", name="c", base_url=base_url)
    assert compatible is is_compatible(credential)


@pytest.mark.parametrize(
    ("message", "before", "after"),
    [
        ("context_management: Extra inputs are not permitted", {"context_management": {}}, {}),
        ("output_config.effort: Extra inputs are not permitted", {"output_config": {"effort": "low"}}, {}),
        (
            "tools.1.custom.defer_loading: Extra inputs are not permitted",
            {"tools": [{"name": "a"}, {"name": "b", "defer_loading": True}]},
            {"tools": [{"name": "a"}, {"name": "b"}]},
        ),
        (
            "messages.0.content.0.text.cache_control.ttl: Extra inputs are not permitted",
            {"messages": [{"role": "user", "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}]},
            {"messages": [{"role": "user", "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}]},
        ),
        (
            "system.0.cache_control.scope: Extra inputs are not permitted",
            {"system": [{"type": "text", "text": "a", "cache_control": {"scope": "x", "type": "ephemeral"}}]},
            {"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        ),
    ],
)  # fmt: skip
def test_a_field_that_an_address_does_not_know_goes(
    message: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Once refused, it is left out for this credential and model from then on."""
    platform = Anthropic()
    body = {"model": "m"} | before
    exchange = opened(body, base_url=OTHER, platform=platform)
    mended = exchange.mend(refusal(exchange, message))
    assert mended is not None
    assert json.loads(mended.request().body) == {"model": "m"} | after
    assert mended.mend(refusal(exchange, message)) is None
    assert json.loads(sent(body, base_url=OTHER, platform=platform).body) == {"model": "m"} | after
    assert json.loads(sent(body, base_url=OTHER, platform=platform, model="n").body) == {"model": "n"} | before


@pytest.mark.parametrize("field", ["messages", "tools.0.input_schema", "system", "messages.0.content.0.text"])
def test_what_a_request_is_about_never_goes(field: str) -> None:
    """The answer would be to something else."""
    exchange = opened({"model": "m", "messages": [USER], "system": "s"}, base_url=OTHER)
    assert exchange.mend(refusal(exchange, f"{field}: Extra inputs are not permitted")) is None


def test_anthropic_itself_is_not_mended() -> None:
    """Its words reach the client, which knows what to do."""
    exchange = opened({"model": "m", "context_management": {}})
    assert exchange.mend(refusal(exchange, "context_management: Extra inputs are not permitted")) is None


@pytest.mark.parametrize(
    "message",
    ["messages.1.content.0: Invalid `signature` in `thinking` block", "This is bound to a different conversation"],
)
def test_foreign_thinking_goes_once_after_a_move(message: str) -> None:
    """Else the client heals it."""
    thought = [{"type": "thinking", "thinking": "a", "signature": "Eabc="}, {"type": "text", "text": "x"}]
    body = {"model": "m", "messages": [USER, {"role": "assistant", "content": thought}, USER]}
    stayed, moved = opened(body), opened(body, moved=True)
    assert stayed.mend(refusal(stayed, message)) is None
    assert moved.mend(refusal(moved, "tools: bad")) is None
    mended = moved.mend(refusal(moved, message))
    assert mended is not None
    assert json.loads(mended.request().body)["messages"][1]["content"] == thought[1:]
    assert mended.mend(refusal(moved, message)) is None


@pytest.mark.parametrize(
    ("status", "message", "counts"),
    [(404, "Not Found", False), (405, "m", False), (501, "m", False), (404, "model: m", True), (429, "m", True)],
)
def test_an_address_that_does_not_count_is_not_asked_again(status: int, message: str, counts: bool) -> None:
    """The estimate serves; an unknown model is no such address."""
    platform = Anthropic()
    body = {"model": "m", "messages": [USER]}
    exchange = opened(body, base_url=OTHER, operation=COUNT_TOKENS, platform=platform)
    instead = exchange.count_instead(refusal(exchange, message, status))
    assert (instead is None) is counts
    ask = Ask(COUNT_TOKENS, MessagesRequest(json.dumps(body).encode()), (), "")
    again = platform.open(ask, Aim("m"), exchange.credential, Found())
    assert isinstance(again, CannedAnswer) is not counts
