"""Fixtures that several rooms of tests share."""

from tests.services import (
    _shared_platform,
    _shared_router,
    _shared_upstream,
    database_url,
    embedded,
    engine,
    platform,
    router,
    upstream,
    vault,
)

__all__ = [
    "_shared_platform",
    "_shared_router",
    "_shared_upstream",
    "database_url",
    "embedded",
    "engine",
    "platform",
    "router",
    "upstream",
    "vault",
]
