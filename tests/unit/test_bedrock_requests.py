"""What Bedrock is sent: row by row of bedrock.md §3 and §4."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.emulators.bedrock import problems_of
from tests.fakes import a_credential
from tests.golden.test_bedrock import exchange

from ccrouter.dialects.anthropic.models import claude_model
from ccrouter.errors import InvalidRequest, RequestTooLarge
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.bedrock import Bedrock, BedrockExchange
from ccrouter.platforms.bedrock_models import bedrock_model
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, Found, Media

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
USER = [{"role": "user", "content": "hi"}]


def sent(model: str = "claude-sonnet-5-5", betas: str = "", **body: Any) -> dict[str, Any]:
    """The body that leaves for a request, checked as Bedrock checks it."""
    options = {name: body.pop(name) for name in ("found", "effort") if name in body}
    whole = {"model": model, "max_tokens": 100, "messages": USER} | body
    opened = exchange(whole, headers=[("anthropic-beta", betas)], **options)
    document: dict[str, Any] = json.loads(opened.request().body)
    assert problems_of(document, model) == []
    return document


@pytest.mark.parametrize(
    ("name", "region", "options", "model_id", "foundation", "place"),
    [
        ("claude-opus-5-5", "us-east-1", {}, "us.anthropic.claude-opus-5-5", "anthropic.claude-opus-5-5", "us"),
        ("claude-opus-5-5[1m]", "eu-west-1", {}, "eu.anthropic.claude-opus-5-5", "anthropic.claude-opus-5-5", "eu"),
        (
            "claude-opus-4-6", "ap-south-1", {},
            "apac.anthropic.claude-opus-4-6-v1", "anthropic.claude-opus-4-6-v1", "apac",
        ),
        (
            "claude-haiku-5-5", "sa-east-1", {},
            "global.anthropic.claude-haiku-5-5", "anthropic.claude-haiku-5-5", "global",
        ),
        (
            "claude-sonnet-4-5-20250929", "us-gov-west-1", {},
            "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0", "us-gov",
        ),
        (
            "anthropic.claude-haiku-4-5", "us-east-1", {"profile_prefix": "jp."},
            "jp.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-4-5-20251001-v1:0", "jp",
        ),
        (
            "global.anthropic.claude-opus-5-5", "us-east-1", {"profile_prefix": "jp."},
            "global.anthropic.claude-opus-5-5", "anthropic.claude-opus-5-5", "global",
        ),
        (
            "claude-opus-5-5", "us-east-1", {"profiles": {"claude-opus-5-5": "global."}},
            "global.anthropic.claude-opus-5-5", "anthropic.claude-opus-5-5", "global",
        ),
        (
            "claude-opus-5-5", "us-east-1", {"profiles": {"claude-opus-5-5": ARN}},
            ARN, "anthropic.claude-opus-5-5", "us-east-1",
        ),
        (
            ARN, "us-east-1", {"profiles": {"claude-opus-4-1": ARN}},
            ARN, "anthropic.claude-opus-4-1-20250805-v1:0", "us-east-1",
        ),
        (ARN, "us-gov-east-1", {}, ARN, None, "us-gov"),
        (
            "claude-x", "us-east-1", {"profiles": {"claude-x": "anthropic.claude-opus-4-20250514-v1:0"}},
            "anthropic.claude-opus-4-20250514-v1:0", "anthropic.claude-opus-4-20250514-v1:0", "us-east-1",
        ),
    ],
)  # fmt: skip
def test_names_lead_to_ids(
    name: str, region: str, options: dict[str, Any], model_id: str, foundation: str | None, place: str
) -> None:
    """Public names, bare ids, profiles and ARNs; the place decides the price."""
    found = bedrock_model(name, {"region": region, **options})
    assert (model_id, foundation, place) == (found.id, found.foundation, found.place)


def test_an_id_is_escaped_whole_in_the_address() -> None:
    """`:` and `/` too."""
    url = exchange({"model": "x", "messages": USER}, model=ARN).request().url
    assert url.endswith("/model/" + ARN.replace(":", "%3A").replace("/", "%2F") + "/invoke")


def test_a_base_url_replaces_the_host_alone() -> None:
    """VPC endpoints and FIPS; China has a domain of its own."""
    url = exchange({"model": "claude-opus-5-5", "messages": USER}, region="cn-north-1").request().url
    assert url.startswith("https://bedrock-runtime.cn-north-1.amazonaws.com.cn/model/")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("service_tier", "auto"), ("speed", "fast"), ("inference_geo", "us"), ("container", "c"), ("mcp_servers", []),
        ("diagnostics", {}), ("user_profile_id", "u"), ("fallbacks", []), ("something_new", 1),
    ],
)  # fmt: skip
def test_unknown_members_are_dropped(member: str, value: Any) -> None:
    """One of them would fail the whole request."""
    assert member not in sent(**{member: value})


def test_known_members_go_on_as_they_are() -> None:
    """Also a version that Anthropic would refuse together with sampling parameters."""
    members: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "stop_sequences": ["x"],
        "safeguards": {"a": 1},
    }
    body = sent(**members, metadata={"user_id": "u"}, tool_choice={"type": "auto"})
    assert body.items() >= members.items()
    assert body["anthropic_version"] == "bedrock-2023-05-31"


def test_betas_are_chosen_renamed_and_sorted() -> None:
    """The header's values that Bedrock knows, in the body; interleaved thinking for models that need it alone."""
    betas = "context-1m-2025-08-07, advanced-tool-use-2025-11-20,interleaved-thinking-2025-05-14,unknown-2026-01-01"
    assert sent(betas=betas)["anthropic_beta"] == ["context-1m-2025-08-07", "tool-search-tool-2025-10-19"]
    older = sent("claude-sonnet-4-5", betas)["anthropic_beta"]
    assert "interleaved-thinking-2025-05-14" in older
    assert "anthropic_beta" not in sent()


