"""The shared token estimate on requests whose true counts vendors publish (sources: docs/platforms.md)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ccrouter.messages.estimate import estimate_input, roughly

DOCUMENT = (Path(__file__).parents[2] / "docs" / "platforms.md").read_text()


def said(text: str) -> dict[str, Any]:
    """What a user says."""
    return {"role": "user", "content": text}


LOCATION = {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}
WEATHER = {
    "name": "get_weather",
    "description": "Get the current weather in a given location",
    "input_schema": {"type": "object", "properties": {"location": LOCATION}, "required": ["location"]},
}
THOUGHT = [
    {
        "type": "thinking",
        "thinking": "This is a nice number theory question. Let's think about it step by step...",
        "signature": "EuYBCkQY",
    },
    {"type": "text", "text": "Yes, there are infinitely many prime numbers p such that p mod 4 = 3..."},
]
PUBLISHED: dict[str, tuple[int, dict[str, Any]]] = {
    "a system prompt and a greeting, Claude": (
        14,
        {"system": "You are a scientist", "messages": [said("Hello, Claude")]},
    ),
    "two turns with thinking, Claude": (
        88,
        {
            "messages": [
                said("Are there an infinite number of prime numbers such that n mod 4 == 3?"),
                {"role": "assistant", "content": THOUGHT},
                said("Can you write a formal proof?"),
            ]
        },
    ),
    "a question with one tool, Claude": (
        403,
        {"tools": [WEATHER], "messages": [said("What's the weather like in San Francisco?")]},
    ),
    "a sentence, Gemini": (10, {"messages": [said("The quick brown fox jumps over the lazy dog.")]}),
}


@pytest.mark.parametrize("request_named", PUBLISHED)
def test_the_document_says_how_far_the_estimate_is_off(request_named: str) -> None:
    """Its figures are those that come out here."""
    counted, document = PUBLISHED[request_named]
    estimated = estimate_input(document)
    off = round((estimated - counted) / counted * 100)
    row = f"| {request_named} | {counted} | {estimated} | {f'{off:+}' if off else '0'} % |"
    assert row in DOCUMENT.splitlines()


def test_the_document_leaves_no_published_count_out() -> None:
    """Nor adds one that is not computed here."""
    section = DOCUMENT.partition("## How good the estimate is\n")[2]
    assert set(re.findall(r"^\| ([^|]+?) \| \d+ \|", section, re.MULTILINE)) == set(PUBLISHED)


def body_with(source: dict[str, Any]) -> bytes:
    """A request whose only message is a text of 400 characters and something of this source."""
    content = [{"type": "text", "text": "word " * 80}, {"type": "image", "source": source}]
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()


@pytest.mark.parametrize(
    ("source", "least", "most"),
    [
        ({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo" + "A" * 4_000_000}, 1_650, 1_800),
        ({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x" + "A" * 680_000}, 20_050, 20_250),
        ({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo"}, 100, 200),
        ({"type": "text", "media_type": "text/plain", "data": "more words " * 4_000}, 11_050, 11_200),
    ],
    ids=["image", "pdf", "tiny image", "text"],
)
def test_a_reservation_counts_media_by_their_kind_and_not_by_their_bytes(
    source: dict[str, Any], least: int, most: int
) -> None:
    """Base64 of four megabytes is no million tokens; a text that is called data is text."""
    assert least <= roughly(body_with(source)) <= most


def test_a_reservation_counts_every_image() -> None:
    """Wherever it stands."""
    image = {"type": "base64", "media_type": "image/png", "data": "A" * 100_000}
    assert roughly(body_with(image) * 3) == pytest.approx(roughly(body_with(image)) * 3, abs=3)
