"""AWS event stream: cuts bytes into checked frames of headers and payload; knows no protocol above (kiro.md §7).

Layout, big endian: total length u32, headers length u32, CRC-32 of these 8 bytes; headers; payload; CRC-32 of all that.
"""

import struct
import zlib
from dataclasses import dataclass

_PRELUDE = struct.Struct(">III")
_LARGEST_HEADERS = 131_072
_LARGEST_PAYLOAD = 24 * 1024 * 1024
_OVERHEAD = 16
_STRING, _BYTES = 7, 6
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Sizes of the header values that have no length of their own, by type."""


class FrameDamaged(ValueError):
    """A checksum or a length is wrong: nothing after this point can be trusted."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. Headers with string values by name; those of other types are left out: no service here uses them."""

    headers: dict[str, str]
    payload: bytes


class FrameCutter:
    """Feed it chunks, get whole frames."""

    def __init__(self) -> None:
        self.tail = b""
        """The bytes of the frame that is not complete yet."""
        self.damage: FrameDamaged | None = None
        """Set instead of raised, so that the frames before the damaged one are still handed out."""

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that this chunk completes; after damage none, however much is fed."""
        if self.damage is not None:
            return []
        data = self.tail + chunk if self.tail else chunk
        frames: list[Frame] = []
        at = 0
        try:
            while len(data) - at >= _PRELUDE.size:
                total, headers_length, prelude_crc = _PRELUDE.unpack_from(data, at)
                if zlib.crc32(data[at : at + 8]) != prelude_crc:
                    raise FrameDamaged("the checksum of a frame's prelude is wrong")
                if (
                    headers_length > _LARGEST_HEADERS
                    or headers_length > total - _OVERHEAD
                    or total - _OVERHEAD - headers_length > _LARGEST_PAYLOAD
                ):
                    raise FrameDamaged("a frame has an impossible length")
                if len(data) - at < total:
                    break
                frames.append(_read_frame(data[at : at + total], headers_length))
                at += total
        except FrameDamaged as damage:
            self.damage = damage
        self.tail = data[at:] if at else data
        return frames


def encode_frame(headers: dict[str, str], payload: bytes) -> bytes:
    """A frame with string headers, as the services write it."""
    head = b"".join(
        bytes([len(name.encode())]) + name.encode() + struct.pack(">BH", _STRING, len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", _OVERHEAD + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _read_frame(frame: bytes, headers_length: int) -> Frame:
    if zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:], "big"):
        raise FrameDamaged("the checksum of a frame is wrong")
    end = _PRELUDE.size + headers_length
    return Frame(_read_headers(frame[_PRELUDE.size : end]), frame[end:-4])


def _read_headers(data: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name_end = at + 1 + data[at]
            name = data[at + 1 : name_end].decode()
            kind = data[name_end]
            at = name_end + 1
            if kind in (_STRING, _BYTES):
                size = int.from_bytes(data[at : at + 2], "big")
                value = data[at + 2 : at + 2 + size]
                if len(value) != size:
                    raise FrameDamaged("a frame's headers cannot be read")
                at += 2 + size
                if kind == _STRING:
                    headers[name] = value.decode()
            else:
                at += _FIXED[kind]
    except (IndexError, KeyError, UnicodeDecodeError):
        raise FrameDamaged("a frame's headers cannot be read") from None
    if at != len(data):
        raise FrameDamaged("a frame's headers cannot be read")
    return headers
