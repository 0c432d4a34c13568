"""`ccrouter serve`: all doors in one process, with what they need."""

import errno
import logging
import signal
import socket
import sys
from contextlib import ExitStack
from dataclasses import replace
from threading import Event
from types import FrameType

import click

from ccrouter.cli.first_start import ADMIN, AwaitsSetUp, FirstStart, make_administrator, prepare
from ccrouter.cli.hints import client_lines, program
from ccrouter.config import Settings, read_environment
from ccrouter.embedded import DataDirectory, EmbeddedServices
from ccrouter.errors import CcrError, SettingsError
from ccrouter.proxy.reply import STALL_LIMIT_S
from ccrouter.services import Services

_NO_MASTER_KEY = (
    "CCR_MASTER_KEY is not set: the key that credentials are encrypted with is yours to keep where the database is. "
    "Make one with: openssl rand -base64 32"
)
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _AskedToStop(BaseException):
    """Ctrl-C or SIGTERM: no failure, at whatever point of the start it comes."""


@click.command()
def serve() -> None:
    """Start the router with all its doors on one port.

    Without DATABASE_URL and REDIS_URL it brings its own PostgreSQL and Valkey, with their data in CCR_DATA_DIR
    (.data). Settings are read from the environment; the README lists them. Ctrl-C or SIGTERM stops it.

    \b
    Examples:
      ccrouter serve
      PORT=8080 ccrouter serve
      CLAUDE_API_KEY=sk-ant-… ccrouter serve
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = read_environment()
    if settings.unknown:
        logging.getLogger("ccrouter").warning("no settings of this version: %s", ", ".join(settings.unknown))
    asked_to_stop = _await_stop_signals()
    try:
        with ExitStack() as stack:
            listening = stack.enter_context(_listen(settings))
            on_its_own = settings.database_url is None
            settings, embedded = _complete(settings, stack)
            services = Services.build(settings)
            changed = prepare(services.engine, services.vault, settings)
            _check_redis(services)
            if changed is not None:
                services.begin_anew(changed)
            if embedded is not None:
                embedded.announce(settings.public_url)
            _run(services, listening, asked_to_stop, on_its_own=on_its_own)
    except _AskedToStop:
        pass
    click.echo("stopped")


def _await_stop_signals() -> Event:
    """Ends the start where a signal asks for it.

    The event says so too: what is raised while Python runs a finalizer is dropped.
    """
    asked = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        # Another signal ends the process at once; the embedded servers end with it.
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        raise _AskedToStop

    for number in _STOP_SIGNALS:
        signal.signal(number, stop)
    # A terminal that is closed; `nohup` has it ignored, and it stays so.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    return asked


def _listen(settings: Settings) -> socket.socket:
    """The port, taken before anything else is started."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Connections inherit it. One whose client reads nothing is closed by the server only when it has been read:
        # without this limit of the kernel, never.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALL_LIMIT_S * 1000))
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        running = DataDirectory(settings.data_dir).running() if settings.database_url is None else None
        if running is not None and str(settings.port) in running["address"]:
            raise SettingsError([f"already running on {running['address']} (process {running['pid']})"]) from None
        other = "set PORT to another" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "CCR_HOST names the host"
        raise SettingsError(
            [f"port {settings.port} on {settings.host} cannot be used ({error.strerror}); {other}"]
        ) from None
    return listening


def _complete(settings: Settings, stack: ExitStack) -> tuple[Settings, EmbeddedServices | None]:
    """The settings with everything in them that was not given, from the embedded services of the data directory."""
    missing = (settings.database_url, settings.redis_url, settings.jwt_secret, settings.master_key).count(None)
    if not missing:
        return settings, None
    if settings.database_url is not None and settings.master_key is None:
        raise SettingsError([_NO_MASTER_KEY])
    embedded = EmbeddedServices(settings.data_dir, pg_bin=settings.pg_bin)
    embedded.directory.hold()
    stack.callback(embedded.stop)
    embedded.start(postgres=settings.database_url is None, valkey=settings.redis_url is None)
    made = embedded.directory.secrets()
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
            "Redis does not answer, and the router works without it, more slowly: %s", error or type(error).__name__
        )


def _run(services: Services, listening: socket.socket, asked_to_stop: Event, *, on_its_own: bool) -> None:
    from ccrouter.cli.web_server import WebServer

    def when_ready() -> None:
        if asked_to_stop.is_set():
            server.should_exit = True
            return
        first = make_administrator(services.engine, services.settings, on_its_own=on_its_own)
        _say_ready(services.settings, first)

    server = WebServer(services, when_ready)
    # It takes the signals over; the one that ended it is raised anew when it has stopped.
    server.run(sockets=[listening])
    if not server.started:
        raise CcrError("the server did not start; its reason stands above")


def _say_ready(settings: Settings, first: FirstStart | AwaitsSetUp | None) -> None:
    address = settings.public_url
    lines = ["", f"Claude Code Router is running on {address}", f"API documentation: {address}/api/docs"]
    if isinstance(first, AwaitsSetUp):
        lines.append(f"Set it up: {address}/setup   one-time code: {first.code}")
        click.echo("\n".join([*lines, ""]))
        sys.stdout.flush()
        return
    if first is not None and first.password is not None:
        lines.append(f"Administrator: {ADMIN}   password (shown once): {first.password}")
    if first is None:
        lines.append(f"A new key: {program()} keys create NAME")
    else:
        lines += ["", "Let Claude Code use it:", "", *client_lines(address, first.key), "", "then run: claude"]
        if first.answers_from_sandbox:
            lines += [
                "",
                "No platform is known yet, so this key answers from the built-in sandbox. For Claude itself:",
                f"  {program()} credentials add --platform anthropic --name main",
                f"  {program()} keys create laptop",
            ]
    click.echo("\n".join([*lines, ""]))
    sys.stdout.flush()
