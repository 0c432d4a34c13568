"""The JSON of jobs."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ccrouter.admin.schemas import Moment


class JobView(BaseModel):
    """Work that takes longer than an answer may: ask for it again until its state is `done` or `failed`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "019a0000-0000-7000-8000-000000000001",
                    "kind": "logs.export",
                    "state": "done",
                    "progress": 1.0,
                    "result_url": "/api/v1/jobs/019a0000-0000-7000-8000-000000000001/result",
                    "error": None,
                    "owner_id": "019a0000-0000-7000-8000-000000000002",
                    "created_at": "2026-11-03T09:30:00.000Z",
                    "started_at": "2026-11-03T09:30:01.000Z",
                    "ended_at": "2026-11-03T09:30:12.000Z",
                }
            ]
        }
    )

    id: str = Field(description="UUIDv7 of the job")
    kind: str = Field(description="What is done", examples=["logs.export"])
    state: Literal["queued", "running", "done", "failed"]
    progress: float = Field(description="From 0 to 1", ge=0, le=1)
    result_url: str | None = Field(description="Where the result is, once it is there; relative to this host")
    error: str | None = Field(description="Why it failed")
    owner_id: str | None = Field(description="Who asked for it; null: the router itself")
    created_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
