"""`ccrouter serve`: all doors in one process, with what they need."""

import logging
import signal
import socket
import sys
from contextlib import ExitStack
from dataclasses import replace

import click

from ccrouter.cli.first_start import ADMIN, FirstStart, prepare
from ccrouter.config import Settings, read_environment
from ccrouter.embedded import EmbeddedServices
from ccrouter.errors import CcrError, SettingsError
from ccrouter.services import Services

_LET_REQUESTS_END_S = 20


@click.command()
def serve() -> None:
    """Start the router with all its doors on one port.

    Without DATABASE_URL and REDIS_URL it brings its own PostgreSQL and Valkey, with their data in CCR_DATA_DIR
    (.data). Settings are read from the environment; the README lists them.

    \b
    Examples:
      ccrouter serve
      PORT=8080 ccrouter serve
      CLAUDE_API_KEY=sk-ant-… ccrouter serve
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = read_environment()
    with ExitStack() as stack:
        listening = stack.enter_context(_listen(settings))
        stack.callback(lambda: click.echo("stopped"))
        settings, embedded = _complete(settings, stack)
        services = Services.build(settings)
        first = prepare(services.engine, services.vault, settings)
        _check_redis(services)
        if embedded is not None:
            embedded.announce(settings.public_url)
        _run(services, listening, first)


def _listen(settings: Settings) -> socket.socket:
    """The port, taken before anything else is started."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        running = EmbeddedServices(settings.data_dir).running() if settings.database_url is None else None
        if running is not None and str(settings.port) in running["address"]:
            raise SettingsError([f"already running on {running['address']} (process {running['pid']})"]) from None
        raise SettingsError(
            [f"port {settings.port} on {settings.host} cannot be used ({error.strerror}); set PORT to another"]
        ) from None
    return listening


def _complete(settings: Settings, stack: ExitStack) -> tuple[Settings, EmbeddedServices | None]:
    """The settings with everything in them that was not given, from the embedded services of the data directory."""
    missing = (settings.database_url, settings.redis_url, settings.jwt_secret, settings.master_key).count(None)
    if not missing:
        return settings, None
    if settings.database_url is not None and settings.master_key is None:
        raise SettingsError(
            ["CCR_MASTER_KEY is not set: with DATABASE_URL the key that encrypts the credentials must be given "]
        )
    embedded = EmbeddedServices(settings.data_dir, pg_bin=settings.pg_bin)
    embedded.hold()
    stack.callback(embedded.stop)
    embedded.start(postgres=settings.database_url is None, valkey=settings.redis_url is None)
    made = embedded.secrets()
    return (
        replace(
            settings,
            database_url=settings.database_url or embedded.database_url,
            redis_url=settings.redis_url or embedded.redis_url,
            jwt_secret=settings.jwt_secret or made["jwt_secret"],
            master_key=settings.master_key or made["master_key"],
        ),
        embedded,
    )


def _check_redis(services: Services) -> None:
    from redis.exceptions import RedisError

    try:
        services.redis_sync.ping()
    except (RedisError, OSError) as error:
        logging.getLogger("ccrouter").warning(
            "Redis does not answer (%s): the router works without it, more slowly", type(error).__name__
        )


def _run(services: Services, listening: socket.socket, first: FirstStart | None) -> None:
    import uvicorn

    from ccrouter.server import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if not self.should_exit:
                _say_ready(services.settings, first)

    # The server raises the signal that ended it once more when it has stopped; what follows is ours to do.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    server = Server(
        uvicorn.Config(
            create_app(services),
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_LET_REQUESTS_END_S,
        )
    )
    server.run(sockets=[listening])
    if not server.started:
        raise CcrError("the server did not start; its reason stands above")


def _say_ready(settings: Settings, first: FirstStart | None) -> None:
    address = settings.public_url
    lines = ["", f"Claude Code Router is running on {address}", f"API documentation: {address}/api/docs"]
    if first is not None and first.password is not None:
        lines.append(f"Administrator: {ADMIN}   password (shown once): {first.password}")
    if first is not None:
        lines += [
            "",
            "Let Claude Code use it:",
            "",
            f"export ANTHROPIC_BASE_URL={address}/proxy",
            f"export ANTHROPIC_AUTH_TOKEN={first.key}",
            "export ANTHROPIC_DEFAULT_HAIKU_MODEL=claude-haiku-5-5",
            "",
            "then run: claude",
        ]
        if first.answers_from_sandbox:
            lines += [
                "",
                "No platform is known yet, so this key answers from the built-in sandbox. For Claude itself:",
                "  ccrouter credentials add --platform anthropic --name main",
                "  ccrouter keys create laptop",
            ]
    else:
        lines.append("A new key: ccrouter keys create NAME")
    click.echo("\n".join([*lines, ""]))
    sys.stdout.flush()
