"""The captured requests of Claude Code and of the SDKs, whole: what a file abbreviates is put back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ccrouter.http import Headers

FOLDER = Path(__file__).parent / "fixtures" / "claude-code"


@dataclass(frozen=True)
class Capture:
    """One request as a client sent it."""

    name: str
    target: str
    headers: Headers
    body: dict[str, Any]

    @property
    def counts(self) -> bool:
        """Whether it asks for a count of tokens."""
        return "/count_tokens" in self.target


@cache
def captures() -> tuple[Capture, ...]:
    """All requests for messages and for counts."""
    return tuple(_all())


def _all() -> Iterator[Capture]:
    first = json.loads((FOLDER / "01-text-main.json").read_text())["requests"][0]["body"]
    for path in sorted(FOLDER.glob("*.json")):
        whole = {"tools": first["tools"], "system": first["system"]}
        for index, request in enumerate(json.loads(path.read_text()).get("requests", ())):
            target = request.get("target", "")
            body = request.get("body")
            if "/v1/messages" not in target or "/batches" in target or not isinstance(body, dict):
                continue
            for name in whole:
                if isinstance(body.get(name), list):
                    whole[name] = body[name]
                elif name in body:
                    body[name] = whole[name]
            headers = tuple((name.lower(), value) for name, value in request["headers"])
            yield Capture(f"{path.stem}-{index}", target, headers, body)
