"""What a client gets when the platform is away, or sends what is no answer: a clear error, a row, and never a hang."""

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.app.asking import BODY, STREAMED, ask, assert_own_error, row_of
from tests.raw_platform import RawPlatform, closed_port
from tests.services import RunningRouter
from tests.upstream import CLOSE, RESET, STALL, Answer, json_answer, message, message_events, sse, text

from ccrouter import upstream as upstream_leg
from ccrouter.gateway import patience

EVENTS = message_events(text("Hello"))
JSON_HEADERS = (("content-type", "application/json"),)
BOTH = pytest.mark.parametrize("body", [BODY, STREAMED], ids=["plain", "streamed"])


@pytest.fixture(autouse=True)
def _nothing_takes_long() -> Iterator[None]:
    """Whatever goes wrong is answered at once."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 8


def assert_attempt(row: dict[str, Any], outcome: str, status: int | None) -> None:
    """The row's only attempt ended so."""
    (attempt,) = row["attempts"]
    assert (outcome, status) == (attempt["outcome"], attempt["status"])


@BOTH
def test_a_platform_that_is_down_is_a_502(router: RunningRouter, body: dict[str, Any]) -> None:
    """Named as a platform, without its address, which is the operator's business."""
    port = closed_port()
    answer = ask(router, router.key_for_platform(f"http://127.0.0.1:{port}"), body)
    message = assert_own_error(answer, 502, "api_error")
    assert "anthropic" in message
    assert str(port) not in answer.text
    assert "127.0.0.1" not in answer.text
    row = row_of(router, answer)
    assert (row["status"], row["http_status"]) == ("error", 502)
    assert_attempt(row, "unreachable", None)


def test_a_name_that_does_not_resolve_is_a_502(router: RunningRouter) -> None:
    """A misspelt address of a platform."""
    answer = ask(router, router.key_for_platform("http://platform.invalid"))
    assert_own_error(answer, 502, "api_error")
    assert_attempt(row_of(router, answer), "unreachable", None)


@BOTH
@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\x16\x03\x01 this is no HTTP\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "garbage", "no status", "half a head", "broken header", "endless header"],
)
def test_a_platform_that_speaks_no_http_is_a_502(router: RunningRouter, body: dict[str, Any], reply: bytes) -> None:
    """Closed at once, garbage, or half a head."""
    with RawPlatform(reply) as platform:
        answer = ask(router, router.key_for_platform(platform.url), body)
    assert_own_error(answer, 502, "api_error")
    assert_attempt(row_of(router, answer), "unreachable", None)