def test_tools_keep_what_their_betas_allow() -> None:
    """Field and beta go together or not at all."""
    tool = {
        "name": "t", "input_schema": {"properties": {}}, "defer_loading": True, "strict": True, "input_examples": [{}],
        "allowed_callers": ["x"], "eager_input_streaming": True,
        "cache_control": {"type": "ephemeral", "scope": "global"},
    }  # fmt: skip
    plain = sent(tools=[tool])["tools"][0]
    assert plain == {
        "name": "t", "input_schema": {"properties": {}, "type": "object"}, "strict": True,
        "cache_control": {"type": "ephemeral"},
    }  # fmt: skip
    with_betas = sent(tools=[tool], betas="advanced-tool-use-2025-11-20,fine-grained-tool-streaming-2025-05-14")
    assert set(with_betas["tools"][0]) == set(tool) - {"allowed_callers"}
    assert "tool-examples-2025-10-29" in with_betas["anthropic_beta"]
    assert "strict" not in sent("claude-opus-4-1", tools=[tool])["tools"][0]


@pytest.mark.parametrize("kind", ["web_search_20250305", "web_fetch_20250910", "code_execution_20250522", "mcp_toolset",
                                  "advisor_20260301", "tool_search_tool_regex_20251119"])  # fmt: skip
def test_tools_that_the_platform_would_have_to_run_are_refused(kind: str) -> None:
    """Naming the tool and the platform."""
    with pytest.raises(InvalidRequest, match=rf"^tools\.0: the tool t \({kind}\) cannot be run on Bedrock"):
        sent(tools=[{"type": kind, "name": "t"}])


def test_tools_that_the_client_runs_go_on() -> None:
    """Bash, editor, computer and memory; and the search among the client's own tools."""
    tools = [{"type": "bash_20250124", "name": "bash"}, {"type": "memory_20250818", "name": "memory"}]
    assert sent(tools=tools)["tools"] == tools


@pytest.mark.parametrize(
    ("model", "asked", "effort"),
    [
        ("claude-opus-5-5", "xhigh", "xhigh"), ("claude-opus-4-6", "xhigh", "max"), ("claude-opus-4-5", "max", "high"),
        ("claude-opus-4-5", "low", "low"), ("claude-sonnet-4-5", "low", None), ("claude-haiku-4-5", "high", None),
    ],
)  # fmt: skip
def test_effort_is_one_that_the_model_knows(model: str, asked: str, effort: str | None) -> None:
    """Else the nearest, or none; the first model that knew it wants its beta."""
    body = sent(model, "effort-2025-11-24", output_config={"effort": asked, "task_budget": {}})
    assert effort == body.get("output_config", {}).get("effort")
    assert ("effort-2025-11-24" in body.get("anthropic_beta", [])) is (effort is not None)


