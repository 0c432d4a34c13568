"""The program as its users start it: a process of its own, on a data directory of its own, with a clean environment."""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2

from ccrouter.embedded.daemon import free_port

ROOT = Path(__file__).parents[2]
START_WITHIN_S = 60
COMMAND: tuple[str, ...] = (sys.executable, "-m", "ccrouter")


class Launched:
    """A running `ccrouter serve` (or what stands for it); `said` is what it has printed so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: Path, port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self._output = output

    @property
    def said(self) -> str:
        """Everything printed so far, errors included."""
        return self._output.read_text()

    def wait_until_ready(self) -> "Launched":
        """Returns when it says that it runs; fails with what it said where it ends instead."""
        self.wait_to_say("is running on")
        return self

    def wait_to_say(self, words: str) -> None:
        """Returns when it has printed these words."""
        give_up = time.monotonic() + START_WITHIN_S
        while words not in self.said:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said}"
            assert time.monotonic() < give_up, f"it did not say «{words}» in time: {self.said}"
            time.sleep(0.01)

    def end(self, by: signal.Signals = signal.SIGTERM, within_s: float = 15) -> int:
        """Sends a signal and returns the exit code."""
        self.process.send_signal(by)
        return self.process.wait(within_s)

    def ask(self, key: str, said: str = "hello") -> httpx2.Response:
        """A streamed answer, whole."""
        body = {"model": "claude-opus-5-5", "max_tokens": 50, "stream": True}
        return httpx2.post(
            f"{self.url}/proxy/v1/messages",
            json=body | {"messages": [{"role": "user", "content": said}]},
            headers={"x-api-key": key},
            timeout=30,
        )


class Installation:
    """A folder as a fresh clone is: nothing in it, and a home without anything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.data_dir = folder / ".data"

    def environment(self, **settings: str) -> dict[str, str]:
        """The variables every process gets, and those given."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        base = {"PATH": os.environ["PATH"], "HOME": str(home), "PORT": str(self.port)}
        return base | {"PYTHONPATH": str(ROOT / "shared")} | settings

    @contextlib.contextmanager
    def launch(
        self, command: Sequence[str] = (*COMMAND, "serve"), *, user: str | None = None, **settings: str
    ) -> Iterator[Launched]:
        """Starts it; whatever is left of it afterwards is killed."""
        environment = self.environment(**settings)
        with tempfile.NamedTemporaryFile(prefix="ccr-said-", suffix=".txt") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=None if user is None else pwd.getpwnam(user).pw_gid,
                extra_groups=None if user is None else [],
            )
            try:
                yield Launched(process, Path(output.name), int(environment["PORT"]))
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                self.wait_until_nothing_runs()

    @contextlib.contextmanager
    def running(self, **settings: str) -> Iterator[Launched]:
        """A router that answers."""
        with self.launch(**settings) as launched:
            yield launched.wait_until_ready()
            launched.end()

    def run(self, *arguments: str, given: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
        """Runs one command to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment(**settings),
            input=given,
            capture_output=True,
            text=True,
            timeout=START_WITHIN_S,
            check=False,
        )

    def server_pids(self) -> list[int]:
        """The processes that PostgreSQL and Valkey have written down here, where they still run."""
        files = [self.data_dir / "postgres/postmaster.pid", self.data_dir / "valkey/valkey.pid"]
        pids = [int(file.read_text().split("\n", 1)[0]) for file in files if file.exists()]
        return [pid for pid in pids if _runs(pid)]

    def wait_until_nothing_runs(self, within_s: float = 15) -> None:
        """Returns when no server of this folder is left."""
        give_up = time.monotonic() + within_s
        while pids := self.server_pids():
            assert time.monotonic() < give_up, f"left behind: {pids}"
            time.sleep(0.02)


@contextlib.contextmanager
def new_installation() -> Iterator[Installation]:
    """An installation in a folder that the servers' account can reach, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ccr-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield Installation(folder)
    finally:
        shutil.rmtree(folder)


def exports_in(said: str) -> dict[str, str]:
    """The variables that an output tells to set."""
    return dict(re.findall(r"^export (\w+)=(\S+)$", said, re.MULTILINE))


def json_of(done: "subprocess.CompletedProcess[str]") -> Any:
    """What a command answered as JSON; fails with what it said where it did not."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
