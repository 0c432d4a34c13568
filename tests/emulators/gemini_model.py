"""A model that speaks the Gemini dialect: what it demands of a conversation, and what it answers in each scenario."""

import base64
import hashlib
import hmac
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

SCENARIOS = ("text", "parallel_tools", "thinking", "midstream_error", "slow", "tool_loop", "tool_call")
STAND_IN = "skip_thought_signature_validator"
_NUMBERS = itertools.count(1)
_SECRET = b"the emulator's own"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")
_DATA = ("text", "inlineData", "fileData", "functionCall", "functionResponse")

Call = tuple[str, dict[str, Any]]


def signature_of(what: str) -> str:
    """A thought signature that only this emulator can have made."""
    return base64.b64encode(hmac.new(_SECRET, what.encode(), hashlib.sha256).digest()).decode()


def _call_text(call: dict[str, Any]) -> str:
    return json.dumps([call["name"], call.get("args", {})], sort_keys=True)


def problem_of(body: dict[str, Any], model: str, *, longest_name: int, claude: bool = False) -> str | None:
    """What the model refuses in a request, in Google's words; None where it is flawless."""
    contents = body.get("contents")
    if not contents:
        return "contents are required"
    for index, content in enumerate(contents):
        if content.get("role") != ("user", "model")[index % 2]:
            return f"Please ensure that multiturn requests alternate between user and model (contents[{index}])."
        if not content.get("parts"):
            return f"* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty."
        for number, part in enumerate(content["parts"]):
            if sum(name in part for name in _DATA) != 1 or part.get("text") == "":
                where = f"contents[{index}].parts[{number}].data"
                return f"* GenerateContentRequest.{where}: required oneof field 'data' must have one initialized field"
    return (
        _turn_problem(contents)
        or _tool_problem(body, longest_name)
        or _config_problem(body.get("generationConfig", {}), claude=claude)
        or (None if claude or not re.search(r"gemini-[3-9]", model) else _signature_problem(contents))
    )


def _turn_problem(contents: list[Any]) -> str | None:
    wanted = "Please ensure that the number of function response parts is equal to the number of function call parts"
    for before, after in zip([{"parts": []}, *contents], contents, strict=False):
        calls = [part["functionCall"] for part in before["parts"] if "functionCall" in part]
        answers = [part["functionResponse"] for part in after["parts"] if "functionResponse" in part]
        leading = [part for part in after["parts"][: len(answers)] if "functionResponse" in part]
        names = sorted(call["name"] for call in calls), sorted(answer["name"] for answer in answers)
        if len(calls) != len(answers) or len(leading) != len(answers) or names[0] != names[1]:
            return f"{wanted} of the function call turn."
        if any(call.get("id") for call in calls) and {c.get("id") for c in calls} != {a.get("id") for a in answers}:
            return f"{wanted}: ids do not match."
    return "the last turn must be the user's" if contents[-1]["role"] == "model" else None


def _tool_problem(body: dict[str, Any], longest_name: int) -> str | None:
    tools = body.get("tools", [])
    declared = [tool["name"] for entry in tools for tool in entry.get("functionDeclarations", ())]
    for name in declared:
        if not _NAME.fullmatch(name) or len(name) > longest_name:
            return f"Invalid function name {name}. Must start with a letter or an underscore."
    if len(set(declared)) != len(declared):
        return "Duplicate function declaration found"
    if declared and any("googleSearch" in entry for entry in tools):
        return "Tool use with function calling is unsupported"
    config = body.get("toolConfig", {}).get("functionCallingConfig", {})
    if set(config.get("allowedFunctionNames", ())) - set(declared):
        return "allowed_function_names must be declared"
    return None


def _config_problem(config: dict[str, Any], *, claude: bool) -> str | None:
    thinking = config.get("thinkingConfig", {})
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        return "You can only set only one of thinking budget and thinking level."
    if len(config.get("stopSequences", ())) > 5:
        return "stop_sequences must have at most 5 entries"
    if not 0 < config.get("maxOutputTokens", 1) <= 1_048_576:
        return "max_output_tokens is out of range"
    if claude and "thinkingBudget" in thinking:
        if config.get("maxOutputTokens", 0) <= thinking["thinkingBudget"]:
            return "`max_tokens` must be greater than `thinking.budget_tokens`."
        if {"temperature", "topP", "topK"} & config.keys():
            return "`temperature` may only be set to 1 when thinking is enabled."
    return None


def _signature_problem(contents: list[Any]) -> str | None:
    asked = [
        index
        for index, content in enumerate(contents)
        if content["role"] == "user" and any("functionResponse" not in part for part in content["parts"])
    ]
    begin = max(asked, default=0)
    for content in contents[begin:]:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if not calls:
            continue
        given = calls[0].get("thoughtSignature")
        if given is None:
            return "Function call is missing a thought_signature in functionCall parts."
        if given not in (STAND_IN, signature_of(_call_text(calls[0]["functionCall"]))):
            return "Corrupted thought signature."
        if any("thoughtSignature" in part for part in calls[1:]):
            return "Thought signature is not valid: parallel calls carry none."
    return None