def test_the_mappings_effort_wins() -> None:
    """Over the request's and over that of single messages."""
    messages = [*USER, {"role": "system", "content": "x", "output_config": {"effort": "high"}}]
    betas = "mid-conversation-output-config-2026-07-01"
    body = sent("claude-opus-5-5", betas, messages=messages, output_config={"effort": "max"}, effort="low")
    assert (body["output_config"], body["messages"][1]["output_config"]) == ({"effort": "low"}, {"effort": "low"})
    assert sent("claude-opus-4-5", effort="low")["anthropic_beta"] == ["effort-2025-11-24"]


def test_structured_output_is_held_or_asked_for() -> None:
    """By schema where the model can be held to one, in words where not."""
    wanted = {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    assert sent(output_config={"format": wanted})["output_config"] == {"format": wanted}
    assert sent(output_format=wanted)["output_config"] == {"format": wanted}
    older = sent("claude-opus-4-1", output_config={"format": wanted})
    assert "output_config" not in older
    assert '"properties":{"a"' in older["messages"][0]["content"][1]["text"]


def test_context_management_goes_with_its_beta() -> None:
    """And clearing thinking only where there is thinking."""
    clear = {"type": "clear_thinking_20251015", "keep": "all"}
    uses = {"type": "clear_tool_uses_20250919"}
    beta = "context-management-2025-06-27"
    managed: dict[str, Any] = {"context_management": {"edits": [clear, uses]}}
    assert "context_management" not in sent(**managed)
    assert sent(betas=beta, **managed)["context_management"] == {"edits": [uses]}
    assert sent(betas=beta, thinking={"type": "adaptive"}, **managed)["context_management"] == {"edits": [clear, uses]}
    nothing = sent(betas=beta, context_management={"edits": [clear]}, thinking={"type": "disabled"})
    assert {"context_management", "anthropic_beta"} & set(nothing) == set()


def test_cache_control_keeps_what_the_model_knows() -> None:
    """Type always, ttl from 4.5 on, scope never; the automatic breakpoint stands on the last block."""
    control = {"type": "ephemeral", "ttl": "1h", "scope": "global"}
    system = [{"type": "text", "text": "a", "cache_control": control}]
    messages = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
        {"type": "text", "text": "b", "cache_control": control}]}]}]  # fmt: skip
    body = sent(system=system, messages=messages)
    assert body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert body["messages"][0]["content"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert sent("claude-opus-4-1", system=system)["system"][0]["cache_control"] == {"type": "ephemeral"}
    automatic = sent(cache_control={"type": "ephemeral"})
    assert automatic["messages"][0]["content"] == [
        {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    ]


def test_blocks_that_claude_would_refuse_are_left_out() -> None:
    """Our carriers, unsigned thinking, empty texts, and messages that consist of nothing else."""
    messages = [
        *USER,
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "x", "signature": "px1:gemini:abc"},
            {"type": "thinking", "thinking": "x", "signature": ""},
            {"type": "redacted_thinking", "data": "px1:kiror:abc"},
            {"type": "thinking", "thinking": "", "signature": "EpACreal=="},
            {"type": "text", "text": ""},
            {"type": "text", "text": "y"},
        ]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": "px1:oaic:"}]},
        *USER,
    ]  # fmt: skip
    kept = sent(messages=messages)["messages"]
    assert [[block["type"] for block in message["content"]] for message in kept[1:-1]] == [["thinking", "text"]]


