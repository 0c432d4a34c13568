"""Stand-ins for the ports, small enough to be read at a glance; the real ones are tested in `tests/contract`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from ccrouter.access.keys import ApiKey
from ccrouter.access.standing import Standing
from ccrouter.clock import utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.errors import InvalidRequest, StorageAway, StreamBroken, UpstreamTimeout
from ccrouter.gateway import Call
from ccrouter.http import Headers, HttpRequest
from ccrouter.ids import request_id_of, uuid7
from ccrouter.messages.request import MessagesRequest
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.record import CallRecord, decode_record, encode_record
from ccrouter.platforms.contract import MESSAGES, Ask, Media
from ccrouter.ports import Lease, Outside, Place, RoutingData
from ccrouter.routing.condition import Failure
from ccrouter.routing.mapping import Mapping as ModelMapping
from ccrouter.routing.mapping import read_mapping
from ccrouter.routing.plan import Candidate
from ccrouter.routing.pool import Pool
from ccrouter.tokens import StandingAccess

SILENCE = None
"""In a script of chunks: the platform stays silent until the reader's patience ends."""
BREAK = StreamBroken("The connection broke off.")
"""In a script of chunks: the connection breaks here."""

SSE: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("request-id", "req_upstream"))
JSON: Headers = (("content-type", "application/json"), ("request-id", "req_upstream"))


def a_key(mapping: dict[str, Any] | None = None, **fields: Any) -> ApiKey:
    """A key that may do everything, unless the fields say otherwise."""
    values: dict[str, Any] = {
        "id": "key-1",
        "name": "Test key",
        "owner_id": "user-1",
        "owner_login": "ada",
        "owner_active": True,
        "enabled": True,
        "expires_at": None,
        "mapping": read_mapping(mapping),
    }
    return ApiKey(**(values | fields))


def a_credential(name: str = "main", **fields: Any) -> Credential:
    """A credential of Anthropic's API."""
    values: dict[str, Any] = {
        "id": f"credential-{name}",
        "platform": "anthropic",
        "name": name,
        "base_url": "https://upstream.example",
        "auth": {"api_key": f"upstream-secret-{name}"},
    }
    return Credential(**(values | fields))


class FakeDirectory:
    """Knows what it is told."""

    def __init__(
        self,
        credentials: Sequence[Credential] = (),
        *,
        keys: dict[str, ApiKey] | None = None,
        default_mapping: dict[str, Any] | None = None,
        prices: PriceTable | None = None,
    ) -> None:
        self.credentials = list(credentials)
        self.keys = keys or {}
        self.default_mapping: ModelMapping = read_mapping(default_mapping)
        self.prices = prices or PriceTable(version="none")
        self.away = False

    async def find_key(self, digest: str) -> ApiKey | None:
        if self.away:
            raise StorageAway("the fake database is away")
        return self.keys.get(digest)

    async def routing(self) -> RoutingData:
        if self.away:
            raise StorageAway("the fake database is away")
        return RoutingData(self.credentials, self.default_mapping, self.prices)


