"""Cloud Code Assist, Google's token endpoint among it, as strict as the service (antigravity.md §15)."""

import base64
import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from tests.emulators.gemini import Refusal, bad, google_error
from tests.emulators.gemini_model import SCENARIOS, Answers, joined, problem_of, signature_of
from tests.emulators.google_json import REQUEST, unknown_name
from tests.emulators.server import STALL, Emulator, Seen

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "emulator.apps.example", "emulator-secret", "1//emulator-refresh"
PROJECT = "proj-emulated"

_SCHEMA_NAMES = dict.fromkeys(["type", "description", "nullable", "enum", "required"])
_SCHEMA: dict[str, Any] = {**_SCHEMA_NAMES}
_SCHEMA |= {"items": _SCHEMA, "properties": {"*": _SCHEMA}}
_INNER = {
    **REQUEST,
    "tools": {"functionDeclarations": {"name": None, "description": None, "parameters": _SCHEMA}, "googleSearch": {}},
    "session_id": None,
}
_INNER.pop("continuationToken")
_ENVELOPE = {
    "model": None,
    "project": None,
    "user_prompt_id": None,
    "requestId": None,
    "userAgent": None,
    "requestType": None,
    "enabled_credit_types": None,
    "request": _INNER,
}
_COUNT = {"request": {"model": None, "contents": REQUEST["contents"]}}
_LONGEST_NAME = 64


