"""The Gemini API and Vertex's Gemini models on one port, as strict as the services (gemini.md §11)."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from aiohttp import web

from tests.emulators.gemini_model import SCENARIOS, Answers, joined, problem_of
from tests.emulators.google_json import REQUEST, unknown_name
from tests.emulators.server import CUT, STALL, Emulator, Seen

API_KEY = "AIzaEmulator-key"
TOKEN = "ya29.emulator"
_COUNT = {"generateContentRequest": {"model": None, **REQUEST}}
_LONGEST_NAME = 128

Refusal = tuple[int, dict[str, Any]]


def google_error(code: int, status: str, message: str, *details: dict[str, Any]) -> Refusal:
    """An error as Google says it."""
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    return code, {"error": error | ({"details": list(details)} if details else {})}


def bad(message: str) -> Refusal:
    """The refusal of a request."""
    return google_error(400, "INVALID_ARGUMENT", message)


class GeminiEmulator(Emulator):
    """Answers text unless told otherwise.

    `script` takes the scenarios of the next requests: `text`, `parallel_tools`, `thinking`, `midstream_error`, `slow`
    (endless until the router leaves), `tool_loop` (stays: calls `call`, a tool's name and arguments, or the first tool
    that is offered; answers with text once a result is there). A request with `googleSearch` gets sources. Model names
    ending in `-429`, `-503mid`, `-malformed`, `-empty`, `-cut` and `-continue` do as they say. `refusals` is a list of
    statuses with bodies that the next requests get instead. Its models are `model` and `other_models`; signatures are
    demanded from Gemini 3 on, and only its own (or the stand-in) are accepted.
    """

    platform = "gemini"
    scenarios = SCENARIOS
    auth: ClassVar[dict[str, Any]] = {"api_key": API_KEY}
    options: ClassVar[dict[str, Any]] = {}
    model = "gemini-3.8-flash"
    other_models = ("gemini-4-argon", "gemini-2.5-pro")

    def __init__(self) -> None:
        super().__init__()
        self._random = random.Random(11)

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/v1beta/models/{call}", self._gemini),
            web.post("/v1/publishers/google/models/{call}", self._vertex),
            web.post("/v1/projects/{project}/locations/{location}/publishers/google/models/{call}", self._vertex),
        ]

    async def _gemini(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, await self.note(request), vertex=False)

    async def _vertex(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, await self.note(request), vertex=True)

    async def _answer(self, request: web.Request, seen: Seen, *, vertex: bool) -> web.StreamResponse:
        model, _, verb = request.match_info["call"].partition(":")
        body = seen.json
        if (refusal := self._forbidden(seen)) is not None:
            return _refuse(refusal)
        if self.refusals:
            return _refuse(self.refusals.pop(0))
        if verb == "countTokens":
            return self._count(body, vertex=vertex)
        if (problem := unknown_name(body, REQUEST) or problem_of(body, model, longest_name=_LONGEST_NAME)) is not None:
            self.violations.append(problem)
            return _refuse(bad(problem))
        if model.endswith("-429"):
            delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
            return _refuse(google_error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", delay))
        scene = self.next_scene()
        chunks = self._special(model, body) or list(Answers(model, body, self.next_call(scene)).chunks(scene))
        if verb == "generateContent":
            return web.json_response(joined(chunks))
        if request.query.get("alt") != "sse":
            self.violations.append("a stream without alt=sse")
        return await self.stream(request, seen, "text/event-stream", self._chopped(chunks, model, scene))

    def _count(self, body: dict[str, Any], *, vertex: bool) -> web.StreamResponse:
        if (problem := unknown_name(body, REQUEST if vertex else _COUNT)) is not None:
            self.violations.append(problem)
            return _refuse(bad(problem))
        return web.json_response({"totalTokens": 321})

    def _forbidden(self, seen: Seen) -> Refusal | None:
        if "key" in seen.query:
            self.violations.append("the key stands in the query")
        if seen.headers.get("x-goog-api-key") == API_KEY or seen.headers.get("authorization") == f"Bearer {TOKEN}":
            return None
        if "x-goog-api-key" in seen.headers:
            info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
            return google_error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", info)
        return google_error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")

    def _special(self, model: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The answers of models that are named for what they do."""
        usage = {"promptTokenCount": 20, "candidatesTokenCount": 0, "totalTokenCount": 20}
        head: dict[str, Any] = {"usageMetadata": usage, "modelVersion": model, "responseId": "Emu0002"}
        if model.endswith("-malformed"):
            return [head | {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "print(x"}]}]
        if model.endswith("-empty"):
            return [head | {"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]}]
        if model.endswith("-503mid"):
            return list(Answers(model, body, None).chunks("midstream_error"))
        if model.endswith("-continue"):
            going_on = "continuationToken" in body
            candidate = {"content": {"role": "model", "parts": [{"text": "two." if going_on else "One, "}]}, "index": 0}
            candidate |= (
                {"finishReason": "STOP"}
                if going_on
                else {"finishReason": "CONTINUATION", "continuationToken": "bmV4dA=="}
            )
            return [head | {"candidates": [candidate]}]
        return []

    def _chopped(self, chunks: list[dict[str, Any]], model: str, scene: str) -> Iterator[bytes | str]:
        data = b"".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\r\n\r\n".encode() for chunk in chunks)
        if model.endswith("-cut"):
            data = data[: len(data) * 2 // 3]
        while data:
            size = self._random.choice((1, 7, 60, 400))
            yield data[:size]
            data = data[size:]
        if scene == "slow":
            yield STALL
        if model.endswith("-cut"):
            yield CUT


class VertexGeminiEmulator(GeminiEmulator):
    """The same service as Vertex's door, by an express key: without project and location."""

    platform = "vertex"


def _refuse(refusal: Refusal) -> web.Response:
    return web.json_response(refusal[1], status=refusal[0])