def test_urls_are_brought_inside() -> None:
    """Images, PDFs and texts; what is neither is refused by its place."""

    def source(url: str) -> dict[str, Any]:
        return {"type": "url", "url": url}

    blocks: list[dict[str, Any]] = [
        {"type": "image", "source": source("https://a/i")},
        {"type": "document", "source": source("https://a/d"), "title": "t"},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document", "source": source("https://a/t")}]},
    ]
    messages = [{"role": "user", "content": blocks}]
    request = MessagesRequest(json.dumps({"model": "m", "messages": messages}).encode())
    needs = Bedrock().needs(Ask(MESSAGES, request, (), ""), Aim("m"), a_credential())
    assert needs.urls == ("https://a/i", "https://a/d", "https://a/t")
    media = {
        "https://a/i": Media("image/png", b"\x89PNG"),
        "https://a/d": Media("application/pdf", b"%PDF"),
        "https://a/t": Media("text/plain; charset=utf-8", "ä".encode()),
    }
    content = sent(messages=messages, found=Found(media=media))["messages"][0]["content"]
    png = base64.b64encode(b"\x89PNG").decode()
    assert content[0]["source"] == {"type": "base64", "media_type": "image/png", "data": png}
    assert (content[1]["source"]["media_type"], content[1]["title"]) == ("application/pdf", "t")
    assert content[2]["content"][0]["source"] == {"type": "text", "media_type": "text/plain", "data": "ä"}
    with pytest.raises(InvalidRequest, match=r"^messages\.0\.content\.0: what stands behind the URL is text/html"):
        sent(messages=messages, found=Found(media={**media, "https://a/i": Media("text/html", b"")}))


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "file sources are not supported on Bedrock"),
        ({"type": "document", "source": {"type": "url", "url": "https://a"}}, "url sources are not supported"),
        ({"type": "container_upload", "file_id": "f"}, "files are not supported on Bedrock"),
    ],
)
def test_what_bedrock_has_not_is_refused(block: dict[str, Any], words: str) -> None:
    """Never left out in silence."""
    with pytest.raises(InvalidRequest, match=rf"^messages\.0\.content\.1: {words}"):
        sent(messages=[{"role": "user", "content": [{"type": "text", "text": "a"}, block]}])


def test_system_messages_are_heard_or_told_otherwise() -> None:
    """Leading ones join the system prompt, later ones are said by the user, after results that must come first."""
    note = {"type": "text", "text": "note", "cache_control": {"type": "ephemeral"}}
    call = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "r"}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "first"},
        *USER,
        {"role": "system", "content": [note], "output_config": {"effort": "low"}},
        {"role": "assistant", "content": [call]},
        {"role": "system", "content": "between"},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": "ok"},
        {"role": "system", "content": "last"},
    ]
    body = sent(messages=messages, system="sys")
    assert body["system"] == [{"type": "text", "text": "sys"}, {"type": "text", "text": "first"}]
    tagged = [
        {"role": "user", "content": [{"type": "text", "text": f"<system>{text}</system>"}]}
        for text in ("between", "last")
    ]
    assert body["messages"] == [
        *USER,
        {"role": "user", "content": [note | {"text": "<system>note</system>"}]},
        messages[3], messages[5], tagged[0], messages[6], tagged[1],
    ]  # fmt: skip
    heard = sent("claude-opus-5-5", messages=messages[1:], system="sys")
    assert [message["role"] for message in heard["messages"]] == [message["role"] for message in messages[1:]]
    assert "output_config" not in heard["messages"][1]
    tools = [*USER, {"role": "system", "content": [{"type": "tool_addition", "tool": {}}]}]
    for model in ("claude-sonnet-5-5", "claude-opus-5-5"):
        with pytest.raises(InvalidRequest, match=r"^messages\.1\.content\.0: "):
            sent(model, messages=tools)


def test_everything_else_keeps_its_bytes() -> None:
    """Number formats, escapes and order inside messages and tools: caches and signatures depend on them."""
    kept = b'[{"role":"user","content":[{"type":"text" , "text":"\\u00e4\\/ 1.0"}]},{"role":"assistant","content":"x"}]'
    body = (
        b'{"model":"claude-sonnet-5-5","max_tokens":1,"speed":"fast","messages":' + kept
        + b',"tools":[{"name":"t","input_schema":{"type" : "object","x":1.50}}]}'
    )  # fmt: skip
    credential = exchange({"model": "m", "messages": []})._credential
    opened = Bedrock().open(Ask(MESSAGES, MessagesRequest(body), (), ""), Aim("claude-sonnet-5-5"), credential, Found())
    assert isinstance(opened, BedrockExchange)
    out = opened.request().body
    assert kept in out
    assert b'{"type" : "object","x":1.50}' in out


