"""Addresses that speak OpenAI's API, as strict as OpenAI and its vendors (openai-compatible.md §10)."""

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

from tests.emulators.openai_answers import chat_stream, chat_whole, responses_stream, responses_whole
from tests.emulators.openai_rules import Problem, chat_problems, responses_problems
from tests.emulators.server import CUT, STALL, Emulator, Seen

FIXTURES = Path(__file__).parent.parent / "fixtures" / "openai"
KEY = "sk-openai-emulator"
SCENARIOS = ("text", "parallel_tools", "thinking", "midstream_error", "slow", "tool_loop", "tool_call")
_CHAT = {
    "text": "01_text",
    "parallel_tools": "02_parallel_tools",
    "thinking": "05_reasoning_content",
    "midstream_error": "09_midstream_error_bare",
}
_RESPONSES = {
    "text": "22_responses_text",
    "parallel_tools": "21_responses_tools_reasoning",
    "midstream_error": "24_responses_failed_midstream",
}
_PREFIXES = {
    "openai": ("", "/openai/v1"),
    "azure": ("/azure/openai/v1",),
    "deepseek": ("/deepseek",),
    "openrouter": ("/openrouter/api/v1",),
    "vllm": ("/vllm/v1",),
    "ollama": ("/ollama/v1",),
    "moonshot": ("/moonshot/v1",),
    "generic": ("/generic/v1",),
}


class OpenAiEmulator(Emulator):
    """Answers text unless told otherwise; the path's beginning chooses the vendor, nothing there is OpenAI.

    `script` takes the scenarios of the next requests: `text`, `parallel_tools`, `thinking`, `midstream_error`, `slow`
    (endless until the router leaves), `tool_loop` (calls `call`, a tool's name and arguments, or the first tool that is
    offered; answers with text once a result is there). Streams are fixtures where there is one. Models ending in
    `-throttle`, `-overloaded`, `-cut` and `-drip` fail or are slow as they say. `refusals` is a list of status and body
    that the next requests get instead.
    """

    platform = "openai"
    scenarios = SCENARIOS
    auth: ClassVar[dict[str, str]] = {"api_key": KEY}
    options: ClassVar[dict[str, Any]] = {"vendor": "openai"}
    model = "gpt-6.1-sol"
    other_models = ("gpt-4.1", "gpt-6.1-terra")

    def __init__(self) -> None:
        super().__init__()
        self._random = random.Random(11)
        self.counts = True

    def reset(self) -> None:
        super().reset()
        self.counts = True

    def at(self, vendor: str) -> str:
        """The base_url of a vendor."""
        return self.url + _PREFIXES[vendor][-1]

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.post("/{path:.+}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        for vendor, prefixes in _PREFIXES.items():
            for prefix in prefixes:
                operation = seen.path.removeprefix(prefix)
                if seen.path.startswith(prefix) and operation in ("/chat/completions", "/responses"):
                    return await self._answer(request, seen, vendor, responses=operation == "/responses")
                if seen.path.startswith(prefix) and operation in (
                    "/responses/input_tokens",
                    "/tokenizers/estimate-token-count",
                ):
                    return self._count(seen, vendor, operation)
        if seen.path == "/tokenize":
            return self._count(seen, "vllm", seen.path)
        return _error(404, "Not Found", None, None)

    async def _answer(self, request: web.Request, seen: Seen, vendor: str, *, responses: bool) -> web.StreamResponse:
        if (refused := self._forbidden(seen, vendor)) is not None:
            return refused
        if self.refusals:
            status, document = self.refusals.pop(0)
            return web.json_response(document, status=status)
        body, model = seen.json, seen.json.get("model", "")
        problems = responses_problems(body) if responses else chat_problems(body, vendor)
        if "px1:" in json.dumps(body):
            problems.append(("a carrier of the router's", None, None))
        if problems:
            return self._refuse(problems)
        if model.endswith("-throttle"):
            return _error(429, "Rate limit reached for requests", None, "rate_limit_exceeded", {"retry-after": "7"})
        if model.endswith("-overloaded"):
            return _error(503, "The engine is currently overloaded, please try again later", None, None)
        scene = self.next_scene()
        call = self.next_call(scene)
        if not body.get("stream"):
            whole = responses_whole if responses else chat_whole
            return web.json_response(whole(scene, body, call), headers={"x-request-id": "request-1"})
        names = _RESPONSES if responses else _CHAT
        if scene in names:
            data = (FIXTURES / f"{names[scene]}.sse").read_bytes()
        else:
            data = (responses_stream if responses else chat_stream)(scene, body, call)
        chunks = self._chopped(data, model, scene)
        return await self.stream(request, seen, "text/event-stream; charset=utf-8", chunks)

    def _refuse(self, problems: list[Problem]) -> web.Response:
        message, param, code = problems[0]
        if code not in ("unsupported_parameter", "unknown_parameter") and param != "reasoning_effort":
            self.violations.append(message)
        return _error(400, message, param, code)

    def _forbidden(self, seen: Seen, vendor: str) -> web.Response | None:
        given = seen.headers.get("authorization")
        if vendor == "azure":
            given = f"Bearer {seen.headers['api-key']}" if "api-key" in seen.headers and given is None else None
        if vendor in ("vllm", "ollama") and given is None:
            return None
        if given != f"Bearer {KEY}":
            return _error(401, "Incorrect API key provided.", None, "invalid_api_key")
        return None

    def _count(self, seen: Seen, vendor: str, operation: str) -> web.Response:
        body = seen.json
        if not self.counts:
            return _error(404, "Not Found", None, None)
        if operation == "/responses/input_tokens":
            unknown = set(body) - {
                "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text",
            }  # fmt: skip
            self.violations += [f"{name} in a count" for name in sorted(unknown)]
            return web.json_response({"object": "response.input_tokens", "input_tokens": 321})
        if operation == "/tokenize":
            self.violations += [f"{name} in a count" for name in sorted(set(body) - {"model", "messages", "tools"})]
            return web.json_response({"count": 322, "max_model_len": 32768, "tokens": []})
        self.violations += [f"{name} in a count" for name in sorted(set(body) - {"model", "messages"})]
        assert vendor == "moonshot"
        return web.json_response({"data": {"total_tokens": 323}})

    def _chopped(self, data: bytes, model: str, scene: str) -> Iterator[bytes | float | str]:
        if scene == "slow":
            data = data[: len(data) // 2]
        if model.endswith("-cut"):
            yield data[: len(data) // 2]
            yield CUT
            return
        while data:
            size = 9 if model.endswith("-drip") else self._random.choice((1, 7, 60, 400))
            yield data[:size]
            data = data[size:]
            if model.endswith("-drip"):
                yield 0.005
        if scene == "slow":
            yield STALL


def _error(
    status: int, message: str, param: str | None, code: str | None, headers: dict[str, str] | None = None
) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return web.json_response({"error": error}, status=status, headers={"x-request-id": "request-1", **(headers or {})})
