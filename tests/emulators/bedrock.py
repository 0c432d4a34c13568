"""Amazon Bedrock's InvokeModel, CountTokens and its native door, as strict as the service (bedrock.md §1, §10)."""

import base64
import json
import random
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar
from unittest import mock
from urllib.parse import unquote, urlencode

import botocore.auth
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ccrouter.framing.eventstream import encode_frame
from tests.emulators import claude
from tests.emulators.server import CUT, STALL, Emulator, Seen

REGION = "us-east-1"
ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token=="
BETAS = {
    "compact-2026-01-12",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dangerous-tool-use-2026-09-03",
    "effort-2025-11-24",
    "fine-grained-tool-streaming-2025-05-14",
    "interleaved-thinking-2025-05-14",
    "mid-conversation-output-config-2026-07-01",
    "mid-conversation-tool-changes-2026-07-01",
    "thinking-binding-controls-2026-08-01",
    "thinking-display-updates-2026-08-18",
    "tool-search-tool-2025-10-19",
    "tool-examples-2025-10-29",
}
_ID = re.compile(
    r"(?:(?:global|us|eu|apac|jp|au|us-gov)\.)?anthropic\.claude-[a-z0-9.:-]+|arn:aws:bedrock:[a-z0-9-]+:\d{12}:"
    r"application-inference-profile/[a-z0-9]+"
)
_NEEDS_PROFILE = re.compile(r"anthropic\.claude-(?:opus|sonnet|haiku|fable)-(?:4-[5-9]|5)")


_AS_ANTHROPIC_ITSELF = re.compile(
    r"tools\.\d+\.custom\.\w+: Extra inputs|messages\.\d+\.role|messages\.\d+\.\w+: Extra"
)
"""What InvokeModel refuses and the native door does not: what a tool and a message may carry, and who may speak."""


def native_problems_of(body: dict[str, Any], headers: dict[str, str]) -> list[str]:
    """What the native door would refuse: it is Anthropic's own API, without some of what that can do."""
    found = [] if "anthropic-version" in headers else ["anthropic-version: header is required"]
    found += [
        f"{name}: Extra inputs are not permitted" for name in ("anthropic_version", "anthropic_beta") if name in body
    ]
    if "format" in (body.get("output_config") or {}):
        found.append("output_config.format: structured outputs are not supported")
    known = {name: value for name, value in body.items() if name in claude.TOP} | {"anthropic_version": "of the header"}
    known.pop("context_management", None)
    judged = claude.problems_of(known, str(body.get("model")), top=claude.TOP, betas=set(), known_betas=set())
    return found + [text for text in judged if not _AS_ANTHROPIC_ITSELF.match(text)]


def problems_of(body: dict[str, Any], model: str) -> list[str]:
    """What Bedrock would refuse in an InvokeModel body."""
    found = []
    if body.get("anthropic_version") != "bedrock-2023-05-31":
        found.append("anthropic_version: Input should be 'bedrock-2023-05-31'")
    betas = body.get("anthropic_beta", [])
    if "interleaved-thinking-2025-05-14" in betas and claude.version_of(model)[1:] not in ((4, 0), (4, 1), (4, 5)):
        found.append("invalid beta flag")
    return found + claude.problems_of(body, model, top=claude.TOP, betas=set(betas), known_betas=BETAS)