def test_a_platform_that_never_answers_is_a_504(router: RunningRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time that the SDKs allow."""
    monkeypatch.setattr(upstream_leg, "HEAD_TIMEOUT_S", 0.2)
    with RawPlatform(None) as platform:
        answer = ask(router, router.key_for_platform(platform.url))
        assert platform.left.wait(1), "the connection must be closed"
    assert_own_error(answer, 504, "timeout_error")
    assert_attempt(row_of(router, answer), "timeout", None)


@BOTH
@pytest.mark.parametrize(
    "script",
    [
        Answer("raw", 200, (("content-type", "text/html"),), (b"<html><h1>Welcome</h1></html>",)),
        Answer("raw", 200, (("content-type", "text/plain"),), (b"ok",)),
        Answer("json", 200, JSON_HEADERS, (b"",)),
        Answer("json", 200, JSON_HEADERS, (b"not json",)),
        Answer("json", 200, JSON_HEADERS, (b'["a list"]',)),
        Answer("json", 200, JSON_HEADERS, (b'{"id":"msg"', CLOSE)),
        Answer("json", 200, JSON_HEADERS, (b'{"id":"msg"', RESET)),
        sse(b"this is no event stream, and it goes on without an end"),
        sse(b": only a comment\n\n"),
        sse(CLOSE),
        sse(RESET),
        sse(b"event: message_st", CLOSE),
    ],
    ids=[
        "html", "text", "empty json", "no json", "a list", "cut json", "reset json", "no events", "only a comment",
        "cut before the first event", "reset before the first event", "half an event",
    ],
)  # fmt: skip
def test_a_success_that_is_no_answer_is_a_502(router: RunningRouter, body: dict[str, Any], script: Answer) -> None:
    """As long as nothing has left for the client it gets one whole error, without the platform's markup."""
    router.upstream.script = [script]
    answer = ask(router, router.new_key(), body)
    assert_own_error(answer, 502, "api_error")
    assert "<" not in answer.text
    row = row_of(router, answer)
    assert (row["status"], row["http_status"], row["usage"]) == ("error", 502, None)
    assert_attempt(row, "broken", 200)


def test_json_in_place_of_a_stream_goes_through(router: RunningRouter) -> None:
    """Claude Code knows it and repeats without streaming; both are billed, so both are metered."""
    document = json.dumps(message("Hello")).encode()
    router.upstream.script = [Answer("json", 200, JSON_HEADERS, (document,))]
    answer = ask(router, router.new_key(), STREAMED)
    assert (200, "application/json", document) == (
        answer.status_code, answer.headers["content-type"], answer.content,
    )  # fmt: skip
    row = row_of(router, answer)
    assert (row["status"], row["stream"], row["usage"]["output_tokens"], row["usage_state"]) == ("ok", True, 7, "final")


def test_a_stream_in_place_of_json_goes_through(router: RunningRouter) -> None:
    """What the platform bills is metered, whatever its form."""
    router.upstream.script = [sse(*EVENTS), sse(*EVENTS)]
    answer = ask(router, router.new_key(), BODY)
    assert b"".join(EVENTS) == answer.content
    assert row_of(router, answer)["usage"]["output_tokens"] == 7


def test_an_empty_stream_goes_through(router: RunningRouter) -> None:
    """Clients know what to do with it (19-error-behaviour, empty200)."""
    router.upstream.script = [sse(b"")]
    answer = ask(router, router.new_key(), STREAMED)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert row_of(router, answer)["status"] == "error"


@BOTH
def test_a_success_that_holds_an_error_goes_through_and_is_none(router: RunningRouter, body: dict[str, Any]) -> None:
    """The client gets the platform's bytes, the row says that it failed."""
    document = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    router.upstream.script = [json_answer(document)]
    answer = ask(router, router.new_key(), body)
    assert (200, document) == (answer.status_code, answer.json())
    row = row_of(router, answer)
    assert (row["status"], row["error"]["type"]) == ("error", "overloaded_error")
    assert_attempt(row, "error_in_answer", 200)


@BOTH
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_not_followed(router: RunningRouter, body: dict[str, Any], status: int) -> None:
    """It would carry the credential to another address; clients take a redirect for a failure too."""
    with RawPlatform(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as elsewhere:
        router.upstream.script = [Answer("raw", status, (("location", f"{elsewhere.url}/v1/messages"),), ())]
        answer = ask(router, router.new_key(), body)
        assert elsewhere.connections == 0
    assert_own_error(answer, 502, "api_error")
    assert "location" not in answer.headers
    assert_attempt(row_of(router, answer), "refused", status)


def test_a_compressed_answer_reaches_the_client_plain(router: RunningRouter) -> None:
    """A platform that compresses unasked: decoded, and the header that said so is gone."""
    document = json.dumps(message("Hello")).encode()
    packed = gzip.compress(document)
    router.upstream.script = [Answer("json", 200, (*JSON_HEADERS, ("content-encoding", "gzip")), (packed,))]
    answer = ask(router, router.new_key(), accept_encoding="identity")
    assert (200, document) == (answer.status_code, answer.content)
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(len(document))


def test_a_compressed_stream_reaches_the_client_plain(router: RunningRouter) -> None:
    """The same for events, so that the stream can be metered."""
    router.upstream.script = [sse(gzip.compress(b"".join(EVENTS)), headers=[("content-encoding", "gzip")])]
    answer = ask(router, router.new_key(), STREAMED)
    assert b"".join(EVENTS) == answer.content
    assert row_of(router, answer)["usage_state"] == "final"


def test_a_plain_answer_that_stalls_is_given_up(router: RunningRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a JSON body and then silence: the client gets a timeout, the platform is left."""
    monkeypatch.setattr(patience, "SILENCE_LIMIT_S", 0.2)
    router.upstream.script = [Answer("json", 200, JSON_HEADERS, (b'{"id":"m"', STALL))]
    answer = ask(router, router.new_key())
    assert_own_error(answer, 504, "timeout_error")
    assert_attempt(row_of(router, answer), "timeout", 200)


def test_a_usage_of_nonsense_does_not_cost_the_answer(router: RunningRouter) -> None:
    """Counts that are no counts are not counted; the answer and its row are whole."""
    document = message("Hello") | {
        "usage": {
            "input_tokens": 10**30,
            "output_tokens": -5,
            "cache_creation": [1],
            "server_tool_use": "x",
            "n": 1e300,
        }
    }
    router.upstream.script = [json_answer(document)]
    answer = ask(router, router.new_key())
    assert document == answer.json()
    row = row_of(router, answer)
    assert (row["status"], row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == ("ok", 0, 0)


def test_an_answer_with_a_zero_byte_gets_its_row(router: RunningRouter) -> None:
    """PostgreSQL holds no U+0000, neither in a text nor in JSON."""
    document = message("Hello") | {"stop_reason": "end\0turn", "usage": {"input_tokens": 1, "note": "a\0b"}}
    router.upstream.script = [json_answer(document)]
    answer = ask(router, router.new_key())
    assert answer.json() == document
    assert row_of(router, answer)["stop_reason"] == "endturn"