class AntigravityEmulator(Emulator):
    """Answers text unless told otherwise; serves both families, Claude under `other_models`.

    `script` takes the scenarios of the next requests, as GeminiEmulator does, `call` what `tool_loop` calls, `refusals`
    what the next requests get instead. Tokens are got at `POST /token` and counted in `tokens`; `expire` ends those
    that were given, `revoke` lets no new one be got. `is_set_up` False: `onboardUser` must come first, and is done at
    the second look; `hindrance` refuses it. `project` is what the account has. Signatures are its own: others are
    refused, for both families.
    """

    platform = "antigravity"
    scenarios = SCENARIOS
    auth: ClassVar[dict[str, Any]] = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
    }
    model = "gemini-3-flash"
    other_models = ("claude-sonnet-4-5-thinking", "gemini-3-pro-high")

    def __init__(self) -> None:
        super().__init__()
        self.tokens = 0
        self.revoked, self.is_set_up, self.project, self.looks = False, True, PROJECT, 0
        self.hindrance = ""
        self._valid: set[str] = set()
        self._codes: dict[str, tuple[str, str]] = {}
        self._random = random.Random(13)

    @property
    def options(self) -> dict[str, Any]:
        """What a credential needs beside its address."""
        return {"acknowledged": True, "token_url": f"{self.url}/token"}

    def token(self) -> str:
        """An access token that is good now."""
        self.tokens += 1
        token = f"ya29.emulated-{self.tokens}"
        self._valid.add(token)
        return token

    def expire(self) -> None:
        """No token that was given is good any more."""
        self._valid.clear()

    def revoke(self) -> None:
        """The refresh token is not good any more."""
        self.revoked = True

    def reset(self) -> None:
        super().reset()
        self.revoked, self.is_set_up, self.hindrance = False, True, ""
        self.project, self.looks = PROJECT, 0

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/v1internal:{verb}", self._ask),
            web.get("/v1internal/{name:operations/.+}", self._look_up),
            web.post("/token", self._token),
        ]

    async def _token(self, request: web.Request) -> web.StreamResponse:
        await self.note(request)
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") == "authorization_code":
            return self._exchange({name: str(value) for name, value in form.items()})
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != REFRESH_TOKEN or self.revoked:
            said = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            return web.json_response(said, status=400)
        scope = "https://www.googleapis.com/auth/cloud-platform"
        return web.json_response(
            {"access_token": self.token(), "expires_in": 3599, "scope": scope, "token_type": "Bearer"}
        )

    def agree(self, url: str) -> str:
        """What a person does in the browser at Google's page; the address the browser then ends on."""
        page = urlsplit(url)
        assert (page.hostname, page.path) == ("accounts.google.com", "/o/oauth2/v2/auth")
        asked = dict(parse_qsl(page.query))
        wanted = {"response_type": "code", "access_type": "offline", "prompt": "consent", "client_id": CLIENT_ID}
        assert wanted.items() <= asked.items()
        assert asked["code_challenge_method"] == "S256"
        assert "https://www.googleapis.com/auth/cloud-platform" in asked["scope"].split()
        code = f"4/0emulated-{len(self._codes)}"
        self._codes[code] = (asked["code_challenge"], asked["redirect_uri"])
        back = {"state": asked["state"], "code": code, "scope": asked["scope"], "authuser": "0", "prompt": "consent"}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def _exchange(self, form: dict[str, str]) -> web.StreamResponse:
        challenge, redirect_uri = self._codes.pop(form.get("code", ""), ("", ""))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge or redirect_uri != form["redirect_uri"]:
            return web.json_response(
                {"error": "invalid_grant", "error_description": "Malformed auth code."}, status=400
            )
        return web.json_response(
            {
                "access_token": self.token(),
                "expires_in": 3599,
                "refresh_token": REFRESH_TOKEN,
                "scope": "https://www.googleapis.com/auth/cloud-platform",
                "token_type": "Bearer",
            }
        )

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        seen, verb = await self.note(request), request.match_info["verb"]
        if seen.headers.get("authorization", "").removeprefix("Bearer ") not in self._valid:
            return _refuse(google_error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."))
        if not re.fullmatch(r"claude-code-router/\d.*", seen.headers.get("user-agent", "")) and "ontent" in verb:
            self.violations.append(f"user-agent is {seen.headers.get('user-agent')}")
        if self.refusals:
            return _refuse(self.refusals.pop(0))
        if verb == "loadCodeAssist":
            return web.json_response(self._account(seen))
        if verb == "onboardUser":
            return self._set_up(seen)
        if verb == "fetchAvailableModels":
            models: dict[str, Any] = {name: {"displayName": name} for name in (self.model, *self.other_models)}
            models[self.model]["quotaInfo"] = {"remainingFraction": 0.9}
            models[self.other_models[0]]["quotaInfo"] = {"resetTime": "2026-12-01T00:00:00Z"}
            return web.json_response({"models": models})
        if verb == "retrieveUserQuota":
            return web.json_response({"buckets": [{"modelId": self.model, "remainingFraction": 0.5}]})
        if verb == "countTokens":
            problem = unknown_name(seen.json, _COUNT)
            return _refuse(self._bad(problem)) if problem else web.json_response({"totalTokens": 321})
        return await self._generate(request, seen, verb)

    def _account(self, seen: Seen) -> dict[str, Any]:
        metadata = seen.json["metadata"]
        if any(not value.endswith("_UNSPECIFIED") for value in metadata.values()):
            self.violations.append(f"metadata names another product: {metadata}")
        tier = {"id": "standard-tier", "name": "Standard", "userDefinedCloudaicompanionProject": True}
        if self.is_set_up:
            return {"currentTier": tier, "cloudaicompanionProject": self.project}
        if self.hindrance:
            return {"ineligibleTiers": [{"reasonCode": "VALIDATION_REQUIRED", "reasonMessage": self.hindrance}]}
        return {"allowedTiers": [tier, {"id": "free-tier", "isDefault": True}]}

    def _set_up(self, seen: Seen) -> web.Response:
        if seen.json["tierId"] != "free-tier" or "cloudaicompanionProject" in seen.json:
            self.violations.append(f"set up as {seen.json}")
            return _refuse(google_error(400, "FAILED_PRECONDITION", "Precondition Failed"))
        return web.json_response({"name": "operations/set-up-1", "done": False})

    async def _look_up(self, request: web.Request) -> web.StreamResponse:
        seen = await self.note(request)
        if seen.headers.get("authorization", "").removeprefix("Bearer ") not in self._valid:
            return _refuse(google_error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."))
        self.looks += 1
        if self.looks < 2:
            return web.json_response({"name": request.match_info["name"], "done": False})
        self.is_set_up = True
        made = {"cloudaicompanionProject": {"id": self.project, "name": self.project}}
        return web.json_response({"name": request.match_info["name"], "done": True, "response": made})

    async def _generate(self, request: web.Request, seen: Seen, verb: str) -> web.StreamResponse:
        envelope = seen.json
        if (problem := self._problem(envelope)) is not None:
            return _refuse(self._bad(problem))
        model, body = envelope["model"], envelope["request"]
        if model not in (self.model, *self.other_models):
            return _refuse(google_error(404, "NOT_FOUND", "Requested entity was not found."))
        scene = self.next_scene()
        answers = Answers(model, body, self.next_call(scene), claude="claude" in model)
        if verb == "generateContent":
            return web.json_response({"response": joined(list(answers.chunks(scene))), "traceId": "trace-1"})
        if request.query.get("alt") != "sse" or seen.headers.get("accept") != "text/event-stream":
            self.violations.append("a stream that was not asked for as one")
        return await self.stream(request, seen, "text/event-stream", self._chopped(answers.chunks(scene), scene))

    def _problem(self, envelope: dict[str, Any]) -> str | None:
        for name in ("model", "project", "request"):
            if not envelope.get(name):
                return f"{name} is required"
        model, body = envelope["model"], envelope["request"]
        claude = "claude" in model
        found = unknown_name(envelope, _ENVELOPE) or problem_of(body, model, longest_name=_LONGEST_NAME, claude=claude)
        if found is not None:
            return found
        system = body.get("systemInstruction")
        if system is not None and system.get("role") != "user":
            return "systemInstruction must be a content of the user"
        parts = [part for content in body["contents"] for part in content["parts"]]
        ids = ["id" in part["functionCall"] for part in parts if "functionCall" in part]
        if claude:
            if not all(ids):
                return "messages: tool_use.id: Field required"
            return _claude_problem(body, parts)
        if any(ids):
            return "Invalid JSON payload received. Unknown name \"id\" at 'request.contents.parts.function_call'"
        return None

    def _bad(self, problem: str) -> Refusal:
        self.violations.append(problem)
        return bad(problem)

    def _chopped(self, chunks: Iterator[dict[str, Any]], scene: str) -> Iterator[bytes | str]:
        wrapped = (chunk if "error" in chunk else {"response": chunk, "traceId": "trace-1"} for chunk in chunks)
        data = b"".join(f"data: {json.dumps(chunk)}\r\n\r\n".encode() for chunk in wrapped)
        while data:
            size = self._random.choice((1, 7, 60, 400))
            yield data[:size]
            data = data[size:]
        if scene == "slow":
            yield STALL


def _claude_problem(body: dict[str, Any], parts: list[dict[str, Any]]) -> str | None:
    for part in parts:
        if part.get("thought") and part.get("thoughtSignature") != signature_of(part["text"]):
            inner = "messages.1.content.0: Invalid `signature` in `thinking` block"
            return json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": inner}})
        if not part.get("text", "x").strip():
            return "messages: text content blocks must contain non-whitespace text"
    thinks = "thinkingConfig" in body["generationConfig"]
    in_loop = any("functionResponse" in part for part in body["contents"][-1]["parts"])
    if thinks and in_loop and "thought" not in body["contents"][-2]["parts"][0]:
        return "Expected `thinking` or `redacted_thinking`, but found `tool_use`."
    declared = [tool for entry in body.get("tools", ()) for tool in entry.get("functionDeclarations", ())]
    validated = body.get("toolConfig", {}).get("functionCallingConfig", {}).get("mode") == "VALIDATED"
    if validated and not all(tool.get("parameters", {}).get("properties") for tool in declared):
        return "tools: VALIDATED needs parameters"
    return None


def _refuse(refusal: Refusal) -> web.Response:
    headers = {"x-cloudaicompanion-trace-id": "trace-1"}
    return web.json_response(refusal[1], status=refusal[0], headers=headers)
