"""Streams on real sockets: at once, unchanged, kept alive, and ended on both sides when one leaves."""

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.app.asking import BODY, JSON_TYPE, STREAMED, ask, row_of
from tests.raw_platform import RawPlatform
from tests.services import RunningRouter
from tests.upstream import CLOSE, RESET, STALL, message_events, says, sse, text

from ccrouter.dialects.anthropic.stream import PING
from ccrouter.gateway import relay
from ccrouter.proxy import reply

EVENTS = message_events(text("Hello"), input_tokens=40)
WHOLE = b"".join(EVENTS)
ERROR = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'


@contextmanager
def reading(router: RunningRouter, secret: str) -> Iterator[tuple[httpx2.Response, Iterator[bytes]]]:
    """A streamed answer while it comes."""
    with (
        router.client(**JSON_TYPE) as client,
        client.stream("POST", "/proxy/v1/messages", json=STREAMED, headers={"x-api-key": secret}) as answer,
    ):
        yield answer, answer.iter_raw()


def test_the_first_event_arrives_before_the_second_is_sent(router: RunningRouter) -> None:
    """Nothing is buffered on the way: it comes although the second is never sent."""
    router.upstream.script = [sse(EVENTS[0], STALL)]
    with reading(router, router.new_key()) as (_answer, pieces):
        assert EVENTS[0] == next(pieces)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_chunk_borders_of_the_platform_do_not_matter(router: RunningRouter, size: int) -> None:
    """Events, lines and characters may be cut anywhere."""
    whole = b"".join(message_events(text("Grüße, 世界 😀")))
    router.upstream.script = [sse(*(whole[start : start + size] for start in range(0, len(whole), size)))]
    answer = ask(router, router.new_key(), STREAMED)
    assert whole == answer.content
    assert row_of(router, answer)["usage_state"] == "final"


def test_the_headers_of_a_stream_let_nobody_hold_it_back(router: RunningRouter) -> None:
    """Its type, no cache, and no buffering by a proxy in front."""
    answer = ask(router, router.new_key(), STREAMED)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in answer.headers


