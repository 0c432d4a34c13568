"""What a request's body may be: JSON of at most 32 MiB with one model (anthropic-messages.md §3, §11.1, §12)."""

import contextlib
import gzip
import http.client
import json
import random
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.app.asking import BODY, JSON_TYPE, ask, assert_own_error, row_of
from tests.services import RunningRouter

from ccrouter.proxy import body as body_reader

LIMIT = 32 * 1024 * 1024


def a_body_of(size: int) -> bytes:
    """A valid request of exactly this many bytes."""
    frame = b'{"model":"claude-opus-5-5","max_tokens":1,"messages":[{"role":"user","content":"%s"}]}'
    return frame % (b"x" * (size - len(frame) + 2))


def _packed(data: bytes) -> bytes:
    """Data in gzip, the same at all times: test names are made of it."""
    return gzip.compress(data, mtime=0)


def in_chunks(body: bytes, size: int = 2**20) -> Iterator[bytes]:
    """The body in pieces, so that it is sent without a content-length."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


def send_chunked(router: RunningRouter, secret: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
    """A chunked request by a client that reads an answer which comes early."""
    connection = http.client.HTTPConnection(urlsplit(router.url).netloc, timeout=20)
    try:
        connection.request(
            "POST", "/v1/messages", in_chunks(body), JSON_TYPE | {"x-api-key": secret}, encode_chunked=True
        )
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"", "JSON"),
        (b"hello", "JSON"),
        (b'{"model":"claude-opus-5-5"', "JSON"),
        (b'["model"]', "JSON"),
        (b'{"model":"claude-opus-5-5",}', "JSON"),
        (b'\xef\xbb\xbf{"model":"a"}', "JSON"),
        (b'{"messages":[]}', "model: Field required"),
        (b'{"model":7}', "model"),
        (b'{"model":"a","model":"b"}', "model"),
        (b'{"model":"claude-opus-5-5","mod\\u0065l":"claude-haiku-5-5"}', "model"),
        (b'{"mod\\u0065l":"claude-opus-5-5", "model":"claude-haiku-5-5"}', "model"),
        (b'{"model":"a","stream":true,"x":{"stream":1},"stream":false}', "stream"),
    ],
)
def test_a_body_that_cannot_be_routed_is_a_400_with_a_row(router: RunningRouter, body: bytes, names: str) -> None:
    """What is wrong is said; the platform never sees it."""
    answer = ask(router, router.new_key(), body)
    assert names in assert_own_error(answer, 400, "invalid_request_error")
    row = row_of(router, answer)
    assert (row["status"], row["http_status"], row["platform"]) == ("error", 400, None)
    assert router.upstream.seen == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_of_another_type_is_refused(router: RunningRouter, content_type: str) -> None:
    """The answer names the type that was sent."""
    answer = ask(router, router.new_key(), content_type=content_type)
    assert content_type in assert_own_error(answer, 400, "invalid_request_error")
    assert row_of(router, answer)["http_status"] == 400


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_may_carry_parameters(router: RunningRouter, content_type: str) -> None:
    """What means JSON is JSON."""
    assert ask(router, router.new_key(), content_type=content_type).status_code == 200


def test_exactly_32_mib_are_accepted_and_arrive_whole(router: RunningRouter) -> None:
    """The API's own limit, to the byte."""
    body = a_body_of(LIMIT)
    assert ask(router, router.new_key(), body).status_code == 200
    (seen,) = router.upstream.wait_for(1)
    assert seen.body == body


def test_exactly_32_mib_in_chunks_are_accepted(router: RunningRouter) -> None:
    """Without a content-length the bytes are counted."""
    status, _body, _headers = send_chunked(router, router.new_key(), a_body_of(LIMIT))
    assert status == 200
    (seen,) = router.upstream.wait_for(1)
    assert len(seen.body) == LIMIT


def test_one_byte_more_is_413(router: RunningRouter) -> None:
    """With a content-length, before the body is read."""
    secret = router.new_key()
    answer = ask(router, secret, a_body_of(LIMIT + 1))
    assert "32 MB" in assert_own_error(answer, 413, "request_too_large")
    assert row_of(router, answer)["http_status"] == 413
    assert router.upstream.seen == []


def test_one_byte_more_in_chunks_is_413(router: RunningRouter) -> None:
    """Without a content-length, as soon as the limit is passed."""
    status, body, _headers = send_chunked(router, router.new_key(), a_body_of(LIMIT + 1))
    assert (status, json.loads(body)["error"]["type"]) == (413, "request_too_large")


