"""What is noted of a request while it passes, and what that may cost."""

import asyncio
import gzip
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from tests.fakes import JSON, FakeDirectory, KeptReply, ListLog, Script, ScriptedUpstream, a_call, a_credential, a_key
from tests.fakes import outside as all_ports

from ccrouter.captures.legs import CLIENT_REQUEST, UPSTREAM_REQUEST, UPSTREAM_RESPONSE, Captured, OpenLeg
from ccrouter.captures.redaction import Redactor
from ccrouter.captures.sealed import Leg, pack, seal, unpack, unseal
from ccrouter.credentials.vault import Vault, VaultError, new_master_key, read_master_key
from ccrouter.errors import UpstreamUnreachable
from ccrouter.gateway import Capture, Gateway

BODY = b'{"model":"claude-opus-5-5","messages":[{"role":"user","content":"hi"}]}'
ANSWER = b'{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":1,"output_tokens":2}}'
FAILED = b'{"type":"error","error":{"type":"api_error","message":"broken"}}'
TWO = [a_credential("first", priority=2), a_credential("second", priority=1)]


@dataclass
class KeptCaptures:
    """Keeps what it is given, within a bound."""

    limit: int = 1000
    most: int = 100_000
    held: int = 0
    kept: list[Captured] = field(default_factory=list)

    def take(self, size: int) -> bool:
        if self.held + size > self.most:
            return False
        self.held += size
        return True

    def give_back(self, size: int) -> None:
        self.held -= size

    def keep(self, captured: Captured) -> None:
        self.kept.append(captured)


def captured(
    captures: KeptCaptures, *scripts: Script | Exception, mode: str = "all"
) -> tuple[list[OpenLeg], KeptReply]:
    """The legs to platforms of one request, whose first credential is tried before the second."""
    call, ask = a_call(BODY)
    reply = KeptReply()
    capture = Capture(captures, call, mode)
    gateway = Gateway(all_ports(FakeDirectory(TWO), ScriptedUpstream(*scripts), ListLog())).noting(capture)
    asyncio.run(gateway.answer(call, ask, a_key(), reply))
    capture.end()
    return captures.kept[0].legs if captures.kept else [], reply


def legs_of(*legs: OpenLeg, limit: int = 1000, secrets: tuple[str, ...] = ()) -> list[Leg]:
    """These legs as they are stored."""
    return unpack(pack(Captured(UUID(int=1), a_call(BODY)[0].record.at, list(legs), 0), Redactor(secrets), limit))


def test_every_try_has_its_own_legs() -> None:
    """With the number of the attempt, what was sent and what came, as it came."""
    legs, reply = captured(KeptCaptures(), Script(500, JSON, [FAILED]), Script(200, JSON, [ANSWER[:9], ANSWER[9:]]))
    assert reply.status == 200
    assert [(leg.name, leg.attempt, leg.status, b"".join(leg.pieces), leg.ended) for leg in legs] == [
        (UPSTREAM_REQUEST, 0, None, BODY, True),
        (UPSTREAM_RESPONSE, 0, 500, FAILED, True),
        (UPSTREAM_REQUEST, 1, None, BODY, True),
        (UPSTREAM_RESPONSE, 1, 200, ANSWER, True),
    ]
    assert (legs[0].method, legs[0].url) == ("POST", "https://upstream.example/v1/messages")


def test_a_request_that_nobody_answered_is_kept_without_an_answer() -> None:
    """The attempt's reason says why."""
    legs, _ = captured(KeptCaptures(), UpstreamUnreachable("gone"), UpstreamUnreachable("gone"))
    assert [(leg.name, leg.attempt) for leg in legs] == [(UPSTREAM_REQUEST, 0), (UPSTREAM_REQUEST, 1)]


def test_of_a_success_nothing_is_kept_where_only_errors_are_wanted() -> None:
    """And what it held is given back."""
    captures = KeptCaptures()
    captured(captures, Script(200, JSON, [ANSWER]), mode="errors")
    assert (captures.kept, captures.held) == ([], 0)


def test_of_a_failure_all_is_kept_where_errors_are_wanted() -> None:
    """The client's error is its reason."""
    captures = KeptCaptures()
    legs, reply = captured(captures, Script(400, JSON, [FAILED]), mode="errors")
    assert (reply.status, len(legs)) == (400, 2)
    assert captures.held == captures.kept[0].held > len(BODY) + len(FAILED)


def test_a_body_is_kept_up_to_the_limit_and_its_size_is_known() -> None:
    """However it was cut into pieces."""
    legs, _ = captured(KeptCaptures(limit=20), Script(200, JSON, [ANSWER[:15], ANSWER[15:40], ANSWER[40:]]))
    assert [(leg.kept, leg.size) for leg in legs] == [(20, len(BODY)), (20, len(ANSWER))]
    assert [(leg.body, leg.size, leg.truncated) for leg in legs_of(*legs, limit=20)] == [
        (BODY[:20], len(BODY), True),
        (ANSWER[:20], len(ANSWER), True),
    ]


@pytest.mark.parametrize("most", [0, 100, 200, 300])
def test_over_the_bound_the_capture_is_dropped_and_the_request_is_not(most: int) -> None:
    """Wherever in the request that happens, and nothing stays counted."""
    captures = KeptCaptures(most=most)
    _, reply = captured(captures, Script(200, JSON, [ANSWER]))
    assert (reply.status, reply.body) == (200, ANSWER)
    assert (captures.kept, captures.held) == ([], 0)


def test_what_is_the_same_on_both_sides_is_stored_once() -> None:
    """A body that goes through unchanged costs no second time."""
    noise = bytes(range(256)) * 3
    once, twice = (
        pack(
            Captured(UUID(int=1), a_call(BODY)[0].record.at, [a_leg(noise) for _ in range(count)], 0), Redactor(()), 999
        )
        for count in (1, 2)
    )
    assert len(twice) < len(once) + 100


def a_leg(*pieces: bytes, **fields: Any) -> OpenLeg:
    """A leg that has passed."""
    size = sum(map(len, pieces))
    values: dict[str, Any] = {"name": CLIENT_REQUEST, "pieces": list(pieces), "kept": size, "size": size, "ended": True}
    return OpenLeg(**(values | fields))


def test_an_encoded_request_is_stored_decoded() -> None:
    """Its secrets could not be found otherwise, and nobody could read it."""
    gzipped = gzip.compress(b"my key is top-secret-value " + b"x" * 200)
    headers = (("content-encoding", "gzip"),)
    (leg,) = legs_of(a_leg(gzipped, headers=headers), secrets=("top-secret-value",))
    assert (leg.body, leg.size, leg.truncated) == (b"my key is [redacted] " + b"x" * 200, 227, False)
    (leg,) = legs_of(a_leg(gzipped, headers=headers), limit=9, secrets=("top-secret-value",))
    assert (leg.body, leg.size, leg.truncated) == (b"my key is", 227, True)
    (leg,) = legs_of(a_leg(b"no gzip", headers=headers))
    assert leg.body == b"no gzip"


def test_a_capture_opens_only_as_that_of_its_request() -> None:
    """Moved to another row it says nothing; so does it under another key."""
    vault, other = (Vault(read_master_key(new_master_key())) for _ in range(2))
    sealed = seal(vault, UUID(int=1), b"packed")
    assert unseal(vault, UUID(int=1), sealed) == b"packed"
    for opener, row in ((vault, 2), (other, 1)):
        with pytest.raises(VaultError):
            unseal(opener, UUID(int=row), sealed)
