"""Which platforms there are."""

from ccrouter.platforms.anthropic import Anthropic
from ccrouter.platforms.contract import Platform, SelfAnswering
from ccrouter.platforms.sandbox import Sandbox

PLATFORMS: dict[str, Platform] = {platform.name: platform for platform in (Anthropic(),)}
"""Platforms that are asked over the network with a credential."""

SELF_ANSWERING: dict[str, SelfAnswering] = {platform.name: platform for platform in (Sandbox(),)}
"""Platforms that need neither."""

UNMAPPED_PLATFORM = "anthropic"
"""Where names go that no mapping knows."""


def is_platform(name: str) -> bool:
    """Whether a mapping may name this platform."""
    return name in PLATFORMS or name in SELF_ANSWERING
