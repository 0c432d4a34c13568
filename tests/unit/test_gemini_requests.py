"""How Messages requests are said in the Gemini dialect, member by member (gemini.md §3, antigravity.md §5)."""

import base64
from typing import Any

import pytest
from google.genai import types

from ccrouter.dialects.gemini.manner import AS_IS, Encoded, Manner, Mended, Tuning
from ccrouter.dialects.gemini.request import Asked, encode
from ccrouter.dialects.gemini.signatures import Remembered, remember
from ccrouter.errors import InvalidRequest
from ccrouter.platforms.contract import Media

GEMINI = Manner("gemini")
CODE_ASSIST = Manner("antigravity", code_assist=True, call_ids=False)
CLAUDE = Manner("antigravity", claude=True, code_assist=True)
MODEL = "gemini-3.8-flash"
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}


def said(
    messages: list[Any] | None = None,
    *,
    model: str = MODEL,
    manner: Manner = GEMINI,
    tuning: Tuning | None = None,
    effort: str | None = None,
    mended: Mended = AS_IS,
    remembered: dict[str, bytes] | None = None,
    media: dict[str, Media] | None = None,
    **members: Any,
) -> Encoded:
    """A request with these messages and members, encoded, and checked by Google's own types."""
    document = {"max_tokens": 4096, "messages": messages or [user("hi")]} | members
    encoded = encode(Asked(document, model, effort, manner, tuning or Tuning(), remembered or {}, media or {}), mended)
    for content in encoded.body["contents"]:
        types.Content.model_validate(content)
    for tool in encoded.body.get("tools", ()):
        types.Tool.model_validate(tool)
    types.GenerationConfig.model_validate(encoded.body["generationConfig"])
    if "toolConfig" in encoded.body:
        types.ToolConfig.model_validate(encoded.body["toolConfig"])
    return encoded


def user(*blocks: Any) -> dict[str, Any]:
    """A message of the user; strings become text."""
    return {"role": "user", "content": [{"type": "text", "text": b} if isinstance(b, str) else b for b in blocks]}


def model(*blocks: Any) -> dict[str, Any]:
    """A message of the model."""
    return user(*blocks) | {"role": "assistant"}


def call(number: int = 1, name: str = "ls") -> dict[str, Any]:
    """A tool call."""
    return {"type": "tool_use", "id": f"t{number}", "name": name, "input": {}}


def result(content: Any = "done", number: int = 1, **members: Any) -> dict[str, Any]:
    """Its result."""
    return {"type": "tool_result", "tool_use_id": f"t{number}", "content": content, **members}


def thought(signature: str, text: str = "") -> dict[str, Any]:
    """A thinking block."""
    return {"type": "thinking", "thinking": text, "signature": signature}


def parts(encoded: Encoded, index: int = 0) -> list[dict[str, Any]]:
    """The parts of one content."""
    found: list[dict[str, Any]] = encoded.body["contents"][index]["parts"]
    return found


def roles(encoded: Encoded) -> list[str]:
    """The roles of all contents."""
    return [content["role"] for content in encoded.body["contents"]]


# Conversation


def test_neighbours_merge_and_the_user_begins() -> None:
    """Two messages of one role are one content; a conversation of the model gets a beginning."""
    encoded = said([model("a"), user("b"), user("c")])
    assert roles(encoded) == ["user", "model", "user"]
    assert [part["text"] for index in (0, 2) for part in parts(encoded, index)] == [" ", "b", "c"]


def test_a_system_message_stands_where_it_was_said() -> None:
    """As the user's text, marked."""
    encoded = said([user("a"), {"role": "system", "content": "be brief"}, user("b")])
    assert [part["text"] for part in parts(encoded)] == ["a", "<system>\nbe brief\n</system>", "b"]


def test_the_attribution_block_is_left_out() -> None:
    """It would break the prefix cache and says nothing to this model."""
    system = [{"type": "text", "text": "x-anthropic-billing-header: x"}, {"type": "text", "text": "be brief"}]
    assert said(system=system).body["systemInstruction"] == {"parts": [{"text": "be brief"}]}


def test_a_system_prompt_of_anything_but_text_is_refused() -> None:
    """Also where it stands among the messages."""
    image = [{"type": "image", "source": PNG}]
    with pytest.raises(InvalidRequest, match=r"system\.0.*image"):
        said(system=image)
    with pytest.raises(InvalidRequest, match=r"messages\.1\.content\.0.*image"):
        said([user("a"), {"role": "system", "content": image}])


