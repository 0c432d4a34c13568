"""Token usage of one answer: how Anthropic's counters are merged and which of them are billed."""

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts by price class; `reasoning_tokens` are part of `output_tokens`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt, cached or not: what decides the price band of a request."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an answer that is billed by itself: its own model (None: the request's), speed and place."""

    usage: Usage
    model: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    service_tier: str | None = None
