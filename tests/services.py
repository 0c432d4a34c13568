"""PostgreSQL, Valkey and a running router for tests: real ones, one set for each test process."""

import contextlib
import ipaddress
import shutil
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from argon2 import PasswordHasher
from sqlalchemy import Engine, text

from ccrouter.access.keys import digest, new_secret
from ccrouter.config import Settings
from ccrouter.credentials.vault import Vault, new_master_key, read_master_key
from ccrouter.embedded import EmbeddedServices
from ccrouter.server import create_app
from ccrouter.services import Services
from ccrouter.storage import credentials, keys, users
from ccrouter.storage.engine import make_engine
from ccrouter.storage.migrate import migrate
from tests.upstream import FakeUpstream

PASSWORD = "correct horse battery staple"
MASTER_KEY = new_master_key()
UPSTREAM_SECRET = "sk-ant-upstream-secret"


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedServices]:
    """The servers of this test process, below a short path of their own."""
    directory = Path(tempfile.mkdtemp(prefix="ccr-", dir="/tmp"))
    directory.chmod(0o755)
    with EmbeddedServices(directory / "data") as services:
        template = services.database_url.rpartition("/")[0] + "/template_ccr"
        run_sql(services.database_url, "CREATE DATABASE template_ccr")
        migrate(template)
        yield services
    shutil.rmtree(directory)


@pytest.fixture
def database_url(embedded: EmbeddedServices) -> Iterator[str]:
    """A migrated, empty database of its own."""
    with fresh_database(embedded) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on that database."""
    engine = make_engine(database_url, pool_size=4)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def vault() -> Vault:
    """A vault with a key of its own."""
    return Vault(read_master_key(MASTER_KEY))


@contextlib.contextmanager
def fresh_database(embedded: EmbeddedServices) -> Iterator[str]:
    """A migrated, empty database; gone afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    run_sql(embedded.database_url, f"CREATE DATABASE {name} TEMPLATE template_ccr")
    try:
        yield embedded.database_url.rpartition("/")[0] + f"/{name}"
    finally:
        run_sql(embedded.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def empty_database(embedded: EmbeddedServices) -> Iterator[str]:
    """A database without a table; gone afterwards."""
    name = f"empty_{uuid.uuid4().hex}"
    run_sql(embedded.database_url, f"CREATE DATABASE {name}")
    try:
        yield embedded.database_url.rpartition("/")[0] + f"/{name}"
    finally:
        run_sql(embedded.database_url, f"DROP DATABASE {name} WITH (FORCE)")


def run_sql(url: str, statement: str) -> None:
    engine = make_engine(url, pool_size=0)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    engine.dispose()


def an_admin(engine: Engine, login: str = "admin") -> users.User:
    """The administrator, with PASSWORD."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    users.ensure_admin(engine, login, hasher.hash(PASSWORD))
    found = users.by_login(engine, login)
    assert found is not None
    return found[0]


def some_settings(database_url: str, redis_url: str, data_dir: Path, **fields: Any) -> Settings:
    """Settings of a test's router."""
    values: dict[str, Any] = {
        "database_url": database_url,
        "redis_url": redis_url,
        "jwt_secret": "j" * 40,
        "master_key": MASTER_KEY,
        "data_dir": data_dir,
        "private_upstreams": (ipaddress.ip_network("127.0.0.0/8"),),
        "db_pool_size": 4,
    }
    return Settings(**(values | fields))


@dataclass
class RunningRouter:
    """A router on a real socket, with a fake platform behind it."""

    services: Services
    upstream: FakeUpstream
    url: str
    admin: users.User
    credential_id: str
    _token: list[str] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        """What ANTHROPIC_BASE_URL is set to."""
        return f"{self.url}/proxy"

    def new_key(self, mapping: dict[str, Any] | None = None, **fields: Any) -> str:
        """The secret of a new key; without a mapping every name goes to the fake platform as it is."""
        secret = new_secret()
        values = {"name": "test key", "mapping": mapping or {}, **fields}
        keys.create(self.services.engine, self.admin.id, secret, values)
        return secret

    def begin_anew(self) -> None:
        """Lifts every block and ends every cool-down, so that nothing of an earlier failure is left."""
        states, engine = self.services.states, self.services.engine
        give_up = time.monotonic() + 5
        while states._work is not None and not states._work.done() and time.monotonic() < give_up:
            time.sleep(0.005)
        for item in credentials.find(engine, limit=200).items:
            if item.blocked_at is not None:
                credentials.unblock(engine, item.id)
        for credential_id in list(states.known):
            self.services.begin_anew(credential_id)
        while states.known and time.monotonic() < give_up:
            time.sleep(0.005)
        self.services.directory._routing = None

    def key_for_platform(self, url: str) -> str:
        """The secret of a key whose requests go to another platform at this address, and to no other."""
        name = f"m-{uuid.uuid4().hex}"
        fields = {"name": name, "base_url": url, "models": [name]}
        made = credentials.create(self.services.engine, self.services.vault, "anthropic", {"api_key": "k"}, fields)
        # What was read before does not know it; the next request reads anew.
        self.services.directory._routing = None
        return self.new_key({"opus": [{"platform": "anthropic", "model": name, "credential_id": made.id}]})

    def key_for(self, platform: str, auth: dict[str, Any], model: str, **fields: Any) -> str:
        """The secret of a key whose requests all go to a new credential of this platform; `fields` are its own."""
        made = self.new_credential(platform, auth, **{"name": f"c-{uuid.uuid4().hex}", **fields})
        return self.new_key({"default": [{"platform": platform, "model": model, "credential_id": made}]})

    def new_credential(self, platform: str, auth: dict[str, Any], **fields: Any) -> str:
        """The id of a new credential, in use at once."""
        made = credentials.create(self.services.engine, self.services.vault, platform, auth, fields)
        self.services.directory._routing = None
        return made.id

    def client(self, **headers: str) -> httpx2.Client:
        """An HTTP client for the router's address."""
        # Reading all certificates of this machine takes some 50 ms, and the address is plain HTTP.
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30, verify=False)

    def rows(self, secret: str | None = None, *, expect: int = 1) -> list[dict[str, Any]]:
        """The log rows of a key (or all), newest first, through the admin API; waits for as many as are expected."""
        parameters = {}
        if secret is not None:
            key = keys.find_by_digest(self.services.engine, digest(secret))
            assert key is not None
            parameters["key_id"] = key.id
        give_up = time.monotonic() + 10
        while True:
            with self.client(authorization=f"Bearer {self.token()}") as client:
                answer = client.get("/api/v1/logs", params=parameters)
            answer.raise_for_status()
            items: list[dict[str, Any]] = answer.json()["items"]
            if len(items) >= expect or time.monotonic() > give_up:
                return items
            time.sleep(0.05)

    def token(self) -> str:
        """An administrator's access token."""
        if not self._token:
            with self.client() as client:
                answer = client.post("/api/v1/auth/login", json={"username": "admin", "password": PASSWORD})
            answer.raise_for_status()
            self._token.append(answer.json()["access_token"])
        return self._token[0]


