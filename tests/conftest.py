"""Fixtures that several rooms of tests share."""

from tests.services import _shared_router, _shared_upstream, database_url, embedded, engine, router, upstream, vault

__all__ = ["_shared_router", "_shared_upstream", "database_url", "embedded", "engine", "router", "upstream", "vault"]
