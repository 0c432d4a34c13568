"""All doors in one process, for a laptop and for containers: `/api` is the admin door, everything else the proxy's."""

import logging
from typing import Any, cast

from ccrouter.admin.app import create_admin_app
from ccrouter.proxy.door import create_proxy_app, serve_lifespan
from ccrouter.proxy.reply import Receive, Send
from ccrouter.services import Services


class Doors:
    """The ASGI application; its lifespan is that of the services."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._proxy = create_proxy_app(services)
        self._admin = create_admin_app(services)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serves a request at the door its path belongs to."""
        if scope["type"] == "lifespan":
            await serve_lifespan(self._services, receive, send)
        elif scope["type"] == "http" and (scope["path"] == "/api" or scope["path"].startswith("/api/")):
            await self._admin(scope, receive, cast("Any", send))
        elif scope["type"] == "http":
            await self._proxy(scope, receive, send)
        else:
            # No door speaks WebSocket; closing before accepting is answered with 403 by the server.
            await send({"type": "websocket.close", "code": 1000})


def create_app(services: Services) -> Doors:
    """The application for `uvicorn`."""
    logging.getLogger("uvicorn.error").addFilter(_deliberate_cuts)
    return Doors(services)


def _deliberate_cuts(entry: logging.LogRecord) -> bool:
    # The relay leaves a body without its end to break a connection off; the server calls that an error.
    return entry.getMessage() != "ASGI callable returned without completing response."
