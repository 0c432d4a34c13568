"""Many streams while PostgreSQL and Redis are stopped for a while and one of the routers is killed: is any row missing?

    python -m bench.outage                 1,000 streams over three routers, 30 s without each, a kill in the middle
    python -m bench.outage --streams 100   smaller

Every request that reached the platform must have exactly one row, and the hourly sums must equal the rows.
"""

import argparse
import asyncio
import contextlib
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select

from bench.slow_platform import SlowPlatform
from ccrouter.access.keys import new_secret
from ccrouter.credentials.vault import new_master_key
from ccrouter.embedded import EmbeddedServices, machine
from ccrouter.storage import keys, users
from ccrouter.storage.engine import make_engine
from ccrouter.storage.migrate import migrate
from ccrouter.storage.running import DIED
from ccrouter.storage.tables import request_log
from ccrouter.storage.totals import differences

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens when, in seconds from the first request."""

    streams: int = 1000
    routers: int = 3
    arrive_within_s: float = 30.0
    last_s: tuple[float, float] = (20.0, 80.0)
    pace_s: float = 1.0
    without_postgres: tuple[float, float] = (35.0, 65.0)
    without_redis: tuple[float, float] = (45.0, 75.0)
    kill_at: float = 55.0


@dataclass
class Report:
    """What came of it."""

    reached: int = 0
    finished: int = 0
    cut: int = 0
    refused: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    died: int = 0
    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    sums_differ: int = 0
    settled_after_s: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing is missing, double or different."""
        return bool(self.reached) and not self.missing and not self.twice and not self.sums_differ

    def __str__(self) -> str:
        return "\n".join(
            [
                f"requests that reached the platform  {self.reached}",
                f"  of them with exactly one row      {self.reached - len(self.missing) - len(self.twice)}",
                f"  without a row                     {len(self.missing)}",
                f"  with more than one                {len(self.twice)}",
                f"rows by status                      {dict(self.statuses)}",
                f"  written for the killed process    {self.died}",
                f"answers whole / cut / refused       {self.finished} / {self.cut} / {self.refused}",
                f"hours whose sums differ from rows   {self.sums_differ}",
                f"all rows there after                {self.settled_after_s:.1f} s from the last event of the plan",
            ]
        )


