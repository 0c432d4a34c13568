"""What is sent to addresses that speak OpenAI's API, beyond the fixtures: vendors, efforts, tools, media, reasoning."""

import json
from typing import Any

import pytest
from tests.emulators.openai_rules import chat_problems, responses_problems
from tests.golden.test_openai import a_credential, opened

from ccrouter.credentials.kinds import Credential
from ccrouter.dialects.openai.models import clamped, efforts_of, needs_responses
from ccrouter.dialects.openai.schema import object_schema, strict_schema
from ccrouter.dialects.openai.vendors import vendor_for, vendors
from ccrouter.errors import InvalidRequest
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, NOTHING, Aim, Ask, CannedAnswer, Exchange, Found, Media
from ccrouter.platforms.openai import OpenAi

PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
ADD = {"name": "add", "input_schema": {"type": "object", "properties": {"a": {"type": "number"}}}}
THINKS: dict[str, Any] = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}


def user(*blocks: Any) -> dict[str, Any]:
    """A user message."""
    return {"role": "user", "content": list(blocks)}


def text(words: str, **more: Any) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": words, **more}


def sent(vendor: str = "openai", model: str = "gpt-4.1", found: Found | None = None, **body: Any) -> dict[str, Any]:
    """The body that leaves; it must be one that the vendor's emulator takes."""
    document = {"model": model, "max_tokens": 100, "messages": [user(text("hi"))], **body}
    request = opened(document, vendor, found=found).request()
    made: dict[str, Any] = json.loads(request.body)
    problems = responses_problems(made) if request.url.endswith("/responses") else chat_problems(made, vendor)
    assert problems == []
    return made


