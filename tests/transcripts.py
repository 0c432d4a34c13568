"""The recorded streams and errors of `fixtures/anthropic-sse`, and ways to cut them up."""

import json
import random
from pathlib import Path
from typing import Any

_FIXTURES = Path(__file__).parent / "fixtures" / "anthropic-sse"

EXPECTED: dict[str, dict[str, Any]] = {
    path.name.removesuffix(".expected.json"): json.loads(path.read_text())
    for path in sorted(_FIXTURES.glob("*.expected.json"))
}
"""By name of the transcript: what was recorded without a router, and what it must be metered as."""
assert len(EXPECTED) == 35, "a test over all transcripts must not pass because some are missing"

ERRORS: list[dict[str, Any]] = [
    answer
    for answer in json.loads((_FIXTURES / "error-bodies.json").read_text())
    if answer["status"] not in (401, 402, 403)
]
"""The platform's errors that pass the router; the others speak of the operator's credential, so it answers itself."""

QUESTION: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}


def transcript(name: str) -> bytes:
    """The bytes of a stream."""
    return (_FIXTURES / f"{name}.sse").read_bytes()


def cut(data: bytes, how: str) -> list[bytes]:
    """The data in chunks: `whole`, `N byte(s)`, or `random SEED`."""
    if how == "whole":
        return [data]
    kind, _, argument = how.partition(" ")
    if kind != "random":
        return [data[start : start + int(kind)] for start in range(0, len(data), int(kind))]
    source = random.Random(argument)
    chunks = []
    while data:
        size = source.choice((1, 2, 3, 5, 17, 60, 300))
        chunks.append(data[:size])
        data = data[size:]
    return chunks
