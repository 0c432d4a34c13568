"""The settings, read once from the environment (`product.md` §3). The only module that looks at `os.environ`."""

import ipaddress
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from ccrouter.errors import SettingsError
from ccrouter.networks import Network, check_base_url

DEFAULT_PORT = 3000
MIN_JWT_SECRET = 32
DEFAULT_CAPTURE_KB = 1024
"""Most requests of Claude Code are smaller: 200,000 tokens of text are some 800 KB."""
MOST_CAPTURE_KB = 32 * 1024
"""No request is larger (anthropic-messages.md §11.1)."""
_REACHED_LOCALLY = frozenset({"127.0.0.1", "::1", "localhost", "0.0.0.0", "::"})  # noqa: S104 - only recognised here
_BUILT_UI = Path(__file__).parents[2] / "frontend" / "dist"
"""Where `make ui` puts the web UI's files."""
GITHUB, GITHUB_API = "https://github.com", "https://api.github.com"
_LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, checked. What is None was not given; the embedded mode fills in what it makes itself."""

    database_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    jwt_secret: str | None = field(default=None, repr=False)
    master_key: str | None = field(default=None, repr=False)
    admin_password: str | None = field(default=None, repr=False)
    claude_api_key: str | None = field(default=None, repr=False)
    claude_base_url: str | None = None
    frontend_url: str | None = None
    github_client_id: str | None = None
    github_client_secret: str | None = field(default=None, repr=False)
    github_callback_url: str | None = None
    github_url: str = GITHUB
    github_api_url: str = GITHUB_API
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    data_dir: Path = Path(".data")
    ui_dir: Path = _BUILT_UI
    log_sink: str = "db"
    trusted_proxies: tuple[Network, ...] = ()
    private_upstreams: tuple[Network, ...] = ()
    antigravity_token_command: str | None = field(default=None, repr=False)
    metrics_token: str | None = field(default=None, repr=False)
    pg_bin: Path | None = None
    db_pool_size: int = 10
    capture_limit_kb: int = DEFAULT_CAPTURE_KB
    on_lambda: bool = False
    unknown: tuple[str, ...] = ()
    """Variables that begin with CCR_ but are no settings: misspelt, or of another version."""

    @property
    def public_url(self) -> str:
        """The address people open: `FRONTEND_URL`, else that of this machine."""
        if self.frontend_url is not None:
            return self.frontend_url.rstrip("/")
        host = "localhost" if self.host in _REACHED_LOCALLY else f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def secure_cookies(self) -> bool:
        """Whether people come over TLS, so that cookies are for TLS only."""
        return (self.frontend_url or "").startswith("https://")

    @property
    def github_on(self) -> bool:
        """Whether one can sign in with GitHub."""
        return self.github_client_id is not None and self.github_client_secret is not None

    @property
    def github_callback(self) -> str:
        """Where GitHub sends people back to: `GITHUB_CALLBACK_URL`, else the address for it at `public_url`."""
        return self.github_callback_url or f"{self.public_url}/api/v1/auth/github/callback"


def read_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads and checks all settings. Raises SettingsError with one sentence for each that cannot work."""
    env = os.environ if environ is None else environ
    problems: list[str] = []
    known: set[str] = set()

    def text(name: str) -> str | None:
        known.add(name)
        value = env.get(name, "").strip()
        return value or None

    def url(name: str, *schemes: str) -> str | None:
        value = text(name)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            usable = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            usable = False
        if not usable:
            problems.append(
                f"{name} must be a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
            )
        return value

    def networks(name: str, default: tuple[Network, ...]) -> tuple[Network, ...]:
        value = text(name)
        if value is None:
            return default
        found: list[Network] = []
        for part in re.split(r"[,\s]+", value):
            try:
                found.append(ipaddress.ip_network(part, strict=False))
            except ValueError:
                problems.append(f"{name}: «{part}» is not a network such as 10.0.0.0/8")
        return tuple(found)

    port = DEFAULT_PORT
    if (port_text := text("PORT")) is not None:
        if re.fullmatch("[0-9]{1,5}", port_text) and 0 < int(port_text) < 65536:
            port = int(port_text)
        else:
            problems.append(f"PORT must be a number from 1 to 65535, not «{port_text}»")

    capture_limit_kb = DEFAULT_CAPTURE_KB
    if (limit_text := text("CCR_CAPTURE_LIMIT_KB")) is not None:
        if re.fullmatch("[0-9]{1,5}", limit_text) and 0 < int(limit_text) <= MOST_CAPTURE_KB:
            capture_limit_kb = int(limit_text)
        else:
            problems.append(f"CCR_CAPTURE_LIMIT_KB must be a number from 1 to {MOST_CAPTURE_KB}, not «{limit_text}»")

    jwt_secret = text("JWT_SECRET")
    if jwt_secret is not None and len(jwt_secret) < MIN_JWT_SECRET:
        problems.append(f"JWT_SECRET must have {MIN_JWT_SECRET} characters or more; it has {len(jwt_secret)}")

    master_key = text("CCR_MASTER_KEY")
    # The vault stands beside this module, not below it: the form is checked here, the key is read there.
    if master_key is not None and not re.fullmatch(r"[A-Za-z0-9+/_-]{43}=?", master_key):
        problems.append(
            "CCR_MASTER_KEY must be 32 random bytes in base64, such as the output of: openssl rand -base64 32"
        )

    claude_api_key, claude_base_url = text("CLAUDE_API_KEY"), text("CLAUDE_BASE_URL")
    if claude_api_key is not None and not re.fullmatch("[!-~]+", claude_api_key):
        problems.append("CLAUDE_API_KEY must be printable ASCII without spaces, so that it can stand in a header")
    if claude_base_url is not None:
        try:
            claude_base_url = check_base_url(claude_base_url, None)
        except ValueError as error:
            problems.append(f"CLAUDE_BASE_URL {error}")
        if claude_api_key is None:
            problems.append("CLAUDE_BASE_URL needs CLAUDE_API_KEY beside it: the key that is sent to that address")

    frontend_url, github_callback_url = (
        url("FRONTEND_URL", "http", "https"),
        url("GITHUB_CALLBACK_URL", "http", "https"),
    )
    github_client_id, github_client_secret = text("GITHUB_CLIENT_ID"), text("GITHUB_CLIENT_SECRET")
    if (github_client_id is None) != (github_client_secret is None):
        problems.append("GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET belong together: one of them is not set")
    if (
        frontend_url
        and github_callback_url
        and urlsplit(frontend_url).hostname != urlsplit(github_callback_url).hostname
    ):
        problems.append(
            "GITHUB_CALLBACK_URL must name the host of FRONTEND_URL, since cookies of a sign-in are for one host"
        )
    github_url = (url("CCR_GITHUB_URL", "http", "https") or GITHUB).rstrip("/")
    # An Enterprise Server has its API below its own address.
    github_api_url = url("CCR_GITHUB_API_URL", "http", "https") or (
        GITHUB_API if github_url == GITHUB else f"{github_url}/api/v3"
    )

    log_sink = text("CCR_LOG_SINK") or "db"
    if log_sink != "db":
        problems.append(f"CCR_LOG_SINK must be db, not «{log_sink}»")

    token_command = text("CCR_ANTIGRAVITY_TOKEN_COMMAND")
    try:
        shlex.split(token_command or "")
    except ValueError as error:
        problems.append(f"CCR_ANTIGRAVITY_TOKEN_COMMAND cannot be read as a command: {error}")

    metrics_token = text("CCR_METRICS_TOKEN")
    if metrics_token is not None and not re.fullmatch("[!-~]{16,}", metrics_token):
        problems.append("CCR_METRICS_TOKEN must have 16 characters or more, printable ASCII without spaces")

    settings = Settings(
        database_url=url("DATABASE_URL", "postgres", "postgresql"),
        redis_url=url("REDIS_URL", "redis", "rediss"),
        jwt_secret=jwt_secret,
        master_key=master_key,
        admin_password=text("ADMIN_PASSWORD"),
        claude_api_key=claude_api_key,
        claude_base_url=claude_base_url,
        frontend_url=frontend_url,
        github_client_id=github_client_id,
        github_client_secret=github_client_secret,
        github_callback_url=github_callback_url,
        github_url=github_url,
        github_api_url=github_api_url.rstrip("/"),
        host=text("CCR_HOST") or "127.0.0.1",
        port=port,
        data_dir=Path(text("CCR_DATA_DIR") or ".data").expanduser(),
        ui_dir=Path(ui_dir).expanduser() if (ui_dir := text("CCR_UI_DIR")) else _BUILT_UI,
        log_sink=log_sink,
        trusted_proxies=networks("CCR_TRUSTED_PROXIES", ()),
        # Loopback is open by default only where this process brings its own services (the embedded mode).
        private_upstreams=networks("CCR_PRIVATE_UPSTREAMS", _LOOPBACK if text("DATABASE_URL") is None else ()),
        antigravity_token_command=token_command,
        metrics_token=metrics_token,
        pg_bin=Path(pg_bin).expanduser() if (pg_bin := text("CCR_PG_BIN")) else None,
        capture_limit_kb=capture_limit_kb,
        on_lambda=text("AWS_LAMBDA_FUNCTION_NAME") is not None,
    )
    settings = replace(settings, unknown=tuple(sorted(n for n in env if n.startswith("CCR_") and n not in known)))
    if problems:
        raise SettingsError(problems)
    return settings


def require(settings: Settings, *names: str) -> None:
    """Checks that the named settings were given; raises SettingsError naming each that is missing."""
    written = {"master_key": "CCR_MASTER_KEY"}
    missing = [written.get(name, name.upper()) for name in names if getattr(settings, name) is None]
    if missing:
        raise SettingsError([f"{name} is not set" for name in missing])


def read_secret_variable(name: str) -> str | None:
    """The value of a variable that somebody names on the command line, None where it is not set."""
    return os.environ.get(name) or None