def test_silence_is_filled_with_pings(router: RunningRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between events only, and never after the end."""
    monkeypatch.setattr(relay, "PING_AFTER_S", 0.1)
    half = len(EVENTS[2]) // 2
    router.upstream.script = [sse(EVENTS[0], 0.25, EVENTS[1] + EVENTS[2][:half], 0.25, EVENTS[2][half:], *EVENTS[3:])]
    body = ask(router, router.new_key(), STREAMED).content
    assert body.count(PING) == 2
    assert body.replace(PING, b"") == WHOLE
    assert body.startswith(EVENTS[0] + PING + PING + EVENTS[1] + EVENTS[2])


def test_a_silent_platform_is_bridged_before_its_first_event(
    router: RunningRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its 200 a client does not wait for ever without a byte."""
    monkeypatch.setattr(relay, "BEGIN_WITHIN_S", 0.1)
    monkeypatch.setattr(relay, "PING_AFTER_S", 0.1)
    router.upstream.script = [sse(0.35, WHOLE)]
    body = ask(router, router.new_key(), STREAMED).content
    assert body.startswith(PING)
    assert body.replace(PING, b"") == WHOLE


def test_after_an_error_event_nothing_more_comes(router: RunningRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error ends a stream, also when the platform forgets to close it: no ping, no waiting (§6.2, §6.4)."""
    monkeypatch.setattr(relay, "PING_AFTER_S", 0.1)
    router.upstream.script = [sse(EVENTS[0] + ERROR, STALL)]
    began = time.monotonic()
    answer = ask(router, router.new_key(), STREAMED)
    assert EVENTS[0] + ERROR == answer.content
    assert time.monotonic() - began < 3
    row = row_of(router, answer)
    assert (row["status"], row["error"]["type"], row["usage_state"]) == ("error", "overloaded_error", "partial")


@pytest.mark.parametrize("how", [CLOSE, RESET])
def test_a_stream_that_breaks_breaks_for_the_client_too(router: RunningRouter, how: str) -> None:
    """Claude Code's recovery is made for a broken connection; nothing is made up."""
    router.upstream.script = [sse(EVENTS[0], EVENTS[1], how)]
    secret = router.new_key()
    received = b""
    with reading(router, secret) as (_answer, pieces):
        while len(received) < len(EVENTS[0] + EVENTS[1]):
            received += next(pieces)
        with pytest.raises(httpx2.RemoteProtocolError):
            next(pieces)
    assert received == EVENTS[0] + EVENTS[1]
    (row,) = router.rows(secret)
    assert (row["status"], row["http_status"], row["usage_state"]) == ("error", 200, "partial")
    assert row["usage"]["input_tokens"] == 40
    assert row["attempts"][0]["outcome"] == "broken"


def assert_left_and_recorded(router: RunningRouter, secret: str, closed_at: float, *, http_status: int) -> None:
    """The platform's side was closed within a second, and the row says who left."""
    give_up = time.monotonic() + 5
    (seen,) = router.upstream.seen
    while seen.client_left_at is None:
        assert time.monotonic() < give_up, "the platform's connection stays open"
        time.sleep(0.01)
    assert seen.client_left_at - closed_at < 1
    (row,) = router.rows(secret)
    assert (row["status"], row["http_status"]) == ("aborted", http_status)
    assert row["attempts"][0]["outcome"] == "aborted"


def test_a_client_that_leaves_ends_the_platforms_work(router: RunningRouter) -> None:
    """Within a second; what came until then is counted."""
    router.upstream.script = [sse(EVENTS[0], EVENTS[1], STALL)]
    secret = router.new_key()
    with reading(router, secret) as (_answer, pieces):
        assert EVENTS[0] in next(pieces)
    assert_left_and_recorded(router, secret, time.monotonic(), http_status=200)
    (row,) = router.rows(secret)
    assert (row["usage_state"], row["usage"]["input_tokens"], row["cost_state"]) == ("partial", 40, "priced")


@pytest.mark.parametrize("body", [BODY, STREAMED], ids=["plain", "streamed"])
def test_a_client_that_leaves_before_the_answer_ends_it_too(router: RunningRouter, body: dict[str, Any]) -> None:
    """Also while the platform thinks, before its first byte."""
    with RawPlatform(None) as platform:
        secret = router.key_for_platform(platform.url)
        connection = http.client.HTTPConnection(urlsplit(router.url).netloc, timeout=5)
        connection.request("POST", "/v1/messages", json.dumps(body), JSON_TYPE | {"x-api-key": secret})
        assert platform.arrived.wait(5)
        closed_at = time.monotonic()
        connection.close()
        assert platform.left.wait(5)
        assert platform.left_at - closed_at < 1
    (row,) = router.rows(secret)
    assert (row["status"], row["http_status"], row["usage"]) == ("aborted", 499, None)
    assert row["attempts"][0]["outcome"] == "aborted"


def test_a_client_that_leaves_after_the_end_changes_nothing(router: RunningRouter) -> None:
    """The row is written before the last bytes leave, so the request is done."""
    router.upstream.script = [sse(WHOLE, STALL)]
    secret = router.new_key()
    with reading(router, secret) as (_answer, pieces):
        received = b""
        while received != WHOLE:
            received += next(pieces)
    (row,) = router.rows(secret)
    assert (row["status"], row["usage_state"]) == ("ok", "final")


def test_many_streams_at_once_get_one_row_each(router: RunningRouter) -> None:
    """Parallel requests of one key do not mix; their rows are committed together."""
    secret, count = router.new_key(), 60
    router.upstream.otherwise = says("Hello")

    async def all_at_once() -> list[int]:
        async with httpx2.AsyncClient(base_url=router.url, timeout=20) as client:
            answers = await asyncio.gather(
                *(
                    client.post(
                        "/v1/messages",
                        json=STREAMED,
                        headers={"x-api-key": secret, "x-claude-code-session-id": f"session-{number}"},
                    )
                    for number in range(count)
                )
            )
        return [answer.status_code for answer in answers]

    assert [200] * count == asyncio.run(all_at_once())
    with router.client(authorization=f"Bearer {router.token()}") as client:
        rows = client.get("/api/v1/logs", params={"limit": 200, "kind": "messages"}).json()["items"]
    sessions = [row["session_id"] for row in rows if (row["session_id"] or "").startswith("session-")]
    assert sorted(f"session-{number}" for number in range(count)) == sorted(sessions)


def test_a_slow_reader_does_not_make_the_router_hoard(router: RunningRouter) -> None:
    """A client that does not read holds the platform back, and gets every byte when it does."""
    filler = b": " + b"x" * 60_000 + b"\n\n"
    router.upstream.script = [sse(EVENTS[0], *([filler] * 200), *EVENTS[1:])]
    with reading(router, router.new_key()) as (_answer, pieces):
        received = next(pieces)
        time.sleep(0.3)
        received += b"".join(pieces)
    assert EVENTS[0] + filler * 200 + b"".join(EVENTS[1:]) == received


def test_a_client_that_reads_nothing_is_given_up(router: RunningRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform's connection does not stay open for somebody who is not there; what came is counted."""
    monkeypatch.setattr(reply, "STALL_LIMIT_S", 0.5)
    filler = b": " + b"x" * 60_000 + b"\n\n"
    router.upstream.script = [sse(EVENTS[0], *([filler] * 400), STALL)]
    secret = router.new_key()
    body = json.dumps(STREAMED)
    host, _, port = urlsplit(router.url).netloc.partition(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, int(port)))
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\ncontent-length: {len(body)}\r\n\r\n"
        client.sendall((head + body).encode())
        (seen,) = router.upstream.wait_for(1)
        give_up = time.monotonic() + 5
        while seen.client_left_at is None and time.monotonic() < give_up:
            time.sleep(0.02)
        assert seen.client_left_at is not None
    (row,) = router.rows(secret)
    while row["status"] == "running" and time.monotonic() < give_up:
        time.sleep(0.02)
        (row,) = router.rows(secret)
    assert (row["status"], row["http_status"], row["usage"]["input_tokens"]) == ("aborted", 200, 40)


def test_a_client_that_reads_slowly_is_not_given_up(router: RunningRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it reads at all."""
    monkeypatch.setattr(reply, "STALL_LIMIT_S", 0.6)
    filler = b": " + b"x" * 60_000 + b"\n\n"
    router.upstream.script = [sse(EVENTS[0], *([filler] * 100), *EVENTS[1:])]
    received = b""
    with reading(router, router.new_key()) as (_answer, pieces):
        for number, piece in enumerate(pieces):
            received += piece
            if number % 20 == 0:
                time.sleep(0.2)
    assert EVENTS[0] + filler * 100 + b"".join(EVENTS[1:]) == received