class BedrockEmulator(Emulator):
    """Answers text unless told otherwise.

    `script` takes the scenarios of the next requests: `text`, `parallel_tools`, `thinking`, `midstream_error`, `slow`
    (endless until the router leaves), `tool_loop` (calls `call`, a tool's name and arguments, or the first tool that is
    offered; answers with text once a result is there). Ids ending in `-throttle`, `-expired`, `-cut` and `-slow` fail
    as they say. `refusals` is a list of exceptions (name, status, message) that the next requests get instead.
    """

    platform = "bedrock"
    scenarios = claude.SCENARIOS
    auth: ClassVar[dict[str, str]] = {
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET_KEY,
        "session_token": SESSION_TOKEN,
    }
    options: ClassVar[dict[str, Any]] = {"region": REGION}
    model = "claude-sonnet-5-5"
    other_models = ("claude-sonnet-4-5", "global.anthropic.claude-opus-5-5")

    def __init__(self) -> None:
        super().__init__()
        self.counts = True
        self._random = random.Random(7)

    def reset(self) -> None:
        super().reset()
        self.counts = True

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/model/{model}/invoke", self._invoke),
            web.post("/model/{model}/invoke-with-response-stream", self._invoke),
            web.post("/model/{model}/count-tokens", self._count),
            web.post("/anthropic/v1/messages", self._native),
        ]

    async def _invoke(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        model = unquote(seen.path.split("/")[2])
        problem = self._forbidden(seen) or self._judge(seen.json, model)
        if problem is None and self.refusals:
            problem = self.refusals.pop(0)
        if problem is not None:
            return _exception(*problem)
        streams = seen.path.endswith("-stream")
        wanted = "application/vnd.amazon.eventstream" if streams else "application/json"
        if seen.headers.get("accept") != wanted:
            self.violations.append(f"accept is {seen.headers.get('accept')}, not {wanted}")
        scene = self.next_scene()
        whole = claude.answer(scene, seen.json, prefix="bdrk", call=self.next_call(scene))
        if not streams:
            return web.json_response(
                whole | {"amazon-bedrock-guardrailAction": "NONE"},
                headers={"x-amzn-requestid": "request-1", "X-Amzn-Bedrock-Input-Token-Count": "20"},
            )
        chunks = self._chopped(b"".join(_frames(whole, scene)), model, scene)
        return await self.stream(request, seen, "application/vnd.amazon.eventstream", chunks)

    async def _native(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        if (problem := self._forbidden(seen)) is not None:
            return _exception(*problem)
        model = str(seen.json.get("model"))
        problems = [] if _ID.fullmatch(model) else ["model: Input should be an id of Bedrock's"]
        problems += native_problems_of(seen.json, seen.headers)
        if problems:
            # Server tools are refused by the service, not kept away by the router: the body is the client's own.
            self.violations += [text for text in problems if "found using 'type'" not in text]
            return _native_error(400, "invalid_request_error", problems[0])
        if self.refusals:
            return _exception(*self.refusals.pop(0))
        scene = self.next_scene()
        whole = claude.answer(scene, seen.json, prefix="bdrk", call=self.next_call(scene))
        if not seen.json.get("stream"):
            return web.json_response(whole, headers={"request-id": "req_bdrk_1"})
        data = b"".join(_native_events(whole, scene))
        return await self.stream(request, seen, "text/event-stream", self._chopped(data, model, scene))

    async def _count(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        model = unquote(seen.path.split("/")[2])
        inner = json.loads(base64.b64decode(seen.json["input"]["invokeModel"]["body"], validate=True))
        if (problem := self._forbidden(seen)) is not None:
            return _exception(*problem)
        if not self.counts or not model.startswith("anthropic."):
            return _exception("ValidationException", 400, "The provided model doesn't support counting tokens.")
        if found := problems_of(inner, model):
            self.violations += found
            return _exception("ValidationException", 400, found[0])
        return web.json_response({"inputTokens": 321})

    def _judge(self, body: dict[str, Any], model: str) -> tuple[str, int, str] | None:
        for name in ("model", "stream"):
            if name in body:
                self.violations.append(name)
                message = f"Malformed input request: #: extraneous key [{name}] is not permitted"
                return "ValidationException", 400, message
        if not _ID.fullmatch(model):
            return "ResourceNotFoundException", 404, "Could not resolve the foundation model from the identifier."
        if _NEEDS_PROFILE.match(model):
            advice = "Retry your request with the ID or ARN of an inference profile that contains this model."
            message = f"Invocation of model ID {model} with on-demand throughput isn't supported. {advice}"
            return "ValidationException", 400, message
        if model.endswith("-throttle"):
            return "ThrottlingException", 429, "Too many requests, please wait before trying again."
        if model.endswith("-expired"):
            return "ExpiredTokenException", 403, "The security token included in the request is expired"
        if not model.startswith("arn:") and (found := problems_of(body, model)):
            self.violations += found
            return "ValidationException", 400, found[0]
        return None

    def _forbidden(self, seen: Seen) -> tuple[str, int, str] | None:
        given = seen.headers.get("authorization", "")
        if given.startswith("Bearer "):
            return None if given.startswith("Bearer test-") else _unknown("The bearer token is invalid.")
        if not given.startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/"):
            return _unknown("The security token included in the request is invalid.")
        if f"/{REGION}/bedrock/aws4_request" not in given:
            return "InvalidSignatureException", 403, "Credential should be scoped to a valid region."
        return (
            None
            if given == self._signature(seen)
            else (
                "InvalidSignatureException",
                403,
                "The request signature we calculated does not match the signature you provided.",
            )
        )

    def _signature(self, seen: Seen) -> str:
        """What AWS's own library signs for this request."""
        at = datetime.strptime(seen.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        request = AWSRequest(
            seen.method,
            f"{self.url}{seen.path}{f'?{urlencode(seen.query)}' if seen.query else ''}",
            data=seen.body,
            headers={"content-type": seen.headers["content-type"], "host": seen.headers["host"]},
        )
        with mock.patch.object(botocore.auth, "get_current_datetime", return_value=at):
            SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY, SESSION_TOKEN), "bedrock", REGION).add_auth(request)
        return str(request.headers["Authorization"])

    def _chopped(self, data: bytes, model: str, scene: str) -> Iterator[bytes | float | str]:
        if scene == "slow":
            data = data[: len(data) // 2]
        if model.endswith("-cut"):
            yield data[: len(data) * 2 // 3]
            yield CUT
            return
        while data:
            size = 1 if model.endswith("-slow") else self._random.choice((1, 7, 60, 400))
            yield data[:size]
            data = data[size:]
            if model.endswith("-slow"):
                yield 0.01
        if scene == "slow":
            yield STALL


def _unknown(message: str) -> tuple[str, int, str]:
    return "UnrecognizedClientException", 403, message


def _exception(name: str, status: int, message: str) -> web.Response:
    return web.json_response(
        {"message": message},
        status=status,
        headers={"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/", "x-amzn-requestid": "request-1"},
    )


def _native_error(status: int, kind: str, message: str) -> web.Response:
    document = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_bdrk_1"}
    return web.json_response(document, status=status, headers={"request-id": "req_bdrk_1"})


def _native_events(whole: dict[str, Any], scene: str) -> Iterator[bytes]:
    for event in claude.events_of(whole):
        if scene == "midstream_error" and event["type"] == "content_block_stop":
            error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            yield f"event: error\ndata: {json.dumps(error)}\n\n".encode()
            return
        yield f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def _frames(whole: dict[str, Any], scene: str) -> Iterator[bytes]:
    for event in claude.events_of(whole):
        if scene == "midstream_error" and event["type"] == "content_block_stop":
            message = b'{"message":"Too many tokens, please wait before trying again."}'
            yield encode_frame({":message-type": "exception", ":exception-type": "throttlingException"}, message)
            return
        yield chunk_frame(event)


def chunk_frame(event: dict[str, Any]) -> bytes:
    """A frame with an event, padded and measured as Bedrock does it."""
    if event["type"] == "message_stop":
        metrics = {"inputTokenCount": 20, "outputTokenCount": 9, "invocationLatency": 5, "firstByteLatency": 3}
        event = event | {"amazon-bedrock-invocationMetrics": metrics}
    data = base64.b64encode(json.dumps(event).encode()).decode()
    payload = json.dumps({"bytes": data, "p": "abcdefgh"[: len(data) % 8]}).encode()
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(headers, payload)
