"""The whole API as one application and one description: the admin door with the OAuth door's addresses in it."""

from typing import Any, cast

from fastapi import FastAPI

from ccrouter import __version__
from ccrouter.admin.app import create_admin_app, describe
from ccrouter.admin.needs import Needs
from ccrouter.config import Settings
from ccrouter.oauth import oauth_routes


def create_api(needs: Needs) -> FastAPI:
    """The application for everything under `/api`."""
    return create_admin_app(needs, oauth_routes(needs.settings))


def describe_api() -> dict[str, Any]:
    """The OpenAPI document without a running router."""
    return describe(create_api(cast("Needs", _Undeployed())))


class _Undeployed:
    """What describing the API needs: no service is touched."""

    version = __version__
    settings = Settings(jwt_secret="-" * 32)
