"""The proxy door: a plain ASGI application for everything a Claude client calls.

It authenticates, reads the body, and hands over to the gateway; it loads neither FastAPI nor Pydantic, so that a cold
start stays short (performance.md §2).
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ccrouter.access.keys import ApiKey, digest
from ccrouter.captures.legs import NO_CAPTURE
from ccrouter.clock import monotonic_s, utc_now
from ccrouter.errors import ApiError, AuthenticationFailed, NotFound, StorageAway
from ccrouter.gateway import Call, Capture, Gateway, error_answer, router_fault, storage_away
from ccrouter.http import Headers, decode_headers, header
from ccrouter.ids import request_id_of, uuid7
from ccrouter.messages.request import MessagesRequest
from ccrouter.metering.record import CallRecord
from ccrouter.networks import Network, client_address
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Ask
from ccrouter.ports import Captures, Directory, Limiter, RefusalCap
from ccrouter.proxy.body import ClientGone, check_content_type, read_body
from ccrouter.proxy.caller import cut, said, shown_secrets
from ccrouter.proxy.captured import ClientSide
from ccrouter.proxy.metrics import CONTENT_TYPE
from ccrouter.proxy.models import list_page, models_of, one_model
from ccrouter.proxy.reply import AsgiReply, Receive, Send
from ccrouter.proxy.usage import usage_document

_log = logging.getLogger("ccrouter.proxy")

Scope = dict[str, Any]
CheckReady = Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]

_PROBES = frozenset({"/", "/proxy", "/proxy/", "/proxy/api/hello"})
_OPERATIONS = {"/v1/messages": MESSAGES, "/v1/messages/count_tokens": COUNT_TOKENS}
_MODELS = "/v1/models"
_USAGE = "/v1/usage"


@dataclass(frozen=True)
class Metrics:
    """What monitoring sees, and the token that it must show."""

    token: str
    page: Callable[[], bytes]


class ProxyApp:
    """The ASGI application. `check_ready` answers for `/health/ready`: usable or not, and the state of each part."""

    def __init__(
        self,
        gateway: Gateway,
        directory: Directory,
        limits: Limiter,
        refusal_cap: RefusalCap,
        check_ready: CheckReady,
        captures: Captures,
        *,
        metrics: Metrics | None = None,
        trusted_proxies: Sequence[Network] = (),
        can_cut: bool = True,
    ) -> None:
        self._gateway = gateway
        self._directory = directory
        self._limits = limits
        self._refusal_cap = refusal_cap
        self._check_ready = check_ready
        self._captures = captures
        self._metrics = metrics
        self._trusted_proxies = tuple(trusted_proxies)
        self._can_cut = can_cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        if scope["type"] != "http":
            raise ValueError(f"the proxy door serves HTTP only, not {scope['type']}")
        reply = AsgiReply(receive, send, can_cut=self._can_cut)
        try:
            await self._route(scope, receive, reply)
        finally:
            reply.close()

    async def _route(self, scope: Scope, receive: Receive, reply: AsgiReply) -> None:
        method, path = scope["method"], scope["path"]
        if path in _PROBES and method in ("GET", "HEAD"):
            await _json(reply, 200, {"status": "ok"}, method)
            return
        if path == "/health" and method in ("GET", "HEAD"):
            await _json(reply, 200, {"status": "ok"}, method)
            return
        if path == "/health/ready" and method in ("GET", "HEAD"):
            usable, parts = await self._check_ready()
            await _json(reply, 200 if usable else 503, parts, method)
            return
        if path == "/metrics" and method == "GET" and self._metrics is not None:
            await self._serve_metrics(self._metrics, scope, reply)
            return
        inner = path.removeprefix("/proxy")
        operation = _OPERATIONS.get(inner)
        if operation is not None and method == "POST":
            await self._serve_messages(scope, receive, reply, operation)
        elif method == "GET" and (inner == _MODELS or inner.startswith(f"{_MODELS}/")):
            await self._serve(scope, reply, lambda key: self._models(key, scope, inner))
        elif method == "GET" and inner == _USAGE:
            await self._serve(scope, reply, self._usage)
        else:
            await self._refuse_unknown(scope, reply, allowed="POST" if operation is not None else None)

    async def _serve_messages(self, scope: Scope, receive: Receive, reply: AsgiReply, operation: str) -> None:
        headers = decode_headers(scope["headers"])
        call = self._open_call(scope, headers, operation)
        try:
            await self._admit_and_answer(call, scope, headers, receive, reply)
        except Exception:
            _log.exception("request %s failed by a fault of the router", call.record.request_id)
            await self._gateway.refuse(call, router_fault(), reply)

    async def _admit_and_answer(
        self, call: Call, scope: Scope, headers: Headers, receive: Receive, reply: AsgiReply
    ) -> None:
        try:
            key = await self._authenticate(headers)
        except AuthenticationFailed as error:
            keep = await self._refusal_cap.admit(call.record.client_ip or "")
            await self._gateway.refuse(call, error, reply, keep=keep)
            return
        except StorageAway:
            # Nobody knows whether the key is good, so its rows are bounded like those of callers without one.
            keep = await self._refusal_cap.admit(call.record.client_ip or "")
            await self._gateway.refuse(call, storage_away(), reply, keep=keep)
            return
        record = call.record
        record.key_id, record.key_name = key.id, key.name
        record.user_id, record.user_login = key.owner_id, key.owner_login
        if key.capture == NO_CAPTURE:
            await self._read_and_answer(call, key, scope, headers, receive, reply, self._gateway)
            return
        capture = Capture(self._captures, call, key.capture)
        side = ClientSide(capture, scope, headers)
        reply.pass_through(side.send_to)
        try:
            gateway = self._gateway.noting(capture)
            await self._read_and_answer(call, key, scope, headers, side.receive_from(receive), reply, gateway)
        finally:
            capture.end()

    async def _read_and_answer(
        self,
        call: Call,
        key: ApiKey,
        scope: Scope,
        headers: Headers,
        receive: Receive,
        reply: AsgiReply,
        gateway: Gateway,
    ) -> None:
        record, operation = call.record, call.record.kind
        try:
            key.check_caller(record.client_ip, record.client)
            check_content_type(headers)
            request = MessagesRequest(await read_body(receive, headers))
        except ApiError as error:
            await gateway.refuse(call, error, reply)
            return
        except ClientGone:
            await gateway.note_abandoned(call)
            return
        record.requested_model, record.stream = cut(request.model), request.stream and operation == MESSAGES
        record.session_id = record.session_id or cut(request.session_id)
        call.conversation = record.session_id or request.opening
        query = scope["query_string"].decode("latin-1")
        reply.watch()
        await gateway.answer(call, Ask(operation, request, headers, query, key.id, call.conversation), key, reply)

    async def _serve(self, scope: Scope, reply: AsgiReply, answer: Callable[[ApiKey], Awaitable[bytes]]) -> None:
        """An address that has no rows and asks no platform."""
        headers = decode_headers(scope["headers"])
        try:
            key = await self._authenticate(headers)
            key.check_caller(self._client_address(scope, headers), said(headers, "user-agent"))
            body = await answer(key)
        except ApiError as error:
            await _refuse(reply, error)
            return
        except StorageAway:
            await _refuse(reply, storage_away())
            return
        except Exception:
            _log.exception("%s failed by a fault of the router", scope["path"])
            await _refuse(reply, router_fault())
            return
        await _bytes(reply, 200, body, "GET")

    async def _serve_metrics(self, metrics: Metrics, scope: Scope, reply: AsgiReply) -> None:
        scheme, _, shown = (header(decode_headers(scope["headers"]), "authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), metrics.token.encode()):
            await _refuse(reply, AuthenticationFailed())
            return
        page = await asyncio.to_thread(metrics.page)
        await _bytes(reply, 200, page, "GET", CONTENT_TYPE)

    async def _models(self, key: ApiKey, scope: Scope, inner: str) -> bytes:
        models = models_of(key, await self._directory.routing())
        if inner == _MODELS:
            return list_page(models, scope["query_string"].decode("latin-1"))
        return one_model(models, inner.removeprefix(f"{_MODELS}/"))

    async def _usage(self, key: ApiKey) -> bytes:
        return usage_document(key, await self._limits.standing(key), utc_now())

    async def _refuse_unknown(self, scope: Scope, reply: AsgiReply, allowed: str | None) -> None:
        path = scope["path"]
        if allowed is None:
            await _refuse(reply, NotFound(f"This router has no address {scope['method']} {path}."))
        else:
            await _refuse(reply, MethodNotAllowed(f"{path} is asked with {allowed}, not {scope['method']}.", allowed))

    def _open_call(self, scope: Scope, headers: Headers, operation: str) -> Call:
        at = utc_now()
        # The log is kept by the id's moment, its sums by the row's: they are one.
        record_id = uuid7(at)
        record = CallRecord(
            id=record_id,
            at=at,
            kind=operation,
            request_id=request_id_of(record_id),
            client=said(headers, "user-agent"),
            client_ip=self._client_address(scope, headers),
            session_id=said(headers, "x-claude-code-session-id"),
            agent_id=said(headers, "x-claude-code-agent-id"),
            parent_agent_id=said(headers, "x-claude-code-parent-agent-id"),
            request_class=said(headers, "x-claude-code-request-class"),
        )
        return Call(record, monotonic_s())

    def _client_address(self, scope: dict[str, Any], headers: Headers) -> str | None:
        peer = scope.get("client")
        return client_address(
            str(peer[0]) if peer else None, header(headers, "x-forwarded-for") or "", self._trusted_proxies
        )

    async def _authenticate(self, headers: Headers) -> ApiKey:
        """The key of the first valid secret that was shown. Raises AuthenticationFailed or StorageAway."""
        for secret in shown_secrets(headers):
            key = await self._directory.find_key(digest(secret))
            if key is not None and key.is_alive(utc_now()):
                return key
        raise AuthenticationFailed


class MethodNotAllowed(ApiError):
    """A known address, asked in a way it does not know."""

    status, kind = 405, "invalid_request_error"

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message, extra=(("allow", allowed),))


async def _refuse(reply: AsgiReply, error: ApiError) -> None:
    """An error of an address that has no rows."""
    headers, body = error_answer(error, request_id_of(uuid7()))
    await reply.start(error.status, headers)
    await reply.finish(body)


async def _json(reply: AsgiReply, status: int, document: dict[str, Any], method: str) -> None:
    await _bytes(reply, status, msgspec.json.encode(document), method)


async def _bytes(
    reply: AsgiReply, status: int, body: bytes, method: str, content_type: str = "application/json"
) -> None:
    await reply.start(status, (("content-type", content_type), ("content-length", str(len(body)))))
    await reply.finish(b"" if method == "HEAD" else body)