@pytest.mark.parametrize(
    ("base_url", "vendor"),
    [
        (None, "openai"),
        ("https://api.openai.com/v1", "openai"),
        ("https://mine.openai.azure.com/openai/v1", "azure"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://api.moonshot.cn/v1", "moonshot"),
        ("https://open.bigmodel.cn/api/paas/v4", "zai"),
        ("http://10.0.0.7:11434/v1", "ollama"),
        ("https://evil-openrouter.ai.example/v1", "generic"),
    ],
)
def test_an_address_shows_its_vendor(base_url: str | None, vendor: str) -> None:
    """Where the credential names none; what nobody knows gets the most careful row."""
    assert vendor == vendor_for(None, base_url).name


def test_every_row_says_where_it_is_from() -> None:
    """With a date, and no host twice."""
    rows = vendors().values()
    assert all("checked 2026-" in row.source for row in rows)
    hosts = [host for row in rows for host in row.hosts]
    assert len(set(hosts)) == len(hosts)


def test_an_unknown_vendor_is_named() -> None:
    """An administrator must act, and is told how."""
    with pytest.raises(InvalidRequest, match="the vendor acme"):
        opened({"model": "m", "max_tokens": 1, "messages": [user(text("hi"))]}, "acme")


def url_of(credential: Credential, model: str = "gpt-4.1") -> tuple[str, dict[str, str]]:
    """Address and headers of a request with this credential."""
    request = MessagesRequest(json.dumps({"model": "m", "max_tokens": 9, "messages": [user(text("hi"))]}).encode())
    exchange = OpenAi().open(Ask(MESSAGES, request, (), ""), Aim(model), credential, Found())
    assert not isinstance(exchange, CannedAnswer)
    sent_request = exchange.request()
    return sent_request.url, dict(sent_request.headers)


def test_addresses_and_keys_are_each_vendors_own() -> None:
    """Azure's key has a header of its own, unless it is a token; old Azure addresses keep their version."""

    def made(base_url: str | None, key: str | None, **options: Any) -> tuple[str, dict[str, str]]:
        auth = {} if key is None else {"api_key": key}
        return url_of(Credential(id="c", platform="openai", name="n", base_url=base_url, auth=auth, options=options))

    url, headers = made(None, "k", organization="org", project="prj")
    assert url == "https://api.openai.com/v1/chat/completions"
    assert (headers["authorization"], headers["openai-organization"], headers["openai-project"]) == (
        "Bearer k",
        "org",
        "prj",
    )
    azure = "https://r.openai.azure.com/openai"
    url, headers = made(f"{azure}/v1/", "k")
    assert (url, headers["api-key"]) == (f"{azure}/v1/chat/completions", "k")
    assert "authorization" not in headers
    assert made(f"{azure}/v1", "eyJhbGciOi.x.y")[1]["authorization"] == "Bearer eyJhbGciOi.x.y"
    old = f"{azure}/deployments/mine"
    assert made(old, "k")[0] == f"{old}/chat/completions?api-version=2024-10-21"
    assert made(f"{old}?api-version=2025-01-01", "k")[0] == f"{old}/chat/completions?api-version=2025-01-01"
    url, headers = made(None, "k", vendor="openrouter", title="Team", referer="https://a.example")
    assert (url, headers["x-title"]) == ("https://openrouter.ai/api/v1/chat/completions", "Team")
    assert "authorization" not in made("http://127.0.0.1:11434/v1", None)[1]


@pytest.mark.parametrize(
    ("model", "responses"),
    [
        ("gpt-4.1", False), ("gpt-5", False), ("gpt-5.1", False), ("gpt-5.4-mini", True), ("gpt-6.1-sol", True),
        ("o3", True), ("gpt-5.3-codex", True), ("gpt-5-pro", True), ("gpt-oss-120b", False),
    ],
)  # fmt: skip
def test_models_that_need_responses_are_known_by_name(model: str, responses: bool) -> None:
    """Only with OpenAI and Azure, and unless the credential says otherwise."""
    assert responses == needs_responses(model)
    document = {"model": model, "max_tokens": 100, "messages": [user(text("hi"))]}

    def asks_responses(vendor: str, wire: str = "auto") -> bool:
        return opened(document, vendor, wire).request().url.endswith("/responses")

    assert responses == asks_responses("openai")
    assert responses == asks_responses("azure")
    assert not asks_responses("openrouter")
    assert not asks_responses("openai", "chat")
    assert asks_responses("generic", "responses")


@pytest.mark.parametrize(
    ("model", "wanted", "effort"),
    [
        ("gpt-5", "none", "minimal"), ("gpt-5", "max", "high"), ("gpt-5.1", "xhigh", "high"),
        ("gpt-5.1", "none", "none"),
        ("gpt-5.2", "xhigh", "xhigh"), ("gpt-5.6-luna", "minimal", "low"), ("gpt-5.6-luna", "max", "max"),
        ("gpt-6-astra", "none", "low"), ("gpt-6.1-sol", "max", "max"), ("gpt-6.1-terra", "none", "none"),
        ("o3", "max", "high"), ("openai/gpt-oss-20b", "none", "low"), ("gpt-4.1", "high", None),
        ("gpt-6.1-sol", "heroic", None),
    ],
)  # fmt: skip
def test_an_effort_is_one_that_the_model_knows(model: str, wanted: str, effort: str | None) -> None:
    """The nearest lower, else the nearest higher."""
    assert effort == clamped(wanted, efforts_of(model))


@pytest.mark.parametrize(
    ("vendor", "model", "thinking", "expected"),
    [
        ("openai", "gpt-5", {"type": "enabled", "budget_tokens": 1024}, {"reasoning_effort": "low"}),
        ("openai", "gpt-5", {"type": "enabled", "budget_tokens": 8192}, {"reasoning_effort": "medium"}),
        ("openai", "gpt-5", {"type": "enabled", "budget_tokens": 30000}, {"reasoning_effort": "high"}),
        ("openai", "gpt-5", {"type": "disabled"}, {"reasoning_effort": "minimal"}),
        ("openai", "gpt-5", {"type": "adaptive"}, {}),
        ("openai", "gpt-4.1", {"type": "adaptive"}, {}),
        ("openai", "gpt-6.1-sol", {"type": "adaptive"}, {"reasoning": {"summary": "auto"}}),
        ("openai", "gpt-6.1-sol", {"type": "adaptive", "display": "omitted"}, {}),
        ("openai", "gpt-6.1-sol", {"type": "disabled"}, {"reasoning": {"effort": "low"}}),
        ("deepseek", "deepseek-v4-pro", {"type": "adaptive"}, {"thinking": {"type": "enabled"}}),
        ("deepseek", "deepseek-v4-pro", {"type": "disabled"}, {"thinking": {"type": "disabled"}}),
        (
            "deepseek",
            "deepseek-v4-pro",
            {"type": "enabled", "budget_tokens": 9000},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
        ),
        ("zai", "glm-5.3", {"type": "enabled", "budget_tokens": 9000}, {"thinking": {"type": "enabled"}}),
        ("openrouter", "x/y", {"type": "enabled", "budget_tokens": 9000}, {"reasoning": {"max_tokens": 9000}}),
        ("openrouter", "x/y", {"type": "adaptive"}, {"reasoning": {"enabled": True}}),
        ("openrouter", "x/y", {"type": "disabled"}, {"reasoning": {"enabled": False}}),
        ("vllm", "qwen3", {"type": "adaptive"}, {"chat_template_kwargs": {"enable_thinking": True}}),
        ("generic", "m", {"type": "adaptive"}, {}),
        ("openai", "gpt-5", None, {}),
    ],
)
def test_thinking_is_asked_for_in_the_vendors_words(
    vendor: str, model: str, thinking: Any, expected: dict[str, Any]
) -> None:
    """And not at all where nothing was said."""
    names = {"reasoning_effort", "reasoning", "thinking", "chat_template_kwargs"}
    body = json.loads(
        opened({"model": model, "max_tokens": 99, "messages": [user(text("hi"))], "thinking": thinking}, vendor)
        .request()
        .body
    )
    assert expected == {name: value for name, value in body.items() if name in names}


def test_the_mappings_effort_wins_and_a_turns_own_is_heard() -> None:
    """Also without a word of the client's; a system message holds for its turn."""
    document = {"model": "m", "max_tokens": 9, "messages": [user(text("hi"))], "thinking": {"type": "disabled"}}
    request = MessagesRequest(json.dumps(document).encode())
    exchange = OpenAi().open(Ask(MESSAGES, request, (), ""), Aim("gpt-5", "high"), a_credential("openai"), Found())
    assert not isinstance(exchange, CannedAnswer)
    assert json.loads(exchange.request().body)["reasoning_effort"] == "high"
    turn = {"role": "system", "content": "Think.", "output_config": {"effort": "low"}}
    body = sent(model="gpt-5", messages=[user(text("hi")), turn], **THINKS)
    assert body["reasoning_effort"] == "low"


def test_sampling_goes_where_it_is_taken() -> None:
    """Reasoning models of OpenAI take none, unless they do not reason."""
    knobs: dict[str, Any] = {"temperature": 0.2, "top_p": 0.9, "top_k": 4, "stop_sequences": ["a", "b", "c", "d", "e"]}
    body = sent(**knobs)
    assert (body["temperature"], body["top_p"], body["stop"]) == (0.2, 0.9, ["a", "b", "c", "d"])
    assert "top_k" not in body
    assert sent("vllm", "glm", **knobs)["top_k"] == 4
    assert {"temperature", "top_p", "stop"}.isdisjoint(sent(model="gpt-5", **knobs))
    still = sent(model="gpt-5.1", **knobs, thinking={"type": "disabled"})
    assert (still["reasoning_effort"], still["temperature"]) == ("none", 0.2)


def test_a_users_id_leaves_only_as_a_hash() -> None:
    """Where the vendor takes one."""
    metadata = {"user_id": "person@example.org"}
    assert len(sent(metadata=metadata)["safety_identifier"]) == 64
    assert len(sent("openrouter", "x/y", metadata=metadata)["user"]) == 64
    for vendor in ("openai", "openrouter", "deepseek", "vllm"):
        assert "person@" not in json.dumps(sent(vendor, metadata=metadata))


def test_system_messages_are_heard_in_their_place() -> None:
    """As a developer's where that exists, else inside the user's; the attribution line stays here."""
    messages = [
        user(text("hi")),
        {"role": "assistant", "content": "Yes?"},
        user(text("go")),
        {"role": "system", "content": "Now."},
    ]
    system = [text("x-anthropic-billing-header: cc_version=2"), text("A"), text("B")]
    own = sent(system=system, messages=messages)["messages"]
    assert own[0] == {"role": "developer", "content": "A\n\nB"}
    assert own[-1] == {"role": "developer", "content": "Now."}
    others = sent("deepseek", "d", system=system, messages=messages)["messages"]
    assert others[0]["role"] == "system"
    assert others[-1] == {"role": "user", "content": "go\n\n<system>Now.</system>"}
    items = sent(model="gpt-6.1-sol", system=system, messages=messages)
    assert items["instructions"] == "A\n\nB"
    assert items["input"][-1]["role"] == "developer"


def test_results_follow_their_calls_in_the_calls_order() -> None:
    """Whatever order the client has, and with a word for what is missing."""
    calls = [{"type": "tool_use", "id": f"c{number}", "name": "add", "input": {}} for number in range(3)]
    results = [
        {"type": "tool_result", "tool_use_id": "c2", "content": []},
        {"type": "tool_result", "tool_use_id": "c0", "content": "x", "is_error": True},
    ]
    messages = [user(text("hi")), {"role": "assistant", "content": calls}, user(*results, text("more"))]
    got = sent(messages=messages, tools=[ADD])["messages"][2:]
    expected = [("c0", "[tool error]\nx"), ("c1", "(no result was provided)"), ("c2", "(no output)")]
    assert expected == [(message["tool_call_id"], message["content"]) for message in got[:3]]
    assert got[3:] == [{"role": "user", "content": "more"}]
    items = sent(model="gpt-6.1-sol", messages=messages, tools=[ADD])["input"][4:]
    assert expected == [(item["call_id"], item["output"]) for item in items[:3]]
    unanswered = messages[:2]
    assert [message["role"] for message in sent(messages=unanswered, tools=[ADD])["messages"][2:]] == ["tool"] * 3
    assert sent("ollama", "q", messages=messages, tools=[ADD])["messages"][1]["content"] == ""
    assert sent(messages=messages, tools=[ADD])["messages"][1]["content"] is None


def test_names_and_ids_that_are_not_admitted_are_mapped_and_back() -> None:
    """The same every time, so that caches hold; the answer has the client's name again."""
    long = "mcp__server__" + "x" * 80
    tool = {"name": long, "input_schema": {"type": "object", "properties": {}}}
    call = {"type": "tool_use", "id": "weird:id", "name": long, "input": {}}
    result = {"type": "tool_result", "tool_use_id": "weird:id", "content": "ok"}
    body: dict[str, Any] = {
        "messages": [user(text("hi")), {"role": "assistant", "content": [call]}, user(result)],
        "tools": [tool],
        "tool_choice": {"type": "tool", "name": long},
    }
    made = sent(**body)
    name = made["tools"][0]["function"]["name"]
    assert len(name) == 64
    assert name == made["tool_choice"]["function"]["name"] == made["messages"][1]["tool_calls"][0]["function"]["name"]
    assert made["messages"][1]["tool_calls"][0]["id"] == made["messages"][2]["tool_call_id"]
    assert made["messages"][2]["tool_call_id"].startswith("call_")
    exchange = opened({"model": "gpt-4.1", "max_tokens": 9, **body})
    function = {"name": name, "arguments": "{}"}
    message = {"tool_calls": [{"id": "c", "type": "function", "function": function}]}
    answer = {"id": "i", "model": "m", "choices": [{"message": message, "finish_reason": "tool_calls"}]}
    assert json.loads(exchange.read_whole(json.dumps(answer).encode()).body)["content"][0]["name"] == long
    short = json.loads(opened({"model": "m", "max_tokens": 9, **body}, "mistral").request().body)
    assert len(short["messages"][2]["tool_call_id"]) == 9


def test_schemas_have_an_object_at_their_root() -> None:
    """Unions there are merged; strict ones are closed all the way down, and only where that is known."""
    union = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "anyOf": [
            {"$ref": "#/$defs/one"},
            {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]},
        ],
        "$defs": {"one": {"type": "object", "properties": {"b": {"type": "string"}, "a": {}}, "required": ["a", "b"]}},
    }
    merged = object_schema(union)
    assert (merged["type"], sorted(merged["properties"]), merged["required"]) == ("object", ["a", "b"], ["b"])
    assert {"anyOf", "$schema"}.isdisjoint(merged)
    assert object_schema({"type": "object"}) == {"type": "object", "properties": {}}
    nested = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"b": {}}}}},
    }
    closed = strict_schema(nested)
    assert (closed["required"], closed["additionalProperties"]) == (["a"], False)
    assert closed["properties"]["a"]["items"]["required"] == ["b"]
    tool = {"name": "t", "input_schema": nested, "strict": True}
    assert sent(tools=[tool])["tools"][0]["function"]["parameters"]["additionalProperties"] is False
    assert "strict" not in sent("deepseek", "d", tools=[tool])["tools"][0]["function"]
    wanted = {"format": {"type": "json_schema", "schema": nested}}
    assert sent(output_config=wanted)["response_format"]["json_schema"]["schema"]["required"] == ["a"]
    assert sent(model="gpt-6.1-sol", output_config=wanted)["text"]["format"]["strict"] is True


