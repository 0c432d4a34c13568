"""Trying a credential or a key with a real request, told and recorded like any other."""

from collections.abc import Sequence
from dataclasses import replace

from ccrouter.access.keys import ApiKey
from ccrouter.clock import monotonic_s, utc_now
from ccrouter.credentials.kinds import Credential
from ccrouter.gateway.call import Call
from ccrouter.gateway.story import Gateway
from ccrouter.http import Headers
from ccrouter.ids import request_id_of, uuid7
from ccrouter.messages.request import MessagesRequest
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.record import CallRecord
from ccrouter.platforms.contract import MESSAGES, Ask
from ccrouter.ports import Outside, RoutingData
from ccrouter.routing.condition import Failure
from ccrouter.routing.mapping import Mapping, Target
from ccrouter.routing.plan import Candidate

_BODY = b'{"model":"%s","max_tokens":1,"messages":[{"role":"user","content":"Hello"}]}'
_HEADERS: Headers = (("anthropic-version", "2023-06-01"), ("content-type", "application/json"))


async def probe(
    credential: Credential,
    model: str,
    prices: PriceTable,
    outside: Outside,
    *,
    user_id: str,
    user_login: str,
) -> CallRecord:
    """Sends a request for one token with this credential and returns its record, `kind` test. Never raises."""
    record = _record(model, user_id=user_id, user_login=user_login)
    key = ApiKey(
        id="",
        name="test",
        owner_id=user_id,
        owner_login=user_login,
        owner_active=True,
        enabled=True,
        expires_at=None,
        mapping=Mapping(default=(Target(credential.platform, model, credential_id=credential.id),)),
    )
    gateway = Gateway(replace(outside, directory=_OneCredential(credential, prices), states=_Unnoted()))
    await _ask(gateway, key, record)
    return record


async def try_key(key: ApiKey, model: str, outside: Outside) -> CallRecord:
    """Sends a request for one token as a client of this key would, and returns its record, `kind` test. Never raises.

    It goes through the key's mapping and limits and is the key's in the log; whether the key is alive, and from where
    and by whom it may be used, is for the door to ask and not asked here.
    """
    record = _record(model, user_id=key.owner_id, user_login=key.owner_login)
    record.key_id, record.key_name = key.id, key.name
    await _ask(Gateway(outside), key, record)
    return record


def _record(model: str, *, user_id: str, user_login: str) -> CallRecord:
    now = utc_now()
    record_id = uuid7(now)
    return CallRecord(
        id=record_id,
        at=now,
        kind="test",
        request_id=request_id_of(record_id),
        user_id=user_id,
        user_login=user_login,
        requested_model=model,
        client="ccrouter",
    )


async def _ask(gateway: Gateway, key: ApiKey, record: CallRecord) -> None:
    request = MessagesRequest(_BODY.replace(b"%s", (record.requested_model or "").encode()))
    call = Call(record, monotonic_s())
    await gateway.answer(call, Ask(MESSAGES, request, _HEADERS, "", key.id), key, _Unread())


class _OneCredential:
    """A directory (`ports.Directory`) that knows one credential, in use or not."""

    def __init__(self, credential: Credential, prices: PriceTable) -> None:
        # Its list of models and its bound say what requests use it for, not what it may be tried with.
        tried = replace(credential, models=None, max_concurrency=None, block=None)
        self._routing = RoutingData([tried], Mapping(), prices)

    async def find_key(self, digest: str) -> None:
        return None

    async def routing(self) -> RoutingData:
        return self._routing


class _Unnoted:
    """States (`ports.CredentialStates`) under which all is tried, and a trial changes nothing for others."""

    def choose(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return list(candidates)

    def is_free(self, candidate: Candidate, leaving: Candidate) -> bool:
        return True

    def begin(self, candidate: Candidate) -> float:
        return 0.0

    def end(self, candidate: Candidate) -> None:
        """It kept nobody away."""

    def failed(self, credential: Credential, failure: Failure) -> None:
        """The row says so."""

    def succeeded(self, credential: Credential, model: str, began_s: float) -> None:
        """The row says so."""


class _Unread:
    """A client (`ports.Reply`) who only wants to know how it went; the record says so."""

    gone = False

    def __init__(self) -> None:
        self.started = False

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True

    async def send(self, data: bytes) -> None:
        """Nobody reads it."""

    async def finish(self, data: bytes = b"") -> None:
        """Nobody reads it."""

    async def cut(self, ending: bytes) -> None:
        """Nobody reads it."""

    def let_go(self) -> None:
        """Nobody leaves."""
