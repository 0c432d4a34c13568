"""Many clients at once on one key with limits, over real sockets and processes, one of which is killed.

Each client asks again and again until the key's budget is used up. Meanwhile one process gets SIGKILL. In the end:
no more were served at a time than places, in no minute more than requests a minute, and the budget was overshot by no
more than what was under way; every answer is one row; and no place and no reservation of the dead process is left.

    python -m bench.limits                   200 clients, 5 places, 100 requests a minute, a day's budget of 15 USD
    python -m bench.limits --clients 40 --rpm 1000 --budget 2 --lease-s 3
"""

import argparse
import asyncio
import contextlib
import ipaddress
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from sqlalchemy import text

from ccrouter.access.keys import new_secret
from ccrouter.config import Settings
from ccrouter.credentials.vault import new_master_key
from ccrouter.embedded import EmbeddedServices
from ccrouter.embedded.daemon import free_port
from ccrouter.services import Services
from ccrouter.storage import credentials, keys, users
from ccrouter.storage.migrate import migrate

ROOT = Path(__file__).parents[1]
MODEL = "claude-opus-5-5"
TOKENS = 25_000
COST = Decimal("0.1")
"""What each answer costs: TOKENS at 4 USD per million."""
BODY = {"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
START_WITHIN_S = 60.0
_ROWS = text(
    "SELECT status, count(*) AS rows, coalesce(sum(cost_total), 0) AS cost FROM request_log "
    "WHERE key_id = :key GROUP BY status"
)


@dataclass(frozen=True)
class Plan:
    """What is done. `kill_after`: how many requests reach the platform before a process is killed; 0: none is."""

    clients: int = 200
    processes: int = 2
    places: int = 5
    rpm: int = 100
    budget: Decimal = Decimal(15)
    answer_s: float = 0.4
    lease_s: float = 60.0
    kill_after: int = 50
    give_up_s: float = 300.0


@dataclass
class Platform:
    """What clients are led to: an answer after a while, and what was seen."""

    answer_s: float
    arrived: list[float] = field(default_factory=list)
    now: int = 0
    most: int = 0

    async def answer(self, _: web.Request) -> web.Response:
        """One answer."""
        self.arrived.append(time.monotonic())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.answer_s)
        finally:
            self.now -= 1
        usage = {"input_tokens": TOKENS, "output_tokens": 0}
        message = {"id": "msg_x", "type": "message", "role": "assistant", "model": MODEL, "content": []}
        return web.json_response(message | {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage})

    def most_in(self, window_s: float) -> int:
        """The most requests that arrived within so many seconds."""
        first, most = 0, 0
        for last, at in enumerate(self.arrived):
            while at - self.arrived[first] >= window_s:
                first += 1
            most = max(most, last - first + 1)
        return most


@dataclass
class Outcome:
    """What came of it."""

    answers: dict[str, int]
    reached_platform: int
    most_at_a_time: int
    most_in_a_minute: int
    spent: Decimal
    rows: dict[str, int]
    killed_with: int
    """How many requests the dead process had under way."""
    places_free_after_s: float
    left_behind: dict[str, Any]
    """What Redis still holds of the key in the end."""
    took_s: float


async def run(plan: Plan, settings: Settings) -> Outcome:
    """Does it on a migrated database."""
    services = Services.build(settings)
    platform = Platform(plan.answer_s)
    began = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        platform_url = await stack.enter_async_context(_serving(platform))
        secret, key_id, owner_id = await asyncio.to_thread(_prepare, services, plan, platform_url)
        addresses, processes = [], []
        for _ in range(plan.processes):
            address, process = stack.enter_context(_router(settings, plan.lease_s))
            addresses.append(address)
            processes.append(process)
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, headers={"x-api-key": secret})
        )
        await asyncio.gather(*(_until_ready(session, address) for address in addresses))
        alive, answers, go = list(addresses), Counter[str](), asyncio.Event()
        go.set()
        kill = asyncio.create_task(_kill(plan, platform, processes[0], alive, session, go, answers))
        clients = [_client(session, alive, number, answers, go) for number in range(plan.clients)]
        await asyncio.wait_for(asyncio.gather(*clients), plan.give_up_s)
        await kill
        free_after = await _until_free(services, owner_id, key_id, plan)
        # The next request of the key finds its owner's and its own leases ended, whoever held them.
        async with session.post(f"{alive[0]}/v1/messages", json=BODY) as answer:
            answers[str(answer.status)] += 1
        left = await _left_behind(services, owner_id, key_id)
        spent, rows = await asyncio.to_thread(_kept, services, key_id)
    await services.close()
    return Outcome(
        answers=dict(answers),
        reached_platform=len(platform.arrived),
        most_at_a_time=platform.most,
        most_in_a_minute=platform.most_in(59.5),
        spent=spent,
        rows=rows,
        killed_with=len(platform.arrived) - answers["200"],
        places_free_after_s=round(free_after, 1),
        left_behind=left,
        took_s=round(time.monotonic() - began, 1),
    )