def test_a_conversation_that_ends_with_the_model_can_be_counted() -> None:
    """Only asking on from there is refused."""
    document = {"messages": [user("a"), model("b")]}
    encoded = encode(Asked(document, MODEL, None, GEMINI), counting=True)
    assert roles(encoded) == ["user", "model"]


def test_an_id_that_carries_a_level_is_asked_for_no_other() -> None:
    """On Cloud Code Assist, where both are sent alike."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    generation = said(manner=CODE_ASSIST, model="gemini-3-pro-high", thinking=thinking).body["generationConfig"]
    assert generation["thinkingConfig"]["thinkingLevel"] == "HIGH"


def test_prefill_is_refused_in_claudes_words() -> None:
    """Only Claude without thinking takes it, on Cloud Code Assist."""
    with pytest.raises(InvalidRequest, match="prefill is not supported by this model"):
        said([user("a"), model("{")])
    assert roles(said([user("a"), model("{")], manner=CLAUDE, model="claude-sonnet-4-5")) == ["user", "model"]


def test_a_user_content_of_images_gets_a_text() -> None:
    """Vertex refuses it otherwise."""
    encoded = said([user({"type": "image", "source": PNG})])
    assert parts(encoded)[1] == {"text": " "}


@pytest.mark.parametrize(
    ("block", "match"),
    [
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, r"messages\.0\.content\.0\.source.*gemini"),
        ({"type": "image", "source": PNG | {"media_type": "image/gif"}}, r"messages\.0\.content\.0.*image/gif"),
        ({"type": "container_upload", "file_id": "f"}, r"messages\.0\.content\.0.*container_upload.*gemini"),
        ({"type": "hologram"}, r"messages\.0\.content\.0.*hologram"),
        ({"type": "document", "source": {"type": "base64", "media_type": "text/csv", "data": ""}}, "text/csv"),
    ],
)
def test_content_without_a_counterpart_is_refused_by_name(block: dict[str, Any], match: str) -> None:
    """Never a silent drop."""
    with pytest.raises(InvalidRequest, match=match):
        said([user(block)])


def test_documents_of_text_are_marked_with_their_title() -> None:
    """Text and nested content alike; a quote in the title does not end it."""
    plain = {"type": "document", "title": 'a "b"', "source": {"type": "text", "data": "body"}}
    nested = {
        "type": "document",
        "source": {"type": "content", "content": [{"type": "text", "text": "x"}, {"type": "image", "source": PNG}]},
    }
    first, begin, inner, image, end = parts(said([user(plain, nested)]))
    assert first == {"text": '<document title="a &quot;b&quot;">body</document>'}
    assert [begin, inner, end] == [{"text": "<document>"}, {"text": "x"}, {"text": "</document>"}]
    assert image["inlineData"]["mimeType"] == "image/png"


def test_media_behind_addresses_are_put_inside() -> None:
    """What the gateway has fetched; by the type that the server gave."""
    image = {"type": "image", "source": {"type": "url", "url": "https://x/a"}}
    encoded = said([user(image, "what?")], media={"https://x/a": Media("image/png", b"png")})
    assert parts(encoded)[0] == {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(b"png").decode()}}


# Calls and results


def test_results_stand_first_and_together() -> None:
    """Text around them, and a system message between, come after."""
    encoded = said(
        [
            user("a"),
            model(call(1), call(2)),
            user("note", result("x", 2)),
            {"role": "system", "content": "s"},
            user(result("y", 1)),
        ]
    )
    kinds = [next(iter(part)) for part in parts(encoded, 2)]
    assert kinds == ["functionResponse", "functionResponse", "text", "text"]
    assert [part["functionResponse"]["id"] for part in parts(encoded, 2)[:2]] == ["t2", "t1"]


def test_a_missing_result_is_made_up_and_says_so() -> None:
    """Each call needs exactly one response."""
    (answer, text) = parts(said([user("a"), model(call()), user("never mind")]), 2)
    assert answer["functionResponse"]["response"] == {"error": "no result was provided"}
    assert text == {"text": "never mind"}


def test_a_result_without_its_call_is_text() -> None:
    """So nothing is lost after a compaction."""
    assert parts(said([user(result("x"))])) == [{"text": "<tool_result>\nx\n</tool_result>"}]


def test_media_of_results_stand_where_the_generation_takes_them() -> None:
    """Inside from Gemini 3 on, after all results before."""
    history = [user("a"), model(call(1), call(2)), user(result([{"type": "image", "source": PNG}]), result("y", 2))]
    assert "parts" in parts(said(history), 2)[0]["functionResponse"]
    kinds = [next(iter(part)) for part in parts(said(history, model="gemini-2.5-pro"), 2)]
    assert kinds == ["functionResponse", "functionResponse", "inlineData"]


def test_claude_gets_results_in_its_own_words() -> None:
    """Errors with a prefix, nothing as something; thoughts, text and calls in this order."""
    signed = thought("px1:cca:c2ln", "hm")
    history = [user("a"), model(call(1), call(2), signed, "b"), user(result("", 1), result("x", 2, is_error=True))]
    thinking = {"type": "enabled", "budget_tokens": 2000}
    encoded = said(history, manner=CLAUDE, model="claude-opus-4-5-thinking", thinking=thinking)
    assert [next(iter(part)) for part in parts(encoded, 1)] == ["thought", "text", "functionCall", "functionCall"]
    responses = [part["functionResponse"]["response"]["result"] for part in parts(encoded, 2)]
    assert responses == ["(no output)", "Error: x"]


def test_names_are_mapped_and_come_back() -> None:
    """Also those that only the history knows; two names never become one."""
    tools = [{"name": name, "input_schema": {}} for name in ("a b", "a_b", "9", "x" * 200)]
    encoded = said([user("a"), model(call(1, "old tool")), user(result())], tools=tools)
    sent = [declared["name"] for declared in encoded.body["tools"][0]["functionDeclarations"]]
    assert [encoded.names[name] for name in sent] == ["a b", "a_b", "9", "x" * 200]
    assert len(set(sent)) == 4
    assert max(map(len, sent)) <= 128
    assert parts(encoded, 1)[0]["functionCall"]["name"] == "old_tool"
    assert parts(encoded, 2)[0]["functionResponse"]["name"] == "old_tool"


# Signatures


def test_a_signature_goes_to_the_part_right_after_it() -> None:
    """To a text as well as to a call, and to no later part."""
    signed = thought("px1:gemini:QUFB")
    text, called = parts(said([user("a"), model(signed, "b", call()), user(result())]), 1)
    assert (text["thoughtSignature"], called["thoughtSignature"]) == ("QUFB", "skip_thought_signature_validator")


def test_a_remembered_signature_goes_before_the_stand_in() -> None:
    """And only the first call of a turn carries one."""
    kept = {"t1": remember(Remembered("gemini", MODEL, "QkJC"))}
    first, second = parts(said([user("a"), model(call(1), call(2)), user(result(), result("", 2))], remembered=kept), 1)
    assert first["thoughtSignature"] == "QkJC"
    assert "thoughtSignature" not in second


def test_models_before_3_need_none() -> None:
    """They ignore absence."""
    (called,) = parts(said([user("a"), model(call()), user(result())], model="gemini-2.5-pro"), 1)
    assert "thoughtSignature" not in called


def test_a_signature_of_another_family_is_not_sent() -> None:
    """Claude's own, Claude's behind Cloud Code Assist, and what is remembered of it."""
    kept = {"t1": remember(Remembered("claude", "claude-opus-4-5-thinking", "Q0ND", "x"))}
    for foreign in ("EpACCk=", "px1:cca:QUFB", "px1:kiro:x"):
        (called,) = parts(said([user("a"), model(thought(foreign), call()), user(result())], remembered=kept), 1)
        assert called["thoughtSignature"] == "skip_thought_signature_validator"


def test_claudes_thinking_is_restored_from_the_memory_or_none_is_asked_for() -> None:
    """A tool loop must go on with the thinking it began with."""
    history, thinking = [user("a"), model(call()), user(result())], {"type": "adaptive"}
    name = "claude-opus-4-5-thinking"
    kept = {"t1": remember(Remembered("claude", name, "Q0ND", "hm"))}
    restored = said(history, manner=CLAUDE, model=name, thinking=thinking, remembered=kept)
    assert parts(restored, 1)[0] == {"thought": True, "text": "hm", "thoughtSignature": "Q0ND"}
    assert restored.body["generationConfig"]["thinkingConfig"]["thinkingBudget"] == 24_000
    without = said(history, manner=CLAUDE, model=name, thinking=thinking)
    assert "thinkingConfig" not in without.body["generationConfig"]


# Thinking and limits


@pytest.mark.parametrize(
    ("name", "thinking", "effort", "expected"),
    [
        (MODEL, None, None, None),
        (MODEL, {"type": "disabled"}, None, {"thinkingLevel": "LOW", "includeThoughts": False}),
        ("gemini-3-flash", {"type": "disabled"}, None, {"thinkingLevel": "MINIMAL", "includeThoughts": False}),
        (MODEL, {"type": "adaptive"}, None, {"includeThoughts": True}),
        (MODEL, {"type": "adaptive", "display": "omitted"}, None, {"includeThoughts": False}),
        (MODEL, {"type": "between_tools"}, "max", {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-3-pro-preview", {"type": "adaptive"}, "medium", {"thinkingLevel": "LOW", "includeThoughts": True}),
        (MODEL, {"type": "enabled", "budget_tokens": 1024}, None, {"thinkingLevel": "LOW", "includeThoughts": True}),
        (MODEL, {"type": "enabled", "budget_tokens": 9000}, None, {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-2.5-pro", {"type": "disabled"}, None, {"thinkingBudget": 128, "includeThoughts": False}),
        ("gemini-2.5-flash", {"type": "disabled"}, None, {"thinkingBudget": 0, "includeThoughts": False}),
        ("gemini-2.5-flash", {"type": "adaptive"}, None, {"thinkingBudget": -1, "includeThoughts": True}),
        (
            "gemini-2.5-flash-lite",
            {"type": "enabled", "budget_tokens": 99_999},
            None,
            {"thinkingBudget": 24_576, "includeThoughts": True},
        ),
    ],
)
def test_thinking_is_asked_as_each_model_has_it(
    name: str, thinking: Any, effort: str | None, expected: dict[str, Any] | None
) -> None:
    """A level or a budget, never both."""
    members: dict[str, Any] = {} if thinking is None else {"thinking": thinking}
    if effort is not None:
        members["output_config"] = {"effort": effort}
    assert said(model=name, **members).body["generationConfig"].get("thinkingConfig") == expected


def test_an_operators_effort_goes_before_the_clients() -> None:
    """Also where the client says nothing of thinking; then its thoughts stay hidden."""
    asked = said(effort="low", thinking={"type": "adaptive"}, output_config={"effort": "max"})
    assert asked.body["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW", "includeThoughts": True}
    silent = said(effort="low").body["generationConfig"]["thinkingConfig"]
    assert silent == {"thinkingLevel": "LOW", "includeThoughts": False}


@pytest.mark.parametrize(
    ("name", "limit", "thinking", "expected"),
    [
        (MODEL, 1, None, 1025),
        (MODEL, 1024, None, 2048),
        (MODEL, 1025, None, 1025),
        (MODEL, 200_000, None, 65_536),
        ("gemini-4-argon", 2_000_000, None, 1_048_576),
        ("gemini-2.5-flash-lite", 256, None, 256),
        ("gemini-2.5-flash", 256, {"type": "disabled"}, 256),
        ("gemini-3-flash", 256, {"type": "disabled"}, 1280),
    ],
)
def test_small_limits_get_room_for_thoughts(name: str, limit: int, thinking: Any, expected: int) -> None:
    """Where the model may think; large ones are capped at what the model has."""
    members = {} if thinking is None else {"thinking": thinking}
    assert said(model=name, max_tokens=limit, **members).body["generationConfig"]["maxOutputTokens"] == expected


@pytest.mark.parametrize(
    ("limit", "budget", "expected"),
    [
        (8000, 4000, (8000, 4000)),
        (4000, 4000, (12_192, 4000)),
        (64_000, 64_000, (64_000, 62_976)),
        (1, 10, (9216, 1024)),
    ],
)
def test_claudes_limit_is_above_its_budget(limit: int, budget: int, expected: tuple[int, int]) -> None:
    """The platform refuses anything else."""
    thinking = {"type": "enabled", "budget_tokens": budget}
    generation = said(manner=CLAUDE, model="claude-x-thinking", max_tokens=limit, thinking=thinking).body[
        "generationConfig"
    ]
    assert (generation["maxOutputTokens"], generation["thinkingConfig"]["thinkingBudget"]) == expected


def test_stops_beyond_five_are_refused_or_cut() -> None:
    """As each host has it; blank ones are left out first."""
    stops = [" ", *"abcdef"]
    with pytest.raises(InvalidRequest, match="stop_sequences"):
        said(stop_sequences=stops)
    assert said(stop_sequences=stops, manner=CODE_ASSIST).body["generationConfig"]["stopSequences"] == [*"abcde"]


def test_sampling_can_be_left_to_the_model() -> None:
    """Google advises it from Gemini 3 on."""
    assert "temperature" in said(temperature=0.2).body["generationConfig"]
    assert "temperature" not in said(temperature=0.2, tuning=Tuning(drop_sampling=True)).body["generationConfig"]


def test_a_schema_for_the_answer_is_passed_on() -> None:
    """Cleaned like a tool's."""
    schema = {"$schema": "x", "type": "object", "properties": {"a": {"const": 1}}}
    generation = said(output_config={"format": {"type": "json_schema", "schema": schema}}).body["generationConfig"]
    assert generation["responseMimeType"] == "application/json"
    assert generation["responseJsonSchema"] == {"type": "object", "properties": {"a": {"enum": [1]}}}


