"""What the story of a request needs from outside, as small protocols; adapters live in `storage` and `upstream`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from ccrouter.access.keys import ApiKey
from ccrouter.access.standing import Standing
from ccrouter.captures.legs import Captured
from ccrouter.credentials.kinds import Credential
from ccrouter.http import Headers, HttpRequest
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.record import CallRecord
from ccrouter.metering.tally import Tally
from ccrouter.platforms.contract import Media
from ccrouter.routing.condition import Failure
from ccrouter.routing.mapping import Mapping as ModelMapping
from ccrouter.routing.plan import Candidate


class UpstreamResponse(Protocol):
    """An answer whose head has arrived; the body is read piece by piece."""

    status: int
    headers: Headers
    connect_ms: int

    async def read(self, timeout_s: float) -> bytes | None:
        """The next bytes, `b""` at the end, None after `timeout_s` seconds of silence (reading may go on).

        Raises StreamBroken when the connection breaks off.
        """

    async def read_all(self, limit: int, timeout_s: float) -> bytes:
        """The whole body. Raises StreamBroken where it is cut or over `limit` bytes, UpstreamTimeout on silence."""

    def close(self) -> None:
        """Ends the exchange; the platform sees the connection close unless the body was read to its end."""


class SendUpstream(Protocol):
    """Sends a request to a platform."""

    async def send(self, request: HttpRequest) -> UpstreamResponse:
        """Answers when the response's head is there.

        Raises UpstreamUnreachable, UpstreamTimeout or UpstreamForbidden.
        """


@dataclass(frozen=True, slots=True)
class RoutingData:
    """What routing and pricing need to know, at most 5 seconds old."""

    credentials: Sequence[Credential]
    """Enabled credentials of all platforms, the blocked ones too, highest priority first."""
    default_mapping: ModelMapping
    prices: PriceTable


class Directory(Protocol):
    """Who may ask, and where requests can go."""

    async def find_key(self, digest: str) -> ApiKey | None:
        """The key with this SHA-256 (hexadecimal), at most 5 seconds old. Raises StorageAway when nobody knows."""

    async def routing(self) -> RoutingData:
        """Credentials, default mapping and prices. Raises StorageAway only when they were never read."""


@dataclass(frozen=True, slots=True)
class Lease:
    """An admitted request's place under its key's limits."""

    id: str


class Limiter(Protocol):
    """Limits of keys and their owners, in force over all processes (`product.md` §5)."""

    async def admit(self, request_id: UUID, key: ApiKey, tokens: int, cost: Decimal) -> Lease | None:
        """A place for a request that will use about so much; None for a key without limits.

        Raises LimitReached; waits up to the key's `queue_s` for a place. Raises StorageAway only where neither Redis
        nor PostgreSQL can say what was spent.
        """

    async def admit_count(self, key: ApiKey) -> None:
        """Room for one more token count in this minute. Raises LimitReached."""

    async def settle(self, lease: Lease, tokens: int, cost: Decimal) -> None:
        """Gives the place back and books what was used. Never raises."""

    async def standing(self, key: ApiKey) -> Standing:
        """What the key and its owner have used of their limits. Raises StorageAway."""


class CallLog(Protocol):
    """Where records go."""

    async def begin(self, record: CallRecord) -> None:
        """A request goes to a target now; returns when it will have its row even if this process dies. Never raises."""

    async def record(self, record: CallRecord) -> None:
        """Returns when the record is durable. Never raises: what the database refuses now goes to the outbox."""


class SignIns(Protocol):
    """Access for credentials that must sign in first: tokens that expire, roles of the process."""

    async def signed_in(self, credential: Credential) -> Credential:
        """The credential with access that is good now in its `auth`; itself where it needs none. Raises SignInFailed.

        Many who ask at once, in many processes, cause one renewal.
        """

    async def renew(self, credential: Credential, what: str) -> Credential:
        """The same after a platform refused what `signed_in` gave: `what` ("token", "profile") is got anew, once.

        Whoever comes with access that has been replaced meanwhile gets the new one. Raises SignInFailed.
        """


@dataclass(frozen=True, slots=True)
class Stored:
    """A credential as it is stored; `version` changes with its secret."""

    credential: Credential
    version: bytes


class SecretStore(Protocol):
    """Where secrets of credentials are kept that renew themselves. All raise StorageAway."""

    async def read(self, credential_id: str) -> Stored | None:
        """The credential as it is stored now; None where it is gone."""

    async def put(self, stored: Stored, auth: dict[str, Any]) -> Stored | None:
        """Keeps another secret; None where somebody has changed it since it was read.

        What one process has put, all others read from then on, also where PostgreSQL is away and Redis is not.
        """

    async def block(self, stored: Stored, reason: str) -> bool:
        """Takes the credential out of use; False where somebody has given it another secret since it was read."""


class Locks(Protocol):
    """Locks over all processes."""

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Held inside the context; waits for whoever has it. Raises StorageAway where nobody can give it."""


