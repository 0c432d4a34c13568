"""The embedded services of one data directory: a PostgreSQL and a Valkey of its own."""

import os
import shutil
import signal
from pathlib import Path
from types import TracebackType

from ccrouter.embedded.daemon import Account, Daemon, EmbeddedStartError, accepts, end_orphan, free_port
from ccrouter.embedded.directory import DataDirectory, write_private
from ccrouter.embedded.kit import POSTGRES_MAJOR, postgres_kit, program, valkey_kit

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
        self.directory = DataDirectory(data_dir)
        self.database_url = ""
        self.redis_url = ""
        self._pg_bin = pg_bin
        self._daemons: list[Daemon] = []
        self._account = Account.for_this_user()

    def __enter__(self) -> "EmbeddedServices":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, postgres: bool = True, valkey: bool = True) -> "EmbeddedServices":
        """Starts the servers asked for and fills `database_url` and `redis_url`. Raises EmbeddedStartError."""
        self.directory.hold()
        try:
            place = self._place()
            if valkey:
                self._start_valkey(place)
            if postgres:
                self._start_postgres(place)
        except OSError as error:
            self.stop()
            raise EmbeddedStartError(f"the embedded PostgreSQL and Valkey did not start: {error}") from error
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stops the servers in good order and lets the directory go."""
        while self._daemons:
            self._daemons.pop().stop()
        self.directory.release()

    def announce(self, address: str) -> None:
        """Notes for other processes of this machine and user what runs here."""
        self.directory.announce(address, self.database_url, self.redis_url)

    def _place(self) -> Path:
        """Where the servers' files go: the data directory, or, where their account cannot reach it, a place of ours."""
        home = self.directory.path
        # As root the servers' account must be able to pass through, not to look.
        home.chmod(0o711 if self._account.uid is not None else 0o700)
        if self._account.can_enter(home):
            return home
        place = _SHARED_PLACE / self.directory.secrets()["place"]
        for directory in (_SHARED_PLACE, place):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o711)
        (home / "servers-data").unlink(missing_ok=True)
        (home / "servers-data").symlink_to(place)
        return place

    def _program(self, kit: Path, name: str, place: Path) -> Path:
        return program(kit, name, self._account, place if place == self.directory.path else _SHARED_PLACE)

    def _own(self, directory: Path) -> Path:
        directory.mkdir(mode=0o700, exist_ok=True)
        self._account.give(directory)
        return directory

    def _start_postgres(self, place: Path) -> None:
        kit = self._pg_bin or postgres_kit()
        if not (kit / "initdb").is_file():
            raise EmbeddedStartError(f"{kit}{' (CCR_PG_BIN)' if self._pg_bin else ''} holds no programs of PostgreSQL")
        data = place / "postgres"
        daemon = Daemon("PostgreSQL", self.directory.path / "postgres.log", self._account, signal.SIGINT)
        password = self.directory.secrets()["postgres_password"]
        version = data / "PG_VERSION"
        if not version.exists():
            self._init_postgres(self._program(kit, "initdb", place), data, daemon)
        elif self._pg_bin is None and version.read_text().strip() != POSTGRES_MAJOR:
            raise EmbeddedStartError(
                f"{data} was written by PostgreSQL {version.read_text().strip()}, this version brings "
                f"{POSTGRES_MAJOR}. It is left as it is. To move it: set CCR_PG_BIN to the programs of the former "
                "version, dump it with pg_dump, move the directory away, start anew and restore"
            )
        end_orphan(data / "postmaster.pid", "postgres", signal.SIGINT)
        (data / "postmaster.pid").unlink(missing_ok=True)
        port = free_port()
        settings = [part for name, value in _POSTGRES_SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self._daemons.append(daemon)
        daemon.start(
            [self._program(kit, "postgres", place), "-D", data, "-p", str(port), *settings],
            ready=lambda: _postgres_is_ready(data / "postmaster.pid"),
        )
        self.database_url = f"postgresql://ccrouter:{password}@127.0.0.1:{port}/postgres"

    def _start_valkey(self, place: Path) -> None:
        directory = self._own(place / "valkey")
        daemon = Daemon("Valkey", self.directory.path / "valkey.log", self._account, signal.SIGTERM)
        end_orphan(directory / "valkey.pid", "valkey-server", signal.SIGTERM)
        password, port = self.directory.secrets()["valkey_password"], free_port()
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
        self._daemons.append(daemon)
        daemon.start([self._program(valkey_kit(), "valkey-server", place), config], ready=lambda: accepts(port))
        self.redis_url = f"redis://:{password}@127.0.0.1:{port}/0"

    def _init_postgres(self, initdb: Path, data: Path, daemon: Daemon) -> None:
        """Makes an empty database cluster: password sign-in only, UTF-8, sorting that no library update changes.

        It gets its name when it is complete: a run that is killed leaves nothing that passes for a cluster.
        """
        for left_behind in data.parent.glob("postgres-new-*"):
            shutil.rmtree(left_behind)
        partial = self._own(data.with_name(f"postgres-new-{os.getpid()}"))
        password_file = data.with_name(".initdb-password")
        write_private(password_file, self.directory.secrets()["postgres_password"])
        self._account.give(password_file)
        try:
            daemon.run(
                [
                    *(initdb, "-D", partial, "-U", "ccrouter", "--auth=scram-sha-256", f"--pwfile={password_file}"),
                    *("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
                ]
            )
        finally:
            password_file.unlink()
        partial.rename(data)


def _postgres_is_ready(pid_file: Path) -> bool:
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"
