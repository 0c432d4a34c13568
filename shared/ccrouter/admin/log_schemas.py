"""The JSON of sums of the log, and of sessions."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ccrouter.admin.schemas import Moment, Named, UsageView, UserRef

_SUMS: dict[str, Any] = {
    "requests": 412,
    "ok": 398,
    "errors": 6,
    "aborted": 5,
    "limited": 3,
    "usage": {
        "input_tokens": 48211,
        "output_tokens": 210933,
        "cache_read_tokens": 9120455,
        "cache_write_5m_tokens": 402118,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 31002,
        "web_searches": 2,
    },
    "cost": "14.2071",
    "unpriced": 0,
}
_STRETCH: dict[str, Any] = {
    "first_at": "2026-11-24T09:30:00.000Z",
    "last_at": "2026-11-24T10:12:31.418Z",
    "duration_ms": 2551418,
    "models": ["claude-haiku-4-5", "claude-opus-4-5"],
    "platforms": ["anthropic"],
    "sums": _SUMS,
}
_SESSION: dict[str, Any] = {
    "id": "5e2f2a68-7f9c-4cf8-9b43-2a0f0cbd1a3f",
    "key": {"id": "019a0000-0000-7000-8000-000000000001", "name": "laptop"},
    "user": {"id": "019a0000-0000-7000-8000-000000000002", "login": "alice"},
    "client": "claude-cli/2.1.330 (external, cli)",
    "agents": 1,
    **_STRETCH,
}
_AGENT: dict[str, Any] = {"id": "a5f3c1", **_STRETCH, "children": []}


def _example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class SumsView(BaseModel):
    """What requests come to. Token counts (`count_tokens`) are no requests here, unless they were asked for by kind."""

    model_config = _example(_SUMS)

    requests: int = Field(description="How many have ended; the next four say how")
    ok: int
    errors: int
    aborted: int = Field(description="The client left")
    limited: int = Field(description="Refused by a limit")
    usage: UsageView
    cost: str = Field(description="USD, of those that have a price", examples=["14.2071"])
    unpriced: int = Field(description="How many used a model without a price: they are not in `cost`")


class BucketView(BaseModel):
    """One bar of a histogram."""

    model_config = _example({"at": "2026-11-24T09:00:00.000Z", "sums": _SUMS})

    at: Moment = Field(description="Where it begins")
    sums: SumsView


class LogSummaryView(BaseModel):
    """Sums and a histogram of the log."""

    model_config = _example(
        {
            "from": "2026-11-24T00:00:00.000Z",
            "to": "2026-11-25T00:00:00.000Z",
            "bucket_s": 3600,
            "complete": True,
            "counted_from": "2026-11-24T00:00:00.000Z",
            "sums": _SUMS,
            "buckets": [{"at": "2026-11-24T09:00:00.000Z", "sums": _SUMS}],
        }
    )

    since: Moment = Field(alias="from")
    until: Moment = Field(alias="to")
    bucket_s: int = Field(description="Width of a bucket in seconds; buckets begin at multiples of it in UTC")
    complete: bool = Field(description="False: there were too many rows, and older ones were not counted")
    counted_from: Moment = Field(description="From when on rows were counted")
    sums: SumsView
    buckets: list[BucketView] = Field(description="Oldest first; without gaps")


class StretchView(BaseModel):
    """A part of a conversation."""

    first_at: Moment = Field(description="When its first request began")
    last_at: Moment = Field(description="When its last request ended")
    duration_ms: int = Field(description="Between the two, with what lay between requests")
    models: list[str]
    platforms: list[str]
    sums: SumsView


class SessionView(StretchView):
    """A conversation: the requests that carry one session id. Key, user and client are those of its newest request."""

    model_config = _example(_SESSION)

    id: str = Field(description="As the client says it; for Claude Code a UUID")
    key: Named | None
    user: UserRef | None
    client: str | None
    agents: int = Field(description="How many sub-agents took part")


class AgentView(StretchView):
    """A sub-agent: what it asked for itself, and the agents that it started."""

    model_config = _example(_AGENT)

    id: str = Field(description="As the client says it")
    children: "list[AgentView]"


class SessionTreeView(SessionView):
    """A conversation with its sub-agents, as they started each other."""

    model_config = _example(_SESSION | {"main": _STRETCH, "children": [_AGENT]})

    main: StretchView | None = Field(description="What the conversation asked for itself, without its sub-agents")
    children: list[AgentView] = Field(
        description="Sub-agents that it started, or whose parent is not known; 500 at most"
    )
