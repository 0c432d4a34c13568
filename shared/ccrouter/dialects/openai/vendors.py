"""Addresses that speak OpenAI's API, and how each deviates, as rows (openai-compatible.md §2).

Checked 2026-11-23 against openai 3.54.0, litellm 1.106.2 and the pages named in `source`.
"""

from functools import cache
from typing import Literal
from urllib.parse import urlsplit

import msgspec


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """One row; the defaults are those of an address nobody knows."""

    name: str
    base_url: str | None = None
    hosts: tuple[str, ...] = ()
    """Endings of host names that this row is chosen for, or a port such as `:11434`."""
    key_header: Literal["authorization", "api-key"] = "authorization"
    responses: bool = False
    """Whether models that need the Responses API are asked there."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    system_role: Literal["system", "developer"] = "system"
    system_in_place: bool = False
    """Whether a system message may stand in the middle of a conversation."""
    stream_usage: bool = True
    """Whether `stream_options.include_usage` may be sent."""
    reasoning_in: Literal["none", "effort", "thinking", "object", "template"] = "none"
    """Where thinking is asked for: `reasoning_effort`, `thinking`, `reasoning`, or `chat_template_kwargs`."""
    template_key: str = "enable_thinking"
    efforts: tuple[str, ...] | None = None
    """Efforts that all its models know; None: by model (`models.efforts_of`)."""
    reasoning_back: Literal["none", "content", "every", "details"] = "none"
    """What goes back on assistant messages: nothing, `reasoning_content` where it is known, `reasoning_content` on
    every message, or `reasoning_details`."""
    forces_while_thinking: bool = True
    """Whether a tool may be forced while the model thinks."""
    cache_mark: Literal["none", "cache_control", "prompt_cache_breakpoint"] = "none"
    files: bool = False
    fetches_urls: bool = True
    """Whether it fetches images by itself."""
    parallel_tool_calls: bool = True
    """Whether `parallel_tool_calls` may be sent."""
    max_stop: int = 4
    top_k: bool = False
    user: bool = False
    """Whether `user` may be sent."""
    openai_ids: bool = False
    """Whether `safety_identifier` and `prompt_cache_key` are sent instead."""
    store: bool = False
    """Whether `store: false` must be said."""
    strict_schemas: bool = False
    """Whether strict schemas must close every object and require every property."""
    prefill: Literal["none", "as_is", "prefix"] = "none"
    empty_content: str | None = None
    """The content of an assistant message with nothing but tool calls."""
    short_ids: bool = False
    """Whether tool call ids must be nine letters or digits."""
    tokenize: Literal["none", "input_tokens", "tokenize", "estimate"] = "none"
    prices: str | None = None
    """Whose list prices hold; None: its own."""
    says_cost: bool = False
    """Whether `usage.cost` is what it bills, in USD."""
    source: str


_OPENAI = Vendor(
    name="openai",
    base_url="https://api.openai.com/v1",
    hosts=("api.openai.com",),
    responses=True,
    max_tokens_field="max_completion_tokens",
    system_role="developer",
    system_in_place=True,
    reasoning_in="effort",
    cache_mark="prompt_cache_breakpoint",
    files=True,
    openai_ids=True,
    store=True,
    strict_schemas=True,
    tokenize="input_tokens",
    source="types of openai 3.54.0, checked 2026-11-23",
)

_ROWS: tuple[Vendor, ...] = (
    _OPENAI,
    msgspec.structs.replace(
        _OPENAI,
        name="azure",
        base_url=None,
        hosts=(".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"),
        key_header="api-key",
        store=False,
        prices="openai",
        source="learn.microsoft.com/azure/foundry/openai/api-version-lifecycle, checked 2026-11-23",
    ),
    Vendor(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        hosts=("openrouter.ai",),
        reasoning_in="object",
        efforts=("none", "minimal", "low", "medium", "high", "xhigh"),
        reasoning_back="details",
        cache_mark="cache_control",
        files=True,
        top_k=True,
        user=True,
        says_cost=True,
        source="openrouter.ai/docs/guides/best-practices/reasoning-tokens, checked 2026-11-23",
    ),
    Vendor(
        name="deepseek",
        base_url="https://api.deepseek.com",
        hosts=("api.deepseek.com",),
        reasoning_in="thinking",
        efforts=("low", "high", "max"),
        reasoning_back="every",
        forces_while_thinking=False,
        source="api-docs.deepseek.com/guides/thinking_mode, checked 2026-11-24",
    ),
    Vendor(
        name="moonshot",
        base_url="https://api.moonshot.ai/v1",
        hosts=("api.moonshot.ai", "api.moonshot.cn"),
        reasoning_in="thinking",
        efforts=(),
        reasoning_back="content",
        forces_while_thinking=False,
        tokenize="estimate",
        source="platform.moonshot.ai/docs, checked 2026-11-23",
    ),
    Vendor(
        name="zai",
        base_url="https://api.z.ai/api/paas/v4",
        hosts=("api.z.ai", "open.bigmodel.cn"),
        reasoning_in="thinking",
        efforts=(),
        reasoning_back="content",
        source="docs.z.ai/guides/capabilities/thinking-mode, checked 2026-11-23",
    ),
    Vendor(
        name="minimax",
        base_url="https://api.minimax.io/v1",
        hosts=("api.minimax.io", "api.minimaxi.com"),
        reasoning_back="content",
        source="platform.minimax.io/docs, checked 2026-11-23",
    ),
    Vendor(
        name="xai",
        base_url="https://api.x.ai/v1",
        hosts=("api.x.ai",),
        user=True,
        source="docs.x.ai, checked 2026-11-23",
    ),
    Vendor(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        hosts=("api.mistral.ai",),
        stream_usage=False,
        prefill="prefix",
        empty_content="",
        short_ids=True,
        source="docs.mistral.ai/api (unknown members are 422; usage comes unasked), checked 2026-11-23",
    ),
    Vendor(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        hosts=("api.groq.com",),
        reasoning_in="effort",
        user=True,
        source="console.groq.com/docs/api-reference, checked 2026-11-23",
    ),
    Vendor(
        name="together",
        base_url="https://api.together.xyz/v1",
        hosts=("api.together.xyz", "api.together.ai"),
        reasoning_in="effort",
        top_k=True,
        user=True,
        source="docs.together.ai/reference/chat-completions, checked 2026-11-23",
    ),
    Vendor(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        hosts=("api.fireworks.ai",),
        reasoning_in="effort",
        top_k=True,
        user=True,
        source="docs.fireworks.ai/api-reference/post-chatcompletions, checked 2026-11-23",
    ),
    Vendor(
        name="vllm",
        base_url="http://127.0.0.1:8000/v1",
        reasoning_in="template",
        fetches_urls=False,
        top_k=True,
        prefill="as_is",
        tokenize="tokenize",
        source="docs.vllm.ai/en/latest/serving/openai_compatible_server, checked 2026-11-23",
    ),
    Vendor(
        name="sglang",
        base_url="http://127.0.0.1:30000/v1",
        reasoning_in="template",
        fetches_urls=False,
        top_k=True,
        tokenize="tokenize",
        source="docs.sglang.ai/basic_usage/openai_api, checked 2026-11-23",
    ),
    Vendor(
        name="ollama",
        base_url="http://127.0.0.1:11434/v1",
        hosts=(":11434",),
        fetches_urls=False,
        top_k=True,
        parallel_tool_calls=False,
        empty_content="",
        source="docs.ollama.com/api/openai-compatibility, checked 2026-11-23",
    ),
    Vendor(
        name="generic",
        parallel_tool_calls=False,
        source="openai-compatible.md §2: what every server is known to take, checked 2026-11-23",
    ),
)


@cache
def vendors() -> dict[str, Vendor]:
    """All rows by name."""
    return {row.name: row for row in _ROWS}


def vendor_for(name: str | None, base_url: str | None) -> Vendor:
    """The row that a credential names, or that its address shows. Raises KeyError for a name that is no row."""
    if name is not None:
        return vendors()[name]
    if base_url is None:
        return _OPENAI
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    for row in _ROWS:
        for ending in row.hosts:
            if (host == ending or (ending[0] == "." and host.endswith(ending))) or port == ending:
                return row
    return vendors()["generic"]
