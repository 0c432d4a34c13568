"""Compares what an adapter made with a fixture's expectation, by the rules of the fixtures' README.

`"${INT}"` stands for any integer of 0 or more, `"${ANY}"` for any text that is not empty. Members that are null may be
more than expected; `ping` is ignored; JSON in `partial_json` may be compared as JSON.
"""

import json
import random
from pathlib import Path
from typing import Any

CUTS = ("whole", "1 byte", "7 bytes", "random 1", "random 2", "random 3")


def cut(data: bytes, how: str) -> list[bytes]:
    """The data in chunks of the named kind."""
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


def read_lines(path: Path) -> list[Any]:
    """The documents of a file with one JSON document a line."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def differences(expected: Any, got: Any, where: str = "$") -> list[str]:
    """What does not match, a sentence each; empty where all does."""
    if expected == "${INT}":
        fits = isinstance(got, int) and not isinstance(got, bool) and got >= 0
        return [] if fits else [f"{where}: {got!r} is no count"]
    if expected == "${ANY}":
        return [] if isinstance(got, str) and got else [f"{where}: {got!r} is no text"]
    if isinstance(expected, dict) and isinstance(got, dict):
        found = [f"{where}.{name} is missing" for name in expected if name not in got and expected[name] is not None]
        for name, value in got.items():
            if name in expected:
                found += differences(expected[name], value, f"{where}.{name}")
            elif value is not None:
                found.append(f"{where}.{name} is not expected: {value!r}")
        return found
    if isinstance(expected, list) and isinstance(got, list):
        found = [] if len(expected) == len(got) else [f"{where}: {len(got)} items, not {len(expected)}"]
        for index, (one, other) in enumerate(zip(expected, got, strict=False)):
            found += differences(one, other, f"{where}[{index}]")
        return found
    same = expected == got and type(expected) is type(got)
    return [] if same else [f"{where}: {got!r}, not {expected!r}"]


def event_differences(
    expected: list[dict[str, Any]], got: list[dict[str, Any]], *, parsed_json: bool = False
) -> list[str]:
    """What does not match between two streams of events; `parsed_json` compares tool JSON by its meaning."""
    shown = [event for event in got if event["type"] != "ping"]
    if parsed_json:
        expected, shown = _parsed(expected), _parsed(shown)
    kinds = [event["type"] for event in expected], [event["type"] for event in shown]
    if kinds[0] != kinds[1]:
        return [f"the events are {kinds[1]}, not {kinds[0]}"]
    return differences(expected, shown)


def _parsed(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    copies: list[dict[str, Any]] = json.loads(json.dumps(events))
    for event in copies:
        delta = event.get("delta")
        if isinstance(delta, dict) and delta.get("partial_json"):
            delta["partial_json"] = json.loads(delta["partial_json"])
    return copies
