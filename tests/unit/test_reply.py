"""The client's side over ASGI: a client that leaves, and one that stays and reads nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ccrouter.proxy import reply as client_side
from ccrouter.proxy.reply import AsgiReply


async def never() -> dict[str, Any]:
    """A client that sends nothing more and stays."""
    await asyncio.Event().wait()
    raise AssertionError("not reached")


def stalled_at(count: int) -> Callable[[dict[str, Any]], Awaitable[None]]:
    """A server that takes so many messages and then waits for its client."""
    left = [count]

    async def send(_message: dict[str, Any]) -> None:
        left[0] -= 1
        if left[0] < 0:
            await asyncio.Event().wait()

    return send


@pytest.mark.parametrize("taken", [0, 1, 2], ids=["the head", "a piece", "the end"])
def test_whoever_waits_for_a_client_that_reads_nothing_is_cancelled(
    monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """Wherever the answer is stuck, also after the record was written and nobody watches any more."""
    monkeypatch.setattr(client_side, "STALL_LIMIT_S", 0.1)

    async def answer(reply: AsgiReply) -> None:
        reply.watch()
        reply.let_go()
        await reply.start(200, ())
        await reply.send(b"x")
        await reply.finish(b"x")

    async def run() -> None:
        reply = AsgiReply(never, stalled_at(taken), can_cut=True)
        task = asyncio.create_task(answer(reply))
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert reply.gone
        reply.close()

    asyncio.run(run())


def test_a_long_silence_of_ours_is_not_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that thinks is waited for by its own limit."""
    monkeypatch.setattr(client_side, "STALL_LIMIT_S", 0.05)

    async def run() -> None:
        reply = AsgiReply(never, stalled_at(3), can_cut=True)
        await reply.start(200, ())
        await asyncio.sleep(0.3)
        await reply.send(b"x")
        await asyncio.sleep(0.1)
        await reply.finish()
        assert not reply.gone
        reply.close()

    asyncio.run(run())
