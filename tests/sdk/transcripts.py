"""The transcripts and errors that both SDKs read, and the question that they answer."""

import json
from pathlib import Path
from typing import Any

_FIXTURES = Path(__file__).parents[1] / "fixtures" / "anthropic-sse"

EXPECTED: dict[str, dict[str, Any]] = {
    path.name.removesuffix(".expected.json"): json.loads(path.read_text())
    for path in sorted(_FIXTURES.glob("*.expected.json"))
}
"""What was recorded for each transcript without a router."""

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