def faults(plan: Plan, outcome: Outcome) -> list[str]:
    """What is not as promised."""
    served, killed, spent, ok = (
        outcome.answers.get("200", 0),
        outcome.killed_with,
        outcome.spent,
        outcome.rows.get("ok", 0),
    )
    limited, refused = outcome.rows.get("limited", 0), outcome.answers.get("429", 0)
    lost = outcome.answers.get("killed", 0)
    promises = {
        f"at most {plan.places} at a time, not {outcome.most_at_a_time}": outcome.most_at_a_time <= plan.places,
        f"at most {plan.rpm} a minute, not {outcome.most_in_a_minute}": outcome.most_in_a_minute <= plan.rpm,
        f"{killed} were under way in the killed process": killed == (plan.places if plan.kill_after else 0),
        f"{ok} rows for {served} answers": ok == served,
        f"{limited} rows for {refused} refusals": refused <= limited <= refused + lost,
        f"spent {spent} USD for {ok} answers": spent == ok * COST,
        f"the budget of {plan.budget} USD was not used up but for {spent}": spent >= plan.budget,
        f"spent {spent} USD of {plan.budget}, more than was under way": spent < plan.budget + plan.places * COST,
        f"answers of another kind: {outcome.answers}": set(outcome.answers) <= {"200", "429", "killed"},
        f"left behind: {outcome.left_behind}": not any(outcome.left_behind.values()),
        f"places came back after {outcome.places_free_after_s} s": outcome.places_free_after_s <= plan.lease_s + 5,
    }
    return [promise for promise, kept in promises.items() if not kept]


async def _ask(session: aiohttp.ClientSession, address: str, answers: Counter[str]) -> tuple[int, str, float]:
    """One request: status, code of the error, and how long to wait; 0 where the process was killed meanwhile."""
    try:
        async with session.post(f"{address}/v1/messages", json=BODY) as answer:
            document = await answer.json()
            answers[str(answer.status)] += 1
            code = document.get("error", {}).get("details", {}).get("error_code", "")
            return answer.status, code, float(answer.headers.get("retry-after", "0"))
    except aiohttp.ClientError:
        answers["killed"] += 1
        return 0, "", 0.2


async def _take_place(session: aiohttp.ClientSession, address: str, answers: Counter[str]) -> None:
    """Asks until there is an answer, or the process is killed."""
    while (await _ask(session, address, answers))[0] == 429:  # noqa: ASYNC110 - polls a server
        await asyncio.sleep(0.05)


async def _client(
    session: aiohttp.ClientSession, alive: list[str], number: int, answers: Counter[str], go: asyncio.Event
) -> None:
    """Asks until the budget is used up."""
    code = ""
    while code != "limit_spend":
        await go.wait()
        _, code, wait_s = await _ask(session, alive[number % len(alive)], answers)
        # Not as long as it asks for: the limits shall be pressed.
        await asyncio.sleep(min(wait_s, 0.5) * (0.5 + number % 10 / 10))


async def _kill(
    plan: Plan,
    platform: Platform,
    process: "subprocess.Popen[bytes]",
    alive: list[str],
    session: aiohttp.ClientSession,
    go: asyncio.Event,
    answers: Counter[str],
) -> None:
    """Kills a process that has all places taken, while all others ask for them."""
    if not plan.kill_after:
        return
    while len(platform.arrived) < plan.kill_after:  # noqa: ASYNC110 - polls what a server counts
        await asyncio.sleep(0.005)
    go.clear()
    while platform.now > 0:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    platform.answer_s = 30.0
    victims = [asyncio.create_task(_take_place(session, alive[0], answers)) for _ in range(plan.places)]
    while platform.now < plan.places:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    platform.answer_s = plan.answer_s
    go.set()
    await asyncio.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.wait)
    del alive[0]
    await asyncio.gather(*victims)


