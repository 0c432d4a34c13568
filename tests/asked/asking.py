"""Asks a running router everything that its description allows, and much that it does not (Schemathesis).

`python -m tests.asked.asking` does it at full size: as an administrator, as a member and signed out.
"""

import contextlib
import ipaddress
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ccrouter.embedded import EmbeddedServices
from ccrouter.errors import UpstreamUnreachable
from ccrouter.http import HttpRequest
from ccrouter.storage import sessions
from ccrouter.storage.migrate import migrate
from ccrouter.upstream import AiohttpResponse, AiohttpUpstream
from tests.admin.site import Site
from tests.services import UPSTREAM_SECRET, RunningRouter, run_sql, running_router
from tests.upstream import FakeUpstream

_HERE = Path(__file__).parent
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
WHO = ("admin", "member", "nobody")
FULL_S = 300
"""How long each of the three is asked at full size; it comes to well over 5,000 requests in all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking."""

    requests: int
    passed: bool
    report: str


class OnlyHere(AiohttpUpstream):
    """Reaches this machine and nothing else: what is made up must not ask a platform of the world."""

    async def send(self, request: HttpRequest) -> AiohttpResponse:
        """See `SendUpstream.send`."""
        if urlsplit(request.url).hostname != "127.0.0.1":
            raise UpstreamUnreachable("There is no way out of a test.")
        return await super().send(request)


@contextlib.contextmanager
def site_to_ask(embedded: EmbeddedServices, upstream: FakeUpstream) -> Iterator[Site]:
    """A router of its own, whose data may be changed at will."""
    with running_router(embedded, upstream, trusted_proxies=_LOOPBACK) as router:
        router.services.__dict__["upstream"] = OnlyHere(_LOOPBACK)
        yield Site(router)


def ask(
    site: Site, who: str, *, most_s: int, examples: int, phases: str | None = None, seed: int | None = None
) -> Outcome:
    """Runs Schemathesis in a process of its own, with every check; all phases unless some are named."""
    router: RunningRouter = site.router
    own: list[str] = []
    user = router.admin if who == "admin" else site.new_user() if who == "member" else None
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(_HERE / "schemathesis.toml")),
        *("run", f"{router.url}/api/openapi.json", "--checks", "all"),
        *("--max-examples", str(examples)),
        # Within a time Schemathesis asks on until it is over.
        *(["--max-time", str(most_s)] if phases is None else ["--phases", phases]),
        *([] if seed is None else ["--seed", str(seed)]),
    ]
    if user is not None:
        token = site.sign_in(user.login)["access_token"]
        command += ["--header", f"Authorization: Bearer {token}", "--exclude-operation-id", "logout"]
        own = [user.id, *(session.id for session in sessions.of_user(router.services.engine, user.id))]
    environment = os.environ | {
        "ASKED_BY": " ".join(own),
        "PYTHONPATH": os.pathsep.join([str(_HERE.parents[1]), *sys.path[1:]]),
    }
    with tempfile.TemporaryDirectory(prefix="ccr-asked-") as directory:
        ended = subprocess.run(
            command, capture_output=True, text=True, cwd=directory, env=environment, timeout=most_s + 300, check=False
        )
    report = ended.stdout + ended.stderr
    counted = re.search(r"^\s*(\d+) generated", report, re.MULTILINE)
    return Outcome(int(counted[1]) if counted else 0, ended.returncode == 0, report)


def main() -> None:
    """Asks at full size and prints what came of it; the exit code is 0 only where nothing failed."""
    most_s = int(sys.argv[1]) if len(sys.argv) > 1 else FULL_S
    directory = Path(tempfile.mkdtemp(prefix="ccr-", dir="/tmp"))
    directory.chmod(0o755)
    passed, requests = True, 0
    try:
        with EmbeddedServices(directory / "data") as embedded, FakeUpstream(UPSTREAM_SECRET) as upstream:
            run_sql(embedded.database_url, "CREATE DATABASE template_ccr")
            migrate(embedded.database_url.rpartition("/")[0] + "/template_ccr")
            for who in WHO:
                with site_to_ask(embedded, upstream) as site:
                    outcome = ask(site, who, most_s=most_s, examples=100)
                print(outcome.report if not outcome.passed else "")
                print(f"{who}: {outcome.requests} requests, {'no failure' if outcome.passed else 'FAILED'}", flush=True)
                passed, requests = passed and outcome.passed, requests + outcome.requests
    finally:
        shutil.rmtree(directory)
    print(f"{requests} requests in all")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
