"""Kiro's runtime and management services, as strict as kiro.md §14 says, with its sign-in beside them."""

import json
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

from ccrouter.framing.eventstream import encode_frame
from tests.emulators.kiro_rules import problems_of, reason_of
from tests.emulators.kiro_tokens import KiroTokens
from tests.emulators.server import CUT, STALL, Seen

__all__ = ["FIXTURES", "KiroEmulator", "event", "problems_of"]

FIXTURES = Path(__file__).parent.parent / "fixtures" / "kiro"
PROFILE = "arn:aws:codewhisperer:us-east-1:123456789012:profile/EMULATED"
_SCENARIOS = (
    "text", "parallel_tools", "thinking", "midstream_error", "slow", "silent", "tool_loop", "tool_call", "cut",
)  # fmt: skip
_ERRORS = {
    case["name"]: case["upstream"]
    for case in map(json.loads, (FIXTURES / "30_http_errors.jsonl").read_text().splitlines())
}
_BEARER = "The bearer token included in the request is invalid."
_TARGETS = {
    "AmazonCodeWhispererStreamingService.GenerateAssistantResponse": "_generate",
    "AmazonCodeWhispererService.ListAvailableModels": "_models",
    "AmazonCodeWhispererService.ListAvailableProfiles": "_profiles",
    "AmazonCodeWhispererService.GetProfile": "_profile",
    "AmazonCodeWhispererService.GetUsageLimits": "_limits",
}


