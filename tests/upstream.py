"""A fake Anthropic API on a raw socket: it answers as scripted, byte for byte, and checks every request it gets."""

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

RESET = "reset"
"""In an answer's pieces: the connection is reset."""
CLOSE = "close"
"""In an answer's pieces: the connection is closed without the end that the head promised."""
STALL = "stall"
"""In an answer's pieces: nothing more comes until the other side leaves."""

_READ_WITHIN_S = 0.3
"""How long the other side has to read what was sent before a reset: what it has not read by then, a reset discards."""

Piece = bytes | float | str
"""Bytes to send, seconds to wait, or one of the words above."""


@dataclass(frozen=True)
class Answer:
    """What to answer. `kind` names it as the captures do: sse, json, raw or reset."""

    kind: str
    status: int | None = 200
    headers: tuple[tuple[str, str], ...] = ()
    pieces: tuple[Piece, ...] = ()


@dataclass
class Seen:
    """A request that arrived."""

    head: bytes
    body: bytes
    at: float
    answer: Answer
    client_left_at: float | None = None
    method: str = field(init=False)
    path: str = field(init=False)
    headers: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        first, *lines = self.head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = first.split(" ")
        self.headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for known, value in self.headers if known == name), None)

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def event(name: str, data: dict[str, Any]) -> bytes:
    """One event of a stream."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def message_events(
    *blocks: dict[str, Any],
    stop_reason: str = "end_turn",
    stop_details: dict[str, Any] | None = None,
    model: str = "claude-opus-5-5",
    **usage: Any,
) -> list[bytes]:
    """The events of a whole answer. A block is `{"type": "text", "text": …}` or any other, given as it ends up."""
    counts = {"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0} | usage
    message: dict[str, Any] = {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": counts | {"output_tokens": 1},
    }
    events = [event("message_start", {"type": "message_start", "message": message})]
    for index, block in enumerate(blocks):
        events += _block_events(index, block)
    delta: dict[str, Any] = {"stop_reason": stop_reason, "stop_sequence": None}
    if stop_details is not None:
        delta["stop_details"] = stop_details
    events.append(
        event("message_delta", {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7} | usage})
    )
    events.append(event("message_stop", {"type": "message_stop"}))
    return events


def _block_events(index: int, block: dict[str, Any]) -> list[bytes]:
    start, deltas = block, []
    if block["type"] == "text":
        start, deltas = {"type": "text", "text": ""}, [{"type": "text_delta", "text": block["text"]}]
    elif block["type"] in ("tool_use", "server_tool_use"):
        text = block["input"] if isinstance(block["input"], str) else json.dumps(block["input"])
        start = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": text}]
    elif block["type"] == "thinking":
        start = {"type": "thinking", "thinking": "", "signature": ""}
        deltas = [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    names = {"type": "content_block_start", "index": index, "content_block": start}
    return [
        event("content_block_start", names),
        *(
            event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})
            for delta in deltas
        ),
        event("content_block_stop", {"type": "content_block_stop", "index": index}),
    ]


def text(content: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": content}


def sse(*pieces: Piece, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """A streamed answer of these pieces."""
    base = (("content-type", "text/event-stream; charset=utf-8"), ("request-id", "req_upstream"))
    return Answer("sse", 200, (*base, *headers), pieces)


def says(content: str) -> Answer:
    """A streamed answer with one text block."""
    return sse(b"".join(message_events(text(content))))


def json_answer(document: Any, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """A JSON answer."""
    base = (("content-type", "application/json"), ("request-id", "req_upstream"))
    return Answer("json", status, (*base, *headers), (json.dumps(document).encode(),))


def message(content: str, model: str = "claude-opus-5-5") -> dict[str, Any]:
    """A message as a body without streaming."""
    return {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": content}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 7},
    }


def error(status: int, kind: str, words: str, **headers: str) -> Answer:
    """An error answer; header names are given with underscores."""
    document = {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_upstream"}
    return json_answer(document, status, [(name.replace("_", "-"), value) for name, value in headers.items()])


HELLO = says("Hello from the mock.")
WITHOUT_STREAM = json_answer(message("non-stream answer"))


class FakeUpstream:
    """Answers the n-th request with the n-th answer of its script, then with `otherwise`.

    With `sides` set, requests without tools (titles, probes) are answered with a greeting and do not count. What a
    request must not be, or must not carry, is noted in `violations`.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Forgets script and history."""
        self.script: list[Answer] = []
        self.otherwise: Answer | None = None
        self.sides = False
        self.may_carry: tuple[str, ...] = ()
        self.seen: list[Seen] = []
        self.side_requests: list[Seen] = []
        self.violations: list[str] = []

    def drop_connections(self) -> None:
        """Closes every connection, so that a caller's next request comes on a fresh one."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(10)

    def __enter__(self) -> "FakeUpstream":
        self._thread.start()
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        asyncio.run_coroutine_threadsafe(self._serve(listening), self._loop).result(10)
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def wait_for(self, count: int) -> list[Seen]:
        """The requests, once there are as many; fails after ten seconds."""
        give_up = time.monotonic() + 10
        while len(self.seen) < count:
            assert time.monotonic() < give_up, f"{len(self.seen)} of {count} requests arrived"
            time.sleep(0.01)
        return self.seen

    async def _serve(self, listening: socket.socket) -> None:
        self._server = await asyncio.start_server(self._connection, sock=listening, limit=64 * 2**20)

    async def _stop(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drop(self) -> None:
        for writer in self._writers:
            writer.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; says whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
        length = next(
            (
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        body = await reader.readexactly(length)
        seen = self._take(head, body)
        watcher = asyncio.ensure_future(self._watch(reader, seen))
        try:
            return await self._answer(seen, writer, watcher)
        except ConnectionError:
            seen.client_left_at = time.monotonic()
            raise
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    def _take(self, head: bytes, body: bytes) -> Seen:
        seen = Seen(head, body, time.monotonic(), HELLO)
        self._check(seen)
        document = seen.json if seen.method == "POST" and body[:1] == b"{" else {}
        if self.sides and not document.get("tools"):
            self.side_requests.append(seen)
            return seen
        position = len(self.seen)
        fallback = self.otherwise or (HELLO if document.get("stream") else WITHOUT_STREAM)
        answer = self.script[position] if position < len(self.script) else fallback
        if answer.kind == "sse" and not document.get("stream") and not self.script[position:]:
            answer = WITHOUT_STREAM
        seen.answer = answer
        self.seen.append(seen)
        return seen

    def _check(self, seen: Seen) -> None:
        names = [name for name, _ in seen.headers]
        shown = [value for name, value in seen.headers if name in ("x-api-key", "authorization")]
        if "authorization" in self.may_carry:
            shown = [value.removeprefix("Bearer ") for value in shown]
        if shown != [self._secret]:
            self.violations.append("it must carry exactly the platform's own credential")
        if any("sk-ccr-" in value for _, value in seen.headers) or b"sk-ccr-" in seen.body:
            self.violations.append("a key of the router must not reach a platform")
        for name in ("connection", "keep-alive", "te", "transfer-encoding", "upgrade", "proxy-authorization", "cookie"):
            if name in names and name not in self.may_carry:
                self.violations.append(f"{name} must not be passed on")
        for name in ("x-forwarded-for", "forwarded", "via", "x-real-ip"):
            if name in names and name not in self.may_carry:
                self.violations.append(f"{name} must not be passed on")
        if seen.method == "POST" and seen.header("anthropic-version") is None:
            self.violations.append("anthropic-version is missing")
        if seen.header("accept-encoding") != "identity" and "accept-encoding" not in self.may_carry:
            self.violations.append(f"accept-encoding is {seen.header('accept-encoding')}")
        doubles: list[str] = []
        try:
            json.loads(seen.body or b"{}", object_pairs_hook=lambda pairs: _note_doubles(pairs, doubles))
        except ValueError:
            self.violations.append("the body is not JSON")
        if doubles:
            self.violations.append(f"the body names members twice: {doubles}")

    async def _watch(self, reader: asyncio.StreamReader, seen: Seen) -> None:
        # Not by reading: the next request on this connection would lose its first bytes.
        while not reader.at_eof() and reader.exception() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        seen.client_left_at = time.monotonic()

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter, left: "asyncio.Future[None]") -> bool:
        answer = seen.answer
        if answer.status is None:
            return _reset(writer)
        streamed = answer.kind == "sse" or any(not isinstance(piece, bytes) for piece in answer.pieces)
        lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in answer.headers)]
        if streamed:
            lines.append("transfer-encoding: chunked")
        elif not any(name == "content-length" for name, _ in answer.headers):
            lines.append(f"content-length: {sum(len(piece) for piece in answer.pieces if isinstance(piece, bytes))}")
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        for piece in answer.pieces:
            if isinstance(piece, bytes):
                if piece:
                    writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if streamed else piece)
                    await writer.drain()
            elif piece == STALL:
                await left
                return False
            elif piece == RESET:
                await asyncio.sleep(_READ_WITHIN_S)
                return _reset(writer)
            elif piece == CLOSE:
                return False
            else:
                await asyncio.sleep(float(piece))
        if streamed:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _note_doubles(pairs: list[tuple[str, Any]], doubles: list[str]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    doubles += [name for name in set(names) if names.count(name) > 1]
    return dict(pairs)


def _reset(writer: asyncio.StreamWriter) -> bool:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False
