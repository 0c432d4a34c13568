"""What requests become for Kiro: the rules of kiro.md §5, §6 and §9 that no fixture shows."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.emulators.kiro import problems_of

from ccrouter.credentials.kinds import Credential, check_auth, check_options
from ccrouter.dialects.kiro.models import KiroModel, kiro_model
from ccrouter.dialects.kiro.schema import clean_schema
from ccrouter.errors import InvalidRequest
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, CannedAnswer, Found, Media
from ccrouter.platforms.kiro import Kiro, KiroExchange

KEY = {"auth_method": "api_key", "api_key": "ksk_test"}
ARN = "arn:aws:codewhisperer:eu-central-1:123456789012:profile/ABC"


def an_exchange(
    body: dict[str, Any],
    *,
    model: str = "claude-sonnet-4-5",
    auth: dict[str, Any] | None = None,
    found: Found | None = None,
    effort: str | None = None,
    key_id: str = "k",
    **options: Any,
) -> KiroExchange:
    """The exchange for a request; a conversation of one word unless the body has another."""
    whole = {"model": "claude-sonnet-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]} | body
    ask = Ask(MESSAGES, MessagesRequest(json.dumps(whole).encode()), (), "", key_id=key_id)
    credential = Credential(id="c", platform="kiro", name="c", auth=auth or KEY, options=options)
    opened = Kiro().open(ask, Aim(model, effort), credential, found or Found())
    assert isinstance(opened, KiroExchange)
    return opened


def sent(body: dict[str, Any], **given_: Any) -> dict[str, Any]:
    """The body that is sent; the service takes it."""
    document: dict[str, Any] = json.loads(an_exchange(body, **given_).request().body)
    assert [problem for problem in problems_of(document) if "INVALID_MODEL_ID" not in problem] == []
    return document


def current(body: dict[str, Any], **given_: Any) -> dict[str, Any]:
    """The current message that is sent."""
    message: dict[str, Any] = sent(body, **given_)["conversationState"]["currentMessage"]["userInputMessage"]
    return message


def user(*content: Any) -> dict[str, Any]:
    """A message of the user's."""
    return {"role": "user", "content": list(content)}


def assistant(*content: Any) -> dict[str, Any]:
    """A message of the model's."""
    return {"role": "assistant", "content": list(content)}


def said(text: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": text}


def call(id_: str, name: str = "run") -> dict[str, Any]:
    """A tool call."""
    return {"type": "tool_use", "id": id_, "name": name, "input": {}}


def result(id_: str, content: Any = "ok") -> dict[str, Any]:
    """A tool's result."""
    return {"type": "tool_result", "tool_use_id": id_, "content": content}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-sonnet-4-5", KiroModel("claude-sonnet-4.5")),
        ("claude-opus-4-5-20251101", KiroModel("claude-opus-4.5")),
        ("Anthropic/Claude-Haiku-4.5[1m]", KiroModel("claude-haiku-4.5")),
        ("claude-sonnet-4-5-thinking", KiroModel("claude-sonnet-4.5", thinks=True)),
        ("claude-sonnet-4-20250514", KiroModel("claude-sonnet-4")),
        ("claude-unheard-9-1", KiroModel("claude-unheard-9-1")),
        ("glm-5", KiroModel("glm-5")),
    ],
)
def test_known_models_get_kiros_ids(name: str, model: KiroModel) -> None:
    """All others are sent as the mapping names them."""
    assert model == kiro_model(name)


def test_the_request_carries_the_credential_and_our_own_name() -> None:
    """At the address that fits the credential."""
    request = an_exchange({}, opt_out=True).request()
    headers = dict(request.headers)
    assert request.url == "https://runtime.us-east-1.kiro.dev/generateAssistantResponse"
    assert (headers["authorization"], headers["tokentype"]) == ("Bearer ksk_test", "API_KEY")
    assert headers["user-agent"].startswith("claude-code-router/")
    assert headers["x-amzn-codewhisperer-optout"] == "true"


