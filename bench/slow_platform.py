"""A platform for outages: streams that last as long as each request says, and a note of every request that arrived."""

import asyncio
import re

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ASKED = re.compile(rb"stream ([\w-]+) lasts (\d+) ms")
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
    b'"model":"m","content":[],"stop_reason":null,"stop_sequence":null,'
    b'"usage":{"input_tokens":10,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"la"}}\n\n'
)
_END = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":20}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)


class SlowPlatform:
    """Speaks Anthropic's streams. `reached` are the names of the requests that came, in their order."""

    def __init__(self, pace_s: float) -> None:
        self.reached: list[str] = []
        self._pace_s = pace_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = _LENGTH.search(head)
                asked = _ASKED.search(await reader.readexactly(int(found[1]) if found else 0))
                if asked is None:
                    raise AssertionError("a request of nobody")
                self.reached.append(asked[1].decode())
                await self._answer(writer, int(asked[2]) / 1000)
        except (asyncio.IncompleteReadError, ConnectionError):
            # The router went away.
            return
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, lasts_s: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + lasts_s
        writer.write(_HEAD + _chunk(_START))
        while (left := until - loop.time()) > 0:
            writer.write(_chunk(_DELTA))
            await writer.drain()
            await asyncio.sleep(min(left, self._pace_s))
        writer.write(_chunk(_END) + b"0\r\n\r\n")
        await writer.drain()


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