class FakeMemory:
    """Remembers in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    async def recall(self, key_id: str, tool_use_ids: Sequence[str]) -> dict[str, bytes]:
        return {name: self.kept[key_id, name] for name in tool_use_ids if (key_id, name) in self.kept}

    async def remember(self, key_id: str, by_tool_use_id: Mapping[str, bytes]) -> None:
        self.kept |= {(key_id, name): state for name, state in by_tool_use_id.items()}


class FakeMedia:
    """Has what it is given."""

    def __init__(self, **media: Media) -> None:
        self.media = media

    async def fetch(self, url: str) -> Media:
        if url not in self.media:
            raise InvalidRequest(f"The URL {url} could not be fetched.")
        return self.media[url]


class FakeStates:
    """A pool of this process alone, with a clock that stands still until a test moves it."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.pool = Pool()

    def choose(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return self.pool.choose(candidates, self.now)

    def begin(self, candidate: Candidate) -> float:
        self.pool.begin(candidate, self.now)
        return self.now

    def is_free(self, candidate: Candidate, leaving: Candidate) -> bool:
        return self.pool.is_free(candidate, leaving, self.now)

    def end(self, candidate: Candidate) -> None:
        self.pool.end(candidate)

    def failed(self, credential: Credential, failure: Failure) -> None:
        self.pool.failed(credential.id, failure, self.now)

    def succeeded(self, credential: Credential, model: str, began_s: float) -> None:
        self.pool.succeeded(credential.id, model, began_s)


class FakePlaces:
    """Places of this process alone; `taken` may hold those of others."""

    def __init__(self) -> None:
        self.taken: list[Place] = []

    async def take(self, credential: Credential, most: int) -> Place | None:
        await asyncio.sleep(0)
        place = Place(credential.id, str(uuid7()))
        if sum(taken.credential_id == credential.id for taken in self.taken) >= most:
            return None
        self.taken.append(place)
        return place

    async def give_back(self, place: Place) -> None:
        await asyncio.sleep(0)
        self.taken.remove(place)


class FakeLocks:
    """Nobody waits."""

    @contextlib.asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        yield


class FakeConversations:
    """Remembers in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, frozenset[str]] = {}

    async def answered_by(self, conversation: str) -> frozenset[str]:
        return self.kept.get(conversation, frozenset())

    def note(self, conversation: str, credential_id: str) -> None:
        self.kept[conversation] = self.kept.get(conversation, frozenset()) | {credential_id}


class NoLimits:
    """Admits everything."""

    async def admit(self, request_id: UUID, key: ApiKey, tokens: int, cost: Decimal) -> Lease | None:
        return None

    async def admit_count(self, key: ApiKey) -> None:
        """There is always room."""

    async def settle(self, lease: Lease, tokens: int, cost: Decimal) -> None:
        """Nothing is booked."""

    async def standing(self, key: ApiKey) -> Standing:
        return Standing(None, None, None, [], "all")


def outside(directory: "FakeDirectory", upstream: "ScriptedUpstream", log: "ListLog") -> Outside:
    """All ports together, with nothing to sign in to."""
    return Outside(
        directory=directory,
        limits=NoLimits(),
        upstream=upstream,
        call_log=log,
        sign_ins=StandingAccess(),
        memory=FakeMemory(),
        states=FakeStates(),
        places=FakePlaces(),
        conversations=FakeConversations(),
        media=FakeMedia(),
    )


class ListLog:
    """Keeps records in a list, as they would be read back; `on_record` sees each before it is durable."""

    def __init__(self, on_record: Callable[[CallRecord], None] | None = None) -> None:
        self.records: list[CallRecord] = []
        self._on_record = on_record
        self.begun: list[CallRecord] = []

    async def begin(self, record: CallRecord) -> None:
        self.begun.append(decode_record(encode_record(record)))

    async def record(self, record: CallRecord) -> None:
        if self._on_record is not None:
            self._on_record(record)
        await asyncio.sleep(0)
        self.records.append(decode_record(encode_record(record)))


@dataclass
class Script:
    """One answer of the scripted upstream; `chunks` may hold SILENCE and BREAK."""

    status: int = 200
    headers: Headers = SSE
    chunks: Sequence[bytes | StreamBroken | None] = ()


class ScriptedResponse:
    """Plays a script."""

    def __init__(self, script: Script) -> None:
        self.status = script.status
        self.headers = script.headers
        self.connect_ms = 1
        self.closed = False
        self._chunks = list(script.chunks)

    async def read(self, timeout_s: float) -> bytes | None:
        await asyncio.sleep(0)
        if not self._chunks:
            return b""
        chunk = self._chunks.pop(0)
        if isinstance(chunk, StreamBroken):
            raise StreamBroken(str(chunk))
        return chunk

    async def read_all(self, limit: int, timeout_s: float) -> bytes:
        body = b""
        while (piece := await self.read(timeout_s)) != b"":
            if piece is None:
                raise UpstreamTimeout("silent")
            body += piece
        return body

    def close(self) -> None:
        self.closed = True


class ScriptedUpstream:
    """Answers each request with the next script, or fails with the next error; keeps what was asked."""

    def __init__(self, *scripts: Script | Exception) -> None:
        self.scripts = list(scripts)
        self.requests: list[HttpRequest] = []
        self.responses: list[ScriptedResponse] = []

    async def send(self, request: HttpRequest) -> ScriptedResponse:
        self.requests.append(request)
        script = self.scripts.pop(0)
        if isinstance(script, Exception):
            raise script
        response = ScriptedResponse(script)
        self.responses.append(response)
        return response


@dataclass
class KeptReply:
    """The client's side, kept in memory."""

    status: int | None = None
    headers: Headers = ()
    body: bytes = b""
    finished: bool = False
    broken: bool = False
    gone: bool = False
    started: bool = False
    pieces: list[bytes] = field(default_factory=list)

    async def start(self, status: int, headers: Headers) -> None:
        assert not self.started
        self.started, self.status, self.headers = True, status, headers

    async def send(self, data: bytes) -> None:
        assert self.started
        assert not self.finished
        self.pieces.append(data)
        self.body += data

    async def finish(self, data: bytes = b"") -> None:
        await self.send(data)
        self.finished = True

    async def cut(self, ending: bytes) -> None:
        assert self.started
        self.broken = self.finished = True

    def let_go(self) -> None:
        pass


def a_call(body: bytes, headers: Headers = (), operation: str = MESSAGES, query: str = "") -> tuple[Call, Ask]:
    """A call as the door opens it."""
    record_id = uuid7()
    request = MessagesRequest(body)
    record = CallRecord(
        id=record_id,
        at=utc_now(),
        kind=operation,
        request_id=request_id_of(record_id),
        requested_model=request.model,
        stream=request.stream,
    )
    return Call(record, 0.0, conversation="conversation-1"), Ask(operation, request, headers, query)
