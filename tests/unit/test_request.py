"""Reading a request's body: routing facts, and bytes that survive."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccrouter.errors import InvalidRequest
from ccrouter.messages.request import MessagesRequest

ODD = (
    b'{ "messages" : [{"role":"user", "content":"\\u00e9\\/ \xc3\xa9"}] ,\n "max_tokens":1e2,"model":"claude-x" ,'
    b'"temperature":1.0 , "stream" : true}'
)


def test_an_unmapped_body_keeps_every_byte() -> None:
    """Where the model keeps its name, the very same bytes go on."""
    assert ODD is MessagesRequest(ODD).with_model("claude-x")


def test_a_mapped_body_keeps_the_bytes_and_the_order_of_every_other_member() -> None:
    """Number forms, escapes and white space inside values survive; only the name of the model changes."""
    assert MessagesRequest(ODD).with_model("other") == (
        b'{"messages":[{"role":"user", "content":"\\u00e9\\/ \xc3\xa9"}],"max_tokens":1e2,"model":"other",'
        b'"temperature":1.0,"stream":true}'
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"model":"a", "messages":[{"model":"x"}], "\\u006dodel":"b"}',
        b'{"model":"a","model":"a"}',
        b' {"stream":true,"model":"a","x":"\\"","stream":false} ',
    ],
)
def test_a_member_named_twice_is_refused(body: bytes) -> None:
    """Also when its name is escaped: what we route by must be what the platform reads."""
    with pytest.raises(InvalidRequest, match="names this member twice"):
        MessagesRequest(body)


@given(
    st.dictionaries(
        st.text(max_size=6).filter(lambda name: name != "model"),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=5,
    ),
    st.booleans(),
    st.booleans(),
)
def test_nested_doubles_and_odd_names_are_nobodys_business(
    members: dict[str, object], compact: bool, ascii_only: bool
) -> None:
    """Any JSON object with one model is accepted, however it is written, and its other members survive mapping."""
    separators = (",", ":") if compact else (", ", ": ")
    body = json.dumps(members | {"model": "a"}, separators=separators, ensure_ascii=ascii_only).encode()
    request = MessagesRequest(body)
    assert request.model == "a"
    assert members | {"model": "b"} == json.loads(request.with_model("b"))
    assert [*members, "model"] == list(json.loads(request.with_model("b")))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'{"model":"a"', "not a JSON object"),
        (b'{"model":"a"} x', "not a JSON object"),
        (b"{}", "model: Field required"),
        (b'{"model":null}', "model: Field required"),
        (b'{"model":7}', "non-empty string"),
        (b'{"model":""}', "non-empty string"),
        (b'{"model":"\xff"}', "model: "),
        (b'{"model":"a","x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "not a JSON object"),
    ],
)
def test_a_body_that_cannot_be_routed_says_why(body: bytes, message: str) -> None:
    """The client is told what is wrong with its body."""
    with pytest.raises(InvalidRequest, match=message):
        MessagesRequest(body)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"user_id": json.dumps({"device_id": "d", "session_id": "s-1"})}, "s-1"),
        (
            {"user_id": "user_abc_account__session_01234567-89ab-cdef-0123-456789abcdef"},
            "01234567-89ab-cdef-0123-456789abcdef",
        ),
        ({"user_id": "someone"}, None),
        ({"user_id": None}, None),
        ({"user_id": "[1]"}, None),
        (7, None),
    ],
)
def test_the_session_is_found_in_the_metadata(metadata: object, expected: str | None) -> None:
    """Claude Code's two forms are known, everything else is no session."""
    assert expected == MessagesRequest(json.dumps({"model": "a", "metadata": metadata}).encode()).session_id


def test_conversations_without_an_id_are_told_apart_by_how_they_open() -> None:
    """System prompt and first user text decide; later turns and cache marks do not."""

    def opening(system: str, first: str, *later: str) -> str:
        messages = [{"role": "user", "content": text} for text in (first, *later)]
        return MessagesRequest(json.dumps({"model": "a", "system": system, "messages": messages}).encode()).opening

    assert opening("s", "hello") == opening("s", "hello", "more")
    assert opening("s", "hello") != opening("s", "other")
    assert opening("s", "hello") != opening("t", "hello")


@pytest.mark.parametrize(
    ("marks", "expected"),
    [([], False), ([{"ttl": "1h"}], True), ([{"ttl": "1h"}, {}], False), ([{"ttl": "5m"}], False)],
)
def test_only_one_hour_marks_count_as_asking_for_one_hour(marks: list[dict[str, str]], expected: bool) -> None:
    """A mark without a time, or with five minutes, is not one hour."""
    system = [{"type": "text", "text": "t", "cache_control": {"type": "ephemeral", **mark}} for mark in marks]
    assert expected is MessagesRequest(json.dumps({"model": "a", "system": system}).encode()).asks_only_1h_cache
