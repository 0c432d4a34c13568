"""Running the real Claude Code command line, cut off from everything but one address."""

import contextlib
import json
import os
import platform
import socketserver
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
VERSION = json.loads((Path(__file__).parent / "package.json").read_text())["dependencies"]["@anthropic-ai/claude-code"]
_SYSTEM = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system(), "unknown")
_MACHINE = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "unknown")
PROGRAM = ROOT / f".tools/claude-code/node_modules/@anthropic-ai/claude-code-{_SYSTEM}-{_MACHINE}/claude"

TIMEOUT_S = 120


def why_missing() -> str | None:
    """Why the program cannot be run here, None where it can."""
    if PROGRAM.exists():
        return None
    return f"Claude Code {VERSION} is not installed ({PROGRAM.relative_to(ROOT)}); run: make test-tools"


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `lines` are the documents it printed, `document` is the last one, the result."""

    exit_code: int
    lines: list[dict[str, Any]]
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The result."""
        assert self.lines, f"Claude Code printed nothing and ended with {self.exit_code}: {self.stderr}"
        return self.lines[-1]


class ConnectSink:
    """A proxy that refuses every connection, so that nothing leaves this machine; `asked` has their first lines."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        asked = self.asked

        class Refusal(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                # Some callers leave without waiting for the answer.
                with contextlib.suppress(ConnectionError):
                    asked.append(self.rfile.readline().strip())
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        self._server = socketserver.TCPServer(("127.0.0.1", 0), Refusal)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> "ConnectSink":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


def run_claude(
    base_url: str,
    secret: str,
    sink: ConnectSink,
    *,
    prompt: str = "hello",
    output: str = "json",
    home: str | None = None,
    work: str | None = None,
    arguments: tuple[str, ...] = (),
    **environment: str,
) -> Outcome:
    """One `claude -p` run, its environment begun from nothing; in a folder and with a home of its own unless given."""
    with (
        tempfile.TemporaryDirectory(prefix="ccr-cli-") as own_home,
        tempfile.TemporaryDirectory(prefix="ccr-work-") as own_work,
    ):
        home, work = home or own_home, work or own_work
        done = subprocess.run(
            [PROGRAM, "-p", prompt, "--output-format", output, "--dangerously-skip-permissions", *arguments],
            cwd=work,
            env={
                "PATH": os.environ["PATH"],
                "HOME": home,
                "CLAUDE_CONFIG_DIR": home,
                "ANTHROPIC_BASE_URL": base_url,
                "ANTHROPIC_API_KEY": secret,
                "DISABLE_AUTOUPDATER": "1",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "DISABLE_TELEMETRY": "1",
                "DISABLE_ERROR_REPORTING": "1",
                "NO_PROXY": "127.0.0.1,localhost",
                "HTTPS_PROXY": sink.url,
                # As root, skipping permissions is refused outside a sandbox.
                "IS_SANDBOX": "1",
                "TERM": "dumb",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    return Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines() if line], done.stderr)
