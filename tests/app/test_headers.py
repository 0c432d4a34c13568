"""Which headers pass in either direction (anthropic-messages.md §2, §3, §10)."""

import gzip
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.app.asking import BODY, STREAMED, ask, assert_own_error, row_of
from tests.services import UPSTREAM_SECRET, RunningRouter
from tests.upstream import Answer, message, says

SAID_BY_CLAUDE_CODE = {
    "accept": "application/json",
    "user-agent": "claude-cli/2.1.330 (external, cli)",
    "x-app": "cli",
    "x-claude-code-session-id": "0192-session",
    "x-claude-code-agent-id": "agent-7",
    "x-claude-code-parent-agent-id": "agent-1",
    "x-claude-1p-request-class": "main",
    "x-stainless-lang": "js",
    "x-stainless-timeout": "NOT_GIVEN",
    "anthropic-version": "2026-10-21",
    "anthropic-dangerous-direct-browser-access": "true",
    "anthropic-never-heard-of": "yes",
    "anthropic-workspace-id": "w",
}
STAYS_HERE = {
    "cookie": "session=secret",
    "proxy-authorization": "Basic secret",
    "x-forwarded-for": "203.0.113.9",
    "x-real-ip": "203.0.113.9",
    "forwarded": "for=203.0.113.9",
    "via": "1.1 somebody",
    "x-custom": "from ANTHROPIC_CUSTOM_HEADERS",
    "x-proxy-request-id": "req_forged",
    "request-id": "req_forged",
    "accept-encoding": "gzip, deflate, br, zstd",
    "accept-language": "de",
    "origin": "https://example.com",
    "referer": "https://example.com",
    "te": "trailers",
    "if-none-match": "x",
}
OWN = {"host", "content-type", "content-length", "x-api-key", "accept-encoding"}


def test_what_the_client_says_of_itself_goes_on_and_nothing_else(router: RunningRouter) -> None:
    """Every header that reaches the platform is one of these, with its value."""
    with router.client() as client:
        client.headers.clear()
        answer = client.post(
            "/v1/messages", json=BODY, headers=SAID_BY_CLAUDE_CODE | STAYS_HERE | {"x-api-key": router.new_key()}
        )
    assert answer.status_code == 200
    (seen,) = router.upstream.wait_for(1)
    arrived = dict(seen.headers)
    assert len(arrived) == len(seen.headers)
    assert set(SAID_BY_CLAUDE_CODE) | OWN == set(arrived)
    assert {name: arrived[name] for name in SAID_BY_CLAUDE_CODE} == SAID_BY_CLAUDE_CODE
    assert arrived["x-api-key"] == UPSTREAM_SECRET
    assert arrived["accept-encoding"] == "identity"
    assert arrived["content-type"] == "application/json"
    assert arrived["content-length"] == str(len(seen.body))
    assert f"http://{arrived['host']}" == router.upstream.url


def test_what_it_says_of_itself_is_in_the_row(router: RunningRouter) -> None:
    """Sub-agents are told apart; the forged address is not believed."""
    answer = ask(router, router.new_key(), **{k.replace("-", "_"): v for k, v in SAID_BY_CLAUDE_CODE.items()})
    row = row_of(router, answer)
    assert (row["client"], row["session_id"], row["agent_id"], row["parent_agent_id"], row["client_ip"]) == (
        "claude-cli/2.1.330 (external, cli)", "0192-session", "agent-7", "agent-1", "127.0.0.1",
    )  # fmt: skip


def test_neither_key_nor_platforms_secret_is_in_the_row(router: RunningRouter) -> None:
    """A log that people read holds no secrets."""
    secret = router.new_key()
    row = json.dumps(row_of(router, ask(router, secret, authorization=f"Bearer {secret}")))
    assert secret not in row
    assert UPSTREAM_SECRET not in row


def test_a_client_that_says_nothing_gets_what_the_api_needs(router: RunningRouter) -> None:
    """A version and a type are added, no name of ours."""
    host, _, port = urlsplit(router.url).netloc.partition(":")
    body = json.dumps(BODY).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {router.new_key()}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(head.encode() + body)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    (seen,) = router.upstream.wait_for(1)
    assert {name for name, _ in seen.headers} == OWN | {"anthropic-version"}
    assert seen.header("anthropic-version") == "2023-06-01"