@pytest.mark.parametrize(
    ("auth", "options", "url", "profile"),
    [
        ({"auth_region": "eu-north-1"}, {}, "https://q.eu-central-1.amazonaws.com", None),
        ({"auth_region": "ap-southeast-2"}, {}, "https://q.us-east-1.amazonaws.com", None),
        ({"profile_arn": ARN}, {}, "https://runtime.eu-central-1.kiro.dev", ARN),
        ({}, {"profile_arn": ARN, "api_region": "us-west-2"}, "https://runtime.us-west-2.kiro.dev", ARN),
        ({"profile_arn": ARN, "start_url": "https://view.awsapps.com/start/"}, {}, "https://q.us-east-1.amazonaws.com",
         None),
        ({"auth_method": "social", "profile_arn": ARN}, {"runtime_url": "http://x/"}, "http://x", ARN),
    ],
)  # fmt: skip
def test_address_and_profile_follow_the_sign_in(
    auth: dict[str, str], options: dict[str, Any], url: str, profile: str | None
) -> None:
    """A Builder ID has no profile; the operator's choice goes before what was found."""
    whole = {"auth_method": "idc", "access_token": "t", **auth}
    request = an_exchange({}, auth=whole, **options).request()
    assert request.url == f"{url}/generateAssistantResponse"
    assert json.loads(request.body).get("profileArn") == profile
    assert "tokentype" not in dict(request.headers)


def test_a_conversation_keeps_its_id() -> None:
    """The client's session, else one made of the caller and the first text; never the raw user id."""
    session = "11111111-2222-4333-8444-555555555555"
    for user_id in (json.dumps({"session_id": session, "device_id": "d"}), f"user_abc_account__session_{session}"):
        body = sent({"metadata": {"user_id": user_id}})
        assert body["conversationState"]["conversationId"] == session
    first = [sent({}, key_id=key)["conversationState"]["conversationId"] for key in ("a", "a", "b")]
    assert first[0] == first[1] != first[2]
    longer = [user(said("Hi")), assistant(said("Yes?")), user(said("Go on"))]
    assert sent({"messages": longer}, key_id="a")["conversationState"]["conversationId"] == first[0]


def test_the_system_text_goes_before_the_first_text() -> None:
    """Without Claude Code's attribution line."""
    system = [said("x-anthropic-billing-header: a=b"), said("One"), said("Two")]
    assert current({"system": system})["content"] == "One\n\nTwo\n\nHi"


def test_system_messages_are_told_at_their_place() -> None:
    """As text of the user's."""
    messages = [user(said("a")), {"role": "system", "content": "b"}]
    assert current({"messages": messages})["content"] == "a\n\n<system>\nb\n</system>"


def test_answers_with_nothing_to_send_disappear() -> None:
    """And their neighbours become one turn."""
    foreign = {"type": "thinking", "thinking": "hm", "signature": "EqRk"}
    messages = [user(said("a")), assistant(foreign, said(" ")), user(said("b")), assistant(said("c"))]
    state = sent({"messages": messages})["conversationState"]
    assert [next(iter(turn.values()))["content"] for turn in state["history"]] == ["a\n\nb", "c"]
    assert state["currentMessage"]["userInputMessage"]["content"] == "Continue"


@pytest.mark.parametrize(
    ("messages", "content"),
    [
        ([user(said(" \n"))], "Continue"),
        ([user(said("")), assistant(said("x")), user(said("y"))], "(empty)"),
        ([user(result("none", ""))], "[Result of tool call none]\n(no output)"),
        ([user(said("q"), result("none", [said("a"), said("b")]))], "q\n\n[Result of tool call none]\na\nb"),
    ],
)
def test_no_content_is_empty(messages: list[Any], content: str) -> None:
    """The rules of kiro.md §5.6."""
    state = sent({"messages": messages})["conversationState"]
    first = state.get("history", [state["currentMessage"]])[0]
    assert first["userInputMessage"]["content"] == content


