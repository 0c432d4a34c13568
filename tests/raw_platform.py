"""A server that answers every request with the same raw bytes, or not at all; for what no HTTP server would send."""

import socket
import socketserver
import threading
import time
from types import TracebackType
from typing import Any


class RawPlatform:
    """Sends `reply` and closes the connection; with None it keeps silent until the other side leaves."""

    def __init__(self, reply: bytes | None) -> None:
        platform = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                platform.serve(self.request)

        self._reply = reply
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.connections = 0
        self.arrived = threading.Event()
        self.left = threading.Event()
        self.left_at = 0.0

    def serve(self, connection: socket.socket) -> None:
        """One connection: reads what comes first, then answers."""
        self.connections += 1
        connection.recv(65536)
        self.arrived.set()
        if self._reply is not None:
            connection.sendall(self._reply)
            return
        while connection.recv(65536):
            pass
        self.left_at = time.monotonic()
        self.left.set()

    def __enter__(self) -> "RawPlatform":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: Any = taken.getsockname()[1]
    return int(port)