def test_a_body_beyond_bedrocks_limit_is_refused_here() -> None:
    """With the type that Anthropic's own refusal carries."""
    with pytest.raises(RequestTooLarge):
        sent(messages=[{"role": "user", "content": "x" * (20 * 1024 * 1024)}])


def test_options_are_headers_of_invocations() -> None:
    """Not of counts, which know none of them."""
    options: dict[str, Any] = {
        "service_tier": "flex", "latency": "optimized", "guardrail": "g", "guardrail_version": "1", "trace": "ENABLED",
        "request_metadata": {"team": "a"},
    }  # fmt: skip
    body = {"model": "claude-opus-5-5", "messages": USER}
    headers = dict(exchange(body, **options).request().headers)
    assert headers["x-amzn-bedrock-service-tier"] == "flex"
    assert headers["x-amzn-bedrock-request-metadata"] == '{"team":"a"}'
    assert headers["x-amzn-bedrock-guardrailversion"] == "1"
    counting = dict(exchange(body, operation=COUNT_TOKENS, **options).request().headers)
    assert not any(name.startswith("x-amzn-bedrock") for name in counting)


def test_a_count_is_asked_of_the_foundation_model() -> None:
    """With a whole body inside, and the answer under Anthropic's name."""
    opened = exchange({"model": "eu.anthropic.claude-opus-5-5", "messages": USER}, operation=COUNT_TOKENS)
    asked = opened.request()
    assert asked.url.endswith("/model/anthropic.claude-opus-5-5/count-tokens")
    inner = json.loads(base64.b64decode(json.loads(asked.body)["input"]["invokeModel"]["body"]))
    assert inner == {"anthropic_version": "bedrock-2023-05-31", "messages": USER, "max_tokens": 1}
    assert opened.read_whole(b'{"inputTokens":7}').body == b'{"input_tokens":7}'


TEXTS = st.text(max_size=10)
BLOCKS = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}),
    st.fixed_dictionaries(
        {"type": st.just("thinking"), "thinking": TEXTS, "signature": st.sampled_from(["", "px1:kiro:x", "Eabc=="])}
    ),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": st.sampled_from(["px1:kiror:x", "real"])}),
    st.fixed_dictionaries(
        {"type": st.just("tool_result"), "tool_use_id": TEXTS, "content": st.just([{"type": "text", "text": ""}])}
    ),
)
MESSAGES_OF = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant"]),
            "content": st.lists(BLOCKS, min_size=1, max_size=4) | TEXTS.filter(bool),
        }
    )
    | st.fixed_dictionaries(
        {"role": st.just("system"), "content": TEXTS.filter(bool)},
        optional={"output_config": st.just({"effort": "low"}), "clear_at": st.just("never")},
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(
    model=st.sampled_from(["claude-opus-5-5", "claude-sonnet-5", "claude-sonnet-4-5", "claude-opus-4-1"]),
    messages=MESSAGES_OF,
    betas=st.sampled_from(["", "context-management-2025-06-27,per-turn-control-2026-07-01", "effort-2025-11-24"]),
)
def test_whatever_a_conversation_holds_bedrock_takes_it(model: str, messages: list[Any], betas: str) -> None:
    """Nothing that it would refuse is left, and what a person or the model said is."""
    body = sent(model, betas, messages=messages)
    said = json.dumps(body, ensure_ascii=False)
    for message in messages:
        for block in message["content"] if isinstance(message["content"], list) else ():
            assert json.dumps(block.get("text", ""), ensure_ascii=False)[1:-1] in said


def test_versions_are_read_from_any_name() -> None:
    """Of Anthropic, Bedrock and Vertex, old and new."""
    names = {
        "claude-3-7-sonnet-20250219": ("sonnet", (3, 7)),
        "us.anthropic.claude-sonnet-4-20250514-v1:0": ("sonnet", (4, 0)),
        "claude-opus-4-1@20250805": ("opus", (4, 1)),
        "claude-opus-5-5[1m]": ("opus", (5, 5)),
        "anthropic.claude-opus-4-6-v1": ("opus", (4, 6)),
        "claude-fable-5": ("fable", (5, 0)),
        "claude-3-haiku-20240307": ("haiku", (3, 0)),
        ARN: ("", (99, 0)),
    }
    assert names == {name: (claude_model(name).line, claude_model(name).version) for name in names}
