"""Every platform and model family with the emulator that plays it, and how a key leads there."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.emulators.antigravity import PROJECT, AntigravityEmulator
from tests.emulators.bedrock import BedrockEmulator
from tests.emulators.gemini import TOKEN as GOOGLE_TOKEN
from tests.emulators.gemini import GeminiEmulator
from tests.emulators.kiro import KiroEmulator
from tests.emulators.openai import OpenAiEmulator
from tests.emulators.server import Emulator
from tests.emulators.vertex_claude import VertexClaudeEmulator
from tests.services import RunningRouter


@dataclass(frozen=True)
class Case:
    """A row of the table: a platform, a model of it, and how to make the credential from the running emulator."""

    label: str
    platform: str
    emulator: type[Emulator]
    model: str
    credential: Callable[[Any], dict[str, Any]]
    """`auth`, `options` and `base_url`."""

    def target(self, router: RunningRouter, emulator: Emulator) -> dict[str, Any]:
        """A new credential at the emulator, as a target of a mapping."""
        fields = dict(self.credential(emulator))
        auth = fields.pop("auth")
        made = router.new_credential(self.platform, auth, name=f"c-{uuid.uuid4().hex}", **fields)
        return {"platform": self.platform, "model": self.model, "credential_id": made}


def _plain(emulator: Any) -> dict[str, Any]:
    return {"auth": dict(emulator.auth), "options": dict(emulator.options), "base_url": emulator.url}


def _native(emulator: Any) -> dict[str, Any]:
    return _plain(emulator) | {"options": dict(emulator.options) | {"door": "messages"}}


def _vertex_gemini(emulator: Any) -> dict[str, Any]:
    return {"auth": {"access_token": GOOGLE_TOKEN, "project": "p-1"}, "base_url": emulator.url}


def _antigravity(emulator: Any) -> dict[str, Any]:
    # What signing in makes of the refresh token.
    signed_in = {"access_token": emulator.token(), "project": PROJECT}
    return _plain(emulator) | {"auth": dict(emulator.auth) | signed_in}


def _kiro(emulator: Any) -> dict[str, Any]:
    emulator.native = True
    return {"auth": dict(emulator.auth), "options": dict(emulator.options) | {"thinking": "native"}}


def _vendor(name: str) -> Callable[[Any], dict[str, Any]]:
    return lambda emulator: {"auth": dict(emulator.auth), "options": {"vendor": name}, "base_url": emulator.at(name)}


CASES = (
    Case("bedrock, Claude", "bedrock", BedrockEmulator, "claude-sonnet-5-5", _plain),
    Case("bedrock, Claude (native door)", "bedrock", BedrockEmulator, "claude-sonnet-5-5", _native),
    Case("vertex, Claude", "vertex", VertexClaudeEmulator, "claude-sonnet-5-5", _plain),
    Case("vertex, Gemini", "vertex", GeminiEmulator, "gemini-3.8-flash", _vertex_gemini),
    Case("gemini", "gemini", GeminiEmulator, "gemini-3.8-flash", _plain),
    Case("antigravity, Gemini", "antigravity", AntigravityEmulator, "gemini-3-flash", _antigravity),
    Case("openai, Responses", "openai", OpenAiEmulator, "gpt-6.1-sol", _vendor("openai")),
    Case("openai, Chat (DeepSeek)", "openai", OpenAiEmulator, "deepseek-v4-pro", _vendor("deepseek")),
    Case("kiro", "kiro", KiroEmulator, "claude-sonnet-4-5", _kiro),
    Case("antigravity, Claude", "antigravity", AntigravityEmulator, "claude-sonnet-4-5-thinking", _antigravity),
)
