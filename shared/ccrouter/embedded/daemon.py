"""A server process of ours: started apart from the terminal, ended with us, its log at hand when it fails."""

import contextlib
import ctypes
import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccrouter.clock import monotonic_s
from ccrouter.errors import CcrError

_PR_SET_PDEATHSIG = 1
_LOG_KEPT = 5_000_000
_PORTS = range(20_000, 32_000)
"""Below the range from which systems give out ports for outgoing connections, so that none of those takes ours."""
_BASE_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


class EmbeddedStartError(CcrError):
    """One of the servers did not start; the message ends with the last lines of its own log."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the servers run as: None means as ourselves. PostgreSQL refuses to run as root."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_this_user(cls) -> "Account":
        """Ourselves, or `nobody` when we are root."""
        if os.geteuid() != 0:
            return cls()
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    def give(self, path: Path) -> None:
        """Makes this account the owner of a file or directory of ours (not of what is in it)."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, *paths: Path) -> bool:
        """Whether the account can reach and use each of these."""
        if self.uid is None:
            return True
        pid = os.fork()
        if pid == 0:
            # Only system calls between fork and exit: the parent may have threads.
            status = 1
            with contextlib.suppress(OSError):
                os.setgroups([])
                os.setresgid(self.gid or 0, self.gid or 0, self.gid or 0)
                os.setresuid(self.uid, self.uid, self.uid)
                status = 0 if all(os.access(path, os.X_OK) for path in paths) else 1
            os._exit(status)
        return os.waitpid(pid, 0)[1] == 0


class Daemon:
    """One server process. `name` is for messages; its output goes to `log`."""

    def __init__(self, name: str, log: Path, account: Account, stop_signal: signal.Signals) -> None:
        self.name = name
        self._log = log
        self._account = account
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def run(self, command: Sequence[str | Path]) -> None:
        """Runs a command of the server's kit to its end, as the same account; raises EmbeddedStartError."""
        with _append_to(self._log) as log:
            done = subprocess.run(  # noqa: S603 - our own binaries
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, **self._as(signal.SIGTERM)
            )
        if done.returncode:
            raise self.failure(f"{Path(command[0]).name} ended with code {done.returncode}")

    def start(self, command: Sequence[str | Path], ready: Callable[[], bool], within_s: float = 30) -> None:
        """Starts the server and waits until it is ready; raises EmbeddedStartError."""
        with _append_to(self._log) as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own binaries
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as(self._stop_signal),
            )
        give_up = monotonic_s() + within_s
        while not ready():
            if self.pid is None:
                raise self.failure("it ended while starting")
            if monotonic_s() > give_up:
                self.stop()
                raise self.failure(f"it was not ready within {within_s:g} seconds")
            time.sleep(0.01)

    def stop(self, within_s: float = 10) -> None:
        """Ends the server in good order; by force when it takes too long."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(self._stop_signal)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def failure(self, what: str) -> EmbeddedStartError:
        """The error that says what happened and what the server said last."""
        try:
            said = self._log.read_text(errors="replace").strip().splitlines()[-8:]
        except OSError:
            said = []
        return EmbeddedStartError("\n".join([f"{self.name} did not start: {what} (log: {self._log})", *said]))

    def _as(self, last_signal: signal.Signals) -> dict[str, Any]:
        """How a process is made: as the account, and ended by this signal when we are no more."""
        account, parent = self._account, os.getpid()

        def end_with_us() -> None:
            # After the change of account, which would clear it. Without it a killed router leaves its servers behind.
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, last_signal)
                if os.getppid() != parent:
                    os._exit(1)

        # A session of its own: the terminal's Ctrl-C is for us, we stop the server in our order.
        how: dict[str, Any] = {
            "env": _BASE_ENVIRONMENT,
            "cwd": "/",
            "start_new_session": True,
            "preexec_fn": end_with_us,
        }
        if account.uid is not None:
            how |= {"user": account.uid, "group": account.gid, "extra_groups": []}
        return how


@contextlib.contextmanager
def _append_to(path: Path) -> Iterator[int]:
    large = path.exists() and path.stat().st_size > _LOG_KEPT
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if large else 0), 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise EmbeddedStartError("no free port between 20000 and 31999 on 127.0.0.1")


def accepts(port: int) -> bool:
    """Whether somebody listens on this port of the loopback interface."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def end_orphan(pid_file: Path, program: str, stop_signal: signal.Signals, within_s: float = 15) -> None:
    """Ends a server that an earlier, killed run has left behind, if the pid in its file is still such a server."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return
    give_up = monotonic_s() + within_s
    while _runs(pid, program):
        if monotonic_s() > give_up:
            raise EmbeddedStartError(f"{program} of an earlier run (process {pid}) does not end; stop it and try again")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, stop_signal)
        time.sleep(0.1)


def _runs(pid: int, program: str) -> bool:
    """Whether this process exists, is no zombie, and is that program: pids are given out again."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            return False
        return program.startswith(name) and not rest.strip().startswith("Z")
    command = ["/bin/ps", "-o", "stat=,comm=", "-p", str(pid)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a number
    return program in said and not said.strip().startswith("Z")
