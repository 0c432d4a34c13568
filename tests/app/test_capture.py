"""The four legs of requests, on a real router: kept for keys that ask for it, shown to whom they may be shown."""

import base64
import gzip
import json
import time
import uuid
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher
from tests.app.asking import BODY, JSON_TYPE, STREAMED, ask, row_of
from tests.app.pair import Pair
from tests.services import PASSWORD, UPSTREAM_SECRET, RunningRouter
from tests.upstream import CLOSE, Answer, error, json_answer, message, message_events, sse, text

from ccrouter.access.keys import new_secret
from ccrouter.captures.legs import CLIENT_LEGS
from ccrouter.framing.eventstream import encode_frame
from ccrouter.storage import capture_queue, keys, users
from ccrouter.storage.users import User

EVENTS = message_events(text("Hello"))
WHOLE = b"".join(EVENTS)


def id_of(answer: httpx2.Response) -> str:
    """The id of a request's row."""
    return str(uuid.UUID(answer.headers["x-proxy-request-id"].removeprefix("req_")))


def shown(router: RunningRouter, log_id: str, token: str | None = None) -> httpx2.Response:
    """What the API answers about a capture, once it is not on its way any more."""
    give_up = time.monotonic() + 10
    with router.client(authorization=f"Bearer {token or router.token()}") as client:
        while True:
            found = client.get(f"/api/v1/logs/{log_id}/capture")
            if found.status_code != 404 or found.json()["code"] != "capture_pending" or time.monotonic() > give_up:
                return found
            time.sleep(0.02)


def legs_of(router: RunningRouter, answer: httpx2.Response, token: str | None = None) -> list[dict[str, Any]]:
    """The legs of a request."""
    found = shown(router, id_of(answer), token)
    assert found.status_code == 200, found.text
    legs: list[dict[str, Any]] = found.json()["legs"]
    return legs


def test_all_four_legs_of_a_stream_are_kept_without_secrets(router: RunningRouter) -> None:
    """As they were sent and came, with all that is needed to repeat them, and nothing that opens a door."""
    router.upstream.script = [sse(*EVENTS[:3], f": {UPSTREAM_SECRET}\n\n".encode(), *EVENTS[3:])]
    secret = router.new_key(capture="all")
    body = STREAMED | {"metadata": {"user_id": f"{secret} was pasted here"}}
    answer = ask(router, secret, body, path="/proxy/v1/messages?beta=true", cookie="sid=12345678")
    asked, sent, came, got = legs_of(router, answer)
    assert [leg["name"] for leg in (asked, sent, came, got)] == [
        "client_request", "upstream_request", "upstream_response", "client_response",
    ]  # fmt: skip
    assert [leg["attempt"] for leg in (asked, sent, came, got)] == [None, 0, 0, None]
    hidden = json.dumps(body).replace(secret, "[redacted]")
    assert (asked["method"], asked["status"], asked["body"]["content"]) == ("POST", None, hidden)
    assert asked["url"] == f"{router.services.settings.public_url}/proxy/v1/messages?beta=true"
    assert {"name": "x-api-key", "value": "[redacted]"} in asked["headers"]
    assert {"name": "cookie", "value": "[redacted]"} in asked["headers"]
    assert (sent["url"], sent["body"]["content"]) == (f"{router.upstream.url}/v1/messages?beta=true", hidden)
    assert {"name": "x-api-key", "value": "[redacted]"} in sent["headers"]
    clean = answer.text.replace(UPSTREAM_SECRET, "[redacted]")
    for leg in (came, got):
        assert (leg["status"], leg["content_type"]) == (200, "text/event-stream; charset=utf-8")
        assert leg["body"] == {
            "encoding": "text", "content": clean, "size": len(answer.content), "truncated": False, "ended": True,
        }  # fmt: skip
    assert {"name": "x-proxy-request-id", "value": answer.headers["x-proxy-request-id"]} in got["headers"]
    everything = json.dumps([asked, sent, came, got])
    assert secret not in everything
    assert UPSTREAM_SECRET not in everything
    assert row_of(router, answer)["capture"] == "stored"
    # The platform has noticed that somebody pasted a key, as this test does.
    router.upstream.violations.clear()