@contextlib.contextmanager
def running_router(
    embedded: EmbeddedServices,
    upstream: FakeUpstream,
    *,
    postgres: str | None = None,
    redis: str | None = None,
    **fields: Any,
) -> Iterator[RunningRouter]:
    """Starts a router on a fresh database; `fields` change its settings.

    `postgres` and `redis` are other URLs by which it reaches the same servers, through gates.
    """
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(fresh_database(embedded)).rpartition("/")[2]
        database_url = (postgres or embedded.database_url).rpartition("/")[0] + f"/{database}"
        data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ccr-router-")))
        settings = some_settings(database_url, redis or embedded.redis_url, data_dir, **fields)
        services = Services.build(settings)
        admin = an_admin(services.engine)
        credential = credentials.create(
            services.engine,
            services.vault,
            "anthropic",
            {"api_key": UPSTREAM_SECRET},
            {"name": "fake platform", "base_url": upstream.url},
        )
        listening = socket.create_server(("127.0.0.1", 0))
        stack.callback(listening.close)
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(services),
                log_config=None,
                log_level="error",
                lifespan="on",
                ws="none",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        give_up = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive(), "the router did not start"
            assert time.monotonic() < give_up, "the router did not start in time"
            time.sleep(0.01)
        port = listening.getsockname()[1]
        try:
            yield RunningRouter(services, upstream, f"http://127.0.0.1:{port}", admin, credential.id)
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the router did not stop"


@pytest.fixture(scope="session")
def _shared_upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream(UPSTREAM_SECRET) as upstream:
        yield upstream


@pytest.fixture(scope="session")
def _shared_router(embedded: EmbeddedServices, _shared_upstream: FakeUpstream) -> Iterator[RunningRouter]:
    with running_router(embedded, _shared_upstream) as router:
        yield router


@pytest.fixture
def router(_shared_router: RunningRouter) -> Iterator[RunningRouter]:
    """The router of this test process, its fake platform without a script; the platform's checks must all hold."""
    _shared_router.upstream.reset()
    yield _shared_router
    if _shared_router.services.states.known:
        _shared_router.begin_anew()
    assert _shared_router.upstream.violations == [], _shared_router.upstream.violations


@pytest.fixture
def upstream(_shared_upstream: FakeUpstream) -> FakeUpstream:
    """The fake platform behind `router`."""
    _shared_upstream.reset()
    return _shared_upstream


@pytest.fixture(scope="session")
def _shared_platform() -> Iterator[FakeUpstream]:
    with FakeUpstream(UPSTREAM_SECRET) as platform:
        yield platform


@pytest.fixture
def platform(_shared_platform: FakeUpstream) -> FakeUpstream:
    """A fake platform with no router before it; what a client may say to a router, it may say to this one."""
    _shared_platform.reset()
    _shared_platform.may_carry = ("connection", "accept-encoding", "authorization")
    return _shared_platform