def test_calls_and_results_pair_up() -> None:
    """Doubles go, what is missing is made up, ids keep to the service's letters."""
    long_id = "t." + "x" * 80
    messages = [
        user(said("a")),
        assistant(call(long_id), call(long_id), call("b")),
        user(result(long_id, "first"), result(long_id, "second")),
    ]
    state = sent({"messages": messages})["conversationState"]
    uses = state["history"][1]["assistantResponseMessage"]["toolUses"]
    results = state["currentMessage"]["userInputMessage"]["userInputMessageContext"]["toolResults"]
    assert [use["toolUseId"] for use in uses] == [one["toolUseId"] for one in results]
    assert len(uses[0]["toolUseId"]) == 64
    assert [(one["status"], one["content"][0]["text"]) for one in results] == [
        ("success", "first"), ("error", "Tool call was cancelled."),
    ]  # fmt: skip


def test_tool_names_keep_to_the_services_letters() -> None:
    """In tools and history alike; two that would become one are told apart."""
    names = ["a.b", "a_b", "x" * 70, "a.b"]
    exchange = an_exchange(
        {
            "tools": [{"name": name, "description": "d", "input_schema": {}} for name in names],
            "messages": [user(said("q")), assistant(call("1", "x" * 70)), user(result("1"))],
        }
    )
    body = json.loads(exchange.request().body)
    assert problems_of(body) == []
    tools = body["conversationState"]["currentMessage"]["userInputMessage"]["userInputMessageContext"]["tools"]
    shown = [tool["toolSpecification"]["name"] for tool in tools]
    assert (len(shown), shown[0]) == (3, "a_b")
    assert shown[1].startswith("a_b_")
    used = body["conversationState"]["history"][1]["assistantResponseMessage"]["toolUses"][0]["name"]
    assert used == shown[2] == "x" * 54 + "_" + shown[2][-8:]


def test_a_long_description_moves_into_the_system_text() -> None:
    """The tool points to it; an empty one is made up."""
    tools = [{"name": "long", "description": "y" * 9_217, "input_schema": {}}, {"name": "none", "input_schema": {}}]
    message = current({"tools": tools, "system": "S"})
    described = [tool["toolSpecification"]["description"] for tool in message["userInputMessageContext"]["tools"]]
    assert "Tool: long" in described[0]
    assert described[1] == "Tool: none"
    assert message["content"] == f"S\n\n## Tool: long\n\n{'y' * 9_217}\n\nHi"


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"type": "any"}, "one of the available tools"),
        ({"type": "tool", "name": "a.b"}, "the tool a_b"),
        ({"type": "auto", "disable_parallel_tool_use": True}, "at most one tool"),
        ({"type": "auto"}, None),
    ],
)
def test_a_wanted_call_is_asked_for(choice: dict[str, Any], words: str | None) -> None:
    """It cannot be forced."""
    content = current({"tools": [{"name": "a.b", "description": "d", "input_schema": {}}], "tool_choice": choice})[
        "content"
    ]
    assert (content == "Hi") if words is None else (words in content)


def test_no_tools_are_offered_where_none_is_wanted() -> None:
    """But those of the history need their placeholders."""
    tools = [{"name": "run", "description": "d", "input_schema": {}}]
    assert "userInputMessageContext" not in current({"tools": tools, "tool_choice": {"type": "none"}})
    messages = [user(said("q")), assistant(call("1")), user(result("1"))]
    context = current({"tools": tools, "tool_choice": {"type": "none"}, "messages": messages})[
        "userInputMessageContext"
    ]
    assert context["tools"][0]["toolSpecification"]["description"] == "Tool used earlier in this conversation"


