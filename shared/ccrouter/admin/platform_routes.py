"""The platforms of this version and what they need."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ccrouter.admin.documents import SchemaObject
from ccrouter.admin.schemas import Page
from ccrouter.credentials.kinds import KINDS, schema_of
from ccrouter.platforms.registry import PLATFORMS
from ccrouter.routing.catalog import known_models


class PlatformModel(BaseModel):
    """A model of a platform."""

    id: str
    name: str
    slot: str
    context: int | None = Field(description="Longest prompt in tokens; null where it is not documented")


class PlatformView(BaseModel):
    """A platform."""

    id: str
    name: str
    needs_credential: bool
    auth: SchemaObject = Field(description="JSON schema of a credential's `auth`")
    options: SchemaObject = Field(description="JSON schema of a credential's `options`")
    base_url: str | None = Field(description="The platform's own address; null where it cannot be changed")
    note: str | None = Field(description="What an administrator must know before using it")
    models: list[PlatformModel]


_NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}


def platform_routes() -> APIRouter:
    """The route `/platforms`."""
    routes = APIRouter(prefix="/platforms", tags=["platforms"])

    @routes.get("", operation_id="listPlatforms")
    def list_platforms() -> Page[PlatformView]:
        """Where requests can go."""
        claude = [
            PlatformModel(id=model.id, name=model.display_name, slot=model.line, context=model.max_input_tokens)
            for model in known_models()
        ]
        views = [
            PlatformView(
                id=kind.platform,
                name=kind.name,
                needs_credential=True,
                auth=schema_of(kind.auth),
                options=schema_of(kind.options),
                base_url=kind.base_url,
                note=kind.note or None,
                models=claude if kind.platform == "anthropic" else [],
            )
            for kind in (KINDS[name] for name in PLATFORMS)
        ]
        sandbox = PlatformView(
            id="sandbox",
            name="Sandbox: answers by itself, costs nothing",
            needs_credential=False,
            auth=_NOTHING,
            options=_NOTHING,
            base_url=None,
            note=None,
            models=[],
        )
        return Page(items=[*views, sandbox], next_cursor=None)

    return routes
