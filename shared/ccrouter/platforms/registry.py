"""Which platforms there are; the module of each is loaded at its first use, so that a start stays short."""

from functools import cache
from importlib import import_module

from ccrouter.platforms.contract import Platform, SelfAnswering
from ccrouter.platforms.sandbox import Sandbox

PLATFORMS: dict[str, str] = {
    "anthropic": "ccrouter.platforms.anthropic:Anthropic",
    "bedrock": "ccrouter.platforms.bedrock:Bedrock",
    "gemini": "ccrouter.platforms.gemini:Gemini",
    "vertex": "ccrouter.platforms.vertex:Vertex",
    "openai": "ccrouter.platforms.openai:OpenAi",
    "antigravity": "ccrouter.platforms.antigravity:Antigravity",
    "kiro": "ccrouter.platforms.kiro:Kiro",
}
"""Platforms that are asked over the network with a credential, by name: module and class."""

SELF_ANSWERING: dict[str, SelfAnswering] = {platform.name: platform for platform in (Sandbox(),)}
"""Platforms that need neither."""

MOST_ATTEMPTS: dict[str, int] = {"kiro": 3, "antigravity": 3}
"""How often a platform is asked for one request, over all its credentials (kiro.md §13, antigravity.md §14)."""

UNMAPPED_PLATFORM = "anthropic"
"""Where names go that no mapping knows."""


@cache
def platform_named(name: str) -> Platform:
    """The platform of this name. Raises KeyError for one that is not in PLATFORMS."""
    module, _, class_name = PLATFORMS[name].partition(":")
    platform: Platform = getattr(import_module(module), class_name)()
    return platform


def is_platform(name: str) -> bool:
    """Whether a mapping may name this platform."""
    return name in PLATFORMS or name in SELF_ANSWERING
