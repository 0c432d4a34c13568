"""The record of one request: everything a log row holds, as plain values that become one JSON line."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from ccrouter.messages.usage import Usage


class Attempt(msgspec.Struct, kw_only=True):
    """One try on one credential of one target. `outcome`: `ok`, or the outcome of the error that ended it."""

    platform: str
    model: str
    credential_id: str | None = None
    credential_name: str | None = None
    outcome: str = "ok"
    status: int | None = None
    ms: int = 0
    reason: str | None = None


class Timings(msgspec.Struct, kw_only=True):
    """Where the time went, in milliseconds; None where a stage was not reached."""

    admission_ms: int | None = None
    queue_ms: int | None = None
    connect_ms: int | None = None
    first_token_ms: int | None = None
    generation_ms: int | None = None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a request cost, itemised. `rates` are the USD per million tokens that were applied."""

    total: Decimal
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    other: Decimal
    rates: dict[str, str]
    currency: str
    price_version: str


class CallRecord(msgspec.Struct, kw_only=True):
    """One row of the request log (`product.md` §7, LogRow), flat.

    `kind`: messages, count_tokens or test. `status`: ok, error, aborted or limited. `usage_state`: final, partial or
    estimated (None where no answer began). `cost_state`: priced, unpriced or none.
    """

    id: UUID
    at: datetime
    kind: str
    request_id: str
    upstream_request_id: str | None = None
    key_id: str | None = None
    key_name: str | None = None
    user_id: str | None = None
    user_login: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    parent_agent_id: str | None = None
    request_class: str | None = None
    client: str | None = None
    client_ip: str | None = None
    requested_model: str | None = None
    slot: str | None = None
    rule: str | None = None
    platform: str | None = None
    model: str | None = None
    credential_id: str | None = None
    credential_name: str | None = None
    stream: bool = False
    status: str = "ok"
    http_status: int | None = None
    stop_reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    usage: Usage | None = None
    usage_state: str | None = None
    usage_raw: dict[str, Any] | None = None
    cost: Cost | None = None
    cost_state: str = "none"
    timings: Timings = msgspec.field(default_factory=Timings)
    ttft_ms: int | None = None
    duration_ms: int = 0
    attempts: list[Attempt] = msgspec.field(default_factory=list)
    capture: str | None = None
    """What its key wanted captured, `errors` or `all`; whether there is a capture, only its own table knows."""


_ENCODER = msgspec.json.Encoder(decimal_format="string")
_DECODER = msgspec.json.Decoder(CallRecord)


def encode_record(record: CallRecord) -> bytes:
    """The record as one line of JSON: the form in which it is inserted, queued and kept in the outbox."""
    return _ENCODER.encode(record)


def decode_record(line: bytes) -> CallRecord:
    """The record of such a line; raises msgspec.DecodeError or msgspec.ValidationError."""
    return _DECODER.decode(line)
