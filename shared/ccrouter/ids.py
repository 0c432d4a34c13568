"""Identifiers: UUIDv7 for everything that is stored, `req_…` for what a client is shown."""

import os
import uuid
from datetime import datetime

from ccrouter.clock import epoch_ms


def uuid7(at: datetime | None = None) -> uuid.UUID:
    """A UUID of version 7 (RFC 9562 §5.7): 48 bits of milliseconds, then random; ids sort by the time they were made.

    `at` makes an id that carries another moment than now, for range queries by time and for tests.
    """
    milliseconds = epoch_ms() if at is None else int(at.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


def first_id(moment: datetime) -> uuid.UUID:
    """The smallest id of a millisecond: ids carry the time they were made, so that it bounds queries by time."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)


def request_id_of(record_id: uuid.UUID) -> str:
    """The id a client sees in `request_id`, `request-id` and `x-proxy-request-id`: `req_` and the record's own id."""
    return f"req_{record_id.hex}"