def test_tools_that_clients_run_are_offered_with_their_schema() -> None:
    """Beside them, what only Anthropic's servers run is left out."""
    tools = [{"type": "bash_20250124", "name": "bash"}, {"type": "web_search_20250305", "name": "web_search"}]
    (tool,) = current({"tools": tools})["userInputMessageContext"]["tools"]
    assert tool["toolSpecification"]["name"] == "bash"
    assert "command" in tool["toolSpecification"]["inputSchema"]["json"]["properties"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0: the tool web_search"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "x", "content": "a"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages.0.content"),
        ({"messages": [user("a")]}, "messages.0.content.0"),
        ({"messages": [user({"type": "container_upload"})]}, "messages.0.content.0: blocks of type container_upload"),
        ({"messages": [assistant({"type": "image"})]}, "messages.0.content.0: blocks of type image"),
        ({"messages": [user({"type": "image", "source": {"type": "url", "url": "https://x/"}})]},
         "messages.0.content.0.source"),
        ({"messages": [user({"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": ""}})]},
         "messages.0.content.0.source: Kiro takes PNG"),
        ({"messages": [user(result("a", [{"type": "document", "source": {"type": "file", "file_id": "f"}}]))]},
         "messages.0.content.0.content.0.source"),
        ({"messages": [assistant({"type": "tool_use", "id": "a", "name": "n", "input": []})]}, "input"),
    ],
)  # fmt: skip
def test_what_kiro_does_not_take_is_refused_by_name(body: dict[str, Any], words: str) -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(InvalidRequest, match="(?i)" + words.replace(".", r"\.")):
        an_exchange(body)


def test_images_and_documents_go_inside_the_request() -> None:
    """Also from URLs, and out of results."""
    url = {"type": "url", "url": "https://x.example/i"}
    found = Found(media={url["url"]: Media("image/png; q=1", b"PNG")})
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}
    texts: Any = [
        {"type": "document", "title": "a/b.pdf", "source": pdf},
        {"type": "document", "title": "a/b.pdf", "source": pdf},
        {"type": "document", "source": pdf},
        {"type": "document", "title": "T", "source": {"type": "text", "data": "plain"}},
        {"type": "document", "source": {"type": "content", "content": [said("part")]}},
        {"type": "search_result", "title": "R", "source": "s", "content": [said("found")]},
    ]
    messages = [
        user(said("q")),
        assistant(call("1")),
        user(
            result("1", [{"type": "image", "source": url}, said("seen"), {"type": "tool_reference", "tool_name": "n"}]),
            *texts,
        ),
    ]
    message = current({"messages": messages}, found=found)
    assert message["images"] == [{"format": "png", "source": {"bytes": base64.b64encode(b"PNG").decode()}}]
    assert [document["name"] for document in message["documents"]] == ["a b pdf", "a b pdf (2)", "document-3"]
    assert message["content"] == "T\nplain\n\npart\n\nR\ns\nfound"
    assert message["userInputMessageContext"]["toolResults"][0]["content"] == [{"text": "seen\nTool found: n"}]


def test_the_oldest_of_too_many_images_are_left_out() -> None:
    """And the model is told."""
    pictures = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": f"data:x,{index}"}}
        for index in range(12)
    ]
    message = current({"messages": [user(*pictures)]})
    assert [image["source"]["bytes"] for image in message["images"]] == [str(index) for index in range(2, 12)]
    assert message["content"] == "[2 image(s) omitted]"


def test_what_another_platform_ran_is_left_out() -> None:
    """Its texts tell what came of it."""
    ran = assistant(
        {"type": "server_tool_use", "id": "s"}, {"type": "web_search_tool_result", "content": []}, said("a")
    )
    history = sent({"messages": [user(said("q")), ran, user(said("b"))]})["conversationState"]["history"]
    assert history[1] == {"assistantResponseMessage": {"content": "a"}}


def test_nul_characters_are_taken_out() -> None:
    """In texts, names and arguments."""
    uses = {"type": "tool_use", "id": "1", "name": "run", "input": {"a\0": "b\0"}}
    body = sent({"messages": [user(said("q\0")), assistant(uses), user(result("1", "\0"))]})
    assert "\\u0000" not in json.dumps(body)


