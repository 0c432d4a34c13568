"""Every operation of the API, asked by everybody: what `permissions.py` declares is what happens.

`make permissions` prints what was answered.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site
from tests.services import running_router
from tests.upstream import FakeUpstream

from ccrouter.access.keys import new_secret
from ccrouter.admin.permissions import ADMIN, ANYONE, PERMISSIONS, USER, permissions_of
from ccrouter.api import describe_api
from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import request_id_of, uuid7
from ccrouter.metering.record import Attempt, CallRecord, encode_record
from ccrouter.storage import jobs, keys, logs, sessions, users
from ccrouter.storage.users import User

NOT_SIGNED_IN = ("signed out", "session ended", "disabled", "pending", "deleted", "API key")
"""Callers whose token, if any, opens nothing."""
FOREIGN = "belongs-to-somebody-else"
"""In every name of what a member must not see."""
ENDS_THE_CALLERS_SESSION = {"logout", "signOutUser"}
BY_BODY = {"createKey": {"name": "k"}, "createUser": {"login": "x"}}


@dataclass(frozen=True)
class Operation:
    """One of the API, as it is described."""

    name: str
    method: str
    path: str
    query: tuple[str, ...]
    example: Any
    """A body that is admitted, as far as the description has one."""

    @property
    def who(self) -> str:
        """What the table declares."""
        return PERMISSIONS[self.name]

    def url(self, known: dict[str, str]) -> str:
        """Its path, with these ids; for an administrator's things that no member has, any will do."""
        spare = {} if self.who == USER else {name: str(uuid7()) for name in re.findall(r"{(\w+)}", self.path)}
        return re.sub(r"{(\w+)}", lambda found: (spare | known)[self._place(found[1])], self.path)

    def _place(self, name: str) -> str:
        return "conversation_id" if self.path == "/api/v1/sessions/{session_id}" else name

    @property
    def has_ids(self) -> bool:
        """Whether it is about one object."""
        return "{" in self.path


def operations() -> list[Operation]:
    """All, in the order of the description."""
    document = describe_api()
    found = []
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            schema = document["components"]["schemas"].get(name, {})
            query = tuple(item["name"] for item in said.get("parameters", []) if item["in"] == "query")
            operation_id = said["operationId"]
            example = BY_BODY.get(operation_id) or next(iter(schema.get("examples", [])), {})
            found.append(Operation(operation_id, method.upper(), path, query, example if content else None))
    return found


OPERATIONS = operations()


@dataclass
class World:
    """People with what they have: a member's own, somebody else's, and ids that nobody has given out."""

    site: Site
    clients: dict[str, httpx2.Client]
    own: dict[str, str]
    foreign: dict[str, str]
    answers: dict[str, dict[str, set[int]]] = field(default_factory=dict)

    def ask(self, caller: str, operation: Operation, known: dict[str, str], body: Any) -> httpx2.Response:
        """One call; its status is kept for the table."""
        client = self.clients[caller]
        answer = client.request(operation.method, operation.url(known), json=body)
        self.answers.setdefault(operation.name, {}).setdefault(caller, set()).add(answer.status_code)
        return answer


def things_of(site: Site, user: User, name: str) -> dict[str, str]:
    """One of every kind, the conversation in two requests; all named so."""
    engine = site.router.services.engine
    key = keys.create(engine, user.id, new_secret(), {"name": name})
    credential_id = site.router.new_credential("anthropic", {"api_key": "k"}, name=f"{FOREIGN}-{uuid7()}")
    conversation, records = f"{name}-{uuid7()}", []
    for _ in range(2):
        record_id = uuid7()
        attempt = Attempt(
            platform="anthropic", model="m", credential_id=credential_id, credential_name=FOREIGN, outcome="ok",
            status=200, ms=1, reason=None,
        )  # fmt: skip
        records.append(
            CallRecord(
                id=record_id, at=datetime.now(UTC), kind="messages", request_id=request_id_of(record_id),
                user_id=user.id, user_login=user.login, key_id=key.id, key_name=name, session_id=conversation,
                credential_id=credential_id, credential_name=FOREIGN, status="ok", http_status=200,
                platform="anthropic", model="m", requested_model=name, attempts=[attempt],
            )
        )  # fmt: skip
    logs.insert_many(engine, [encode_record(record) for record in records])
    expires = datetime(2100, 1, 1, tzinfo=UTC)
    return {
        "key_id": key.id,
        "credential_id": credential_id,
        "user_id": user.id,
        "owner": user.login,
        "session_id": sessions.start(engine, user.id, expires).id,
        "conversation_id": conversation,
        "log_id": str(records[-1].id),
        "job_id": jobs.create(engine, f"test-{name}", user.id, {}).id,
    }