def test_a_body_that_only_announces_its_size_is_refused_at_once(router: RunningRouter) -> None:
    """Nobody waits for bytes that will not be read."""
    host, _, port = urlsplit(router.url).netloc.partition(":")
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {router.new_key()}\r\ncontent-length: {LIMIT + 1}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(head.encode())
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_gzip_body_is_decoded(router: RunningRouter) -> None:
    """The platform gets it plain, and without the header that named the encoding."""
    answer = ask(router, router.new_key(), gzip.compress(json.dumps(BODY).encode()), content_encoding="gzip")
    assert answer.status_code == 200
    (seen,) = router.upstream.wait_for(1)
    assert seen.json == BODY
    assert seen.header("content-encoding") is None


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413)])
def test_the_limit_holds_for_the_decoded_bytes(router: RunningRouter, size: int, status: int) -> None:
    """A small body that unfolds into a large one stops at the limit."""
    answer = ask(router, router.new_key(), gzip.compress(a_body_of(size), 1), content_encoding="gzip")
    assert status == answer.status_code


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"not gzip", "gzip"),
        (_packed(b"{}" * 500)[:-9], "gzip"),
        (_packed(json.dumps(BODY).encode()) + b"more", "gzip"),
        (_packed(b'{"model":"a"') + _packed(b"}"), "gzip"),
        (json.dumps(BODY).encode(), "br"),
        (_packed(_packed(b"{}")), "gzip, gzip"),
    ],
    ids=["no gzip", "cut off", "with more behind", "two members", "another encoding", "encoded twice"],
)
def test_an_encoding_that_cannot_be_read_is_a_400(router: RunningRouter, content: bytes, encoding: str) -> None:
    """Broken, cut, followed by something else, or unknown: the client is told."""
    answer = ask(router, router.new_key(), content, content_encoding=encoding)
    assert "content-encoding" in assert_own_error(answer, 400, "invalid_request_error")


def test_a_long_model_name_does_not_make_a_long_row(router: RunningRouter) -> None:
    """A name of a megabyte is refused by the platform, not stored for ever."""
    answer = ask(router, router.new_key(), BODY | {"model": "m" * 1_000_000})
    assert answer.status_code == 200
    assert len(row_of(router, answer)["requested_model"]) <= 200


def test_an_endless_session_id_does_not_cost_the_row(router: RunningRouter) -> None:
    """What a client says about itself is cut to what a row, and its index, can hold."""
    session_id = random.Random(1).randbytes(5_000).hex()
    answer = ask(router, router.new_key(), BODY | {"metadata": {"user_id": json.dumps({"session_id": session_id})}})
    assert answer.status_code == 200
    assert session_id.startswith(row_of(router, answer)["session_id"])


def test_a_name_with_a_zero_byte_gets_its_row(router: RunningRouter) -> None:
    """PostgreSQL holds no U+0000 in a text; the row is there without it."""
    answer = ask(router, router.new_key(), BODY | {"model": "claude\0opus"})
    assert answer.status_code == 200
    assert row_of(router, answer)["requested_model"] == "claudeopus"


def test_a_client_that_leaves_while_it_sends_gets_a_row(router: RunningRouter) -> None:
    """Half a request is no request: aborted, and the platform is not asked."""
    secret = router.new_key()
    host, _, port = urlsplit(router.url).netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(
            f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\ncontent-length: 500\r\n\r\n{{".encode()
        )
    (row,) = router.rows(secret)
    assert (row["status"], row["http_status"], row["requested_model"]) == ("aborted", 499, None)
    assert router.upstream.seen == []


def test_a_body_that_trickles_in_is_given_up(router: RunningRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it keeps on sending: it gets its answer and its row, and the connection ends."""
    monkeypatch.setattr(body_reader, "BODY_WITHIN_S", 0.4)
    secret = router.new_key()
    host, _, port = urlsplit(router.url).netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\ncontent-length: 500\r\n\r\n"
        client.sendall(head.encode())
        client.settimeout(0.05)
        answer, began_at = b"", time.monotonic()
        while not answer and time.monotonic() - began_at < 5:
            client.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer = client.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["type"] == "timeout_error"
        client.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(4096) == b""
    (row,) = router.rows(secret)
    assert (row["status"], row["http_status"], row["error"]["type"]) == ("error", 408, "timeout_error")
    assert router.upstream.seen == []


def test_a_client_that_waits_for_permission_gets_it(router: RunningRouter) -> None:
    """`expect: 100-continue` is answered before the body is sent, and not passed on."""
    host, _, port = urlsplit(router.url).netloc.partition(":")
    body = json.dumps(BODY).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {router.new_key()}\r\nexpect: 100-continue\r\n"
        f"content-type: application/json\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(head.encode())
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    (seen,) = router.upstream.wait_for(1)
    assert seen.header("expect") is None


def test_after_a_refused_body_the_connection_serves_the_next_request(router: RunningRouter) -> None:
    """Claude Code keeps one connection for a whole tool loop."""
    secret = router.new_key()
    with httpx2.Client(base_url=router.url, headers=JSON_TYPE | {"x-api-key": secret}) as client:
        assert client.post("/v1/messages", content=b"{").status_code == 400
        assert client.post("/v1/messages", json=BODY).status_code == 200
