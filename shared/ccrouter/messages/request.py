"""A Messages request as the router reads it: routing facts on the side, the bytes themselves untouched.

The bytes of every member survive, because prompt caches and thinking signatures depend on them
(anthropic-messages.md §12): the body is cut into its top-level members only, each kept raw.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from ccrouter.errors import InvalidRequest

_WHITE = b" \t\r\n"
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],]', re.DOTALL)
_TTL_1H = re.compile(rb'"ttl"\s*:\s*"1h"')
_OLD_USER_ID = re.compile(r"_session_([0-9a-fA-F-]{36})$")

_members_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


class MessagesRequest:
    """The body of `POST /v1/messages` or of its `count_tokens`.

    Raises InvalidRequest where the body is not a JSON object, has no usable `model`, or names a member twice.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        try:
            self._members = _members_decoder.decode(body)
        except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
            raise InvalidRequest(f"The request body is not a JSON object: {error}") from None
        except UnicodeDecodeError:
            raise InvalidRequest("The request body is not valid UTF-8.") from None
        self._refuse_doubles()
        model = self.member("model")
        if model is None:
            raise InvalidRequest("model: Field required")
        if not isinstance(model, str) or not model:
            raise InvalidRequest("model: must be a non-empty string")
        self.model = model
        self.stream = self.raw("stream") == b"true"

    @property
    def names(self) -> Iterable[str]:
        """The names of the top-level members, in order."""
        return self._members

    def raw(self, name: str) -> bytes | None:
        """A top-level member's bytes."""
        value = self._members.get(name)
        return None if value is None else bytes(value)

    def member(self, name: str) -> Any:
        """A top-level member, decoded; None where it is absent. Raises InvalidRequest where it is not JSON."""
        value = self._members.get(name)
        if value is None:
            return None
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(f"{name}: {error}") from None

    @cached_property
    def document(self) -> dict[str, Any]:
        """The whole body, decoded once and shared: nobody changes it. Raises InvalidRequest where it is not JSON."""
        try:
            document: dict[str, Any] = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(f"The request body is not valid JSON: {error}") from None
        return document

    def with_model(self, model: str) -> bytes:
        """The body with another model name, every other member's bytes and the order as they came."""
        if model == self.model:
            return self.body
        return msgspec.json.encode({**self._members, "model": model})

    def with_changes(self, model: str, changes: Mapping[str, bytes | None]) -> bytes:
        """The body with another model name and other members' bytes (None: without the member), the rest as it came.

        A member that is new stands at the end.
        """
        members: dict[str, Any] = {**self._members, "model": model}
        for name, value in changes.items():
            if value is None:
                members.pop(name, None)
            else:
                members[name] = msgspec.Raw(value)
        return msgspec.json.encode(members)

    @cached_property
    def asks_only_1h_cache(self) -> bool:
        """Whether every cache breakpoint asks for one hour: then an unsplit write count is priced as 1h (§7.2)."""
        return 0 < self.body.count(b'"cache_control"') <= len(_TTL_1H.findall(self.body))

    @cached_property
    def session_id(self) -> str | None:
        """The conversation's id in `metadata.user_id`: Claude Code puts a JSON document there, older ones a string."""
        metadata = self._lenient("metadata")
        user_id = metadata.get("user_id") if isinstance(metadata, dict) else None
        if not isinstance(user_id, str):
            return None
        try:
            document = msgspec.json.decode(user_id)
        except msgspec.DecodeError:
            match = _OLD_USER_ID.search(user_id)
            return match[1] if match else None
        session = document.get("session_id") if isinstance(document, dict) else None
        return session if isinstance(session, str) and session else None

    @cached_property
    def opening(self) -> str:
        """A hash of the system prompt and the first user text: tells conversations apart that carry no id."""
        hashed = hashlib.sha256()
        for text in (*_texts(self._lenient("system")), *self._first_user_texts()):
            hashed.update(text.encode("utf-8", "surrogatepass"))
            hashed.update(b"\0")
        return hashed.hexdigest()

    def _first_user_texts(self) -> Iterator[str]:
        messages = self._members.get("messages")
        if messages is None:
            return
        try:
            for raw in msgspec.json.decode(messages, type=list[msgspec.Raw]):
                message = msgspec.json.decode(raw)
                if isinstance(message, dict) and message.get("role") == "user":
                    yield from _texts(message.get("content"))
                    return
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # Not ours to judge: the platform answers 400 to a body like this; it only is no help for stickiness.
            return

    def _lenient(self, name: str) -> Any:
        try:
            return self.member(name)
        except InvalidRequest:
            return None

    def _refuse_doubles(self) -> None:
        # A compact body without doubles consists of exactly its members, so the sum of their lengths proves it
        # (0.3 µs a member). White space or escapes in names need the real scan.
        members = self._members
        length = 1 + sum(len(name.encode()) + len(memoryview(value)) + 4 for name, value in members.items())
        if length == len(self.body.strip(_WHITE)) and members:
            return
        seen: set[str] = set()
        for name in _member_names(self.body):
            if name in seen:
                raise InvalidRequest(f"{name}: the request body names this member twice")
            seen.add(name)


def _member_names(body: bytes) -> Iterator[str]:
    """The names of the members of a valid JSON object, in order, doubles included, escapes resolved."""
    depth = 0
    name_follows = False
    for match in _TOKEN.finditer(body):
        token = match[0]
        first = token[0]
        if first == 0x22:  # a string
            if depth == 1 and name_follows:
                yield msgspec.json.decode(token, type=str)
                name_follows = False
        elif first in b"{[":
            depth += 1
            name_follows = depth == 1
        elif first in b"}]":
            depth -= 1
        elif depth == 1:  # a comma between members
            name_follows = True


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for block in content:
            if isinstance(block, dict) and isinstance(text := block.get("text"), str):
                yield text
