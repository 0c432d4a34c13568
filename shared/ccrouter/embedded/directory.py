"""A data directory: which process holds it, the secrets it made, and what runs on it."""

import fcntl
import json
import os
import pwd
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ccrouter.clock import monotonic_s
from ccrouter.credentials.vault import new_master_key
from ccrouter.embedded.daemon import EmbeddedStartError

_LOOKED_AT_S = 0.2
"""Who only asks whether a router runs holds the lock for a moment; a start waits that long."""


class DataDirectory:
    """A directory that one process at a time holds; the next raises EmbeddedStartError saying who does."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: IO[str] | None = None
        self._runtime = self.path / "runtime.json"

    def hold(self) -> None:
        """Takes the directory for this process, so that it is nobody else's until `release`."""
        if self._lock is not None:
            return
        try:
            self._lock = self._take()
            # What a killed run announced is true no longer.
            self._runtime.unlink(missing_ok=True)
        except OSError as error:
            raise EmbeddedStartError(
                f"the data directory {self.path} cannot be used ({error.strerror}); set CCR_DATA_DIR to another"
            ) from error

    def release(self) -> None:
        """Lets the directory go."""
        if self._lock is not None:
            self._runtime.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def secrets(self) -> dict[str, str]:
        """What this directory has made for itself: the secrets of the router and of its servers."""
        path = self.path / "secrets.json"
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

    def announce(self, address: str, database_url: str, redis_url: str) -> None:
        """Notes for other processes of this machine and user where the services are, and what runs on them.

        A URL is empty where the service is not one of ours.
        """
        announced = {"pid": os.getpid(), "address": address, "database_url": database_url, "redis_url": redis_url}
        write_private(self._runtime, json.dumps(announced))

    def running(self) -> dict[str, Any] | None:
        """What the process that holds this directory has announced, None where nobody does (or not yet)."""
        try:
            with (self.path / "lock").open() as lock:
                if _locked(lock, fcntl.LOCK_SH):
                    return None
        except OSError:
            return None
        return self._announced()

    def _take(self) -> IO[str]:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise EmbeddedStartError(
                f"the data directory {self.path} belongs to {_login_of(owner)}; start as {_login_of(owner)}, "
                "or set CCR_DATA_DIR to another directory"
            )
        lock = (self.path / "lock").open("a+")
        give_up = monotonic_s() + _LOOKED_AT_S
        while not _locked(lock, fcntl.LOCK_EX):
            if monotonic_s() > give_up:
                lock.close()
                raise EmbeddedStartError(self._who_holds_it())
            time.sleep(0.01)
        return lock

    def _announced(self) -> dict[str, Any] | None:
        try:
            announced: dict[str, Any] = json.loads(self._runtime.read_text())
        except (OSError, ValueError):
            return None
        return announced

    def _who_holds_it(self) -> str:
        announced = self._announced()
        if announced is None:
            return (
                f"another process is using {self.path}, or just starting there; try again, "
                "or set CCR_DATA_DIR to another directory"
            )
        return (
            f"already running on {announced['address']} (process {announced['pid']}, data in {self.path}); "
            "stop it, or set CCR_DATA_DIR and PORT to run a second one beside it"
        )


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    partial.rename(path)


def _locked(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _login_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