@pytest.fixture(scope="module")
def world(embedded: EmbeddedServices, _shared_upstream: FakeUpstream) -> Iterator[World]:
    """A router of its own: what is asked here may change it."""
    with ExitStack() as stack:
        site = Site(stack.enter_context(running_router(embedded, _shared_upstream)))
        engine = site.router.services.engine
        member, other = site.new_user(), site.new_user(name=FOREIGN)
        clients = {
            "signed out": site.visitor(),
            "member": site.client_of(member.login),
            "admin": site.client_of("admin"),
        }
        for caller in ("session ended", "disabled", "pending", "deleted"):
            user = site.new_user()
            clients[caller] = site.client_of(user.login)
            assert clients[caller].get("/api/v1/auth/me").status_code == 200
            if caller == "session ended":
                assert clients[caller].post("/api/v1/auth/logout").status_code == 204
            elif caller == "deleted":
                assert clients["admin"].delete(f"/api/v1/users/{user.id}").status_code == 204
            else:
                users.change(engine, user.id, {"status": caller})
        secret = new_secret()
        keys.create(engine, site.router.admin.id, secret, {"name": "k"})
        clients["API key"] = site.visitor(authorization=f"Bearer {secret}")
        for client in clients.values():
            stack.callback(client.close)
        yield World(site, clients, things_of(site, member, "own"), things_of(site, other, FOREIGN))


def unknown() -> dict[str, str]:
    """Ids as they might be, of nothing."""
    names = ("key_id", "credential_id", "user_id", "owner", "session_id", "log_id", "job_id")
    return {name: str(uuid7()) for name in names} | {"conversation_id": f"own-{uuid7()}"}


def told(answer: httpx2.Response) -> tuple[Any, ...]:
    """What the caller learns: all but what differs between any two answers."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "content-length")}
    text = re.sub(r"req_\w+", "", answer.text)
    return answer.status_code, headers, text


@pytest.mark.parametrize("operation", [op for op in OPERATIONS if op.who != ANYONE], ids=lambda op: op.name)
def test_who_is_not_signed_in_learns_nothing(world: World, operation: Operation) -> None:
    """401, the same whether an object is there or not, whoever asks, whatever is sent."""
    answers = [
        world.ask(caller, operation, known, body)
        for caller in NOT_SIGNED_IN
        for known in ((world.foreign, unknown()) if operation.has_ids else ({},))
        for body in (None, operation.example)
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({str(told(answer)) for answer in answers}) == 1


@pytest.mark.parametrize("operation", [op for op in OPERATIONS if op.who == ANYONE], ids=lambda op: op.name)
def test_what_is_for_anyone_asks_nobody_who_he_is(world: World, operation: Operation) -> None:
    """Neither 401 nor 403."""
    signed_in = () if operation.name in ENDS_THE_CALLERS_SESSION else ("member", "admin")
    for caller in (*NOT_SIGNED_IN, *signed_in):
        answer = world.ask(caller, operation, {}, bodies_of(operation)[0])
        assert answer.status_code not in (401, 403), caller


@pytest.mark.parametrize("operation", [op for op in OPERATIONS if op.who == ADMIN], ids=lambda op: op.name)
def test_what_is_the_administrators_is_closed_to_members(world: World, operation: Operation) -> None:
    """403, the same for what is the member's own, somebody else's, and not there at all."""
    answers = [
        world.ask("member", operation, known, body)
        for known in ((world.own, world.foreign, unknown()) if operation.has_ids else ({},))
        for body in (None, *bodies_of(operation))
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert len({str(told(answer)) for answer in answers}) == 1
    assert operation.name not in permissions_of("member")


def bodies_of(operation: Operation) -> list[Any]:
    """None where it takes none; else an empty one and an admitted one."""
    return [None] if operation.example is None else [{}, operation.example]


@pytest.mark.parametrize(
    "operation", [op for op in OPERATIONS if op.who == USER and op.has_ids], ids=lambda op: op.name
)
def test_what_is_somebody_elses_is_not_there(world: World, operation: Operation) -> None:
    """A member gets for it, word by word, what an unknown id gets: 404, or what is wrong with the body."""
    for body in bodies_of(operation):
        foreign = world.ask("member", operation, world.foreign, body)
        answers = [told(world.ask("member", operation, unknown(), body)) for _ in range(2)]
        assert told(foreign) == answers[0] == answers[1]
        assert foreign.status_code in (404, 422)
        if body == operation.example:
            assert foreign.status_code == 404, foreign.text


@pytest.mark.parametrize("operation", [op for op in OPERATIONS if op.who == USER], ids=lambda op: op.name)
def test_what_is_a_members_own_is_open(world: World, operation: Operation) -> None:
    """Neither 401 nor 403; no answer holds a name of somebody else's, of an account, or of an administrator."""
    if operation.name in ENDS_THE_CALLERS_SESSION:
        pytest.skip("would end the session of the other tests")
    if operation.has_ids and operation.method != "GET":
        pytest.skip("the tests of the objects ask this")
    answer = world.ask("member", operation, world.own, bodies_of(operation)[0])
    assert answer.status_code not in (401, 403), answer.text
    assert FOREIGN not in answer.text
    assert operation.name in permissions_of("member")


