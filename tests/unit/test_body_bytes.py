"""Bodies however they are written: what we route by is what the platform reads, and no other byte changes."""

import asyncio
import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccrouter.errors import InvalidRequest, RequestTooLarge
from ccrouter.http import Headers
from ccrouter.messages.request import MessagesRequest
from ccrouter.proxy import body as body_reader
from ccrouter.proxy.body import ClientGone, read_body

white = st.text(st.sampled_from(" \t\r\n"), max_size=3)


@st.composite
def string_texts(draw: st.DrawFn, characters: st.SearchStrategy[str] | None = None) -> str:
    """A JSON string as some encoder writes it: each character plain, short or as \\u."""
    out = ['"']
    for character in draw(st.text(characters or st.characters(codec="utf-8"), max_size=8)):
        forms = [json.dumps(character)[1:-1]]
        if character.isprintable() and character not in '"\\':
            forms.append(character)
        if character == "/":
            forms.append("\\/")
        if ord(character) < 0x10000:
            forms += [f"\\u{ord(character):04x}", f"\\u{ord(character):04X}"]
        out.append(draw(st.sampled_from(forms)))
    return "".join([*out, '"'])


numbers = st.sampled_from(["0", "-0", "1", "1.0", "1.50", "1e2", "1E+2", "-0.0e-3", "123456789012345678901234567890"])
scalars = st.sampled_from(["true", "false", "null"]) | numbers | string_texts()


@st.composite
def spaced(draw: st.DrawFn, opening: str, closing: str, items: list[str]) -> str:
    """Items between brackets, with any white space."""
    return opening + ",".join(draw(white) + item + draw(white) for item in items) + draw(white) * (not items) + closing


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Arrays and objects of texts; inside, names may repeat: that is nobody's business."""
    pairs = st.tuples(string_texts(), white, white, inner).map(
        lambda parts: f"{parts[0]}{parts[1]}:{parts[2]}{parts[3]}"
    )
    return st.lists(inner, max_size=3).flatmap(lambda items: spaced("[", "]", items)) | st.lists(
        pairs, max_size=3
    ).flatmap(lambda items: spaced("{", "}", items))


values = st.recursive(scalars, nested, max_leaves=6)
members = st.lists(
    st.tuples(string_texts(), values), max_size=5, unique_by=lambda member: msgspec.json.decode(member[0].encode())
).filter(lambda found: all(msgspec.json.decode(name.encode()) not in ("model", "stream") for name, _ in found))


@st.composite
def written_bodies(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, str]]]:
    """A body as some client writes it, and its members' texts in order."""
    found = draw(members)
    found.insert(draw(st.integers(0, len(found))), (draw(model_names), draw(model_values)))
    items = [f"{name}{draw(white)}:{draw(white)}{value}" for name, value in found]
    return (draw(white) + draw(spaced("{", "}", items)) + draw(white)).encode(), found


model_names = st.sampled_from(['"model"', '"mod\\u0065l"', '"\\u006dodel"'])
model_values = st.sampled_from(['"claude-opus-5-5"', '"claude-opus-5\\u002d5"', '"claude\\u002dopus-5-5"'])


@settings(max_examples=60)
@given(written_bodies())
def test_every_value_keeps_its_bytes_when_the_model_changes(written: tuple[bytes, list[tuple[str, str]]]) -> None:
    """Numbers, escapes and inner white space as they came, in their order; between members nothing is left."""
    body, found = written
    request = MessagesRequest(body)
    assert request.model == "claude-opus-5-5"
    expected = ",".join(
        json.dumps(json.loads(name), ensure_ascii=False) + ":" + ('"other"' if json.loads(name) == "model" else value)
        for name, value in found
    )
    mapped = request.with_model("other")
    assert mapped.startswith(b"{")
    # Names may be written in either form; what matters is that each reads the same.
    assert msgspec.json.decode(mapped, type=dict[str, msgspec.Raw]) == msgspec.json.decode(
        f"{{{expected}}}", type=dict[str, msgspec.Raw]
    )
    assert list(msgspec.json.decode(mapped)) == [json.loads(name) for name, _ in found]
    assert len(mapped) <= len(body)


@settings(max_examples=30)
@given(written_bodies())
def test_an_unmapped_body_is_the_very_same(written: tuple[bytes, list[tuple[str, str]]]) -> None:
    """Not a copy, not a byte less."""
    body, _found = written
    assert MessagesRequest(body).with_model("claude-opus-5-5") is body


@settings(max_examples=60)
@given(written_bodies(), st.data())
def test_a_member_named_twice_is_found_however_it_is_written(
    written: tuple[bytes, list[tuple[str, str]]], data: st.DataObject
) -> None:
    """In whatever escapes, at whatever distance, with whatever value."""
    _body, found = written
    name = json.loads(data.draw(st.sampled_from(found))[0])
    respelt = "".join(data.draw(st.sampled_from([json.dumps(c)[1:-1], f"\\u{ord(c):04x}"])) if ord(c) < 0x10000
                      else json.dumps(c)[1:-1] for c in name)  # fmt: skip
    found.insert(data.draw(st.integers(0, len(found))), (f'"{respelt}"', data.draw(values)))
    items = [f"{key}{data.draw(white)}:{value}" for key, value in found]
    with pytest.raises(InvalidRequest):
        MessagesRequest(data.draw(spaced("{", "}", items)).encode())


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """There is no third way."""
    try:
        request = MessagesRequest(body)
    except InvalidRequest:
        return
    assert request.model


# Reading from the server


def read(pieces: list[bytes], headers: Headers = ()) -> bytes:
    """A body that comes in these pieces."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1}
        for number, piece in enumerate(pieces)
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return asyncio.run(read_body(receive, headers))


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6))
def test_a_body_is_what_its_pieces_make(pieces: list[bytes]) -> None:
    """Wherever it was cut."""
    assert b"".join(pieces) == read(pieces)
    assert b"".join(pieces) == read([gzip.compress(b"".join(pieces))], [("content-encoding", "gzip")])


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP "])
def test_an_encoding_is_known_in_any_case(encoding: str) -> None:
    """As HTTP has it."""
    assert read([gzip.compress(b"x")], [("content-encoding", encoding)]) == b"x"


@pytest.mark.parametrize(("size", "accepted"), [(100, True), (101, False)])
def test_the_limit_is_exact(monkeypatch: pytest.MonkeyPatch, size: int, accepted: bool) -> None:
    """By the announced length, by what comes, and by what it unfolds to."""
    monkeypatch.setattr(body_reader, "BODY_LIMIT", 100)
    ways: list[tuple[list[bytes], Headers]] = [
        ([b"x" * size], [("content-length", str(size))]),
        ([b"x" * 60, b"x" * (size - 60)], ()),
        ([gzip.compress(b"x" * size)], [("content-encoding", "gzip")]),
    ]
    for pieces, headers in ways:
        if accepted:
            assert read(pieces, headers) == b"x" * size
        else:
            with pytest.raises(RequestTooLarge):
                read(pieces, headers)


def test_a_client_that_leaves_is_told_apart_from_an_empty_body() -> None:
    """Nothing was asked."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGone):
        asyncio.run(read_body(receive, ()))