class Answers:
    """Chunks of an answer, by scenario. `claude`: its signatures stand on thoughts, not on calls."""

    def __init__(self, model: str, body: dict[str, Any], call: Call | None, *, claude: bool = False) -> None:
        self._model = model
        # Every answer has an id of its own: Claude Code takes what has one id for one message.
        self._id = f"Emu{next(_NUMBERS)}"
        self._body = body
        self._call = call
        self._claude = claude

    def chunks(self, scenario: str) -> Iterator[dict[str, Any]]:
        """The answer's chunks; those of `midstream_error` and `slow` break off."""
        yield from self._thoughts(scenario)
        if scenario == "parallel_tools":
            names = self._offered() or ["first", "second"]
            for number, name in enumerate((names * 2)[:2]):
                yield self._chunk(self._called(name, {"n": number}, first=number == 0, number=number))
            yield self._end()
        elif scenario == "tool_call" or (scenario == "tool_loop" and not self._has_result()):
            name, arguments = self._call or (self._offered()[0], {})
            assert name in self._offered(), f"{name} was not offered: {self._offered()}"
            yield self._chunk(self._called(name, arguments, first=True, number=0))
            yield self._end()
        elif scenario == "midstream_error":
            yield self._chunk({"text": "Here is"})
            error = {
                "code": 503,
                "message": "The model is overloaded. Please try again later.",
                "status": "UNAVAILABLE",
            }
            yield {"error": error}
        elif scenario == "slow":
            yield self._chunk({"text": "Here is"})
        else:
            yield self._chunk({"text": "Here is the answer: "})
            yield self._chunk({"text": "☁️ 42."})
            yield self._end(**self._found())

    def _thoughts(self, scenario: str) -> Iterator[dict[str, Any]]:
        config = self._body.get("generationConfig", {}).get("thinkingConfig", {})
        if scenario in ("thinking", "parallel_tools", "tool_loop", "tool_call") and config.get("includeThoughts"):
            text = "Let me see, 6 times 7."
            yield self._chunk({"text": text[:9], "thought": True})
            yield self._chunk({"text": text[9:], "thought": True})
            if self._claude:
                yield self._chunk({"text": "", "thought": True, "thoughtSignature": signature_of(text)})

    def _called(self, name: str, arguments: dict[str, Any], *, first: bool, number: int) -> dict[str, Any]:
        call: dict[str, Any] = {"name": name, "args": arguments}
        # Each call of a conversation has an id of its own.
        turn = len(self._body["contents"])
        if self._claude:
            return {"functionCall": call | {"id": f"toolu_vrtx_{turn}_{number}"}}
        part: dict[str, Any] = {"functionCall": call}
        if self._model.startswith("gemini-4"):
            part["functionCall"] = call | {"id": f"fc-{turn}-{number}"}
        return part | ({"thoughtSignature": signature_of(_call_text(call))} if first else {})

    def _offered(self) -> list[str]:
        return [tool["name"] for entry in self._body.get("tools", ()) for tool in entry.get("functionDeclarations", ())]

    def _has_result(self) -> bool:
        return any("functionResponse" in part for part in self._body["contents"][-1]["parts"])

    def _found(self) -> dict[str, Any]:
        if not any("googleSearch" in tool for tool in self._body.get("tools", ())):
            return {}
        return {
            "groundingMetadata": {
                "webSearchQueries": ["the answer"],
                "groundingChunks": [{"web": {"uri": "https://example.com/42", "title": "example.com"}}],
                "groundingSupports": [
                    {"segment": {"startIndex": 20, "endIndex": 30, "text": "☁️ 42."}, "groundingChunkIndices": [0]}
                ],
            }
        }

    def _chunk(self, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
        candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0} | more
        return {
            "candidates": [candidate],
            "usageMetadata": {
                "promptTokenCount": 20,
                "cachedContentTokenCount": 8,
                "candidatesTokenCount": 9,
                "totalTokenCount": 29,
            },
            "modelVersion": self._model,
            "responseId": self._id,
        }

    def _end(self, **more: Any) -> dict[str, Any]:
        signed = {} if self._claude else {"thoughtSignature": signature_of("end")}
        return self._chunk({"text": "", **signed}, finishReason="STOP", **more)


def joined(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """A whole answer, as `generateContent` gives it."""
    listed = [chunk for chunk in chunks if "candidates" in chunk]
    whole: dict[str, Any] = json.loads(json.dumps(listed[-1]))
    parts = [part for chunk in listed for part in chunk["candidates"][0].get("content", {}).get("parts", ())]
    if parts:
        kept = [part for part in parts if part.get("text") != "" or len(part) > 1]
        whole["candidates"][0]["content"]["parts"] = kept
    return whole
