"""How Bedrock names Claude's models: foundation ids, and the profiles that newer models demand (bedrock.md §3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ccrouter.dialects.anthropic.models import ClaudeModel, claude_model

_VENDOR = "anthropic."
_PROFILE = re.compile(r"^(global|us|eu|apac|jp|au|us-gov)\.(?=anthropic\.)")
_SUFFIX = re.compile(r"\[[0-9a-z]+\]$")

# From 4.6 on (Opus from 4.7 on) a foundation id is the public name; before, it has a date and a version.
# Checked 2026-11-23 against AWS's model cards.
_FOUNDATIONS = {
    "claude-opus-4-6": "claude-opus-4-6-v1",
    "claude-opus-4-5": "claude-opus-4-5-20251101-v1:0",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929-v1:0",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001-v1:0",
    "claude-opus-4-1": "claude-opus-4-1-20250805-v1:0",
    "claude-opus-4": "claude-opus-4-20250514-v1:0",
    "claude-opus-4-0": "claude-opus-4-20250514-v1:0",
    "claude-sonnet-4": "claude-sonnet-4-20250514-v1:0",
    "claude-sonnet-4-0": "claude-sonnet-4-20250514-v1:0",
    "claude-3-7-sonnet": "claude-3-7-sonnet-20250219-v1:0",
    "claude-3-5-haiku": "claude-3-5-haiku-20241022-v1:0",
    "claude-3-5-sonnet": "claude-3-5-sonnet-20241022-v2:0",
    "claude-3-haiku": "claude-3-haiku-20240307-v1:0",
}
_DATED = re.compile(r"^(claude-.+)-(20\d{6})$")

# Claude Code's own defaults (bedrock.md §3).
_DEFAULT_PREFIXES = (("us-gov-", "us-gov."), ("us-", "us."), ("eu-", "eu."), ("ap-", "apac."))
_FURTHEST_PREFIX = "global."


@dataclass(frozen=True, slots=True)
class BedrockModel:
    """A model as it is asked for.

    `id` stands in the address; `foundation` is the id that token counting wants, None where an ARN hides it; `place` is
    where it is computed: `global`, a geography or a region, which decides the price.
    """

    id: str
    foundation: str | None
    claude: ClaudeModel
    place: str


def bedrock_model(name: str, options: Mapping[str, Any]) -> BedrockModel:
    """What a target's model name means for a credential with these options.

    `profiles` leads public names to a profile's prefix (`eu.`), id or ARN; `profile_prefix` goes before all others
    that have none, else that of the `region`.
    """
    region, prefix = str(options.get("region", "")), options.get("profile_prefix")
    profiles: Mapping[str, str] = options.get("profiles") or {}
    name = _SUFFIX.sub("", name)
    if name.startswith("arn:"):
        public = next((public for public, arn in profiles.items() if arn == name), "")
        return _hidden(name, public, region)
    bare = _PROFILE.sub("", name).removeprefix(_VENDOR)
    chosen = profiles.get(name) or profiles.get(bare)
    if chosen is not None and chosen.startswith("arn:"):
        return _hidden(chosen, bare, region)
    if chosen is not None and not chosen.endswith("."):
        return _known(chosen, _PROFILE.sub("", chosen), region)
    foundation = _VENDOR + _foundation(bare)
    if (match := _PROFILE.match(name)) is not None:
        return _known(match[0] + foundation, foundation, region)
    return _known((chosen or prefix or _default_prefix(region)) + foundation, foundation, region)


def _place_of(region: str) -> str:
    return "us-gov" if region.startswith("us-gov-") else region


def _known(model_id: str, foundation: str, region: str) -> BedrockModel:
    match = _PROFILE.match(model_id)
    return BedrockModel(model_id, foundation, claude_model(foundation), match[1] if match else _place_of(region))


def _hidden(arn: str, public: str, region: str) -> BedrockModel:
    foundation = _VENDOR + _foundation(public) if public else None
    return BedrockModel(arn, foundation, claude_model(public), _place_of(region))


def _foundation(bare: str) -> str:
    if bare in _FOUNDATIONS:
        return _FOUNDATIONS[bare]
    match = _DATED.match(bare)
    known = _FOUNDATIONS.get(match[1]) if match else None
    # claude-sonnet-4-5-20250929 is Anthropic's name of claude-sonnet-4-5-20250929-v1:0.
    return known if known is not None and match is not None and match[2] in known else bare


def _default_prefix(region: str) -> str:
    return next((prefix for begin, prefix in _DEFAULT_PREFIXES if region.startswith(begin)), _FURTHEST_PREFIX)