SCHEMAS: list[tuple[Any, Any]] = [
    (None, {"type": "object", "properties": {}}),
    ({"type": "string"}, {"type": "object", "properties": {}}),
    ({"type": ["object", "null"], "strict": True}, {"type": "object", "properties": {}}),
    (
        {"properties": {"required": {"type": "string"}, "additionalProperties": {"$comment": "c", "not": {"$id": "i"}}},
         "required": None, "additionalProperties": False},
        {"type": "object", "properties": {"required": {"type": "string"}, "additionalProperties": {"not": {}}}},
    ),
    (
        {"properties": {"a": {"type": "object", "properties": None, "required": ["x"]}}, "required": ["a", "gone"]},
        {"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a", "gone"]},
    ),
    (
        {"properties": {"a": {"$ref": "#/$defs/A", "description": "mine"}, "b": {"$ref": "#/nowhere"}},
         "$defs": {"A": {"type": "string", "description": "theirs", "pattern": "x"}}},
        {"type": "object", "properties": {"a": {"type": "string", "description": "mine", "pattern": "x"}, "b": {}}},
    ),
    (
        {"properties": {"a": {"$ref": "#/definitions/L"}},
         "definitions": {"L": {"type": "array", "items": {"anyOf": [{"$ref": "#/definitions/L"}, {"const": 1}]}}}},
        {"type": "object",
         "properties": {"a": {"type": "array", "items": {"anyOf": [{"type": "object"}, {"const": 1}]}}}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "cleaned"), SCHEMAS)
def test_schemas_become_what_the_service_takes(schema: Any, cleaned: Any) -> None:
    """The rules of kiro.md §5.4; what it does not name stays."""
    assert cleaned == clean_schema(schema)


def test_a_schema_can_be_cleaned_more_strictly() -> None:
    """After the service has refused one."""
    schema = {"properties": {"a": {"anyOf": [{}], "const": 1, "format": "date", "default": 2}}}
    assert clean_schema(schema, strictly=True)["properties"] == {"a": {"enum": [1]}}
    tools = [{"name": "t", "description": "d", "input_schema": schema}]
    exchange = an_exchange({"tools": tools}, schema_mode="passthrough")
    assert b'"anyOf"' in exchange.request().body
    body = b'{"message":"m","reason":"TOOL_SCHEMA_INVALID"}'
    mended = exchange.mend(exchange.read_refusal(400, (), body))
    assert mended is not None
    assert b'"anyOf"' not in mended.request().body
    assert mended.mend(mended.read_refusal(400, (), body)) is None


def test_schemas_pass_as_they_are_where_the_operator_says_so() -> None:
    """The switch of kiro.md §5.4."""
    tools = [{"name": "t", "description": "d", "input_schema": {"type": "object", "additionalProperties": False}}]
    body = json.loads(an_exchange({"tools": tools}, schema_mode="passthrough").request().body)
    context = body["conversationState"]["currentMessage"]["userInputMessage"]["userInputMessageContext"]
    assert context["tools"][0]["toolSpecification"]["inputSchema"]["json"] == tools[0]["input_schema"]


EFFORTS = {"properties": {"output_config": {"properties": {"effort": {"enum": ["low", "high"]}}}, "thinking": {}}}
ADAPTIVE = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("thinking", "given_", "fields"),
    [
        ({"type": "enabled", "budget_tokens": 4_096}, {}, {"output_config": {"effort": "low"}, "thinking": ADAPTIVE}),
        ({"type": "enabled", "budget_tokens": 16_000}, {}, {"output_config": {"effort": "low"}, "thinking": ADAPTIVE}),
        ({"type": "adaptive"}, {"effort": "max"}, {"output_config": {"effort": "high"}, "thinking": ADAPTIVE}),
        ({"type": "disabled"}, {}, None),
        (None, {}, None),
        ({"type": "enabled"}, {"setting": "emulated"}, None),
        ({"type": "enabled"}, {"setting": "off"}, None),
    ],
)
def test_native_thinking_is_asked_for_where_the_model_knows_it(
    thinking: Any, given_: dict[str, str], fields: Any
) -> None:
    """By its catalogue entry, inside its own values, and never unasked."""
    auth = {**KEY, "models": {"claude-sonnet-4.5": {"fields_schema": EFFORTS}}}
    body = sent({"thinking": thinking}, auth=auth, effort=given_.get("effort"), thinking=given_.get("setting", "auto"))
    assert body.get("additionalModelRequestFields") == fields


