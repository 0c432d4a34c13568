"""Recorded streams through the router on real sockets: bytes out are bytes in, and the row says what they say."""

import uuid
from typing import Any

import pytest
from sqlalchemy import select
from tests.app.asking import STREAMED, ask, row_of
from tests.services import RunningRouter
from tests.transcripts import EXPECTED, cut, transcript
from tests.upstream import Piece, sse

from ccrouter.storage.tables import request_log

MOMENTS = 30
"""Chunks that are written at once arrive as one; a moment after each single byte would take too long."""
COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
}
"""Counters of a row, and what the platform calls them."""


@pytest.mark.parametrize("how", ["whole", "1 byte", "7 bytes", "random 4"])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_transcript_passes_unchanged_and_is_metered(router: RunningRouter, name: str, how: str) -> None:
    """Wherever the platform's chunks end: every byte, the merged usage, what is billed of it, and how it ended."""
    router.upstream.script = [sse(*one_by_one(cut(transcript(name), how)))]
    answer = ask(router, router.new_key(), STREAMED)
    assert (answer.status_code, transcript(name)) == (200, answer.content)
    meter, row = EXPECTED[name]["meter"], row_of(router, answer)
    assert meter["usage_merged"] == (usage_raw(router, row) or {})
    assert (meter["stop_reason"], "ok" if meter["final"] else "error") == (row["stop_reason"], row["status"])
    if not meter["usage_merged"]:
        assert row["usage"] is None
        return
    assert ("final" if meter["final"] else "partial") == row["usage_state"]
    billed = meter["billable_from_iterations"] or meter["usage_merged"]
    assert {ours: billed.get(theirs, 0) for ours, theirs in COUNTS.items()} == {
        ours: row["usage"][ours] for ours in COUNTS
    }
    written = row["usage"]["cache_write_5m_tokens"] + row["usage"]["cache_write_1h_tokens"]
    assert billed.get("cache_creation_input_tokens", 0) == written


def one_by_one(chunks: list[bytes]) -> list[Piece]:
    """The chunks, with a moment after some of them in which the router reads what is there."""
    every = len(chunks) // MOMENTS + 1
    pieces: list[Piece] = []
    for number, chunk in enumerate(chunks):
        pieces.append(chunk)
        if number % every == 0:
            pieces.append(0.001)
    return pieces


def usage_raw(router: RunningRouter, row: dict[str, Any]) -> Any:
    """The usage object as it was merged, which the log keeps beside its counters."""
    asked = select(request_log.c.usage_raw).where(request_log.c.id == uuid.UUID(row["id"]))
    with router.services.engine.connect() as connection:
        return connection.execute(asked).scalar_one()
