"""How a key stands, as JSON for whoever holds it (docs/limits.md)."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from ccrouter.access.keys import ApiKey
from ccrouter.access.standing import Count, Spent, Standing
from ccrouter.clock import rfc3339


def usage_document(key: ApiKey, standing: Standing, at: datetime) -> bytes:
    """The answer of `GET /v1/usage`."""
    return msgspec.json.encode(
        {
            "type": "usage",
            "at": rfc3339(at),
            "key": {"name": key.name, "expires_at": _moment(key.expires_at)},
            "limits": {
                "rpm": _count(standing.rpm),
                "tpm": _count(standing.tpm),
                "concurrency": _count(standing.concurrency),
            },
            "spend": [_spent(item) for item in standing.spends],
            "counted_by": standing.counted_by,
        }
    )


def _count(count: Count | None) -> dict[str, Any] | None:
    if count is None:
        return None
    return {
        "limit": count.limit,
        "used": count.used,
        "remaining": max(0, count.limit - count.used),
        "resets_at": _moment(count.resets_at),
    }


def _spent(item: Spent) -> dict[str, Any]:
    left = None if item.limit is None else max(Decimal(0), item.limit - item.spent)
    return {
        "of": "owner" if item.of_owner else "key",
        "window": item.window,
        "spent": _usd(item.spent),
        "reserved": _usd(item.reserved),
        "limit": _usd(item.limit),
        "remaining": _usd(left),
        "percent": None if not item.limit else int(min(item.spent / item.limit, Decimal(1)) * 100),
        "on_spend": None if item.limit is None else item.on_spend,
        "begins_at": _moment(item.begins_at),
        "resets_at": _moment(item.resets_at),
    }


def _usd(amount: Decimal | None) -> str | None:
    if amount is None:
        return None
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