def event(kind: str, **payload: Any) -> bytes:
    """A frame with an event."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(headers, json.dumps(payload).encode())


class KiroEmulator(KiroTokens):
    """Answers text unless told otherwise.

    `script` takes the scenarios of the next requests: `text`, `parallel_tools`, `thinking`, `midstream_error`, `slow`
    (endless until the router leaves), `silent` (the same, without a byte), `cut` (the connection breaks inside a
    frame), `tool_loop` (calls `call`, a tool's name and arguments, or the first tool that is offered; answers with text
    once a result is there), a fixture's name (its bytes), or the name of a line of the HTTP errors. `profiles` are what
    ListAvailableProfiles knows; `needs_profile` refuses requests that name none of them; `native` lets the models think
    by themselves, then also before a call. `used` are the credits of 1000 that are gone.
    """

    platform = "kiro"
    scenarios = (*_SCENARIOS, *_ERRORS, *(path.stem for path in FIXTURES.glob("*.bin")))
    auth: ClassVar[dict[str, Any]] = {"auth_method": "api_key", "api_key": "ksk_emulated"}
    model = "claude-sonnet-4-5"
    other_models = ("claude-opus-4-5", "claude-haiku-4-5")

    def __init__(self) -> None:
        super().__init__()
        self.profiles: list[str] = []
        self.is_builder_id = self.needs_profile = self.native = False
        self.next_reset = self.used = 0.0
        self.usage_refusal: tuple[int, str, str] | None = None
        self._signed: dict[str, str] = {}
        self._random = random.Random(7)

    @property
    def options(self) -> dict[str, Any]:
        """A credential's options that lead here."""
        return {"runtime_url": self.url, "management_url": self.url, "token_url": self.url}

    def reset(self) -> None:
        super().reset()
        self.reset_tokens()
        self.profiles, self.usage_refusal = [], None
        self.next_reset = self.used = 0.0
        self.is_builder_id = self.needs_profile = self.native = False

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            *self.token_routes(),
            web.post("/", self._dispatch),
            web.post("/generateAssistantResponse", self._generate),
            *(web.get(path, self._models) for path in ("/ListAvailableModels", "/List-Available-Models")),
            *(web.get(path, self._limits) for path in ("/getUsageLimits", "/Get-Usage-Limits")),
            *(web.post(path, self._profiles) for path in ("/ListAvailableProfiles", "/List-Available-Profiles")),
            web.post("/GetProfile", self._profile),
        ]

    @property
    def generated(self) -> list[Seen]:
        """The requests for answers among those seen."""
        return [seen for seen in self.seen if seen.path == "/generateAssistantResponse"]

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        name = _TARGETS[request.headers["x-amz-target"]]
        if request.content_type != "application/x-amz-json-1.0":
            self.violations.append(f"{name} is asked as {request.content_type}")
        answer: web.StreamResponse = await getattr(self, name)(request)
        return answer

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        if not self.accepts(seen):
            return _exception(403, "AccessDeniedException", _BEARER)
        self._check_headers(seen)
        body = seen.json
        if self.needs_profile and body.get("profileArn") not in self.profiles:
            return _exception(400, "ValidationException", "profileArn is required for this request.")
        if not self.needs_profile and body.get("profileArn") not in (None, *self.profiles):
            return _exception(403, "AccessDeniedException", _BEARER)
        if found := problems_of(body, {"output_config", "thinking"} if self.native else set()):
            self.violations += found
            message, reason = reason_of(found[0])
            return _exception(400, "ValidationException", message, reason)
        if self._has_foreign_reasoning(body):
            reason = "THINKING_SIGNATURE_INVALID"
            return _exception(400, "ValidationException", "Invalid `signature` in `thinking` block", reason)
        scene = self.next_scene()
        if scene in _ERRORS:
            upstream = _ERRORS[scene]
            headers = {name: value for name, value in upstream["headers"].items() if name != "content-type"}
            return web.json_response(upstream["body"], status=upstream["status"], headers=headers)
        data = (
            (FIXTURES / f"{scene}.bin").read_bytes() if scene not in _SCENARIOS else b"".join(self._frames(scene, body))
        )
        response_chunks = self._chopped(data, scene)
        return await self.stream(request, seen, "application/vnd.amazon.eventstream", response_chunks)

    def _frames(self, scene: str, body: dict[str, Any]) -> Iterator[bytes]:
        current = body["conversationState"]["currentMessage"]["userInputMessage"]
        context = current.get("userInputMessageContext", {})
        offered = [tool["toolSpecification"]["name"] for tool in context.get("tools", ())]
        whole = json.dumps(body)
        if scene == "thinking" and "<thinking_mode>" in whole:
            yield event("assistantResponseEvent", content="<thinking>\nLet me see, 6 times")
            yield event("assistantResponseEvent", content=" 7.</thinking>\n\n")
        elif scene == "thinking" or (
            scene in ("tool_loop", "tool_call") and "thinking" in body.get("additionalModelRequestFields", {})
        ):
            signature = f"signature-{len(self._signed)}"
            self._signed[signature] = "Let me see, 6 times 7."
            yield event("reasoningContentEvent", text="Let me see, ")
            yield event("reasoningContentEvent", text="6 times 7.")
            yield event("reasoningContentEvent", signature=signature)
        if scene == "tool_call" or (scene == "tool_loop" and "toolResults" not in context):
            name, arguments = self.next_call(scene) or (offered[0], {})
            assert name in offered, f"{name} was not offered: {offered}"
            yield from _call(f"tooluse_{len(self.seen)}", name, arguments)
        else:
            yield event("assistantResponseEvent", content="Here is the answer: ")
            if scene == "midstream_error":
                said = {"message": "Too many requests, please wait before trying again.", "reason": None}
                headers = {":message-type": "exception", ":exception-type": "ThrottlingException"}
                yield encode_frame(headers, json.dumps(said).encode())
                return
            yield event("assistantResponseEvent", content="☁️ 42.")
        if scene == "parallel_tools":
            for index, name in enumerate(((offered or ["first", "second"]) * 2)[:2]):
                yield from _call(f"tooluse_{index}", name, {"n": index})
        yield event("contextUsageEvent", contextUsagePercentage=0.5)
        yield event("meteringEvent", usage=0.0625, unit="credit", unitPlural="credits")

    def _chopped(self, data: bytes, scene: str) -> Iterator[bytes | float | str]:
        if scene == "silent":
            data = b""
        ending = {"slow": STALL, "silent": STALL, "cut": CUT}.get(scene)
        if ending is not None:
            data = data[: len(data) * 2 // 3]
        while data:
            size = self._random.choice((1, 7, 60, 400))
            yield data[:size]
            data = data[size:]
        if ending is not None:
            yield ending

    def _has_foreign_reasoning(self, body: dict[str, Any]) -> bool:
        for turn in body["conversationState"].get("history", ()):
            reasoning = turn.get("assistantResponseMessage", {}).get("reasoningContent", {}).get("reasoningText")
            if reasoning is not None and self._signed.get(reasoning["signature"]) != reasoning["text"]:
                return True
        return False

    def _check_headers(self, seen: Seen) -> None:
        expected = {
            "accept": "application/vnd.amazon.eventstream",
            "content-type": "application/json",
            "amz-sdk-request": "attempt=1; max=1",
        }
        self.violations += [
            f"{name} is {seen.headers.get(name)}" for name, value in expected.items() if seen.headers.get(name) != value
        ]
        if not seen.headers.get("user-agent", "").startswith("claude-code-router/"):
            self.violations.append(f"user-agent is {seen.headers.get('user-agent')}")

    async def _models(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        if not self.accepts(seen):
            return _exception(403, "AccessDeniedException", _BEARER)
        effort = {"type": "object", "properties": {"effort": {"enum": ["low", "medium", "high"]}}}
        schema = {"type": "object", "properties": {"output_config": effort, "thinking": {"type": "object"}}}
        models = [
            {"modelId": name, "tokenLimits": {"maxInputTokens": 200_000, "maxOutputTokens": 64_000}}
            | ({"additionalModelRequestFieldsSchema": schema} if self.native else {})
            for name in ("claude-opus-4.5", "claude-sonnet-4.5", "claude-haiku-4.5")
        ]
        at = int(seen.query.get("nextToken", 0))
        following = {"nextToken": str(at + 2)} if at + 2 < len(models) else {}
        return web.json_response({"models": models[at : at + 2], **following})

    async def _limits(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        if not self.accepts(seen):
            return _exception(403, "AccessDeniedException", _BEARER)
        if self.usage_refusal is not None:
            return _exception(*self.usage_refusal)
        credit = {
            "resourceType": "CREDIT",
            "displayName": "Credit",
            "currentUsage": int(self.used),
            "currentUsageWithPrecision": self.used,
            "usageLimit": 1000,
            "usageLimitWithPrecision": 1000.0,
            "unit": "INVOCATIONS",
        }
        reset = self.next_reset or time.time() + 7 * 86_400
        plan = {"subscriptionTitle": "KIRO PRO"}
        return web.json_response({"nextDateReset": reset, "usageBreakdownList": [credit], "subscriptionInfo": plan})

    async def _profiles(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        if not self.accepts(seen):
            return _exception(403, "AccessDeniedException", _BEARER)
        if "tokentype" in seen.headers:
            return _exception(403, "AccessDeniedException", "Unsupported token type")
        if self.is_builder_id:
            return _exception(403, "AccessDeniedException", "AWS Builder ID is not supported for this operation.")
        return web.json_response(
            {
                "profiles": [
                    {"arn": arn, "profileName": f"p{i}", "status": "ACTIVE"} for i, arn in enumerate(self.profiles)
                ]
            }
        )

    async def _profile(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        if not self.accepts(seen) or not self.profiles:
            return _exception(403, "AccessDeniedException", _BEARER)
        return web.json_response({"profile": {"arn": self.profiles[0], "status": "ACTIVE"}})


def _call(id_: str, name: str, arguments: dict[str, Any]) -> Iterator[bytes]:
    text = json.dumps(arguments)
    yield event("toolUseEvent", toolUseId=id_, name=name)
    for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
        yield event("toolUseEvent", toolUseId=id_, name=name, input=piece)
    yield event("toolUseEvent", toolUseId=id_, name=name, stop=True)


def _exception(status: int, name: str, message: str, reason: str | None = None) -> web.Response:
    return web.json_response(
        {"message": message, "reason": reason},
        status=status,
        headers={"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/", "x-amzn-requestid": "request-1"},
    )