def test_native_thinking_can_be_insisted_on() -> None:
    """By family."""
    body = sent({"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, thinking="native")
    assert body["additionalModelRequestFields"] == {"output_config": {"effort": "xhigh"}, "thinking": ADAPTIVE}
    body = sent({"thinking": {"type": "adaptive"}}, thinking="native", model="gpt-6")
    assert body["additionalModelRequestFields"] == {"reasoning": {"effort": "high"}}


@pytest.mark.parametrize(
    ("body", "given_", "marks"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, {}, ("enabled", "max_thinking_length", "1024")),
        ({}, {"model": "claude-sonnet-4-5-thinking"}, ("enabled", "max_thinking_length", "16000")),
        ({"thinking": {"type": "disabled"}}, {"model": "claude-sonnet-4-5-thinking"}, None),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            {},
            ("adaptive", "thinking_effort", "low"),
        ),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            {"effort": "max"},
            ("adaptive", "thinking_effort", "max"),
        ),
    ],
)
def test_thinking_is_emulated_elsewhere(
    body: dict[str, Any], given_: dict[str, Any], marks: tuple[str, str, str] | None
) -> None:
    """With marks before the system text."""
    if marks is None:
        prefix = ""
    else:
        mode, name, value = marks
        prefix = f"<thinking_mode>{mode}</thinking_mode><{name}>{value}</{name}>\n"
    assert current(body, **given_)["content"] == f"{prefix}Hi"


def thought(text: str, signature: str) -> dict[str, Any]:
    """A thinking block."""
    return {"type": "thinking", "thinking": text, "signature": signature}


def loop(*blocks: Any) -> list[Any]:
    """A tool loop in which the model has thought."""
    return [user(said("q")), assistant(*blocks, call("1")), user(result("1"))]


@pytest.mark.parametrize(
    ("blocks", "reasoning"),
    [
        ((thought("a", "px1:kiro:s"), thought("b", "px1:kiro:t")), {"reasoningText": {"text": "a", "signature": "s"}}),
        (({"type": "redacted_thinking", "data": "px1:kiror:QUJD"},), {"redactedContent": "QUJD"}),
        ((thought("x", "Eq=="), thought("a", "px1:kiro:s")), None),
        ((thought("a", "px1:kiro:"),), None),
        ((thought("", "px1:kiro:s"),), None),
        ((thought("a", "px1:gemini:s"),), None),
        (({"type": "redacted_thinking", "data": "real"},), None),
    ],
)
def test_reasoning_goes_back_to_kiro_only(blocks: tuple[Any, ...], reasoning: Any) -> None:
    """The first block of a turn, if it is Kiro's own and signed."""
    history = sent({"messages": loop(*blocks)})["conversationState"]["history"]
    assert history[1]["assistantResponseMessage"].get("reasoningContent") == reasoning


def test_reasoning_is_taken_out_once_where_it_is_refused() -> None:
    """The rest of the request is the same."""
    exchange = an_exchange({"messages": loop(thought("a", "px1:kiro:s"))})
    refusal = exchange.read_refusal(400, (), b'{"message":"Invalid","reason":"THINKING_SIGNATURE_INVALID"}')
    mended = exchange.mend(refusal)
    assert mended is not None
    body = json.loads(mended.request().body)
    assert problems_of(body) == []
    assert b"reasoningContent" not in mended.request().body
    assert mended.mend(refusal) is None
    assert exchange.mend(exchange.read_refusal(400, (), b'{"message":"other"}')) is None
    ids = [dict(one.request().headers)["amz-sdk-invocation-id"] for one in (exchange, mended)]
    assert ids[0] == ids[1]


