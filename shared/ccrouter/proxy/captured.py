"""The client's side of a captured request, noted between the server and the door."""

from typing import Any

from ccrouter.captures.legs import CLIENT_REQUEST, CLIENT_RESPONSE, OpenLeg
from ccrouter.gateway import Capture
from ccrouter.http import Headers, decode_headers
from ccrouter.proxy.reply import Receive, Send


class ClientSide:
    """Notes what a client sends and gets, as it passes over ASGI."""

    def __init__(self, capture: Capture, scope: dict[str, Any], headers: Headers) -> None:
        self._capture = capture
        query = scope["query_string"].decode("latin-1")
        url = scope["path"] + (f"?{query}" if query else "")
        self._asked = capture.open(OpenLeg(CLIENT_REQUEST, method=scope["method"], url=url, headers=headers))
        self._answer: OpenLeg | None = None

    def receive_from(self, receive: Receive) -> Receive:
        """The same source, with the request's body noted."""

        async def noted() -> dict[str, Any]:
            message = await receive()
            if message["type"] == "http.request":
                self._capture.add(self._asked, message.get("body", b""))
                self._asked.ended = not message.get("more_body", False)
            return message

        return noted

    def send_to(self, send: Send) -> Send:
        """The same way out, with the answer noted."""

        async def noted(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._answer = self._capture.open(
                    OpenLeg(CLIENT_RESPONSE, status=message["status"], headers=decode_headers(message["headers"]))
                )
            elif self._answer is not None:
                self._capture.add(self._answer, message.get("body", b""))
                self._answer.ended = not message.get("more_body", False)
            await send(message)

        return noted