FILTERS = ("key_id", "user_id", "credential_id", "session_id", "owner")
NEEDED = {"metric": "requests", "group_by": "model", "platform": "anthropic"}
"""What some of them must be told."""


@pytest.mark.parametrize(
    ("operation", "name"),
    [(op, name) for op in OPERATIONS if op.who == USER for name in op.query if name in FILTERS],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_filter_by_what_is_somebody_elses_finds_nothing(world: World, operation: Operation, name: str) -> None:
    """As a filter by what is not there: nobody asks with it whether something exists."""
    texts = []
    known = {"session_id": "conversation_id"}.get(name, name)
    for value in (world.foreign[known], unknown()[known]):
        query = {name: value} | {wanted: NEEDED[wanted] for wanted in operation.query if wanted in NEEDED}
        if name == "credential_id" or operation.path.startswith("/api/v1/api-keys"):
            query.pop("platform", None)
        answer = world.clients["member"].request(operation.method, operation.path, params=query)
        # Accounts are not for members at all; they are told so, whichever they name.
        assert answer.status_code == (403 if name == "credential_id" else 200), answer.text
        assert FOREIGN not in answer.text
        texts.append(re.sub(r'"(as_of|at|from|to|start|end|since|until|complete_to)":"[^"]*"', "", told(answer)[2]))
    # Of a user's id only the caller's own counts, so that any other is as if it were not given.
    assert texts[0] == texts[1]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda op: op.name)
def test_an_administrator_may_do_everything(world: World, operation: Operation) -> None:
    """Asked for what is not there, or with a body that cannot be, so that nothing is done."""
    if operation.name in ENDS_THE_CALLERS_SESSION:
        pytest.skip("would end the session of the other tests")
    body: Any = None if operation.example is None else []
    assert world.ask("admin", operation, unknown(), body).status_code not in (401, 403, 500)
    assert operation.name in permissions_of("admin")


def test_the_table_is_printed_on_demand(
    world: World, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--permissions`: who may, as declared, and what each was answered."""
    assert {operation.name for operation in OPERATIONS} == set(PERMISSIONS)
    if not request.config.getoption("--permissions"):
        return
    columns = ("signed out", "session ended", "disabled", "pending", "deleted", "API key", "member", "admin")
    lines = [["operation", "call", "for", *columns]]
    for operation in OPERATIONS:
        seen = world.answers.get(operation.name, {})
        statuses = ["/".join(map(str, sorted(seen.get(caller, ())))) or "-" for caller in columns]
        lines.append([operation.name, f"{operation.method} {operation.path}", operation.who, *statuses])
    widths = [max(len(line[number]) for line in lines) for number in range(len(lines[0]))]
    rows = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *rows, "", f"{len(OPERATIONS)} operations"]) + "\n")
