"""The proxy door over its services, with ASGI's lifespan: alone in a function or container, or beside the others."""

from typing import Any, Protocol

from ccrouter.clock import epoch_s
from ccrouter.proxy.app import Metrics, ProxyApp
from ccrouter.proxy.metrics import metrics_page
from ccrouter.proxy.reply import Receive, Send
from ccrouter.services import Services


class ProxyDoor:
    """The proxy by itself, as an ASGI application."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._app: ProxyApp | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serves a request or the lifespan; the services are made at the first request, so that a start is short."""
        if scope["type"] == "lifespan":
            await serve_lifespan(self._services, receive, send)
            return
        if self._app is None:
            self._app = create_proxy_app(self._services)
        await self._app(scope, receive, send)


def create_proxy_app(services: Services) -> ProxyApp:
    """The proxy's application over these services."""
    token = services.settings.metrics_token
    return ProxyApp(
        services.gateway,
        services.directory,
        services.limits,
        services.refusal_cap,
        services.check_ready,
        services.captures,
        metrics=None if token is None else Metrics(token, lambda: _metrics(services)),
        trusted_proxies=services.settings.trusted_proxies,
        can_cut=not services.settings.on_lambda,
    )


def _metrics(services: Services) -> bytes:
    # Seconds since 1970 are the clock that cool-downs are told in.
    now = epoch_s()
    resting = [
        name
        for name, found in list(services.states.known.items())
        if any(item.blocks(now) or item.cools(now) for item in list(found.values()))
    ]
    return metrics_page(
        services.outside.tally,
        version=services.version,
        cooling=len(resting),
        outbox_bytes=services.call_log.outbox_bytes(),
    )


class Lasting(Protocol):
    """What a server starts and ends."""

    async def start(self) -> None:
        """Before the first request."""

    async def close(self) -> None:
        """After the last one."""


async def serve_lifespan(services: Lasting, receive: Receive, send: Send) -> None:
    """ASGI's lifespan protocol: starts the services, and closes them when the server stops."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await services.start()
            except Exception as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
        else:
            await services.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