# Tools


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, None),
        ({"type": "any"}, {"mode": "ANY"}),
        ({"type": "tool", "name": "a b"}, {"mode": "ANY", "allowedFunctionNames": ["a_b"]}),
        ({"type": "none"}, {"mode": "NONE"}),
    ],
)
def test_tool_choice(choice: dict[str, Any], expected: dict[str, Any] | None) -> None:
    """Declarations stay also where no call is wanted: the history refers to them."""
    body = said(tools=[{"name": "a b", "input_schema": {}}], tool_choice=choice).body
    assert body.get("toolConfig") == (None if expected is None else {"functionCallingConfig": expected})
    assert body["tools"]


def test_tools_that_anthropic_defines_get_their_schema() -> None:
    """Models must be told what Claude knows."""
    tools = [{"type": "bash_20250124", "name": "bash"}, {"type": "memory_20250818", "name": "memory"}]
    declared = said(tools=tools).body["tools"][0]["functionDeclarations"]
    assert [tool["name"] for tool in declared] == ["bash", "memory"]
    assert "command" in declared[0]["parametersJsonSchema"]["properties"]


@pytest.mark.parametrize("kind", ["web_fetch_20250910", "code_execution_20250825", "computer_20250124", "mcp_toolset"])
def test_tools_of_anthropics_servers_are_refused_by_name(kind: str) -> None:
    """There is nobody here who runs them."""
    with pytest.raises(InvalidRequest, match=rf"tools\.0.*{kind}.*gemini"):
        said(tools=[{"type": kind, "name": "x"}])


