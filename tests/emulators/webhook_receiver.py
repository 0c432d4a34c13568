"""A receiver of webhooks as others build them: it checks each request by the specification, with no code of ours."""

import base64
import hashlib
import hmac
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass
class Received:
    """One request."""

    headers: dict[str, str]
    document: dict[str, Any]
    problems: list[str]

    @property
    def id(self) -> str:
        """Its event."""
        return self.headers["webhook-id"]


@dataclass
class WebhookReceiver:
    """Listens on this machine; `answers` are statuses with headers for the next requests, then 200."""

    secret: str = ""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    delay_s: float = 0.0
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> "WebhookReceiver":
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(headers, json.loads(body), receiver.problems_of(headers, body)))
                time.sleep(receiver.delay_s)
                status, more = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                answer = f"answer {status} ".encode() * 200
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address, with a query as some receivers have."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks/?token=1"

    def problems_of(self, headers: dict[str, str], body: bytes) -> list[str]:
        """What is wrong with a request, by the specification."""
        problems = []
        if headers.get("content-type") != "application/json":
            problems.append("it is not JSON")
        if abs(time.time() - int(headers["webhook-timestamp"])) > 300:
            problems.append("it is too old")
        key = base64.b64decode(self.secret.split("_", 1)[1])
        signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        versions = [item.split(",", 1) for item in headers["webhook-signature"].split(" ")]
        if not any(version == "v1" and hmac.compare_digest(value, expected) for version, value in versions):
            problems.append("its signature is wrong")
        if "." in headers["webhook-id"]:
            problems.append("its id holds a full stop")
        return problems