def test_nothing_is_kept_for_a_key_that_does_not_ask_for_it(
    router: RunningRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is anything on its way touched."""

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a request was captured")

    monkeypatch.setattr("ccrouter.proxy.app.Capture", never)
    answer = ask(router, router.new_key())
    assert answer.status_code == 200
    found = shown(router, id_of(answer))
    assert (found.status_code, found.json()["code"]) == (404, "capture_none")
    assert row_of(router, answer)["capture"] == "none"


def test_every_attempt_shows_what_was_sent_and_answered(pair: Pair) -> None:
    """A hop to another credential has legs of its own."""
    pair.first.script = [error(503, "api_error", "gone")]
    services = pair.router.services
    answer = pair.ask(secret=pair.router.new_key(key_mapping(pair), capture="all"))
    legs = legs_of(pair.router, answer)
    assert [(leg["name"], leg["attempt"], leg["status"]) for leg in legs] == [
        ("client_request", None, None),
        ("upstream_request", 0, None),
        ("upstream_response", 0, 503),
        ("upstream_request", 1, None),
        ("upstream_response", 1, 200),
        ("client_response", None, 200),
    ]
    assert "gone" in legs[2]["body"]["content"]
    give_up = time.monotonic() + 5
    while services.captures.held and time.monotonic() < give_up:
        time.sleep(0.01)
    assert services.captures.held == 0


def key_mapping(pair: Pair) -> dict[str, Any]:
    """To the pair of platforms."""
    return {"opus": [{"platform": "anthropic", "model": pair.model}]}


def test_where_errors_are_wanted_successes_leave_nothing(router: RunningRouter) -> None:
    """And errors are whole: the platform's own, and ours about a body that was none."""
    secret = router.new_key(capture="errors")
    fine = ask(router, secret)
    assert shown(router, id_of(fine)).json()["code"] == "capture_none"
    router.upstream.otherwise = error(400, "invalid_request_error", "no")
    refused = ask(router, secret)
    assert [leg["status"] for leg in legs_of(router, refused)] == [None, None, 400, 400]
    malformed = ask(router, secret, b'{"model":')
    asked, got = legs_of(router, malformed)
    assert (asked["body"]["content"], got["status"]) == ('{"model":', 400)
    assert [row_of(router, answer)["capture"] for answer in (fine, refused, malformed)] == ["none", "stored", "stored"]


def test_an_answer_that_broke_off_says_so(router: RunningRouter) -> None:
    """With what came until then."""
    router.upstream.script = [sse(EVENTS[0], EVENTS[1], CLOSE)]
    secret = router.new_key(capture="errors")
    with router.client(**JSON_TYPE) as client, pytest.raises(httpx2.RemoteProtocolError):
        client.post("/proxy/v1/messages", json=STREAMED, headers={"x-api-key": secret})
    (row,) = router.rows(secret)
    came, got = shown(router, row["id"]).json()["legs"][2:]
    for leg in (came, got):
        assert (leg["body"]["ended"], leg["body"]["content"]) == (False, (EVENTS[0] + EVENTS[1]).decode())


def test_an_encoded_request_is_shown_decoded(router: RunningRouter) -> None:
    """As the platform got it."""
    body = json.dumps(BODY).encode()
    answer = ask(router, router.new_key(capture="all"), gzip.compress(body), content_encoding="gzip")
    assert legs_of(router, answer)[0]["body"]["content"] == body.decode()


def test_a_long_body_is_cut_and_says_how_long_it_was(router: RunningRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a character too."""
    monkeypatch.setattr(router.services.captures, "limit", 82)
    body = json.dumps(BODY | {"system": "€" * 50}, ensure_ascii=False).encode()
    body = body.replace(b'"system": "', b'"system":"')
    answer = ask(router, router.new_key(capture="all"), body)
    kept = legs_of(router, answer)[0]["body"]
    assert (kept["size"], kept["truncated"], kept["ended"]) == (len(body), True, True)
    assert body.decode().startswith(kept["content"])
    assert 79 <= len(kept["content"].encode()) <= 82


@pytest.mark.parametrize("whole", [True, False])
def test_frames_can_be_read(router: RunningRouter, whole: bool) -> None:
    """An AWS event stream as text; what is neither in base64."""
    frames = encode_frame({":event-type": "chunk"}, b'{"a":1}') if whole else b"\xff\xfe"
    headers = (("content-type", "application/vnd.amazon.eventstream"),)
    router.upstream.script = [Answer("raw", 400, headers, (frames,))]
    body = legs_of(router, ask(router, router.new_key(capture="all")))[2]["body"]
    expected = (
        ("frames", '{"headers":{":event-type":"chunk"},"payload":"{\\"a\\":1}"}\n')
        if whole
        else ("base64", base64.b64encode(frames).decode())
    )
    assert (body["encoding"], body["content"]) == expected


def test_a_capture_that_cannot_be_held_is_dropped_and_the_row_says_so(
    router: RunningRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client notices nothing."""
    captures = router.services.captures
    monkeypatch.setattr(captures, "_most_held", 10)
    monkeypatch.setattr("ccrouter.storage.captures._ON_ITS_WAY", timedelta(0))
    router.upstream.script = [json_answer(message("fine"))]
    answer = ask(router, router.new_key(capture="all"))
    assert answer.json()["content"][0]["text"] == "fine"
    assert row_of(router, answer)["capture"] == "dropped"
    found = shown(router, id_of(answer))
    assert (found.status_code, found.json()["code"]) == (404, "capture_dropped")
    assert captures.held == 0


def test_a_capture_that_cannot_be_stored_is_dropped(router: RunningRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault while storing never reaches the request."""

    def fail(*_: Any) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(capture_queue, "pack", fail)
    captures = router.services.captures
    before = captures.dropped
    assert ask(router, router.new_key(capture="all")).status_code == 200
    give_up = time.monotonic() + 5
    while (captures.dropped == before or captures.held) and time.monotonic() < give_up:
        time.sleep(0.01)
    assert (captures.dropped, captures.held) == (before + 1, 0)


@pytest.fixture
def people(router: RunningRouter) -> tuple[User, User]:
    """Two members."""
    engine = router.services.engine
    found = []
    for _ in range(2):
        user = users.create(engine, f"user-{uuid.uuid4().hex[-12:]}")
        hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
        users.set_password_hash(engine, user.id, hashed)
        found.append(user)
    return found[0], found[1]


def token_of(router: RunningRouter, login: str) -> str:
    """An access token of a member."""
    with router.client() as client:
        answer = client.post("/api/v1/auth/login", json={"username": login, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def test_a_member_sees_the_own_side_of_own_requests_only(router: RunningRouter, people: tuple[User, User]) -> None:
    """What platforms were sent shows accounts; a request of somebody else is as unknown as one that never was."""
    owner, other = people
    secret = new_secret()
    keys.create(router.services.engine, owner.id, secret, {"name": "own", "capture": "all"})
    answer = ask(router, secret)
    assert len(legs_of(router, answer)) == 4
    assert {leg["name"] for leg in legs_of(router, answer, token_of(router, owner.login))} == CLIENT_LEGS
    with router.client(authorization=f"Bearer {router.token()}") as client:
        entries = client.get("/api/v1/audit", params={"object_id": id_of(answer)}).json()["items"]
    assert [(entry["action"], entry["actor"]["login"], entry["after"]) for entry in entries] == [
        ("capture.read", "admin", {"key_name": "own", "user": owner.login})
    ]
    strange = shown(router, id_of(answer), token_of(router, other.login))
    unknown = shown(router, str(uuid.uuid4()), token_of(router, other.login))
    assert (strange.status_code, unknown.status_code) == (404, 404)
    assert strange.json()["detail"] == unknown.json()["detail"]