async def _until_free(services: Services, owner_id: str, key_id: str, plan: Plan) -> float:
    """How long after the last client the last lease has ended."""
    began = time.monotonic()
    while time.monotonic() - began < plan.lease_s + 10:
        if await services.redis.zcount(f"ccr:{{{owner_id}}}:{key_id}:slots", time.time() * 1000, "+inf") == 0:
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def _left_behind(services: Services, owner_id: str, key_id: str) -> dict[str, Any]:
    """What Redis holds of requests under way."""
    of_owner, of_key = f"ccr:{{{owner_id}}}", f"ccr:{{{owner_id}}}:{key_id}"
    return {
        "places": await services.redis.zcard(f"{of_key}:slots"),
        "reserved": int(await services.redis.hget(f"{of_key}:reserved", "#nano") or 0),
        "reserved tokens": int(await services.redis.hget(f"{of_key}:reserved", "#tokens") or 0),
        "reserved of the owner": int(await services.redis.hget(f"{of_owner}:reserved", "#nano") or 0),
        "waiting": await services.redis.zcard(f"{of_key}:waiting"),
    }


def _prepare(services: Services, plan: Plan, platform_url: str) -> tuple[str, str, str]:
    """A credential that leads to the platform, and a key: its secret, its id and its owner's."""
    users.ensure_admin(services.engine, "admin", "-")
    found = users.by_login(services.engine, "admin")
    if found is None:
        raise SystemExit("there is no administrator")
    fields = {"name": "platform", "base_url": platform_url}
    credentials.create(services.engine, services.vault, "anthropic", {"api_key": "x"}, fields)
    secret = new_secret()
    limits = {"concurrency": plan.places, "rpm": plan.rpm, "spend": {"day": str(plan.budget)}}
    key = keys.create(services.engine, found[0].id, secret, {"name": "pressed", "limits": limits})
    return secret, key.id, key.owner_id


def _kept(services: Services, key_id: str) -> tuple[Decimal, dict[str, int]]:
    """What the log says: cost, and rows by status."""
    with services.engine.connect() as connection:
        found = connection.execute(_ROWS, {"key": key_id}).all()
    return sum((row.cost for row in found), Decimal(0)).normalize(), {row.status: row.rows for row in found}


@contextlib.asynccontextmanager
async def _serving(platform: Platform) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/v1/messages", platform.answer)
    # So that a client that leaves is noticed.
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def _router(settings: Settings, lease_s: float) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A process of the router: its address, and itself."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}",
        "PORT": str(port),
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "JWT_SECRET": settings.jwt_secret or "",
        "CCR_MASTER_KEY": settings.master_key or "",
        "CCR_DATA_DIR": str(settings.data_dir),
        "CCR_PRIVATE_UPSTREAMS": "127.0.0.0/8",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.limited_router", str(int(lease_s * 1000))], cwd=ROOT, env=environment
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _until_ready(session: aiohttp.ClientSession, address: str) -> None:
    give_up = time.monotonic() + START_WITHIN_S
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"{address}/health/ready") as answer:
                if answer.status == 200:
                    return
        if time.monotonic() > give_up:
            raise SystemExit(f"{address} does not answer")
        await asyncio.sleep(0.1)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in asdict(Plan()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    plan = Plan(**vars(parser.parse_args()))
    folder = Path(tempfile.mkdtemp(prefix="ccr-bench-", dir="/tmp"))
    folder.chmod(0o755)
    with EmbeddedServices(folder / "data") as servers:
        migrate(servers.database_url)
        outcome = asyncio.run(
            run(plan, bench_settings(servers.database_url, servers.redis_url, folder / "router"))
        )  # fmt: skip
    shutil.rmtree(folder)
    print(json.dumps(asdict(plan) | asdict(outcome), indent=2, default=str))
    found = faults(plan, outcome)
    print("\n".join(found) if found else "all as promised")
    sys.exit(bool(found))


def bench_settings(database_url: str, redis_url: str, data_dir: Path) -> Settings:
    """Settings of the routers."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        jwt_secret="j" * 40,
        master_key=new_master_key(),
        data_dir=data_dir,
        private_upstreams=(ipaddress.ip_network("127.0.0.0/8"),),
    )


if __name__ == "__main__":
    main()