@pytest.mark.parametrize(
    ("choice", "vendor", "expected"),
    [
        ({"type": "auto"}, "openai", "auto"),
        ({"type": "any"}, "openai", "required"),
        ({"type": "none"}, "openai", "none"),
        ({"type": "tool", "name": "add"}, "openai", {"type": "function", "function": {"name": "add"}}),
        ({"type": "any"}, "deepseek", "auto"),
        (None, "openai", None),
    ],
)
def test_a_choice_is_said_in_the_dialects_words(choice: Any, vendor: str, expected: Any) -> None:
    """A model that thinks may refuse to be forced; without tools nothing is said."""
    assert expected == sent(vendor, tools=[ADD], tool_choice=choice).get("tool_choice")
    assert "tool_choice" not in sent(vendor, tool_choice=choice)


def test_tools_that_nobody_here_runs_are_refused() -> None:
    """Those that the client runs get their published schema."""
    with pytest.raises(InvalidRequest, match=r"tools\.0.*web_search_20250305.*openai"):
        sent(tools=[{"type": "web_search_20250305", "name": "web_search"}])
    bash = sent(tools=[{"type": "bash_20250124", "name": "bash"}])["tools"][0]["function"]
    assert "command" in bash["parameters"]["properties"]


def test_documents_become_text_or_files() -> None:
    """A PDF only where files are taken; elsewhere it is refused by its place."""
    note = {"type": "document", "source": {"type": "text", "data": "words"}, "title": 'A "b"', "context": "c"}
    made = sent(messages=[user(note)])["messages"][0]["content"]
    assert made == '<document title="A &quot;b&quot;">\nc\n\nwords\n</document>'
    pdf = {"type": "document", "source": PDF, "title": "Plan"}
    part = sent(messages=[user(pdf)])["messages"][0]["content"][0]
    assert part["file"] == {"filename": "Plan.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}
    item = sent(model="gpt-6.1-sol", messages=[user(pdf)])["input"][0]["content"][0]
    assert (item["type"], item["filename"]) == ("input_file", "Plan.pdf")
    with pytest.raises(InvalidRequest, match=r"messages\.0\.content\.0\.source.*deepseek"):
        sent("deepseek", messages=[user(pdf)])
    with pytest.raises(InvalidRequest, match=r"messages\.0\.content\.0\.source: file cannot be sent"):
        sent(messages=[user({"type": "image", "source": {"type": "file", "file_id": "f"}})])
    hit = {"type": "search_result", "title": "T", "source": "https://a", "content": [text("x")]}
    assert sent(messages=[user(hit)])["messages"][0]["content"].startswith('<document title="T" source="https://a">')


def test_urls_are_fetched_where_the_server_does_not() -> None:
    """Images for servers of one's own, documents for all."""
    image = {"type": "image", "source": {"type": "url", "url": "https://a/i.png"}}
    document = {"type": "document", "source": {"type": "url", "url": "https://a/d.pdf"}}

    def needs(vendor: str, *blocks: Any) -> tuple[str, ...]:
        body = json.dumps({"model": "m", "messages": [user(*blocks)]}).encode()
        return OpenAi().needs(Ask(MESSAGES, MessagesRequest(body), (), ""), Aim("m"), a_credential(vendor)).urls

    assert needs("openai", image) == ()
    assert needs("vllm", image) == ("https://a/i.png",)
    assert needs("openai", image, document) == ("https://a/d.pdf",)
    found = Found(media={"https://a/i.png": Media("image/png", b"\x89PNG")})
    part = sent("vllm", "glm", found, messages=[user(image)])["messages"][0]["content"][0]
    assert part["image_url"]["url"] == "data:image/png;base64,iVBORw=="
    plain = Found(media={"https://a/d.pdf": Media("text/plain; charset=utf-8", "ä".encode())})
    assert "ä" in sent("vllm", "glm", plain, messages=[user(document)])["messages"][0]["content"]


def test_a_model_without_vision_is_told_what_is_missing() -> None:
    """The credential says that it has none."""
    document = {"model": "m", "max_tokens": 9, "messages": [user({"type": "image", "source": PNG})]}
    body = json.loads(opened(document, "generic", vision=False).request().body)
    assert body["messages"][0]["content"] == "[image omitted: model has no vision]"


def test_cache_marks_are_kept_where_they_mean_something() -> None:
    """OpenRouter takes Anthropic's own, OpenAI its breakpoints, at most four."""
    mark = {"cache_control": {"type": "ephemeral"}}
    blocks = [text(str(number), **mark) for number in range(6)]
    parts = sent("openrouter", "x/y", messages=[user(*blocks)])["messages"][0]["content"]
    assert [part["cache_control"] for part in parts] == [{"type": "ephemeral"}] * 6
    items = sent(model="gpt-6.1-sol", messages=[user(*blocks)])["input"][0]["content"]
    assert [("prompt_cache_breakpoint" in item) for item in items] == [False, False, True, True, True, True]
    assert sent("deepseek", messages=[user(text("a", **mark))])["messages"][0]["content"] == "a"
    assert sent(model="gpt-5.1", messages=[user(text("a", **mark))])["messages"][0]["content"] == "a"


def test_an_answer_that_was_begun_is_continued_by_few() -> None:
    """Others would take it for a finished one."""
    messages = [user(text("hi")), {"role": "assistant", "content": "{"}]
    assert sent("vllm", "glm", messages=messages)["continue_final_message"] is True
    document = {"model": "m", "max_tokens": 9, "messages": messages}
    assert json.loads(opened(document, "mistral").request().body)["messages"][-1]["prefix"] is True
    for model in ("gpt-4.1", "gpt-6.1-sol"):
        with pytest.raises(InvalidRequest, match="must end with a user message"):
            sent(model=model, messages=messages)


@pytest.mark.parametrize(
    ("messages", "place"),
    [
        ([], "messages"),
        ([{"role": "tool", "content": "x"}], r"messages\.0\.role"),
        ([user({"type": "container_upload", "file_id": "f"})], r"messages\.0\.content\.0: container_upload"),
        ([user({"type": "tool_result", "tool_use_id": "x"})], r"messages\.0\.content\.0\.tool_use_id"),
        ([user({"type": "text"})], r"messages\.0\.content\.0\.text"),
    ],
)
def test_what_cannot_be_sent_is_named(messages: Any, place: str) -> None:
    """Never dropped in silence."""
    with pytest.raises(InvalidRequest, match=place):
        sent(messages=messages)


def thinking(signature: str, words: str = "Hm.") -> dict[str, Any]:
    """A thinking block."""
    return {"type": "thinking", "thinking": words, "signature": signature}


def history(*blocks: Any) -> list[dict[str, Any]]:
    """A call with what was thought before it, and its result."""
    call = {"type": "tool_use", "id": "c1", "name": "add", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "42"}
    return [user(text("hi")), {"role": "assistant", "content": [*blocks, call]}, user(result)]


def test_reasoning_goes_back_to_its_own_dialect_only() -> None:
    """Carriers of others, and signatures of Claude, are left out."""
    for signature in ("px1:gemini:abc", "ErUBClaude", "px1:kiro:x"):
        body = json.dumps(sent("deepseek", messages=history(thinking(signature, "secret")), tools=[ADD]))
        assert "secret" not in body
        assert "secret" not in json.dumps(sent(model="gpt-6.1-sol", messages=history(thinking(signature, "secret"))))
    own = sent("deepseek", messages=history(thinking("px1:oaic:")), tools=[ADD])["messages"][1]
    assert own["reasoning_content"] == "Hm."
    assert sent("deepseek", messages=history(), tools=[ADD])["messages"][1]["reasoning_content"] == ""
    assert "reasoning_content" not in sent("openai", messages=history(thinking("px1:oaic:")))["messages"][1]
    details = "W3sidHlwZSI6InJlYXNvbmluZy50ZXh0IiwidGV4dCI6IkhtLiJ9XQ"
    routed = sent("openrouter", messages=history(thinking(f"px1:orrd:{details}")), tools=[ADD])["messages"][1]
    assert routed["reasoning_details"] == [{"type": "reasoning.text", "text": "Hm."}]


def test_remembered_reasoning_goes_back_for_clients_that_saw_none() -> None:
    """By the call that it led to; it is asked for where the history carries nothing."""
    body = json.dumps({"model": "m", "messages": history()}).encode()
    ask = Ask(MESSAGES, MessagesRequest(body), (), "")
    for vendor, model in (("deepseek", "d"), ("openai", "gpt-6.1-sol")):
        assert OpenAi().needs(ask, Aim(model), a_credential(vendor)).tool_use_ids == ("c1",)
    assert OpenAi().needs(ask, Aim("m"), a_credential("vllm")) is NOTHING
    carried = json.dumps({"model": "m", "messages": history(thinking("px1:oair:rs_1:enc"))}).encode()
    assert (
        OpenAi().needs(Ask(MESSAGES, MessagesRequest(carried), (), ""), Aim("m"), a_credential("openai")).tool_use_ids
        == ()
    )
    found = Found(remembered={"c1": b'{"oaic":"Kept."}'})
    assert sent("deepseek", "d", found, messages=history(), tools=[ADD])["messages"][1]["reasoning_content"] == "Kept."
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "enc"}
    found = Found(remembered={"c1": json.dumps({"oair": [item]}).encode()})
    items = sent(model="gpt-6.1-sol", found=found, messages=history(), tools=[ADD])["input"]
    assert items[1:3] == [item, items[2]]
    assert items[2]["type"] == "function_call"


def test_reasoning_that_led_to_nothing_is_not_sent() -> None:
    """OpenAI refuses an item without the one that follows it."""
    messages = [user(text("hi")), {"role": "assistant", "content": [thinking("px1:oair:rs_1:enc")]}, user(text("go"))]
    assert "rs_1" not in json.dumps(sent(model="gpt-6.1-sol", messages=messages))


def test_an_empty_answer_is_not_asked_for() -> None:
    """`max_tokens: 0` only warms a cache."""
    request = MessagesRequest(b'{"model":"m","max_tokens":0,"messages":[]}')
    made = OpenAi().open(Ask(MESSAGES, request, (), ""), Aim("gpt-4.1"), a_credential("openai"), Found())
    assert isinstance(made, CannedAnswer)


def test_a_count_through_responses_says_no_more_than_it_needs() -> None:
    """The members that the SDK's type has."""
    document = {"model": "gpt-6.1-sol", "messages": [user(text("hi"))], "tools": [ADD]}
    exchange: Exchange = opened(document, operation=COUNT_TOKENS)
    request = exchange.request()
    assert request.url.endswith("/responses/input_tokens")
    assert set(json.loads(request.body)) == {"model", "input", "tools"}