class ReasoningMemory(Protocol):
    """Reasoning state for clients that strip thinking blocks, by API key and tool_use id, for 24 hours (gemini.md §6).

    Never raises: without it a conversation goes on, only less well.
    """

    async def recall(self, key_id: str, tool_use_ids: Sequence[str]) -> Mapping[str, bytes]:
        """What is known of these calls."""

    async def remember(self, key_id: str, by_tool_use_id: Mapping[str, bytes]) -> None:
        """Keeps what a platform will want back."""


class CredentialStates(Protocol):
    """How the credentials fare: who cools down, who is blocked (`routing/pool.py`). Nothing here waits or raises more
    than it says; what other processes have seen is at most a second old while requests come."""

    def choose(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates to try now, best first. Raises QuotaUsedUp, Unavailable or Overloaded where there is none."""

    def is_free(self, candidate: Candidate, leaving: Candidate) -> bool:
        """Whether a candidate may be tried after `leaving`, by what has become known meanwhile."""

    def begin(self, candidate: Candidate) -> float:
        """A try begins; returns the moment, for its outcome."""

    def end(self, candidate: Candidate) -> None:
        """A try is over, whether or not it has told anything."""

    def failed(self, credential: Credential, failure: Failure) -> None:
        """A try failed. A block is kept for all processes."""

    def succeeded(self, credential: Credential, model: str, began_s: float) -> None:
        """A try that began then was answered."""


@dataclass(frozen=True, slots=True)
class Place:
    """A request's place on a credential that serves only so many at once."""

    credential_id: str
    id: str


class Places(Protocol):
    """How many requests are under way on a credential, over all processes. Never raises.

    While nobody can count them all, each process goes by its own (`CredentialStates`).
    """

    async def take(self, credential: Credential, most: int) -> Place | None:
        """A place, where fewer than `most` are taken."""

    async def give_back(self, place: Place) -> None:
        """The request is over."""


class ConversationMemory(Protocol):
    """Which credentials have answered a conversation in the last 24 hours. Never raises."""

    async def answered_by(self, conversation: str) -> frozenset[str]:
        """Their ids; nothing where nobody knows."""

    def note(self, conversation: str, credential_id: str) -> None:
        """One more answer. Does not wait."""


class FetchMedia(Protocol):
    """Brings images and documents for platforms that do not fetch URLs themselves."""

    async def fetch(self, url: str) -> Media:
        """What stands behind a public URL, at most 20 MB. Raises InvalidRequest naming the URL and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """All that the story of a request needs from outside."""

    directory: Directory
    limits: Limiter
    upstream: SendUpstream
    call_log: CallLog
    sign_ins: SignIns
    memory: ReasoningMemory
    states: CredentialStates
    places: Places
    conversations: ConversationMemory
    media: FetchMedia
    tally: Tally = field(default_factory=Tally)
    """What this process has served."""


class Reply(Protocol):
    """The client's side of one request; a door implements it."""

    gone: bool
    """Whether the client has left."""
    started: bool
    """Whether status and headers have been sent."""

    async def start(self, status: int, headers: Headers) -> None:
        """Sends status and headers."""

    async def send(self, data: bytes) -> None:
        """Sends a piece of the body; waits while the client is slow."""

    async def finish(self, data: bytes = b"") -> None:
        """Sends the last piece and ends the body."""

    async def cut(self, ending: bytes) -> None:
        """Breaks the connection off, so that the client sees what the platform did.

        Where the server cannot break off (Lambda), `ending` is sent instead and ends the body.
        """

    def let_go(self) -> None:
        """From here on a client that leaves interrupts nothing: the record is being written."""


class Captures(Protocol):
    """Where captures of requests go. Nothing here waits or raises: a request never suffers from being captured."""

    limit: int
    """How many bytes of a body are kept."""

    def take(self, size: int) -> bool:
        """Whether so many bytes more may be held, over all requests; then they are counted."""

    def give_back(self, size: int) -> None:
        """So many bytes are held no more."""

    def keep(self, captured: Captured) -> None:
        """Stores a capture soon; what it holds is given back then. Where that cannot be, it is dropped."""


class RefusalCap(Protocol):
    """Bounds the rows that callers without a valid key can cause."""

    async def admit(self, client_ip: str) -> bool:
        """Whether another row may be written for this address: 60 a minute (`product.md` §6). Never raises."""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file that a job made; `chunks` can be read once."""

    name: str
    media_type: str
    size: int
    chunks: Iterator[bytes]


class ResultFiles(Protocol):
    """Keeps the files that jobs make, until they are old. Its calls block."""

    def write(self, job_id: str, name: str, media_type: str, chunks: Iterable[bytes]) -> None:
        """Keeps a file; it can be opened when the last chunk is there, and takes the place of an earlier one."""

    def open(self, job_id: str) -> ResultFile | None:
        """The whole file of a job, None where there is none (any more)."""

    def drop_older(self, before: datetime) -> int:
        """Forgets files that were begun before a moment; says how many."""