def test_references_stand_alone_and_definitions_move() -> None:
    """JSON Schema is kept, but for what the platform refuses."""
    schema = {
        "definitions": {"P": {"type": "object", "properties": {"n": {"type": "number", "exclusiveMaximum": 3}}}},
        "type": "object",
        "properties": {"p": {"$ref": "#/definitions/P", "description": "pt"}, "format": {"type": "string"}},
    }
    (declared,) = said(tools=[{"name": "x", "input_schema": schema}]).body["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"] == {
        "type": "object",
        "properties": {"p": {"$ref": "#/$defs/P"}, "format": {"type": "string"}},
        "$defs": {"P": {"type": "object", "properties": {"n": {"type": "number", "maximum": 3}}}},
    }


def test_a_schema_without_end_is_refused() -> None:
    """Not with a fault of the router."""
    schema: dict[str, Any] = {}
    for _ in range(2000):
        schema = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(InvalidRequest, match=r"tools\.0\.input_schema"):
        encode(
            Asked(
                {"max_tokens": 1, "messages": [user("a")], "tools": [{"name": "x", "input_schema": schema}]},
                MODEL,
                None,
                GEMINI,
            )
        )


# Web search


def test_web_search_becomes_grounding() -> None:
    """Alone; what Google's tool has no field for is said in words."""
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8, "blocked_domains": ["x.org"]}
    encoded = said(tools=[tool], tool_choice={"type": "tool", "name": "web_search"})
    assert encoded.body["tools"] == [{"googleSearch": {}}]
    assert "toolConfig" not in encoded.body
    assert "x.org" in encoded.body["systemInstruction"]["parts"][0]["text"]
    assert encoded.searches


def test_web_search_beside_functions_or_switched_off_is_refused() -> None:
    """The platform cannot combine them; an operator may not want it."""
    tool = {"type": "web_search_20250305", "name": "web_search"}
    with pytest.raises(InvalidRequest, match="together with other tools"):
        said(tools=[tool, {"name": "x", "input_schema": {}}])
    with pytest.raises(InvalidRequest, match="web_search_20250305"):
        said(tools=[tool], tuning=Tuning(grounding=False))
    with pytest.raises(InvalidRequest, match="antigravity"):
        said(tools=[tool], manner=CLAUDE, model="claude-sonnet-4-5")
