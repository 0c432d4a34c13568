"""The JSON of the audit log."""

from pydantic import BaseModel, ConfigDict, Field

from ccrouter.admin.documents import MembersObject
from ccrouter.admin.schemas import Moment


class AuditActor(BaseModel):
    """Who acted: a user, or, without an id, a part of the router such as the command line."""

    id: str | None = Field(description="The user's id; null where it was not a person")
    login: str = Field(description="The user's login at that time, or the name of what acted", examples=["admin"])


class AuditView(BaseModel):
    """One change, as it was made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "019a0000-0000-7000-8000-000000000001",
                    "at": "2026-11-03T09:30:00.000Z",
                    "actor": {"id": "019a0000-0000-7000-8000-000000000002", "login": "admin"},
                    "action": "key.change",
                    "kind": "key",
                    "object_id": "019a0000-0000-7000-8000-000000000003",
                    "failed": False,
                    "before": {"enabled": True},
                    "after": {"enabled": False},
                    "client_ip": "203.0.113.7",
                }
            ]
        }
    )

    id: str = Field(description="UUIDv7 of the entry")
    at: Moment = Field(description="When it was made")
    actor: AuditActor
    action: str = Field(description="The kind of object and what was done to it", examples=["key.change"])
    kind: str = Field(description="The kind of object", examples=["key"])
    object_id: str | None = Field(description="The object; null where there is only one, or none came of it")
    failed: bool = Field(description="True where it was tried and refused, such as a sign-in with a wrong password")
    before: MembersObject | None = Field(description="Members as they were; of a change only those that differ")
    after: MembersObject | None = Field(description="Members as they became; secrets are shown as `(hidden)`")
    client_ip: str | None = Field(description="The address it was done from; null for the router itself")
