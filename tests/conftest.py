"""Fixtures that several rooms of tests share."""

import pytest

from tests.platforms.running import emulators, written_cells
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
    "emulators",
    "engine",
    "platform",
    "router",
    "upstream",
    "vault",
    "written_cells",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How the tables are written and printed: `make platforms`, `make permissions`."""
    parser.addoption("--write-platforms", action="store_true", help="write docs/platforms.md instead of checking it")
    parser.addoption("--permissions", action="store_true", help="print who was answered what by every operation")
