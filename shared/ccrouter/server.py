"""All doors in one process, for a laptop and for containers.

`/api` is the admin door, `/proxy`, `/v1`, `/health` and `/metrics` are the proxy's, the rest is the web UI's files
where they were built, as CloudFront divides them on AWS (aws-serverless.md §0, D4).
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, cast

from ccrouter.api import create_api
from ccrouter.proxy.door import create_proxy_app, serve_lifespan
from ccrouter.proxy.reply import Receive, Send
from ccrouter.services import Services
from ccrouter.site import Site
from ccrouter.worker import Chore, Worker

_PROXY_PATHS = frozenset({"proxy", "v1", "health", "metrics"})


class Doors:
    """The ASGI application; its lifespan is that of the services and of the worker beside them."""

    def __init__(self, services: Services, chores: Sequence[Chore]) -> None:
        self._services = services
        self._worker = Worker(services, chores)
        self._proxy = create_proxy_app(services)
        self._admin = create_api(services)
        self._site = Site.built_in(services.settings.ui_dir)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serves a request at the door its path belongs to."""
        if scope["type"] == "lifespan":
            await serve_lifespan(self, receive, send)
        elif scope["type"] == "http":
            first = scope["path"].split("/", 2)[1]
            if first == "api":
                await self._admin(scope, receive, cast("Any", send))
            elif self._site is None or first in _PROXY_PATHS or scope["method"] not in ("GET", "HEAD"):
                await self._proxy(scope, receive, send)
            else:
                await self._site(scope, receive, send)
        else:
            # No door speaks WebSocket; closing before accepting is answered with 403 by the server.
            await send({"type": "websocket.close", "code": 1000})

    async def start(self) -> None:
        """Starts what runs beside the requests."""
        await self._services.start()
        self._worker.start()

    async def close(self) -> None:
        """Ends it: first what needs the services, then these."""
        await asyncio.to_thread(self._worker.stop)
        await self._services.close()


def create_app(services: Services, chores: Sequence[Chore] = ()) -> Doors:
    """The application for `uvicorn`; it does these chores beside."""
    logging.getLogger("uvicorn.error").addFilter(_deliberate_cuts)
    return Doors(services, chores)


def _deliberate_cuts(entry: logging.LogRecord) -> bool:
    # The relay leaves a body without its end to break a connection off; the server calls that an error.
    return entry.getMessage() != "ASGI callable returned without completing response."