def test_emulated_thinking_goes_back_while_its_loop_runs() -> None:
    """As text, and only where thinking is emulated again."""
    blocks = (thought("one </thinking> two", "px1:kiro:"), said("I look."))
    asked = {"thinking": {"type": "enabled", "budget_tokens": 2_000}}
    content = "<thinking>one &lt;/thinking&gt; two</thinking>\n\nI look."
    for body, messages, expected in (
        (asked, loop(*blocks), content),
        ({}, loop(*blocks), "I look."),
        (asked, [*loop(*blocks), assistant(said("done")), user(said("next"))], "I look."),
    ):
        history = sent({**body, "messages": messages})["conversationState"]["history"]
        assert history[1]["assistantResponseMessage"]["content"] == expected


def test_tokens_are_estimated_without_asking() -> None:
    """Kiro cannot count."""
    body = b'{"model":"m","messages":[{"role":"user","content":"Hello"}]}'
    credential = Credential(id="c", platform="kiro", name="c", auth=KEY)
    answer = Kiro().open(Ask(COUNT_TOKENS, MessagesRequest(body), (), ""), Aim("m"), credential, Found())
    assert isinstance(answer, CannedAnswer)


def test_nothing_is_asked_for_no_tokens() -> None:
    """There is no cache to warm."""
    body = b'{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"Hello"}]}'
    credential = Credential(id="c", platform="kiro", name="c", auth=KEY)
    answer = Kiro().open(Ask(MESSAGES, MessagesRequest(body), (), ""), Aim("m"), credential, Found())
    assert isinstance(answer, CannedAnswer)


def test_credentials_are_checked() -> None:
    """Settings of kiro.md, and what is no whole token."""
    assert check_options("kiro", {"thinking": "native", "schema_mode": "passthrough"}) == {
        "thinking": "native", "schema_mode": "passthrough",
    }  # fmt: skip
    assert check_auth("kiro", {**KEY, "profile_arn": ARN})["profile_arn"] == ARN
    with pytest.raises(ValueError, match="cut off"):
        check_auth("kiro", {"auth_method": "social", "refresh_token": "aor...xyz"})


_BLOCKS = st.one_of(
    st.builds(said, st.text("ab\0 \n世", max_size=5)),
    st.builds(call, st.sampled_from(["1", "2", "a.b"]), st.sampled_from(["run", "r.n", "x" * 80])),
    st.builds(thought, st.text("ab", max_size=2), st.sampled_from(["", "px1:kiro:s", "px1:kiro:", "E="])),
    st.builds(lambda data: {"type": "redacted_thinking", "data": data}, st.sampled_from(["px1:kiror:QQ", "x"])),
)
_USER_BLOCKS = st.one_of(
    st.builds(said, st.text("ab\0 \n世", max_size=5)),
    st.builds(result, st.sampled_from(["1", "2", "a.b"]), st.sampled_from(["", "ok", None, [said("x"), said("")]])),
)
_MESSAGES = st.lists(
    st.one_of(
        st.builds(lambda blocks: user(*blocks), st.lists(_USER_BLOCKS, max_size=3)),
        st.builds(lambda blocks: assistant(*blocks), st.lists(_BLOCKS, max_size=3)),
        st.builds(lambda text: {"role": "system", "content": text}, st.text("ab ", max_size=3)),
    ),
    min_size=1,
    max_size=6,
)
_TOOLS = st.lists(
    st.builds(
        lambda name, schema: {"name": name, "description": "d", "input_schema": schema},
        st.sampled_from(["run", "r.n", "r_n", "x" * 80]),
        st.sampled_from([schema for schema, _ in SCHEMAS]),
    ),
    max_size=4,
)


@settings(max_examples=800, deadline=None)
@given(
    _MESSAGES, _TOOLS, st.sampled_from([None, {"type": "enabled"}, {"type": "adaptive"}]), st.sampled_from(["", "S"])
)
def test_whatever_is_asked_the_service_takes_it(messages: Any, tools: Any, thinking: Any, system: str) -> None:
    """Any history and any tools are repaired."""
    sent({"messages": messages, "tools": tools, "thinking": thinking, "system": system})
