"""Changing single values inside JSON: everything else keeps its bytes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccrouter.dialects.anthropic.edit import edit_items, edit_members, with_member, without_members
from ccrouter.errors import InvalidRequest

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(max_size=8)
    | st.sampled_from(['"', "\\", ",]}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
SPACING = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n\t", " : ")])


@settings(max_examples=200, deadline=None)
@given(items=st.lists(VALUES, max_size=6), out=st.sets(st.integers(0, 5)), spacing=SPACING, escaped=st.booleans())
def test_items_go_and_the_others_keep_their_bytes(
    items: list[object], out: set[int], spacing: tuple[str, str], escaped: bool
) -> None:
    """Without a change the very same bytes come back; else exactly the others remain, as they were written."""
    raw = json.dumps(items, separators=spacing, ensure_ascii=escaped).encode()
    seen: list[bytes] = []

    def edit(index: int, item: bytes) -> bytes | None:
        seen.append(item)
        return None if index in out else item

    edited = edit_items(raw, edit)
    kept = [item for index, item in enumerate(items) if index not in out]
    assert kept == json.loads(edited)
    assert json.loads(raw) == [json.loads(item) for item in seen]
    for index, item in enumerate(seen):
        assert index in out or item in edited
    if len(kept) == len(items):
        assert edited is raw


@settings(max_examples=200, deadline=None)
@given(
    members=st.dictionaries(st.text(max_size=6), VALUES, max_size=6),
    out=st.sets(st.integers(0, 5)),
    spacing=SPACING,
    escaped=st.booleans(),
)
def test_members_go_and_the_others_keep_their_bytes(
    members: dict[str, object], out: set[int], spacing: tuple[str, str], escaped: bool
) -> None:
    """The same for objects, whatever their names are."""
    raw = json.dumps(members, separators=spacing, ensure_ascii=escaped).encode()
    names = [name for index, name in enumerate(members) if index in out]
    edited = without_members(raw, *names)
    assert {name: value for name, value in members.items() if name not in names} == json.loads(edited)
    if not names:
        assert edited is raw


def test_a_value_is_replaced_where_it_stands() -> None:
    """Order and numbers' writing stay."""
    raw = b'{ "a" : 1.50 , "b":[1,2 ], "c":"\\u00e4"}'
    assert (
        edit_members(raw, lambda name, value: b"7" if name == "b" else value) == b'{ "a" : 1.50 , "b":7, "c":"\\u00e4"}'
    )
    assert with_member(raw, "a", b"2") == b'{ "a" : 2 , "b":[1,2 ], "c":"\\u00e4"}'
    assert with_member(raw, "d", b"2") == b'{ "a" : 1.50 , "b":[1,2 ], "c":"\\u00e4","d":2}'
    assert with_member(b"{ }", "d", b"2") == b'{ "d":2}'


@pytest.mark.parametrize("raw", [b'{"a":1,"a":12}', b'{"a":12,"a":1}', b'{"a":1,"b":2,"a":1}', b'{"a":1,"\\u0061":1}'])
def test_a_member_that_is_named_twice_is_refused(raw: bytes) -> None:
    """Two readers could take it for two different things."""
    with pytest.raises(InvalidRequest, match="twice"):
        edit_members(raw, lambda _name, value: value)
