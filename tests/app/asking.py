"""How these tests ask the router, and find the log row of an answer."""

import json
import uuid
from typing import Any

import httpx2
from tests.services import RunningRouter

BODY: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "hi"}],
}
STREAMED = BODY | {"stream": True}
JSON_TYPE = {"content-type": "application/json", "anthropic-version": "2023-06-01"}


def ask(
    router: RunningRouter,
    secret: str | None = None,
    body: Any = None,
    *,
    path: str = "/proxy/v1/messages",
    **headers: str,
) -> httpx2.Response:
    """One request, read to its end. Header names are given with underscores; a body of bytes is sent as it is."""
    content = body if isinstance(body, bytes) else json.dumps(BODY if body is None else body).encode()
    sent = JSON_TYPE | ({} if secret is None else {"x-api-key": secret})
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    with router.client() as client:
        return client.post(path, content=content, headers=sent)


def row_of(router: RunningRouter, answer: httpx2.Response) -> dict[str, Any]:
    """The row of a request. It must be there: rows are durable before an answer ends."""
    record_id = uuid.UUID(answer.headers["x-proxy-request-id"].removeprefix("req_"))
    with router.client(authorization=f"Bearer {router.token()}") as client:
        found = client.get(f"/api/v1/logs/{record_id}")
    assert found.status_code == 200, found.text
    row: dict[str, Any] = found.json()
    return row


def assert_own_error(answer: httpx2.Response, status: int, kind: str) -> str:
    """Checks an error of the router's own: Anthropic's shape with the id in body and headers. Returns its message."""
    assert (status, "application/json") == (answer.status_code, answer.headers["content-type"])
    document = answer.json()
    assert document["type"] == "error"
    assert kind == document["error"]["type"]
    assert document["request_id"] == answer.headers["request-id"] == answer.headers["x-proxy-request-id"]
    message: str = document["error"]["message"]
    assert message
    return message