def test_every_beta_goes_on_in_its_order(router: RunningRouter) -> None:
    """Also when the header comes several times; there is no list of allowed ones."""
    headers = [
        ("x-api-key", router.new_key()),
        ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14"),
        ("anthropic-beta", "never-heard-of-2030-01-01"),
    ]
    with router.client() as client:
        client.post("/v1/messages", json=BODY, headers=headers)
    (seen,) = router.upstream.wait_for(1)
    assert [value for name, value in seen.headers if name == "anthropic-beta"] == [
        "claude-code-20250219,interleaved-thinking-2025-05-14, never-heard-of-2030-01-01"
    ]


@pytest.mark.parametrize("query", ["beta=true", "beta=true&x=%2F%20y&empty=", "a+b=%C3%A9"])
def test_the_query_goes_on_unchanged(router: RunningRouter, query: str) -> None:
    """Byte for byte; the address is matched on its path alone."""
    assert ask(router, router.new_key(), path=f"/proxy/v1/messages?{query}").status_code == 200
    (seen,) = router.upstream.wait_for(1)
    assert seen.path == f"/v1/messages?{query}"


FROM_THE_PLATFORM = (
    ("content-type", "application/json"),
    ("request-id", "req_of_the_platform"),
    ("retry-after", "3"),
    ("retry-after-ms", "3000"),
    ("x-should-retry", "true"),
)
NEVER_RETURNED = (
    ("anthropic-organization-id", "org"),
    ("anthropic-workspace-id", "w"),
    ("anthropic-ratelimit-requests-limit", "50"),
    ("anthropic-ratelimit-unified-status", "allowed"),
    ("anthropic-priority-input-tokens-limit", "1"),
    ("anthropic-fast-requests-limit", "1"),
    ("set-cookie", "a=b"),
    ("server", "cloudflare"),
    ("via", "1.1 google"),
    ("cf-ray", "123"),
    ("strict-transport-security", "max-age=1"),
    ("alt-svc", "h3"),
    ("x-envoy-upstream-service-time", "5"),
    ("connection", "close"),
)


@pytest.mark.parametrize("status", [200, 400, 529])
def test_what_the_client_sees_of_the_platforms_headers(router: RunningRouter, status: int) -> None:
    """What steers it and names the request, not what tells about the account or the other connection."""
    document: dict[str, Any] = message("Hello")
    if status != 200:
        document = {"type": "error", "error": {"type": "x_error", "message": "no"}}
    body = json.dumps(document).encode()
    router.upstream.script = [Answer("json", status, (*FROM_THE_PLATFORM, *NEVER_RETURNED), (body,))]
    answer = ask(router, router.new_key())
    assert status == answer.status_code
    added = {"date", "content-length", "x-proxy-request-id"}
    assert set(dict(FROM_THE_PLATFORM)) | added == set(answer.headers)
    assert dict(FROM_THE_PLATFORM) == {name: answer.headers[name] for name, _ in FROM_THE_PLATFORM}
    assert answer.headers["x-proxy-request-id"].startswith("req_")
    assert answer.headers["x-proxy-request-id"] != "req_of_the_platform"


@pytest.mark.parametrize("body", [BODY, STREAMED], ids=["plain", "streamed"])
def test_without_an_id_of_the_platform_ours_is_given(router: RunningRouter, body: dict[str, Any]) -> None:
    """SDKs show it; it is the row's."""
    content = says("x").pieces if body is STREAMED else (json.dumps(message("x")).encode(),)
    kind, content_type = ("sse", "text/event-stream") if body is STREAMED else ("json", "application/json")
    router.upstream.script = [Answer(kind, 200, (("content-type", content_type),), content)]
    answer = ask(router, router.new_key(), body)
    assert answer.headers["request-id"] == answer.headers["x-proxy-request-id"]
    assert row_of(router, answer)["request_id"] == answer.headers["request-id"]


def test_an_answer_is_never_compressed(router: RunningRouter) -> None:
    """Clients offer gzip; a compressed stream would be held back on its way."""
    answer = ask(router, router.new_key(), STREAMED, accept_encoding="gzip, br")
    assert "content-encoding" not in answer.headers
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(answer.content)


def test_a_whole_tool_loop_runs_on_one_connection(router: RunningRouter) -> None:
    """Keep-alive on both sides."""
    secret = router.new_key()
    with httpx2.Client(base_url=router.url, limits=httpx2.Limits(max_connections=1)) as client:
        for _ in range(3):
            answer = client.post("/v1/messages", json=STREAMED, headers={"x-api-key": secret})
            assert answer.headers.get("connection") != "close"
    assert len(router.upstream.seen) == 3


def test_a_redirect_is_never_ours(router: RunningRouter) -> None:
    """A slash too many is an unknown address, no redirect."""
    answer = ask(router, router.new_key(), path="/v1/messages/")
    assert "/v1/messages/" in assert_own_error(answer, 404, "not_found_error")
