"""Claude on Vertex AI, as strict as the service (vertex-claude.md §8)."""

import json
import random
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar
from urllib.parse import unquote

from aiohttp import web

from tests.emulators import claude
from tests.emulators.server import CUT, STALL, Emulator, Seen

TOKEN = "ya29.test-token"
PROJECT = "test-project"
TOP = (claude.TOP - {"anthropic_beta"}) | {"stream"}
BETAS = {
    "compact-2026-01-12",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dangerous-tool-use-2026-09-03",
    "inline-tools-2026-09-15",
    "interleaved-thinking-2025-05-14",
    "per-turn-control-2026-07-01",
    "thinking-binding-controls-2026-08-01",
    "thinking-display-updates-2026-08-18",
    "tool-search-tool-2025-10-19",
    "web-search-2025-03-05",
}
_MODELS = re.compile(r"claude-[a-z]+-[0-9]+(?:-[0-9]+)?(?:@20[0-9]{6}|@default)?(?:-(?:cut|slow|missing))?")
_DATED_OUTSIDE = re.compile(r"-20\d{6}$")


def problems_of(body: dict[str, Any], model: str, betas: set[str], *, counts: bool = False) -> list[str]:
    """What Vertex would refuse in a body."""
    found = []
    if body.get("anthropic_version") != "vertex-2023-10-16":
        found.append("anthropic_version: Input should be 'vertex-2023-10-16'")
    found += [f"Unexpected value(s) `{beta}` for the `anthropic-beta` header" for beta in sorted(betas - BETAS)]
    searches = any(str(tool.get("type")).startswith("web_search_") for tool in body.get("tools") or ())
    if searches and not counts and "web-search-2025-03-05" not in betas:
        found.append("tools.0: web search needs its beta")
    known = {name: value for name, value in body.items() if not (counts and name == "model")}
    if counts:
        known.setdefault("max_tokens", 1)
        if "model" not in body or _DATED_OUTSIDE.search(body["model"]):
            found.append("model: Field required")
        # Counting is told no beta, so fields that need one are judged without.
        betas = BETAS
    server = r"web_search_|tool_search_tool_"
    return found + claude.problems_of(known, model, top=TOP, betas=betas, known_betas=BETAS, server_tools=server)


class VertexClaudeEmulator(Emulator):
    """Answers text unless told otherwise.

    `script` takes the scenarios of the next requests: `text`, `parallel_tools`, `thinking`, `midstream_error`, `slow`
    (endless until the router leaves), `tool_loop` (calls `call`, a tool's name and arguments, or the first tool that is
    offered; answers with text once a result is there). Models ending in `-cut`, `-slow` and `-missing` fail as they
    say. `refusals` is a list of errors (status, document) that the next requests get instead.
    """

    platform = "vertex"
    scenarios = claude.SCENARIOS
    auth: ClassVar[dict[str, str]] = {"access_token": TOKEN, "project": PROJECT}
    options: ClassVar[dict[str, Any]] = {}
    model = "claude-sonnet-5-5"
    other_models = ("claude-sonnet-4-5@20250929", "claude-opus-5-5")

    def __init__(self) -> None:
        super().__init__()
        self.counting_places = {"global", "us-east5"}
        self._random = random.Random(7)

    def reset(self) -> None:
        super().reset()
        self.counting_places = {"global", "us-east5"}

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.post("/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{rest}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        model, _, verb = unquote(seen.path.split("/")[-1]).partition(":")
        if seen.headers.get("authorization") != f"Bearer {TOKEN}":
            return _google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if request.match_info["project"] != PROJECT:
            return _google(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied on resource")
        if self.refusals:
            status, document = self.refusals.pop(0)
            return web.json_response(document, status=status)
        if model == "count-tokens":
            return self._count(seen, request.match_info["location"])
        if not _MODELS.fullmatch(model) or model.endswith("-missing"):
            return _google(404, "NOT_FOUND", f"Publisher Model `publishers/anthropic/models/{model}` was not found.")
        return await self._answer(request, seen, model, verb)

    async def _answer(self, request: web.Request, seen: Seen, model: str, verb: str) -> web.StreamResponse:
        body = seen.json
        streams = verb == "streamRawPredict"
        problems = problems_of(body, model, _betas(seen))
        if bool(body.get("stream")) is not streams:
            problems.append("stream does not agree with the verb")
        if problems:
            self.violations += problems
            return _anthropic(400, "invalid_request_error", problems[0])
        scene = self.next_scene()
        whole = claude.answer(scene, body, prefix="vrtx", call=self.next_call(scene))
        if not streams:
            return web.json_response(whole, headers={"request-id": "req_vrtx_1"})
        data = b"".join(_events(whole, scene))
        return await self.stream(request, seen, "text/event-stream", self._chopped(data, model, scene))

    def _count(self, seen: Seen, location: str) -> web.StreamResponse:
        if "anthropic-beta" in seen.headers:
            self.violations.append("a beta at counting")
            return _anthropic(400, "invalid_request_error", "Unexpected value(s) for the `anthropic-beta` header")
        if location not in self.counting_places:
            return _google(404, "NOT_FOUND", "Publisher Model count-tokens is not servable in this location.")
        if problems := problems_of(seen.json, seen.json.get("model", ""), set(), counts=True):
            self.violations += problems
            return _anthropic(400, "invalid_request_error", problems[0])
        return web.json_response({"input_tokens": 77})

    def _chopped(self, data: bytes, model: str, scene: str) -> Iterator[bytes | float | str]:
        if scene == "slow":
            data = data[: len(data) // 2]
        if model.endswith("-cut"):
            yield data[: len(data) * 2 // 3]
            yield CUT
            return
        while data:
            size = self._random.choice((1, 7, 60, 400))
            yield data[:size]
            data = data[size:]
        if scene == "slow":
            yield STALL


def _betas(seen: Seen) -> set[str]:
    return {value.strip() for value in seen.headers.get("anthropic-beta", "").split(",") if value.strip()}


def _google(status: int, code: str, message: str) -> web.Response:
    return web.json_response([{"error": {"code": status, "status": code, "message": message}}], status=status)


def _anthropic(status: int, kind: str, message: str) -> web.Response:
    document = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_vrtx_1"}
    return web.json_response(document, status=status)


def _events(whole: dict[str, Any], scene: str) -> Iterator[bytes]:
    yield b'event: vertex_event\ndata: {"type": "vertex_event"}\n\n'
    yield b'event: ping\ndata: {"type": "ping"}\n\n'
    for event in claude.events_of(whole):
        if scene == "midstream_error" and event["type"] == "content_block_stop":
            error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            yield f"event: error\ndata: {json.dumps(error)}\n\n".encode()
            return
        yield f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
