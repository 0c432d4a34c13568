"""What was captured of a request."""

import base64
import codecs
from datetime import timedelta

import msgspec
from fastapi import APIRouter, Request

from ccrouter.admin.audit_routes import note
from ccrouter.admin.capture_schemas import BodyView, CaptureView, HeaderView, LegView
from ccrouter.admin.editing import not_found
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import Problem
from ccrouter.captures.legs import CLIENT_LEGS, CLIENT_REQUEST
from ccrouter.captures.sealed import Leg, unpack, unseal
from ccrouter.framing.eventstream import FrameCutter
from ccrouter.http import header
from ccrouter.storage import captures, logs

_WHY_NOT = {
    "none": "Nothing was to be captured of this request. `capture` of its key says what is kept of the next ones.",
    "pending": "This request's capture is not stored yet.",
    "dropped": "This request's capture was dropped: the router's log names the reason.",
    "expired": "This request's capture was deleted: its time is over (`retention.capture_days` of the settings).",
}


def capture_routes(needs: Needs) -> APIRouter:
    """The route under `/logs` that shows a capture."""
    routes = APIRouter(prefix="/logs", tags=["logs"])

    @routes.get("/{log_id}/capture", operation_id="getLogCapture")
    def get_log_capture(log_id: str, request: Request) -> CaptureView:
        """Headers and bodies of a request and its answer: what the client sent and got and, for administrators, what
        the platforms were sent and answered. 404 with the reason in `code` where nothing was kept. To read those of
        somebody else is noted in the audit log."""
        user = request.state.user
        row = logs.get(needs.engine, log_id)
        if row is None or (user.role != ADMIN and row.user_id != user.id):
            raise not_found("log row")
        sealed = captures.get(needs.engine, log_id)
        if sealed is None:
            state = captures.states_of(needs.engine, [row])[row.id]
            # Stored just now, after it was looked for.
            state = "pending" if state == "stored" else state
            raise Problem(404, _WHY_NOT[state], code=f"capture_{state}")
        legs = unpack(unseal(needs.vault, row.id, sealed))
        if row.user_id != user.id:
            # What somebody said was read by another: that can be looked up.
            with needs.engine.begin() as connection:
                note(
                    connection,
                    request,
                    "capture.read",
                    log_id,
                    after={"key_name": row.key_name, "user": row.user_login},
                )
        if user.role != ADMIN:
            legs = [leg for leg in legs if leg.name in CLIENT_LEGS]
        return CaptureView(
            id=str(row.id),
            at=row.at,
            expires_at=row.at + timedelta(days=captures.kept_days(needs.engine)),
            legs=[_view(leg, needs.settings.public_url) for leg in legs],
        )

    return routes


def _view(leg: Leg, public_url: str) -> LegView:
    content_type = header(leg.headers, "content-type")
    encoding, content = _written(leg.body, content_type or "", whole=leg.ended and not leg.truncated)
    return LegView.model_validate(
        {
            "name": leg.name,
            "attempt": leg.attempt,
            "method": leg.method,
            "url": f"{public_url}{leg.url}" if leg.name == CLIENT_REQUEST else leg.url,
            "status": leg.status,
            "content_type": content_type,
            "headers": [HeaderView(name=name, value=value) for name, value in leg.headers],
            "body": BodyView.model_validate(
                {
                    "encoding": encoding,
                    "content": content,
                    "size": leg.size,
                    "truncated": leg.truncated,
                    "ended": leg.ended,
                }
            ),
        }
    )


def _written(body: bytes, content_type: str, *, whole: bool) -> tuple[str, str]:
    """A body as text, and how it is written."""
    if content_type.startswith("application/vnd.amazon.eventstream"):
        cutter = FrameCutter()
        frames = cutter.feed(body)
        if frames and cutter.damage is None:
            lines = (
                msgspec.json.encode({"headers": frame.headers, "payload": frame.payload.decode("utf-8", "replace")})
                for frame in frames
            )
            return "frames", "".join(f"{line.decode()}\n" for line in lines)
    try:
        # Where the end is missing, it may be missing in the middle of a character.
        return "text", codecs.getincrementaldecoder("utf-8")().decode(body, whole)
    except UnicodeDecodeError:
        return "base64", base64.b64encode(body).decode()
