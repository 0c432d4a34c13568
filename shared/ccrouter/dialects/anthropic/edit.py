"""Changes single values inside JSON and leaves every other byte as it came; knows nothing of messages.

Prompt caches and thinking signatures depend on the bytes of what a client sends (anthropic-messages.md §12), so values
are never decoded and written anew: an array or object is cut at its own level, and only what changes is replaced.
"""

import re
from collections.abc import Callable

import msgspec

from ccrouter.errors import InvalidRequest

_WHITE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_COLON = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")

_items = msgspec.json.Decoder(list[msgspec.Raw])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def edit_items(array: bytes, edit: Callable[[int, bytes], bytes | None]) -> bytes:
    """An array with each item as `edit` returns it; None leaves it out. The same object where nothing changes."""
    pieces: list[bytes] = []
    changed = False
    at = array.index(b"[") + 1
    begin = at
    for index, raw in enumerate(_items.decode(array)):
        item = bytes(raw)
        start = array.index(item, at)  # only white space and a comma lie before it
        gap, at = array[at:start], start + len(item)
        new = edit(index, item)
        changed = changed or new is not item
        if new is not None:
            pieces += (gap if pieces else gap.replace(b",", b""), new)
    return b"".join((array[:begin], *pieces, array[at:])) if changed else array


def edit_members(document: bytes, edit: Callable[[str, bytes], bytes | None]) -> bytes:
    """An object with each member's value as `edit` returns it; None leaves it out. The same where nothing changes.

    Raises InvalidRequest where a member is named twice: nobody could say which of the two is meant.
    """
    pieces: list[bytes] = []
    changed = False
    values = _members.decode(document)
    at = begin = document.index(b"{") + 1
    for _ in range(len(values)):
        head = at
        name_at = _skip(document, at)
        if document[name_at : name_at + 1] == b",":
            name_at = _skip(document, name_at + 1)
        token = _STRING.match(document, name_at)
        colon = token and _COLON.match(document, token.end())
        if token is None or colon is None:
            raise _doubled()
        name = msgspec.json.decode(token[0], type=str)
        value = bytes(values[name])
        if not document.startswith(value, colon.end()):
            raise _doubled()
        at = colon.end() + len(value)
        new = edit(name, value)
        changed = changed or new is not value
        if new is not None:
            gap = document[head:name_at]
            pieces += (gap if pieces else gap.replace(b",", b""), document[name_at : colon.end()], new)
    if document[_skip(document, at) :] != b"}":
        raise _doubled()
    return b"".join((document[:begin], *pieces, document[at:])) if changed else document


def without_members(document: bytes, *names: str) -> bytes:
    """An object without these members."""
    return edit_members(document, lambda name, value: None if name in names else value)


def with_member(document: bytes, name: str, value: bytes) -> bytes:
    """An object whose member has this value; put at its end where it is new."""
    if name in _members.decode(document):
        return edit_members(document, lambda known, old: value if known == name else old)
    begin = document.rindex(b"}")
    comma = b"" if document[:begin].rstrip().endswith(b"{") else b","
    return b"%b%b%b:%b}" % (document[:begin], comma, msgspec.json.encode(name), value)


def _skip(document: bytes, at: int) -> int:
    match = _WHITE.match(document, at)
    return at if match is None else match.end()


def _doubled() -> InvalidRequest:
    return InvalidRequest("The request body names a member of one of its objects twice.")
