"""The platforms of this version and what they need."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ccrouter.admin.schemas import Page
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
    auth: dict[str, Any] = Field(description="JSON schema of a credential's `auth`")
    options: dict[str, Any] = Field(description="JSON schema of a credential's `options`")
    models: list[PlatformModel]


_NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
_ANTHROPIC_AUTH = {
    "type": "object",
    "properties": {
        "api_key": {"type": "string", "title": "API key", "format": "password"},
        "auth_token": {"type": "string", "title": "Bearer token", "format": "password"},
    },
    "oneOf": [{"required": ["api_key"]}, {"required": ["auth_token"]}],
    "additionalProperties": False,
}


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
        return Page(
            items=[
                PlatformView(
                    id="anthropic",
                    name="Anthropic, and addresses that speak its API",
                    needs_credential=True,
                    auth=_ANTHROPIC_AUTH,
                    options=_NOTHING,
                    models=claude,
                ),
                PlatformView(
                    id="sandbox",
                    name="Sandbox: answers by itself, costs nothing",
                    needs_credential=False,
                    auth=_NOTHING,
                    options=_NOTHING,
                    models=[],
                ),
            ],
            next_cursor=None,
        )

    return routes