class Crowd:
    """The clients and the platform, in a loop of their own beside the main thread."""

    def __init__(self, plan: Plan) -> None:
        self.platform = SlowPlatform(plan.pace_s)
        self.outcomes: Counter[str] = Counter()
        self._plan = plan
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def open_platform(self) -> int:
        """Listens; returns the port."""

        async def listen() -> int:
            self._server = await asyncio.start_server(self.platform.serve, "127.0.0.1", 0, backlog=2048)
            port: int = self._server.sockets[0].getsockname()[1]
            return port

        return asyncio.run_coroutine_threadsafe(listen(), self._loop).result(10)

    def begin(self, ports: list[int], secrets: list[str]) -> threading.Event:
        """Sends all requests at their times; the event is set when the last answer has ended."""
        done = threading.Event()
        future = asyncio.run_coroutine_threadsafe(self._ask_all(ports, secrets), self._loop)
        future.add_done_callback(lambda _: done.set())
        return done

    def close(self) -> None:
        """Ends every connection, and the loop."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Transports say goodbye in the next round.
        await asyncio.sleep(0.1)

    async def _ask_all(self, ports: list[int], secrets: list[str]) -> None:
        chance = random.Random(4)
        plan = self._plan
        longest = max(plan.last_s[1], plan.arrive_within_s)
        tasks = []
        for number in range(plan.streams):
            # A few come late, into the outages.
            within = longest * 0.8 if number % 20 == 0 else plan.arrive_within_s
            tasks.append(
                self._ask(
                    f"n-{number}",
                    ports[number % len(ports)],
                    secrets[number % len(secrets)],
                    after_s=chance.uniform(0, within),
                    lasts_s=chance.uniform(*plan.last_s),
                )
            )
        await asyncio.gather(*tasks)

    async def _ask(self, name: str, port: int, secret: str, *, after_s: float, lasts_s: float) -> None:
        await asyncio.sleep(after_s)
        text = f"stream {name} lasts {round(lasts_s * 1000)} ms"
        body = (
            '{"model":"claude-opus-4-5","max_tokens":50,"stream":true,'
            f'"messages":[{{"role":"user","content":"{text}"}}]}}'
        )
        head = (
            "POST /proxy/v1/messages HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-type: application/json\r\n"
            f"x-api-key: {secret}\r\nx-claude-code-session-id: {name}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        answer = b""
        begin = b""
        with contextlib.suppress(ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write((head + body).encode())
                while data := await reader.read(65536):
                    begin = begin or data
                    answer = (answer + data)[-4096:]
            finally:
                writer.close()
        if b"event: message_stop" in answer:
            self.outcomes["finished"] += 1
        elif begin.startswith(b"HTTP/1.1") and not begin.startswith(b"HTTP/1.1 200"):
            self.outcomes["refused"] += 1
        else:
            self.outcomes["cut"] += 1


class Server:
    """PostgreSQL or Valkey, stopped and started anew on the same port with the same data."""

    def __init__(self, folder: Path, *, postgres: bool) -> None:
        self._folder = folder
        self._postgres = postgres
        self._port = _free_port()
        self._running: EmbeddedServices | None = None

    def start(self) -> str:
        """Starts it and returns its URL."""
        # The port is part of what stays the same, which the embedded mode has no use for.
        names = vars(machine)
        usual, names["free_port"] = names["free_port"], lambda: self._port
        try:
            self._running = EmbeddedServices(self._folder).start(postgres=self._postgres, valkey=not self._postgres)
        finally:
            names["free_port"] = usual
        return self._running.database_url if self._postgres else self._running.redis_url

    def stop(self) -> None:
        """Stops it."""
        if self._running is not None:
            self._running.stop()
            self._running = None


def run(plan: Plan, say: bool = True) -> Report:
    """Plays the plan and looks into the log afterwards."""
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="ccr-outage-", dir="/tmp"))
        stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        postgres, redis = Server(folder / "postgres", postgres=True), Server(folder / "redis", postgres=False)
        stack.callback(postgres.stop)
        stack.callback(redis.stop)
        database_url, redis_url = postgres.start(), redis.start()
        crowd = Crowd(plan)
        stack.callback(crowd.close)
        platform = f"http://127.0.0.1:{crowd.open_platform()}"
        migrate(database_url)
        engine = make_engine(database_url, pool_size=0)
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "shared"), "DATABASE_URL": database_url,
            "REDIS_URL": redis_url, "JWT_SECRET": "j" * 40, "CCR_MASTER_KEY": new_master_key(),
            "CLAUDE_API_KEY": "sk-ant-none", "CLAUDE_BASE_URL": platform, "CCR_PRIVATE_UPSTREAMS": "127.0.0.0/8",
            "CCR_DATA_DIR": str(folder / "data"), "ADMIN_PASSWORD": "p" * 20, "HOME": str(folder),
        }  # fmt: skip
        routers = [stack.enter_context(_router(environment, folder, number)) for number in range(plan.routers)]
        for number, (_, process) in enumerate(routers):
            _wait_until_ready(folder, number, process)
        secrets = _make_keys(engine)
        done = crowd.begin([port for port, _ in routers], secrets)
        began = time.monotonic()
        steps = [
            (plan.without_postgres[0], "PostgreSQL stops", postgres.stop),
            (plan.without_postgres[1], "PostgreSQL starts", postgres.start),
            (plan.without_redis[0], "Redis stops", redis.stop),
            (plan.without_redis[1], "Redis starts", redis.start),
            (plan.kill_at, "a router is killed", routers[0][1].kill),
        ]
        for at, what, act in sorted(steps, key=lambda step: step[0]):
            time.sleep(max(0.0, began + at - time.monotonic()))
            act()
            if say:
                print(f"{time.monotonic() - began:5.1f} s  {what}; {len(crowd.platform.reached)} have arrived")
        done.wait(plan.last_s[1] + plan.arrive_within_s + 120)
        return _look(engine, crowd)


def _look(engine: Engine, crowd: Crowd, within_s: float = 60.0) -> Report:
    """Waits until there is a row for each request, and counts."""
    began = time.monotonic()
    report = Report(
        reached=len(crowd.platform.reached),
        finished=crowd.outcomes["finished"],
        cut=crowd.outcomes["cut"],
        refused=crowd.outcomes["refused"],
    )
    while True:
        with engine.connect() as connection:
            log = request_log.c
            found = connection.execute(select(log.session_id, log.status, log.error_message)).all()
        report.rows = Counter(row.session_id for row in found)
        report.missing = [name for name in crowd.platform.reached if not report.rows[name]]
        if not report.missing or time.monotonic() - began > within_s:
            break
        time.sleep(0.1)
    report.settled_after_s = time.monotonic() - began
    # Whatever still came late would be double.
    time.sleep(3)
    with engine.connect() as connection:
        found = connection.execute(select(log.session_id, log.status, log.error_message)).all()
    report.rows = Counter(row.session_id for row in found if row.session_id is not None)
    report.statuses = Counter(row.status for row in found)
    report.died = sum(row.error_message == DIED for row in found)
    report.twice = [name for name, rows in report.rows.items() if rows > 1]
    now = datetime.now(UTC)
    report.sums_differ = len(differences(engine, now - timedelta(hours=26), now + timedelta(hours=1)))
    return report


@contextlib.contextmanager
def _router(environment: dict[str, str], folder: Path, number: int) -> "Iterator[tuple[int, subprocess.Popen[bytes]]]":
    port = _free_port()
    with _said(folder, number).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ccrouter", "serve"],
            cwd=folder, env=environment | {"PORT": str(port)}, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield port, process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(40)


def _wait_until_ready(folder: Path, number: int, process: "subprocess.Popen[bytes]") -> None:
    said, give_up = _said(folder, number), time.monotonic() + 60
    while "is running on" not in said.read_text():
        if process.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"a router did not start: {said.read_text()}")
        time.sleep(0.05)


def _said(folder: Path, number: int) -> Path:
    return folder / f"router-{number}.txt"


def _make_keys(engine: Engine) -> list[str]:
    """One key without limits and one with all of them, so that both ways in are taken."""
    admin = users.by_login(engine, "admin")
    if admin is None:
        raise RuntimeError("there is no administrator")
    limits = {"rpm": 100_000, "tpm": 10_000_000, "concurrency": 5_000, "spend": {"day": "1000"}}
    secrets = [new_secret(), new_secret()]
    for secret, of_key in zip(secrets, ({}, limits), strict=True):
        keys.create(engine, admin[0].id, secret, {"name": "bench", "mapping": {}, "limits": of_key})
    return secrets


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streams", type=int, default=Plan.streams)
    chosen = options.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
    report = run(Plan(streams=chosen.streams))
    print(report)
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    main()
