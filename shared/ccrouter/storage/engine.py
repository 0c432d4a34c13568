"""How this process connects to PostgreSQL: one engine, with the driver, TLS and limits that suit a gateway."""

import ipaddress
import socket
import ssl
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sqlalchemy import Engine, NullPool, QueuePool, create_engine, event, text
from sqlalchemy.engine import make_url

from ccrouter.errors import SettingsError

_CONNECT_TIMEOUT_S = 10
_POOL_WAIT_S = 5
_RECYCLE_S = 300
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def make_engine(url: str, *, pool_size: int = 5, patient: bool = False) -> Engine:
    """The engine for a `postgres://` or `postgresql://` URL; it connects at the first use.

    At most `pool_size` connections; 0 keeps none open between uses, for migrations and exports. That one, and a
    `patient` one, wait for each answer as long as it takes; a statement of any other has ten seconds. TLS is used and
    verified unless the host is this machine or the URL says `sslmode=disable`. Raises SettingsError for a URL that
    cannot work.
    """
    driver_url, connect_args = _read_url(url)
    if pool_size == 0:
        without_pool = create_engine(driver_url, poolclass=NullPool, connect_args=connect_args)
        event.listen(without_pool, "connect", _wait_for_answers)
        event.listen(without_pool, "connect", _send_at_once)
        return without_pool
    engine = create_engine(
        driver_url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_S,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE_S,
        pool_use_lifo=True,
        connect_args=connect_args,
    )
    event.listen(engine, "connect", _send_at_once)
    if patient:
        event.listen(engine, "connect", _wait_for_answers)
    return engine


def _send_at_once(connection: Any, _record: Any) -> None:
    # The driver writes a statement in several pieces; without this the kernel keeps the last of them back until the
    # server has acknowledged the one before, which takes it 40 ms.
    connection._usock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # noqa: SLF001 - it has no public way


def _wait_for_answers(connection: Any, _record: Any) -> None:
    # The driver has one limit for connecting and for every answer after it: a large index takes longer to build.
    connection._usock.settimeout(None)  # noqa: SLF001 - it has no public way


def ping(engine: Engine) -> None:
    """One round trip; raises what SQLAlchemy raises when the database does not answer."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def _read_url(url: str) -> tuple[str, dict[str, Any]]:
    parts = urlsplit(url)
    if parts.scheme.partition("+")[0] not in ("postgres", "postgresql") or not parts.hostname:
        raise SettingsError(["DATABASE_URL must be a URL that begins with postgresql://"])
    query = dict(parse_qsl(parts.query))
    mode = query.pop("sslmode", None)
    # libpq's other members (channel_binding, target_session_attrs, …) mean nothing to this driver.
    query = {name: value for name, value in query.items() if name == "application_name"}
    if mode is not None and mode not in _SSL_MODES:
        raise SettingsError([f"DATABASE_URL: sslmode={mode} is not one of {', '.join(_SSL_MODES)}"])
    if mode is None:
        mode = "disable" if _is_loopback(parts.hostname) else "verify-full"
    connect_args: dict[str, Any] = {
        "timeout": _CONNECT_TIMEOUT_S,
        "application_name": query.pop("application_name", "ccrouter"),
    }
    if mode not in ("disable", "allow", "prefer"):
        connect_args["ssl_context"] = _ssl_context(mode)
    bare = urlunsplit(("postgresql+pg8000", parts.netloc, parts.path, urlencode(query), ""))
    make_url(bare)
    return bare, connect_args


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _ssl_context(mode: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if mode == "require":
        # What libpq promises for this mode: encrypted, the other side not verified.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif mode == "verify-ca":
        context.check_hostname = False
    return context
